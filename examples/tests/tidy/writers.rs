//! The list of all places where text leaves a program of ours, each with the test that gives it a hostile name, or with
//! the reason why nothing from outside is in it. A file that writes and is not in the list is a complaint, so that a
//! new writer is met by the question whether it cleans what it is given (`pollscope_model::text`).

use crate::Complaint;
use crate::tree::File;

/// What keeps a writer harmless.
#[derive(Clone, Copy)]
enum Kept {
    /// The test of that name gives it text that means harm.
    By(&'static str),
    /// It writes no text from outside, or not for people: this.
    Own(&'static str),
}

use Kept::{By, Own};

const EVERY_WRITER: &str = "nothing_harmful_is_written_by_any_writer";
const RECORDING: &str = "a recording, which keeps names as they are; readers clean them";

/// Each file with a word of [`LEAVES`].
const WRITERS: &[(&str, Kept)] = &[
    ("collector/src/log.rs", By("nothing_harmful_is_logged")),
    ("collector/src/main.rs", By("nothing_harmful_is_logged")),
    ("instrument/src/check/observer.rs", By("nothing_harmful_is_said_by_a_test")),
    ("instrument/src/check/tape.rs", Own(RECORDING)),
    ("instrument/src/check/tape/name.rs", Own(RECORDING)),
    ("instrument/src/check/text.rs", By("nothing_harmful_is_said_by_a_test")),
    ("instrument/src/export/dump/folder.rs", Own(RECORDING)),
    ("instrument/src/export/file/place.rs", Own(RECORDING)),
    ("instrument/src/setup/notice.rs", By("nothing_harmful_is_said_by_a_notice")),
    ("proto/model/src/baseline.rs", By("nothing_harmful_is_written_into_a_file_and_all_is_read_back")),
    ("proto/src/recording/write.rs", Own(RECORDING)),
    ("proto/system/src/announcement.rs", Own("this process's own address, for viewers that parse it")),
    ("proto/system/src/file.rs", Own("it opens files for others to write")),
    ("proto/system/src/run_notes.rs", Own("lines for the check that reads them, which cleans what it shows")),
    ("tui/src/commands.rs", Own("completions and the manual page, made of the command line's own texts")),
    ("tui/src/commands/baseline.rs", By(EVERY_WRITER)),
    ("tui/src/commands/check.rs", By(EVERY_WRITER)),
    ("tui/src/commands/check/collect/part.rs", Own(RECORDING)),
    ("tui/src/commands/check/format.rs", By(EVERY_WRITER)),
    ("tui/src/commands/check/format/json.rs", By(EVERY_WRITER)),
    ("tui/src/commands/check/format/runner.rs", By(EVERY_WRITER)),
    ("tui/src/commands/check/format/text.rs", By(EVERY_WRITER)),
    ("tui/src/commands/config.rs", Own("the policy of the current folder as it is, to be kept in a file")),
    ("tui/src/commands/demo.rs", Own("which faults of ours are on")),
    ("tui/src/commands/diff.rs", By(EVERY_WRITER)),
    ("tui/src/commands/doctor.rs", By(EVERY_WRITER)),
    ("tui/src/commands/explain.rs", Own("the manual; what is not in it is a failure, which is a notice")),
    ("tui/src/commands/record.rs", Own(RECORDING)),
    ("tui/src/commands/report.rs", By(EVERY_WRITER)),
    ("tui/src/commands/report/csv.rs", By("no_field_of_a_page_is_a_formula")),
    ("tui/src/commands/report/json.rs", By(EVERY_WRITER)),
    ("tui/src/commands/report/table.rs", By(EVERY_WRITER)),
    ("tui/src/demo/service.rs", Own("which faults of ours are on, and the demo's own address")),
    ("tui/src/export.rs", By(EVERY_WRITER)),
    ("tui/src/export/chrome.rs", By(EVERY_WRITER)),
    ("tui/src/export/firefox.rs", By(EVERY_WRITER)),
    ("tui/src/export/folded.rs", By(EVERY_WRITER)),
    ("tui/src/export/out.rs", Own("the file that the formats write into")),
    ("tui/src/export/perfetto.rs", By(EVERY_WRITER)),
    ("tui/src/export/perfetto/packet.rs", By(EVERY_WRITER)),
    ("tui/src/export/pprof.rs", By(EVERY_WRITER)),
    ("tui/src/main.rs", By(EVERY_WRITER)),
    ("tui/src/output.rs", By(EVERY_WRITER)),
    ("tui/src/output/json.rs", By("what_is_escaped_is_read_back_as_it_was")),
    ("tui/src/screens/term.rs", By(EVERY_WRITER)),
    ("tui/src/sources/process/dump.rs", Own(RECORDING)),
];

/// How text leaves: to a stream or a file, or through a function that is handed one.
const LEAVES: [&str; 17] = [
    "stdout()",
    "stderr()",
    "print!(",
    "println!(",
    "eprint!(",
    "eprintln!(",
    ".write_all(",
    "impl Write",
    "dyn Write",
    ": Write",
    "to_stdout(",
    "fs::write(",
    "File::create",
    "OpenOptions",
    "create_private(",
    "replace_private(",
    "fn to_toml(",
];

/// Whether the file is of a program, not of its tests.
fn ships(file: &File) -> bool {
    let rooms = [
        "collector/src/",
        "instrument/recorder/src/",
        "instrument/src/",
        "proto/model/src/",
        "proto/src/",
        "proto/system/src/",
        "tui/src/",
    ];
    let tests = ["tests.rs", "loom.rs", "testkit.rs", "/writers.rs"];
    let of_tests =
        file.path.contains("/tests/") || file.path.contains("/testkit/") || file.path.contains("/rig/");
    file.is_rust()
        && rooms.iter().any(|room| file.path.starts_with(room))
        && !of_tests
        && !tests.iter().any(|name| file.path.ends_with(name))
        && !file.is_generated()
}

/// The first line of a program's file in which text leaves.
fn leaves(file: &File) -> Option<(usize, &'static str)> {
    let program = file.code().take_while(|(_, line)| *line != "mod tests {");
    let word = |(number, line): (usize, &str)| {
        let word = LEAVES.into_iter().find(|word| line.contains(word))?;
        Some((number, word))
    };
    program.into_iter().find_map(word)
}

/// Complaints about writers that are not in the list, rows without a writer, and tests that are not there.
pub(crate) fn every_writer_is_in_the_list(files: &[File]) -> Vec<Complaint> {
    judge(files, WRITERS)
}

fn judge(files: &[File], writers: &[(&str, Kept)]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let list = "examples/tests/tidy/writers.rs";
    for file in files.iter().filter(|file| ships(file)) {
        if let Some((line, word)) =
            leaves(file).filter(|_| !writers.iter().any(|(path, _)| *path == file.path))
        {
            complaints.push(Complaint {
                path: file.path.clone(),
                line,
                what: format!("`{word}` in a file that is no writer in {list}"),
                remedy: "clean what is from outside with pollscope_model::text, test it with testkit::HOSTILE, list it",
            });
        }
    }
    for (path, kept) in writers {
        let writes = files.iter().any(|file| file.path == *path && ships(file) && leaves(file).is_some());
        if !writes {
            complaints.push(Complaint {
                path: list.to_owned(),
                line: 0,
                what: format!("`{path}` writes nothing"),
                remedy: "take it out of the list",
            });
        }
        let is_there = |test: &str| {
            let head = format!("fn {test}()");
            files.iter().any(|file| file.is_rust() && !file.is_tidy() && file.text.contains(&head))
        };
        let missing = match kept {
            By(test) => (!is_there(test)).then(|| format!("the test `{test}` of `{path}` is not there")),
            Own(what) => what.is_empty().then(|| format!("`{path}` without a reason")),
        };
        complaints.extend(missing.map(|what| Complaint {
            path: list.to_owned(),
            line: 0,
            what,
            remedy: "name the test that gives it a hostile name",
        }));
    }
    complaints
}

mod samples {
    use super::*;

    fn complaints(files: &[(&str, &str)], writers: &[(&str, Kept)]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(path, text)| File::sample(path, text)).collect();
        judge(&files, writers).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_writer_needs_a_row_and_a_row_needs_a_writer_and_its_test() {
        let writer = ("tui/src/a.rs", "fn a(out: &mut dyn Write) {}");
        let test = ("tui/src/a/tests.rs", "#[test]\nfn it_is_clean() {}");
        let one = complaints(&[writer, test], &[]);
        assert!(one[0].starts_with("tui/src/a.rs:1: `dyn Write` in a file that is no writer"), "{one:?}");
        assert!(complaints(&[writer, test], &[("tui/src/a.rs", By("it_is_clean"))]).is_empty());
        let one = complaints(&[writer], &[("tui/src/a.rs", By("it_is_clean"))]);
        assert!(one[0].contains("the test `it_is_clean` of `tui/src/a.rs` is not there"), "{one:?}");
        let one = complaints(&[], &[("tui/src/a.rs", Own("bytes"))]);
        assert!(one[0].contains("`tui/src/a.rs` writes nothing"), "{one:?}");
        let only_tests =
            ("tui/src/b.rs", "fn b() {}\n#[cfg(test)]\nmod tests {\n    use std::io::stdout();\n}");
        assert!(complaints(&[only_tests], &[]).is_empty());
    }
}
