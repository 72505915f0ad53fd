//! The roll: every task that is alive, for a test whose time is up.

use std::fmt::Write as _;
use std::time::Duration;

use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::task::{TaskRecord, TaskState, WokenBy};
use pollscope_model::measured::Metric;
use pollscope_model::text::clean;
use pollscope_model::time::Nanos;
use pollscope_model::world::Process;

/// Tasks that are listed; of more, how many there are.
const LISTED: usize = 64;
/// Frames of a stack.
const FRAMES: usize = 8;

/// Every living task with its state and what it waits for, as far as that is known.
pub(super) fn of(process: &Process, timeout: Duration) -> String {
    let mut tasks: Vec<TaskRecord> =
        process.tasks().map(|row| row.record()).filter(|task| !task.state.is_ended()).collect();
    // Tasks that hold a thread first, then by age.
    tasks.sort_by_key(|task| (task.state != TaskState::Running, task.spawned_ns));
    let timeout = Nanos(timeout.as_nanos() as u64);
    let mut text = match tasks.len() {
        0 => {
            format!("timed out after {timeout}; no task is alive, the body waits for something that is none")
        }
        1 => format!("timed out after {timeout} with 1 task alive:"),
        n => format!("timed out after {timeout} with {n} tasks alive:"),
    };
    for task in tasks.iter().take(LISTED) {
        let _ = write!(text, "\n{}", row(process, task));
    }
    if tasks.len() > LISTED {
        let _ = write!(text, "\n  and {} more", tasks.len() - LISTED);
    }
    text
}

fn row(process: &Process, task: &TaskRecord) -> String {
    let name = process.dictionary().name(task.name);
    let name = if name.is_empty() { String::new() } else { format!(" `{}`", clean(&name)) };
    let site = process.dictionary().site(task.site).to_string();
    let now_ns = process.now_ns();
    let since = match task.state {
        TaskState::Running => task.current_poll_ns(now_ns).unwrap_or(0),
        TaskState::Scheduled => now_ns.saturating_sub(task.scheduled_since_ns),
        _ => task.quiet_ns(now_ns),
    };
    let mut text = format!(
        "  task {}{name}: {} for {} ({} polls), spawned at {}\n      {}",
        task.id,
        task.state.as_str(),
        Nanos(since),
        task.polls,
        clean(&site),
        waits_for(task)
    );
    let stall = process.stalls().iter().find(|stall| stall.task == Some(task.id));
    if let Some(stall) = stall {
        text.push_str(&seen(process, stall));
    }
    text
}

fn waits_for(task: &TaskRecord) -> String {
    match task.state {
        TaskState::Running => return "inside a poll: it holds its thread".to_owned(),
        TaskState::Scheduled => return "waits for a worker: it is ready to run".to_owned(),
        _ => {}
    }
    if !task.measures(Metric::Wakes) {
        return "waits for: not measured (tokio's hooks do not see wakes; spawn it through pollscope)"
            .to_owned();
    }
    if task.wakers == 0 {
        return "waits for nothing that could wake it: no waker of it exists".to_owned();
    }
    let wakers = if task.wakers == 1 { "1 waker".to_owned() } else { format!("{} wakers", task.wakers) };
    let last = match task.woken_by {
        WokenBy::Unknown => "never woken yet".to_owned(),
        WokenBy::Task(by) => format!("last woken by task {by}"),
        WokenBy::Itself => "last woken by itself".to_owned(),
        WokenBy::Runtime => "last woken by the runtime: a timer, I/O or a join".to_owned(),
        WokenBy::OtherThread => "last woken by a thread outside of the runtime".to_owned(),
    };
    format!("waits for: resource unknown; {wakers} held, {last}")
}

fn seen(process: &Process, stall: &Stall) -> String {
    let mut text = String::new();
    if let Some(word) = stall.waiting_in {
        let _ = write!(text, "; the kernel says {}", clean(&process.dictionary().name(word)));
    }
    if let Some(stack) = stall.stack.and_then(|stack| process.dictionary().stack(stack)) {
        for frame in stack.shown().iter().take(FRAMES) {
            let _ = write!(text, "\n        in {}", clean(frame));
        }
    }
    text
}
