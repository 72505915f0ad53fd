//! A task that panics without a word.
//!
//! Jobs are spawned and their handles dropped. One job in ten cannot parse its input and panics:
//! tokio catches the panic and keeps it for the handle's owner, who never joins the task.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin panic
//! cargo run -- attach panic         # in another terminal
//! ```
//!
//! You will see, in **Tasks**, `import` tasks that ended as panicked, and in **Findings**
//! `swallowed-panic` with the line of the spawn below.
//!
//! The way out: await the handle, or collect the tasks in a `pollscope::JoinSet` and look at what
//! they return.

use std::time::Duration;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    // The panics are this program's purpose; their messages would fill the terminal.
    std::panic::set_hook(Box::new(|_| {}));
    let service = pollscope::spawn(async {
        let mut jobs = tokio::time::interval(Duration::from_millis(50));
        for job in 0_u32.. {
            jobs.tick().await;
            pollscope::task("import").group("jobs").spawn(import(job));
        }
    });
    pollscope_examples::until_stopped().await;
    service.abort();
}

async fn import(job: u32) -> u32 {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let input = if job.is_multiple_of(10) { "ten" } else { "10" };
    input.parse().expect("an input is a number")
}
