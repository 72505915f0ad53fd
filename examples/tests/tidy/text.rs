//! Words that belong in one room only, and words that belong in none.

use crate::Complaint;
use crate::tree::File;

/// Complaints about each line (without comments) that holds one of the words.
fn forbid(file: &File, words: &[&str], remedy: &'static str) -> Vec<Complaint> {
    forbid_in(file, file.code(), words, remedy)
}

fn forbid_in<'a>(
    file: &File,
    lines: impl Iterator<Item = (usize, &'a str)>,
    words: &[&str],
    remedy: &'static str,
) -> Vec<Complaint> {
    lines
        .filter_map(|(line, text)| {
            let word = words.iter().find(|word| has_word(text, word))?;
            Some(Complaint { path: file.path.clone(), line, what: format!("`{word}`"), remedy })
        })
        .collect()
}

/// Whether `word` stands in `text` as a word of its own: no letter, digit or `_` is glued to an end
/// that is one itself, and a path begins where its first `/` stands.
fn has_word(text: &str, word: &str) -> bool {
    let glued = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let open = !word.starts_with(|c| glued(c) || c == '/') || !before.ends_with(glued);
        let closed = !word.ends_with(glued) || !after.starts_with(glued);
        open && closed
    })
}

/// prost's types are converted at the edge, in `proto`. A path leads to each of them; the bare name may be
/// data.
pub(crate) fn wire_types_stay_in_proto(file: &File) -> Vec<Complaint> {
    if !file.is_rust()
        || file.path.starts_with("proto/") && !file.path.starts_with("proto/model/")
        || file.is_tidy()
    {
        return Vec::new();
    }
    forbid(file, &["prost::"], "convert in proto/src/convert/ and pass the model's type")
}

/// ratatui's types are made where the screen is drawn.
pub(crate) fn terminal_types_stay_in_the_drawing_rooms(file: &File) -> Vec<Complaint> {
    // The rig is the tests' own terminal.
    let rooms = ["view", "widget", "term", "theme", "rig"];
    let drawing = file.path.strip_prefix("tui/src/screens/").is_some_and(|path| {
        let room = path.split('/').next().unwrap_or_default();
        rooms.contains(&room.trim_end_matches(".rs"))
    });
    if !file.is_rust() || drawing || file.is_tidy() {
        return Vec::new();
    }
    forbid(
        file,
        &["ratatui"],
        "put the drawing into tui/src/screens/view/ or tui/src/screens/widget.rs, the data into a view model",
    )
}

/// Only `instrument` has two shapes; the other crates learn the mode from data. (The benchmark, outside of the
/// workspace, has tokio's own hooks beside ours.)
pub(crate) fn only_the_recorder_asks_for_unstable_tokio(file: &File) -> Vec<Complaint> {
    let may_ask = ["instrument/", "examples/bench/"].iter().any(|room| file.path.starts_with(room));
    if !file.is_rust() || may_ask || file.is_tidy() {
        return Vec::new();
    }
    forbid(
        file,
        &["cfg(tokio_unstable", "cfg!(tokio_unstable", "cfg_attr(tokio_unstable", "cfg(not(tokio_unstable"],
        "read the mode and the capabilities instead",
    )
}

/// Every other crate would be built a second time for the models, or twice as hard to read.
pub(crate) fn only_the_recorder_knows_loom(file: &File) -> Vec<Complaint> {
    if !file.is_rust() || file.path.starts_with("instrument/recorder/") || file.is_tidy() {
        return Vec::new();
    }
    forbid(file, &["loom"], "move the protocol that threads race on to instrument/recorder/, with its models")
}

/// `unsafe` needs a room that is allowed to, and its reason in sight.
pub(crate) fn unsafe_stays_in_the_recorder_with_its_reason(file: &File) -> Vec<Complaint> {
    if !file.is_rust() || file.is_tidy() {
        return Vec::new();
    }
    // These tests do what services do: load libraries, block signals, fork.
    let may = [
        "instrument/recorder/src/",
        "instrument/src/",
        "instrument/tests/stacks/",
        "instrument/tests/process/",
    ];
    if !may.iter().any(|room| file.path.starts_with(room)) {
        return forbid(file, &["unsafe"], "find the safe way; only instrument/ may");
    }
    let lines: Vec<&str> = file.text.lines().collect();
    file.code()
        .filter(|(_, code)| has_word(code, "unsafe") && !code.trim_start().starts_with('#'))
        .filter(|(number, _)| {
            let near = &lines[number.saturating_sub(12)..(number + 1).min(lines.len())];
            !near.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
        })
        .map(|(line, _)| Complaint {
            path: file.path.clone(),
            line,
            what: "`unsafe` without `SAFETY:` beside it".to_owned(),
            remedy: "say which promise is kept and by whom, in the lines above",
        })
        .collect()
}

/// A thread of ours that is started elsewhere would take the service's signals. Tests start what they like.
pub(crate) fn own_threads_are_started_in_one_room(file: &File) -> Vec<Complaint> {
    let is_test = ["tests.rs", "loom.rs", "testkit.rs"].iter().any(|name| file.path.ends_with(name))
        || file.path.contains("/tests/");
    let may_start = file.path == "instrument/src/setup/own_thread.rs" || is_test;
    let is_in_service =
        ["instrument/recorder/src/", "instrument/src/"].iter().any(|room| file.path.starts_with(room));
    if !file.is_rust() || !is_in_service || may_start {
        return Vec::new();
    }
    let words = ["thread::Builder", "thread::spawn", "thread::scope", "std::thread::{", "std::thread;"];
    let in_service = file
        .code()
        .take_while(|(_, line)| !(line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test")));
    forbid_in(
        file,
        in_service,
        &words,
        "start it with own_thread::start, which blocks the signals of the service",
    )
}

/// A fix text that stands elsewhere is tried by no test: `advice.rs` beside this test goes through the table.
pub(crate) fn fix_texts_stand_in_one_table(file: &File) -> Vec<Complaint> {
    let rooms = ["detect", "engine", "verdict", "baseline", "monitor"];
    let speaks = file.path.strip_prefix("proto/model/src/").is_some_and(|path| {
        let room = path.split('/').next().unwrap_or_default();
        rooms.contains(&room.trim_end_matches(".rs"))
    });
    if !speaks || file.path.contains("/tests") {
        return Vec::new();
    }
    let words = ["fix: \"", "fix: format!", "fix: Arc"];
    forbid(
        file,
        &words,
        "put it into proto/model/src/detect/advice.rs, and a program or scenario beside it that tries it",
    )
}

/// What stands above a test that other tests run.
const VICTIM: &str = "#[ignore = \"fails on purpose\"]";

/// What is not there is absent and said so, not half there.
pub(crate) fn nothing_is_left_unfinished(file: &File) -> Vec<Complaint> {
    if file.is_tidy() || file.is_generated() {
        return Vec::new();
    }
    let words = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "#[ignore"];
    // Other tests run these one by one, in processes of their own, and look at how they fail.
    let is_victim = |line: &str| file.path.ends_with("/victims.rs") && line == VICTIM;
    forbid_in(file, file.lines().filter(|(_, line)| !is_victim(line)), &words, "finish it, or take it out")
}

/// No path of one machine, no word of how or by whom it was written.
pub(crate) fn the_repository_speaks_of_the_project_alone(file: &File) -> Vec<Complaint> {
    if file.is_tidy() || file.is_generated() {
        return Vec::new();
    }
    let words = ["/work/", "/tmp/ps", "/home/", "/root/", "/Users/"];
    forbid_in(file, file.lines(), &words, "write it so that it is true on every machine")
}
