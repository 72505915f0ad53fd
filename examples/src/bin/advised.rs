//! Faults that take a process of their own, and what their findings say to do: `advised CASE REMEDY`.
//!
//! `tests/advice.rs` runs it under `pollscope check`, once with the fault and once with each remedy. `left` leaves a task
//! at its end; `computes`, `sleeps` and `asks` do that in a future of another executor than tokio's.
//!
//! ```sh
//! cargo run -- check --no-leaks -- target/debug/advised left
//! cargo run -- check --no-leaks -- target/debug/advised left abort
//! ```

use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;
use std::time::{Duration, Instant};

use pollscope::{JoinSet, Traced};
use smol::Timer;
use tokio::sync::watch;

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(150);

#[expect(clippy::disallowed_methods, reason = "the rim: the example's two arguments")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().unwrap_or_default();
    let remedy = arguments.next().unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _pollscope = pollscope::init();
    match case.as_str() {
        "left" => runtime.block_on(leaves(&remedy)),
        "computes" => smol::block_on(repeated(computes(remedy.clone()), computes(remedy)).traced("advised")),
        "sleeps" => smol::block_on(repeated(sleeps(remedy.clone()), sleeps(remedy)).traced("advised")),
        "asks" => smol::block_on(asks(remedy).traced("advised")),
        other => panic!("no case `{other}`: run it as `advised left|computes|sleeps|asks [REMEDY]`"),
    }
}

/// Twice, with a wait before: what a first poll does may be initialisation.
async fn repeated(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    Timer::after(MS).await;
    first.await;
    Timer::after(MS).await;
    second.await;
}

/// A task that waits to be told the end. The guard of pollscope ends before the runtime does.
async fn leaves(remedy: &str) {
    let (end, mut told) = watch::channel(false);
    let waits = async move {
        // Without a sender that tells it, it waits for ever.
        _ = told.wait_for(|is_over| *is_over).await;
    };
    if remedy == "shutdown()" {
        let mut tasks = JoinSet::new();
        tasks.spawn(waits);
        tokio::time::sleep(MS).await;
        tasks.shutdown().await;
        return;
    }
    let task = pollscope::task("watcher");
    let task = if remedy == "long_lived" { task.long_lived() } else { task };
    let handle = task.spawn(waits);
    tokio::time::sleep(MS).await;
    match remedy {
        "" | "long_lived" => std::mem::forget(end),
        // What a token does to those that wait for it.
        "Await" | "a CancellationToken" => {
            end.send_replace(true);
            handle.await.expect("returns");
        }
        "abort" => {
            handle.abort();
            assert!(handle.await.expect_err("it was aborted").is_cancelled());
        }
        other => panic!("no program for `{other}`"),
    }
}

fn compute(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        black_box((0..1_000_u64).fold(0, |sum: u64, n| sum.wrapping_add(black_box(n))));
    }
}

async fn computes(remedy: String) {
    match remedy.as_str() {
        "" => compute(LONG),
        "unblock" => smol::unblock(|| compute(LONG)).await,
        "give way" => {
            for _ in 0..LONG.as_millis() {
                compute(MS);
                smol::future::yield_now().await;
            }
        }
        other => panic!("no program for `{other}`"),
    }
}

async fn sleeps(remedy: String) {
    match remedy.as_str() {
        "" => std::thread::sleep(LONG),
        "executor's counterpart" => _ = Timer::after(LONG).await,
        "unblock" => smol::unblock(|| std::thread::sleep(LONG)).await,
        other => panic!("no program for `{other}`"),
    }
}

/// Three seconds of waiting for what another thread tells.
async fn asks(remedy: String) {
    let (tell, told) = smol::channel::bounded(1);
    std::thread::spawn(move || {
        std::thread::sleep(20 * LONG);
        tell.send_blocking(())
    });
    match remedy.as_str() {
        "" => {
            let asks = poll_fn(|cx| {
                if told.is_empty() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            });
            asks.await;
        }
        "a channel" => told.recv().await.expect("it is told"),
        "a timer" => {
            while told.is_empty() {
                Timer::after(5 * MS).await;
            }
        }
        other => panic!("no program for `{other}`"),
    }
}
