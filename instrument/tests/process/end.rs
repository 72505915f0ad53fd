//! The end of a guard takes no longer than it says, whatever hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::rig::viewer::Viewer;
use crate::rig::{Child, DEADLINE, runtime, say, wait_for_test};

/// What the documentation of `Guard` says.
const SAID: Duration = Duration::from_secs(5);

static HANGS: AtomicBool = AtomicBool::new(false);

/// A subscriber of the service that hangs in our transport's events, as one does that writes to a full pipe.
struct Hangs;

impl Hangs {
    fn hang() {
        while HANGS.load(Ordering::Relaxed) && std::thread::current().name() == Some("pollscope-io") {
            std::thread::park_timeout(DEADLINE);
        }
    }
}

impl Subscriber for Hangs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Self::hang();
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        Self::hang();
    }

    fn enter(&self, _: &Id) {
        Self::hang();
    }

    fn exit(&self, _: &Id) {}
}

/// Ends its guard while a thread of pollscope hangs.
pub(crate) fn ends_while_a_thread_hangs() {
    tracing::subscriber::set_global_default(Hangs).unwrap();
    let guard = pollscope::builder().interval(Duration::from_millis(10)).try_init().unwrap();
    say(&guard.local_addr().unwrap().to_string());
    wait_for_test();
    HANGS.store(true, Ordering::Relaxed);
    let begin = Instant::now();
    drop(guard);
    say(&format!("{}", begin.elapsed().as_secs()));
    // The next incarnation is none of the hanging thread's business.
    let guard = pollscope::builder().listen(pollscope::Listen::Off).try_init().unwrap();
    say(&format!("{:?}", guard.status()));
}

#[test]
fn a_thread_that_hangs_does_not_hold_the_end() {
    let mut child = Child::start("hangs", &[]);
    let address = child.line();
    let runtime = runtime();
    let _viewer = runtime.block_on(async {
        let mut viewer = Viewer::attach(&address).await.unwrap();
        viewer.next_report().await;
        child.go_on();
        viewer
    });
    let took: u64 = child.line().parse().unwrap();
    assert!(took < 4 * SAID.as_secs(), "{took} s");
    assert_eq!(child.line(), "Recording");
    assert!(child.wait().success());
}
