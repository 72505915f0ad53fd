//! Sessions beside each other, and beside the reader of the whole process.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::task::Poll;

use pollscope_model::dict::Dictionary;
use pollscope_model::entity::edge::Waker;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::task::{TaskKind, TaskRecord};
use pollscope_model::id::{SiteId, TaskId, WorkerId};
use pollscope_model::report::Losses;

use super::*;
use crate::task;

fn settings(name: &str) -> Settings {
    Settings { name: name.to_owned(), slow_poll: Duration::from_secs(60), stall: None, policy: String::new() }
}

fn open(name: &str) -> Book {
    Book::open(settings(name)).expect("a number is free")
}

/// All reports of one book, folded.
#[derive(Default)]
struct Fold {
    dict: Dictionary,
    sites: HashMap<SiteId, SiteDelta>,
    tasks: HashMap<TaskId, TaskRecord>,
    edges: HashMap<(SiteId, Waker), u64>,
    worker_polls: HashMap<WorkerId, u64>,
    slow_polls: Vec<(TaskId, u64)>,
    losses: Losses,
    seq: u64,
}

impl Fold {
    fn take(&mut self, report: Report) {
        assert_eq!(report.first_seq, self.seq + 1);
        self.seq = report.seq;
        for entry in report.dict {
            self.dict.insert(entry);
        }
        for site in report.sites {
            let new = || SiteDelta { site: site.site, ..SiteDelta::default() };
            self.sites.entry(site.site).or_insert_with(new).merge(&site);
        }
        self.tasks.extend(report.tasks.into_iter().map(|task| (task.id, task)));
        for edge in report.edges {
            *self.edges.entry(edge.key()).or_default() += edge.count;
        }
        for worker in report.workers {
            *self.worker_polls.entry(worker.id).or_default() += worker.polls.unwrap_or(0);
        }
        self.slow_polls.extend(report.slow_polls.iter().map(|poll| (poll.task, poll.wall_ns)));
        self.losses = report.losses;
    }

    fn of(book: &Book) -> Self {
        let mut fold = Self::default();
        fold.take(book.last_report());
        fold
    }

    fn name(&self, task: &TaskRecord) -> String {
        self.dict.name(task.name).to_string()
    }

    fn sum(&self, of: impl Fn(&SiteDelta) -> u64) -> u64 {
        self.sites.values().map(of).sum()
    }
}

/// Wakes itself `yields` times and returns.
fn yields(yields: u64) -> impl Future<Output = ()> + Send {
    let mut polls = 0;
    poll_fn(move |cx| {
        polls += 1;
        if polls > yields {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

fn current() -> Builder {
    Builder::new_current_thread()
}

#[test]
fn two_sessions_at_one_line_know_nothing_of_each_other() {
    let (one, two) = (open("one"), open("two"));
    let run = |book: &Book, tasks: u64| {
        let runtime = book.build(&mut current(), "two-sessions").expect("a runtime");
        let _here = book.enter();
        runtime.block_on(async {
            for _ in 0..tasks {
                task("same-line").spawn(yields(tasks)).await.expect("returns");
            }
        });
    };
    run(&one, 2);
    run(&two, 5);
    run(&one, 3);
    for (book, tasks, polls) in [(&one, 5, 2 * 3 + 3 * 4), (&two, 5, 5 * 6)] {
        let fold = Fold::of(book);
        assert_eq!((fold.sites.len(), fold.tasks.len()), (1, tasks));
        assert_eq!(fold.sum(|site| site.spawned), tasks as u64);
        assert_eq!(fold.sum(|site| site.completed), tasks as u64);
        assert_eq!(fold.sum(|site| site.poll.count()), polls);
        assert_eq!(fold.sum(|site| site.self_wakes), polls - tasks as u64);
        assert!(fold.tasks.values().all(|task| fold.name(task) == "same-line"));
        assert_eq!(fold.edges.values().sum::<u64>(), polls - tasks as u64);
        assert_eq!((fold.losses, book.live_tasks()), (Losses::default(), 0));
    }
}

#[test]
fn the_body_is_of_the_session_and_so_is_what_it_spawns() {
    let book = open("body");
    let runtime = book.build(&mut current(), "body").expect("a runtime");
    let body = async {
        crate::spawn(async { crate::spawn(yields(1)).await }).await.expect("returns").expect("returns");
        crate::spawn_blocking(|| ()).await.expect("returns");
    };
    let at = Location::caller();
    let handle = book.spawn_on(body, runtime.handle(), at, Labels::default());
    runtime.block_on(handle).expect("returns");
    let fold = Fold::of(&book);
    assert_eq!(fold.tasks.len(), 4);
    assert!(fold.sites.keys().any(|site| fold.dict.site(*site).line == at.line()));
    let jobs = fold.tasks.values().filter(|task| task.kind == TaskKind::Blocking).count();
    assert_eq!(jobs, 1);
}
