//! Recordings, end to end through the built binary: recorded from a live service, then read without it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "rig/demo.rs"]
#[allow(dead_code, reason = "its pid is not asked for here")]
mod demo;

use std::path::Path;

use demo::{Demo, run, words};
use serde_json::Value as Json;

/// Runs a command that works; what it printed and what it said.
#[track_caller]
fn done(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", words(&output));
    (String::from_utf8(output.stdout.clone()).unwrap(), words(&output))
}

/// Runs a command that does not; its one line and its code.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str]) -> (String, i32) {
    let output = run(folder, arguments);
    let text = words(&output);
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    (text, output.status.code().unwrap())
}

#[test]
fn what_was_recorded_is_told_again_without_the_service() {
    let mut demo = Demo::start(&["leak"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.mcap");
    let file = file.to_str().unwrap();
    let (_, said) = done(demo.runtime.path(), &["record", &demo.target, "-o", file, "--for", "3s"]);
    assert!(said.contains("recording pollscope-demo (pid ") && said.contains("done: "), "{said}");
    let (text, code) = refused(demo.runtime.path(), &["record", &demo.target, "-o", file]);
    assert!(text.contains("exists already; name another file, or add --force"), "{text}");
    assert_eq!(code, 2);
    demo.stop();

    let page = |file: &str, command: &str| -> (Json, String) {
        let (text, said) = done(folder.path(), &[command, "--from", file, "--format", "json"]);
        (serde_json::from_str(&text).unwrap(), said)
    };
    let (processes, said) = page(file, "ps");
    assert_eq!(said, "");
    assert_eq!(processes["rows"][0]["name"], "pollscope-demo");
    for command in ["tasks", "sites", "workers"] {
        let (page, said) = page(file, command);
        assert_eq!((page["schema"].as_str(), said.as_str()), (Some("pollscope/1"), ""));
        assert!(!page["rows"].as_array().unwrap().is_empty(), "{command} are empty");
    }
    let (findings, _) = page(file, "findings");
    assert!(findings["rows"].is_array(), "{findings}");

    // Cut in the middle, as by a full disk.
    let whole = std::fs::read(file).unwrap();
    let cut = folder.path().join("cut.mcap");
    std::fs::write(&cut, &whole[..whole.len() * 2 / 3]).unwrap();
    let (_, said) = page(cut.to_str().unwrap(), "tasks");
    assert!(said.contains("cut.mcap: it was not finished: its last "), "{said}");
}

/// A process that is killed right after its start leaves its greeting, or a part of its state.
#[test]
fn nothing_waits_for_what_a_recording_cannot_tell_any_more() {
    use pollscope_model::testkit::{self, Script};
    let folder = tempfile::tempdir().unwrap();
    for parts in [0, 1] {
        let path = folder.path().join(format!("{parts}.mcap"));
        let mut script = Script::of(testkit::hello("checkout", 412));
        let site = script.site("src/cart.rs:88:9");
        script.spawn(site);
        script.second();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = pollscope_proto::recording::Writer::new(file, &script.hello()).unwrap();
        for part in script.snapshot(2).iter().take(parts) {
            writer.report(part).unwrap();
        }
        writer.finish().unwrap();
        let file = path.to_str().unwrap();
        for command in ["ps", "tasks", "sites", "workers", "findings"] {
            let (text, said) = done(folder.path(), &[command, "--from", file, "--format", "json"]);
            let page: Json = serde_json::from_str(&text).unwrap();
            assert!(page["rows"].is_array(), "{command}: {text}");
            assert!(said.contains("it ends before its process had told its state"), "{command}: {said}");
        }
        let checked = run(folder.path(), &["check", file]);
        assert_ne!(checked.status.code(), Some(0), "what was not told is not clean");
        let compared = run(folder.path(), &["diff", file, file]);
        assert!(words(&compared).contains("had told its state"), "{}", words(&compared));
        let exported = run(folder.path(), &["export", file, "--to", "chrome", "-o", "-"]);
        assert!(exported.status.code().is_some_and(|code| [0, 4].contains(&code)), "{}", words(&exported));
    }
}

#[test]
fn what_is_no_recording_is_one_line_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let other = write("other.mcap", b"not at all");
    let magic: Vec<u8> = b"\x89MCAP0\r\n".iter().copied().chain([1, 0, 0]).collect();
    let empty = write("empty.mcap", &magic);
    let missing = folder.path().join("missing.mcap");
    let missing = missing.to_str().unwrap();
    let cases: &[(&[&str], &str, i32)] = &[
        (&["open", &other], "it is no MCAP file; expected a recording of `pollscope record`", 2),
        (&["tasks", "--from", &other], "it is no MCAP file", 2),
        (&["open", &empty], "it holds no readable data: it ends before its first chunk is whole", 4),
        (&["open", missing], "cannot read", 2),
        (&["ps", "--from", missing], "No such file or directory", 2),
        (&["attach", &other], "is a recording, no process; use `pollscope open", 2),
        (&["connect", &other], "is no collector but a recording", 2),
        (&["record", &other, "-o", "x.mcap"], "is a recording, no process", 2),
        (&["tasks", "--from", &other, "--watch"], "a recording does not change", 2),
        (&["record", "127.0.0.1:1", "-o", "/nowhere/x.mcap"], "127.0.0.1:1 does not answer", 2),
        (&["record", "127.0.0.1:1", "-o", "x.mcap", "--limit", "much"], "invalid size `much`", 2),
    ];
    for (arguments, expected, code) in cases {
        let (text, exit) = refused(folder.path(), arguments);
        assert!(text.contains(expected), "{arguments:?}: {text}");
        assert_eq!(exit, *code, "{arguments:?}: {text}");
    }
}
