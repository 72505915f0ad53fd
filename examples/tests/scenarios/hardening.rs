//! Whatever is wrong with pollscope's surroundings, the service starts, serves, and says one line.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::http;
use crate::service::Service;

/// Starts a service in that environment and expects it to serve, with one complaint that names each
/// of `words`.
#[track_caller]
fn serves_and_says(words: &[&str], environment: impl FnOnce(&mut Command, &Path)) {
    let service = Service::start_with(env!("CARGO_BIN_EXE_axum_service"), environment);
    let address = service.wait_for_line("serving on http://");
    let authority = address.split('/').next().expect("an address");
    assert_eq!(http::get(authority, "/cart/1"), "cart 1\n");
    let complaints = || -> Vec<String> {
        service.lines().into_iter().filter(|line| !line.starts_with("serving on")).collect()
    };
    let complaint = service.wait_for(&format!("complaint about {words:?}"), || {
        complaints().into_iter().find(|line| words.iter().all(|word| line.contains(word)))
    });
    // It goes on serving, and does not repeat itself.
    for cart in 0..20 {
        assert_eq!(http::get(authority, &format!("/cart/{cart}")), format!("cart {cart}\n"));
    }
    assert_eq!(complaints(), [complaint], "one line, not more");
}

#[test]
fn the_socket_path_is_taken_by_a_file() {
    serves_and_says(&["socket"], |_, folder| {
        std::fs::write(folder.join("socket"), "mine").expect("a temporary folder can be written");
    });
}

#[test]
fn the_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound listener has an address").to_string();
    serves_and_says(&[&address], |command, _| {
        command.env("POLLSCOPE_LISTEN", &address);
    });
}

#[test]
fn the_collector_does_not_exist() {
    let unused = crate::collector::free_address();
    serves_and_says(&[&unused], |command, _| {
        command.env("POLLSCOPE_ENDPOINT", format!("http://{unused}"));
    });
}

#[test]
fn each_variable_is_garbage() {
    for (variable, value) in [
        ("POLLSCOPE", "banana"),
        ("POLLSCOPE_LISTEN", ":::"),
        ("POLLSCOPE_ENDPOINT", "not an address"),
        ("POLLSCOPE_POLICY", "/nowhere/pollscope.toml"),
        ("POLLSCOPE_SLOW_POLL", "fast"),
        ("POLLSCOPE_RECORD", "/dev/null/run.mcap"),
        ("POLLSCOPE_RECORD_LIMIT", "lots"),
    ] {
        serves_and_says(&[variable, value], |command, _| {
            command.env(variable, value);
        });
    }
}
