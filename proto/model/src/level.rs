//! How bad something is: one scale for findings, rows, rules and runs.
//!
//! A plain word with an order; it judges nothing. Used by every room that finds, lists or judges.

use crate::names::names;

names! {
    /// How bad a finding, or a row that has findings, is.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Level {
        /// Known and allowed: shown, never judged.
        Allow = "allow",
        /// Worth a look.
        Warn = "warn",
        /// A fault.
        Deny = "deny",
    }
}
