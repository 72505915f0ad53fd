//! How bad something is: one scale for findings, rows, rules and runs.
//!
//! A plain word with an order; it judges nothing. Used by every room that finds, lists or judges.

/// How bad a finding, or a row that has findings, is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Known and allowed: shown, never judged.
    Allow,
    /// Worth a look.
    Warn,
    /// A fault.
    Deny,
}

impl Level {
    /// The name in JSON and in `pollscope.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Allow, Self::Warn, Self::Deny].into_iter().find(|level| level.as_str() == name)
    }
}
