//! `tracing` stays as the service has it: no dispatcher is set, so that events still reach a `log` logger and cost
//! what they cost without pollscope.

use std::sync::Mutex;
use std::time::Duration;

use crate::rig::viewer::Viewer;
use crate::rig::{Child, runtime, say, wait_for_test};

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A logger as `env_logger` is one.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "shop" {
            HEARD.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Has a logger and no subscriber, and everything of pollscope's that ever had one.
pub(crate) fn logs() {
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let folder = tempfile::tempdir().unwrap();
    let builder = pollscope::builder().interval(Duration::from_millis(10)).endpoint("http://127.0.0.1:1");
    let guard = builder.record(folder.path()).dump_to(folder.path().join("dumps")).try_init().unwrap();
    tracing::info!(target: "shop", "after init");
    say(&guard.local_addr().unwrap().to_string());
    wait_for_test();
    tracing::info!(target: "shop", "while it is viewed");
    wait_for_test();
    pollscope::dump(Duration::from_secs(1));
    guard.flush();
    tracing::info!(target: "shop", "after a flush");
    let set_while_it_runs = tracing::dispatcher::has_been_set();
    drop(guard);
    tracing::info!(target: "shop", "after the end");
    say(&format!("set: {set_while_it_runs}, {}", tracing::dispatcher::has_been_set()));
    say(&HEARD.lock().unwrap().join(", "));
}

#[test]
fn a_log_logger_still_hears_the_events_of_tracing() {
    let mut child = Child::start("logs", &[]);
    let address = child.line();
    let runtime = runtime();
    runtime.block_on(async {
        let mut viewer = Viewer::attach(&address).await.unwrap();
        viewer.next_report().await;
        child.go_on();
        viewer.next_report().await;
    });
    child.go_on();
    assert_eq!(child.line(), "set: false, false");
    assert_eq!(child.line(), "after init, while it is viewed, after a flush, after the end");
    assert!(child.wait().success());
}
