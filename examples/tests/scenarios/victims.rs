//! Tests as other people write them, for `libtest.rs` to run below a check in processes of their own.

use std::sync::Barrier;
use std::time::Duration;

/// How long each of them blocks.
const BLOCKED: Duration = Duration::from_millis(120);

/// Three begin together and end one after the other, the first guard first.
static TOGETHER: Barrier = Barrier::new(3);

async fn others_end(turns: u32) {
    TOGETHER.wait();
    for _ in 0..turns {
        pollscope::spawn(tokio::time::sleep(Duration::from_millis(30))).await.expect("returns");
    }
}

#[ignore = "fails on purpose"]
#[tokio::test]
async fn guards_first() {
    let _guard = pollscope::init();
    others_end(0).await;
    pollscope::task("first").spawn(async { std::thread::sleep(BLOCKED) }).await.expect("returns");
}

#[ignore = "fails on purpose"]
#[test]
fn guards_second() {
    #[pollscope::main]
    async fn service() {
        others_end(8).await;
        pollscope::task("second").spawn(async { std::thread::sleep(BLOCKED) }).await.expect("returns");
    }
    service();
}

#[ignore = "fails on purpose"]
#[test]
fn guards_third() {
    #[pollscope::main(flavor = "current_thread")]
    async fn service() {
        others_end(16).await;
        pollscope::task("third").spawn(async { std::thread::sleep(BLOCKED) }).await.expect("returns");
    }
    service();
}

#[ignore = "fails on purpose"]
#[tokio::test]
async fn refusal_of_a_guard() {
    let _guard = pollscope::init();
    pollscope::spawn(async {}).await.expect("returns");
    assert!(pollscope::try_init().is_err());
}

#[ignore = "fails on purpose"]
#[tokio::test]
async fn settings_of_a_later_guard() {
    let _guard = pollscope::init();
    let later = pollscope::builder().stall(Duration::from_secs(9)).init();
    pollscope::spawn(async {}).await.expect("returns");
    assert_eq!(later.status(), pollscope::Status::Secondary);
}

#[ignore = "fails on purpose"]
#[pollscope::test(max_poll = "10s")]
async fn judges_itself_and_passes() {
    pollscope::spawn(async {}).await.expect("returns");
}

#[ignore = "fails on purpose"]
#[should_panic(expected = "the test's own panic")]
#[pollscope::test]
async fn judges_itself_and_fails() {
    panic!("the test's own panic");
}
