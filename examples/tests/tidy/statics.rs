//! What is process-wide in a service, and why: a static has one value for all guards, sessions and tests of a process,
//! so state belongs into a value that its owner hands on. This holds the list of those that have to be; it may only get
//! shorter. Values of a single thread are not on it: each says above itself why it is one. Called by the one test of
//! `tidy.rs`.

use crate::Complaint;
use crate::tree::File;

/// Where statics are looked for.
const ROOMS: [&str; 2] = ["instrument/src/", "instrument/recorder/src/"];

/// File and name of each, and why it is process-wide.
const LEFT: &[(&str, &str, &str)] = &[
    ("instrument/recorder/src/clock.rs", "CLOCK", "the processor has one counter; a signal handler reads it"),
    (
        "instrument/recorder/src/record/recorder.rs",
        "GLOBAL",
        "hooks, wakers and forks come with nothing of ours",
    ),
    (
        "instrument/recorder/src/record/by_site.rs",
        "BY_SITE",
        "a part of the recorder, as zeroes take no memory",
    ),
    ("instrument/src/watch/backtrace/engine.rs", "ENGINE", "a signal handler gets nothing of ours"),
    ("instrument/src/check.rs", "TESTS", "each test opens its own session and knows of no other"),
    ("instrument/src/report/drain/intake.rs", "INTAKE", "records are read once, for all sessions"),
    ("instrument/src/setup/running.rs", "CURRENT", "`dump` and a later `init` come without a guard"),
    ("instrument/src/export/dump/signal.rs", "CAME", "a signal handler gets nothing of ours"),
    (
        "instrument/src/setup/fork.rs",
        "FORKS",
        "the C library calls the child's function with nothing of ours",
    ),
    ("instrument/src/api/hooks/known.rs", "KNOWN", "tokio's hooks come with an id alone"),
    ("instrument/src/runtime/place.rs", "IDS", "threads of the service ask on their way through tokio"),
    ("instrument/src/report/sample.rs", "SAMPLED", "`observe` and tokio's hooks come without a guard"),
    ("instrument/src/setup/switches.rs", "SWITCHES", "the function of a forked child sets them"),
    ("instrument/src/api/waker.rs", "TABLES", "a waker is known by the address of its table"),
    ("instrument/src/watch/watchdog.rs", "WATCHDOG", "there is one for the guard and all sessions"),
];

const LIST: &str = "examples/tests/tidy/statics.rs";

/// Complaints about each static that is not on the list, about those of the list that are gone, and about values of a
/// thread without a reason.
pub(crate) fn few_things_are_process_wide(files: &[File]) -> Vec<Complaint> {
    judge(files, LEFT)
}

fn judge(files: &[File], left: &[(&str, &str, &str)]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut known = vec![false; left.len()];
    for file in files.iter().filter(|file| is_read(file)) {
        for Static { line, name, of_thread, has_reason } in statics(file) {
            let at = left.iter().position(|(path, listed, _)| *path == file.path && *listed == name);
            let (what, remedy) = match at {
                _ if of_thread && has_reason => continue,
                _ if of_thread => {
                    (format!("`{name}` has no reason"), "say above it why each thread has its own")
                }
                Some(at) => {
                    known[at] = true;
                    continue;
                }
                None => (
                    format!("`{name}` is process-wide"),
                    "make it a field of a value that is handed on, or of one that is in the list",
                ),
            };
            complaints.push(Complaint { path: file.path.clone(), line, what, remedy });
        }
    }
    let gone = left.iter().zip(known).filter(|(_, is_known)| !is_known);
    complaints.extend(gone.map(|((path, name, _), _)| Complaint {
        path: LIST.to_owned(),
        line: 0,
        what: format!("`{name}` is not in {path} any more"),
        remedy: "take it from the list",
    }));
    complaints
}

fn is_read(file: &File) -> bool {
    let is_test = ["/tests.rs", "/loom.rs", "/testkit.rs"].iter().any(|name| file.path.ends_with(name));
    file.is_rust()
        && ROOMS.iter().any(|room| file.path.starts_with(room))
        && !is_test
        && !file.path.contains("/tests/")
}

struct Static {
    line: usize,
    name: String,
    of_thread: bool,
    has_reason: bool,
}

/// The statics of a file, up to its tests.
fn statics(file: &File) -> Vec<Static> {
    let mut found = Vec::new();
    let mut of_thread = false;
    let mut has_reason = false;
    for (line, text) in file.lines() {
        let code = text.trim_start();
        if text.starts_with("#[cfg(test)]") || text.starts_with("#[cfg(all(test") {
            break;
        }
        if code.starts_with("thread_local!") {
            of_thread = true;
        } else if of_thread && code == "}" {
            of_thread = false;
        }
        let declared = code.strip_prefix("pub(crate) ").unwrap_or(code).strip_prefix("static ");
        if let Some((name, _)) = declared.and_then(|declared| declared.split_once(':')) {
            found.push(Static { line, name: name.to_owned(), of_thread, has_reason });
        }
        has_reason = code.starts_with("///");
    }
    found
}

#[test]
fn a_static_that_is_not_listed_or_listed_and_gone_is_a_complaint() {
    let judged = |text: &str, left: &[(&str, &str, &str)]| -> Vec<String> {
        judge(&[File::sample("instrument/src/a.rs", text)], left).iter().map(ToString::to_string).collect()
    };
    let own = "static OWN: AtomicU64 = AtomicU64::new(0);\n";
    assert!(judged(own, &[])[0].starts_with("instrument/src/a.rs:1: `OWN` is process-wide"));
    assert!(judged(&format!("fn f() {{\n    {own}}}\n"), &[])[0].starts_with("instrument/src/a.rs:2"));
    let listed = [("instrument/src/a.rs", "OWN", "a handler reads it")];
    assert!(judged(own, &listed).is_empty());
    assert!(judged("", &listed)[0].contains("`OWN` is not in instrument/src/a.rs any more"));
    assert!(
        judged("fn f(at: &'static str) {}\n#[cfg(test)]\nmod tests {\n    static OWN: u8 = 0;\n}\n", &[])
            .is_empty()
    );
    let of_thread = "thread_local! {\n    static OWN: Cell<u8> = const { Cell::new(0) };\n}\n";
    assert!(judged(of_thread, &[])[0].starts_with("instrument/src/a.rs:2: `OWN` has no reason"));
    assert!(judged(&of_thread.replace("    static", "    /// The last.\n    static"), &[]).is_empty());
}
