//! A viewer that hangs up ends nothing, also where `SIGPIPE` has its default action: in a program that restored
//! it, or whose `main` is not Rust's.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use pollscope::Listen;

use crate::rig::viewer::Viewer;
use crate::rig::{Child, mask, runtime, say, wait_for_test};

/// Serves viewers until the test has seen enough.
pub(crate) fn is_viewed() {
    mask::set_default_action(libc::SIGPIPE);
    let guard = pollscope::builder().interval(Duration::from_millis(10)).try_init().unwrap();
    say(&match guard.local_addr() {
        Some(Listen::Unix(path)) => format!("unix:{}", path.display()),
        other => other.map(ToString::to_string).unwrap_or_default(),
    });
    wait_for_test();
    drop(guard);
    say("ended gracefully");
}

/// Asks for an answer in HTTP/2 and is gone before it can come.
fn hangs_up(address: &str) {
    let mut question = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // Empty settings, and a ping.
    question.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    question.extend([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    match address.strip_prefix("unix:") {
        Some(path) => UnixStream::connect(path).unwrap().write_all(&question).unwrap(),
        None => TcpStream::connect(address).unwrap().write_all(&question).unwrap(),
    }
}

fn survives_viewers_that_hang_up(listen: &str) {
    let mut child = Child::start("viewed", &[("POLLSCOPE_LISTEN", listen)]);
    let address = child.line();
    let runtime = runtime();
    for _ in 0..20 {
        hangs_up(&address);
        runtime.block_on(async {
            let mut leaves = Viewer::attach(&address).await.unwrap();
            leaves.next_report().await;
            drop(leaves);
        });
    }
    // Every one of them was answered by now.
    runtime.block_on(async {
        let mut stays = Viewer::attach(&address).await.unwrap();
        for _ in 0..10 {
            stays.next_report().await;
        }
    });
    child.go_on();
    assert_eq!(child.line(), "ended gracefully");
    assert!(child.wait().success());
}

#[test]
fn a_viewer_that_hangs_up_ends_nothing_over_a_unix_socket() {
    survives_viewers_that_hang_up("unix");
}

#[test]
fn a_viewer_that_hangs_up_ends_nothing_over_tcp() {
    survives_viewers_that_hang_up("127.0.0.1:0");
}
