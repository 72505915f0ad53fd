//! A finding as the engine keeps it: what people read, and what it is about.

use crate::id::{BootId, SiteId, TaskId};
use crate::query::detail::Finding;
use crate::query::page::Level;

use super::ALL;
use super::signal::Key;

/// One finding, open or closed.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The process.
    pub boot: BootId,
    /// The detector's index in [`ALL`].
    pub detector: usize,
    /// What it is about.
    pub key: Key,
    /// All that is shown of it.
    pub shown: Finding,
}

impl Found {
    /// The site that it is about.
    pub fn site(&self) -> Option<SiteId> {
        self.key.site()
    }

    /// A task that shows it.
    pub fn task(&self) -> Option<TaskId> {
        self.shown.task
    }
}

/// The open findings about one thing: how bad, and by which detectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// The worst level; `None` if there is no finding.
    pub level: Option<Level>,
    detectors: u16,
}

impl Flags {
    pub(super) fn add(&mut self, detector: usize, level: Level) {
        self.level = self.level.max(Some(level));
        self.detectors |= 1 << detector;
    }

    /// Whether there is any.
    pub fn any(self) -> bool {
        self.level.is_some()
    }

    /// Whether that detector (by index in [`ALL`]) is among them.
    pub fn has(self, detector: usize) -> bool {
        detector < ALL.len() && self.detectors & (1 << detector) != 0
    }

    /// Ids of the detectors, in the order of [`ALL`].
    pub fn detectors(self) -> impl Iterator<Item = &'static str> {
        ALL.iter().enumerate().filter(move |(index, _)| self.has(*index)).map(|(_, detector)| detector.id)
    }
}

/// Same fault, same text, across runs and edits: detector, source file of the spawn site and name of the
/// tasks, with digits replaced, so that no line number and no id is in it.
pub(super) fn fingerprint(detector: &str, file: &str, name: &str) -> String {
    let mut text = format!("{detector} {}", file.replace('\\', "/"));
    if !name.is_empty() {
        text.push(' ');
        let mut number = false;
        for c in name.chars() {
            if !c.is_ascii_digit() {
                text.push(c);
            } else if !number {
                text.push('#');
            }
            number = c.is_ascii_digit();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_has_neither_lines_nor_ids() {
        assert_eq!(fingerprint("task-leak", "src\\net.rs", "conn{:51028}"), "task-leak src/net.rs conn{:#}");
        assert_eq!(fingerprint("task-leak", "src/net.rs", ""), "task-leak src/net.rs");
    }

    #[test]
    fn flags_know_level_and_detectors() {
        let mut flags = Flags::default();
        assert!(!flags.any());
        flags.add(0, Level::Deny);
        flags.add(2, Level::Warn);
        assert_eq!(flags.level, Some(Level::Deny));
        assert_eq!(flags.detectors().collect::<Vec<_>>(), ["blocking-poll", "sched-delay"]);
        assert!(!flags.has(99));
    }
}
