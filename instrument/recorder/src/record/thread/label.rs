//! What a poll is of, in one word.

/// What a poll is of, beside its task, in one word: spawn site, scope, and whether it is a job of the
/// blocking pool, which may take as long as it likes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Label(pub(super) u64);

impl Label {
    /// Sites are far fewer.
    pub(super) const JOB: u64 = 1 << 63;
    /// Names are numbered up to 65,535.
    const SCOPES: u64 = 0xffff;
    /// Between scope and site are bits that mean nothing here: a record keeps its own there.
    pub(crate) const FREE_SHIFT: u32 = 16;
    pub(crate) const FREE_BITS: u32 = 16;

    #[inline]
    pub(crate) const fn new(site: u32, scope: u32, job: bool) -> Self {
        Self((site as u64) << 32 | scope as u64 & Self::SCOPES | if job { Self::JOB } else { 0 })
    }

    /// Of a word that has its free bits for something else.
    #[inline]
    pub(crate) const fn of_word(word: u64) -> Self {
        Self(word)
    }

    /// With zeros in the free bits if it is [`new`](Self::new).
    #[inline]
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    /// The spawn site.
    #[inline]
    pub const fn site(self) -> u32 {
        ((self.0 & !Self::JOB) >> 32) as u32
    }

    #[inline]
    pub(crate) const fn scope(self) -> u32 {
        (self.0 & Self::SCOPES) as u32
    }

    #[inline]
    pub(super) const fn is_job(self) -> bool {
        self.0 & Self::JOB != 0
    }

    #[inline]
    pub(super) const fn with_scope(self, scope: u32) -> Self {
        Self(self.0 >> 32 << 32 | scope as u64 & Self::SCOPES)
    }
}
