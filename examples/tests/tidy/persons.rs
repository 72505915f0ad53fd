//! Comments, documents and messages name the thread, the task or the room that acts, never a person. This counts the
//! words that do, in each crate; a count may only fall. Called by the one test of `tidy.rs`.

use crate::Complaint;
use crate::tree::File;

/// Stems of the words, in lower case; what is glued to an end is another word.
const WORDS: [&str; 8] =
    ["whoever", "whomever", "nobody", "somebody", "anybody", "everybody", "someone", "anyone"];

/// How many such words each crate and the documents at the root still have.
const LEFT: &[(&str, usize)] = &[
    ("proto/model/", 1),
    ("proto/", 1),
    ("instrument/", 0),
    ("collector/", 0),
    ("tui/", 0),
    ("examples/", 0),
    ("", 0),
];

const LIST: &str = "examples/tests/tidy/persons.rs";

/// Complaints about each crate with more such words than it had, with their places, and about counts that fell.
pub(crate) fn counts_of_persons_only_fall(files: &[File]) -> Vec<Complaint> {
    judge(files, LEFT)
}

fn judge(files: &[File], left: &[(&str, usize)]) -> Vec<Complaint> {
    let room_of = |path: &str| left.iter().position(|(room, _)| path.starts_with(room));
    let mut found: Vec<Vec<Complaint>> = left.iter().map(|_| Vec::new()).collect();
    for file in files.iter().filter(|file| is_read(file)) {
        let Some(room) = room_of(&file.path) else { continue };
        for (line, text) in file.lines() {
            found[room].extend(words_of(file, text).map(|word| Complaint {
                path: file.path.clone(),
                line,
                what: format!("`{word}`"),
                remedy: "name the thread, the task, the caller or the room that acts",
            }));
        }
    }
    let mut complaints = Vec::new();
    for ((room, most), found) in left.iter().zip(found) {
        if found.len() < *most {
            complaints.push(Complaint {
                path: LIST.to_owned(),
                line: 0,
                what: format!("`{room}` has {} words for persons, fewer than {most}", found.len()),
                remedy: "lower its number",
            });
        } else if found.len() > *most {
            complaints.extend(found);
        }
    }
    complaints
}

fn is_read(file: &File) -> bool {
    let is_text = file.is_rust() || file.ends_in("md") || file.ends_in("proto");
    is_text && !file.is_generated() && file.path != LIST
}

/// The words of a line: of its comment in code, of all of it in a document.
fn words_of<'a>(file: &File, line: &'a str) -> impl Iterator<Item = &'a str> {
    let read = if file.ends_in("md") { line } else { line.find("//").map_or("", |at| &line[at..]) };
    read.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| WORDS.contains(&word.to_lowercase().as_str()))
}

#[test]
fn a_count_that_grows_or_falls_is_a_complaint() {
    let sample = |text: &str| [File::sample("tui/src/a.rs", text)];
    let judged = |text: &str, most: usize| -> Vec<String> {
        judge(&sample(text), &[("tui/", most)]).iter().map(ToString::to_string).collect()
    };
    assert!(judged("// the caller\nlet nobody = 1;\n", 0).is_empty(), "code is not read");
    let more = judged("// of somebody's\n// Nobody.\n", 1);
    assert_eq!(more.len(), 2, "{more:?}");
    assert!(more[1].starts_with("tui/src/a.rs:2: `Nobody`"), "{more:?}");
    assert!(judged("// Nobody.\n", 1).is_empty());
    assert!(judged("//\n", 1)[0].contains("fewer than 1"));
}
