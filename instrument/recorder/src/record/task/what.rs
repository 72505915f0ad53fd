//! What a task is, in one word that every poll reads: spawn site, scope and kind, as the [`Label`] of its
//! polls has them, and beside them which slot this is and whether the task's wakes are seen.

use pollscope_model::entity::task::TaskKind;
use pollscope_model::measured::Mode;

use super::Birth;
use crate::record::thread::Label;
use crate::tally::Tally;

const KIND_SHIFT: u32 = Label::FREE_SHIFT;
const KINDS: u64 = 0x7f;
const WRAPPED: u64 = 0x80 << KIND_SHIFT;
const AT_SHIFT: u32 = KIND_SHIFT + 8;

const _: () = assert!(AT_SHIFT + 8 == Label::FREE_SHIFT + Label::FREE_BITS);

/// See the module.
pub(super) struct What(Tally);

impl What {
    /// Of a slot that no task has.
    pub(super) fn unused(at: u8) -> Self {
        let what = Self(Tally::new());
        what.0.set(u64::from(at) << AT_SHIFT);
        what
    }

    /// The slot is a new task's.
    #[inline]
    pub(super) fn set(&self, birth: &Birth) {
        let label = Label::new(birth.site, birth.scope, birth.kind == TaskKind::Blocking);
        let wrapped = if birth.mode == Mode::Wrap { WRAPPED } else { 0 };
        let kind = (birth.kind as u64) << KIND_SHIFT;
        self.0.set(label.word() | kind | wrapped | u64::from(self.at()) << AT_SHIFT);
    }

    #[inline]
    pub(super) fn label(&self) -> Label {
        Label::of_word(self.0.get())
    }

    #[inline]
    pub(super) fn kind(&self) -> TaskKind {
        const ALL: [TaskKind; 6] = [
            TaskKind::Async,
            TaskKind::Local,
            TaskKind::Blocking,
            TaskKind::BlockOn,
            TaskKind::Future,
            TaskKind::Request,
        ];
        ALL.get((self.0.get() >> KIND_SHIFT & KINDS) as usize).copied().unwrap_or_default()
    }

    /// Whether the task's wakes are seen.
    #[inline]
    pub(super) fn is_wrapped(&self) -> bool {
        self.0.get() & WRAPPED != 0
    }

    /// Which of its chunk's slots this is.
    #[inline]
    pub(super) fn at(&self) -> u8 {
        (self.0.get() >> AT_SHIFT) as u8
    }
}
