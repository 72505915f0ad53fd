//! Sizes and names of files, and the sentence that each module begins with.

use std::path::Path;

use crate::Complaint;
use crate::tree::File;

/// Lines from which on a file has two jobs.
const TOO_LONG: usize = 600;

/// Names that say where something was put, not what it is.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "stuff"];

/// No source file outgrows what one can hold in mind.
pub(crate) fn files_stay_small(file: &File) -> Vec<Complaint> {
    let lines = file.text.lines().count();
    if !file.is_rust() || file.is_generated() || lines <= TOO_LONG {
        return Vec::new();
    }
    vec![Complaint {
        path: file.path.clone(),
        line: 0,
        what: format!("{lines} lines, more than {TOO_LONG}"),
        remedy: "give one of its jobs a room of its own (`name.rs` + `name/`), long tests to `name/tests.rs`",
    }]
}

/// `name.rs` + `name/`, and a name that means something.
pub(crate) fn rooms_have_names_that_say_what_they_are(file: &File) -> Vec<Complaint> {
    if !file.is_rust() {
        return Vec::new();
    }
    let complain = |what: String, remedy| vec![Complaint { path: file.path.clone(), line: 0, what, remedy }];
    let path = Path::new(&file.path).with_extension("");
    let mut names = path.components().map(|part| part.as_os_str().to_string_lossy());
    if path.ends_with("mod") {
        return complain("a `mod.rs`".to_owned(), "call it `name.rs`, beside the folder `name/`");
    }
    match names.find(|name| EMPTY_NAMES.contains(&name.as_ref())) {
        Some(name) => complain(
            format!("`{name}` says nothing"),
            "name it after what it does, in the words of ARCHITECTURE.md",
        ),
        None => Vec::new(),
    }
}

/// Each file of a `src` folder begins by saying what it is.
pub(crate) fn modules_say_what_they_are(file: &File) -> Vec<Complaint> {
    let in_source = file.path.contains("src/") || file.path.starts_with("examples/tests/");
    if !file.is_rust() || !in_source || file.is_generated() {
        return Vec::new();
    }
    let first = file.text.lines().map(str::trim).find(|line| {
        !line.is_empty()
            && (!line.starts_with("#![") || line.starts_with("#![doc"))
            && !line.starts_with("#!/")
    });
    if first.is_some_and(|line| line.starts_with("//!") || line.starts_with("#![doc")) {
        return Vec::new();
    }
    vec![Complaint {
        path: file.path.clone(),
        line: 1,
        what: "does not begin with `//!`".to_owned(),
        remedy: "say what it is, what it never does and who may call it",
    }]
}
