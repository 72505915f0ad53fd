//! The documents: what must be there, and that their links lead somewhere.

use std::path::Path;

use crate::Complaint;
use crate::tree::{self, File};

/// Files that a newcomer looks for at the root.
const ROOT: &[&str] = &[
    ".ci/run",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "deny.toml",
];

/// The two commands that the README promises, each on a line of a fenced block.
const COMMANDS: &[&str] = &["cargo run --release -- demo", "cargo test --workspace"];

/// A link to a file of the repository names one that exists.
pub(crate) fn links_lead_somewhere(file: &File) -> Vec<Complaint> {
    if Path::new(&file.path).extension().is_none_or(|extension| extension != "md") {
        return Vec::new();
    }
    let folder = tree::root().join(&file.path);
    let mut complaints = Vec::new();
    for (line, text) in outside_fences(&file.text) {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
            if local && !folder.with_file_name("").join(target).exists() {
                complaints.push(Complaint {
                    path: file.path.clone(),
                    line,
                    what: format!("a link to `{target}`, which does not exist"),
                    remedy: "correct the path, relative to the document",
                });
            }
        }
    }
    complaints
}

/// The documents are there, and the README's two commands can be copied out of it.
pub(crate) fn the_root_holds_what_a_newcomer_needs(files: &[File]) -> Vec<Complaint> {
    let complain =
        |path: &str, what: String, remedy| Complaint { path: path.to_owned(), line: 0, what, remedy };
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let missing = ROOT.iter().filter(|path| find(path).is_none());
    let mut complaints: Vec<Complaint> =
        missing.map(|path| complain(path, "is missing".to_owned(), "write it")).collect();
    let readme = find("README.md").map_or("", |file| file.text.as_str());
    for command in COMMANDS {
        if !inside_fences(readme).any(|line| line.trim() == *command) {
            let what = format!("has no line `{command}` in a fenced block");
            complaints.push(complain("README.md", what, "put it back: CI runs what it reads there"));
        }
    }
    complaints
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

fn outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = is_fence(line);
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

fn inside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = is_fence(line);
        fenced ^= fence;
        fenced && !fence
    })
}
