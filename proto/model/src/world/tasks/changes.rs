//! Which rows changed lately, so that a repeated question looks at those alone.

use std::collections::VecDeque;

/// Changes that are remembered; who comes back later than that looks at everything.
const REMEMBERED: usize = 1 << 18;

/// Rows in the order in which they were told, a row as often as it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    places: VecDeque<u32>,
    ever: u64,
}

impl Changes {
    /// How many changes there ever were: the mark for [`Changes::since`].
    pub(super) fn ever(&self) -> u64 {
        self.ever
    }

    pub(super) fn note(&mut self, place: u32) {
        if self.places.len() >= REMEMBERED {
            self.places.pop_front();
        }
        self.places.push_back(place);
        self.ever += 1;
    }

    /// Every question has to look at everything.
    pub(super) fn forget(&mut self) {
        self.ever += 1 + self.places.len() as u64;
        self.places.clear();
    }

    /// The rows that were told after that mark; `None` if that is longer ago than is remembered.
    pub(super) fn since(&self, mark: u64) -> Option<impl Iterator<Item = u32> + '_> {
        let fresh = usize::try_from(self.ever.checked_sub(mark)?).ok()?;
        Some(self.places.range(self.places.len().checked_sub(fresh)?..).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(changes: &Changes, mark: u64) -> Option<Vec<u32>> {
        changes.since(mark).map(Iterator::collect)
    }

    #[test]
    fn each_reader_gets_what_came_after_its_mark_or_is_told_to_look_at_all() {
        let mut changes = Changes::default();
        assert_eq!(since(&changes, 0), Some(vec![]));
        for place in [7, 8, 7] {
            changes.note(place);
        }
        assert_eq!(since(&changes, 1), Some(vec![8, 7]));
        assert_eq!(since(&changes, 3), Some(vec![]));
        assert_eq!(since(&changes, 4), None, "a mark of another table");
        for place in 0..REMEMBERED as u32 {
            changes.note(place);
        }
        assert_eq!(since(&changes, 2), None, "too long ago");
        let mark = changes.ever();
        changes.forget();
        assert_eq!(since(&changes, mark), None);
        assert_eq!(since(&changes, changes.ever()), Some(vec![]));
    }
}
