//! A rule: how strict one detector is, with what each of its limits is set to.
//!
//! It knows no detector: a detector's table gives the defaults, a policy's text may change them. Detectors
//! read it; only the policy makes and changes rules.

pub mod limit;

use crate::level::Level;
use limit::{Amount, Limit};

/// How strict one detector is.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// The worst level that it may report.
    pub level: Level,
    /// How long a signal must last before it is reported, nanoseconds.
    pub for_ns: u64,
    /// How long a signal must be gone before its finding is closed, nanoseconds.
    pub clear_ns: u64,
    limits: &'static [Limit],
    amounts: Box<[Amount]>,
}

impl Rule {
    /// A rule with every limit at its default.
    pub(crate) fn new(level: Level, for_ns: u64, clear_ns: u64, limits: &'static [Limit]) -> Self {
        let amounts = limits.iter().map(|limit| limit.default).collect();
        Self { level, for_ns, clear_ns, limits, amounts }
    }

    /// Its limits, in the order of their indices.
    #[cfg(feature = "toml")]
    pub(crate) fn limits(&self) -> &'static [Limit] {
        self.limits
    }

    /// Sets the limit at that index of [`Rule::limits`].
    #[cfg(feature = "toml")]
    pub(crate) fn set(&mut self, index: usize, amount: Amount) {
        self.amounts[index] = amount;
    }

    /// What a limit is set to; its default if the detector does not have it.
    pub fn amount(&self, limit: &Limit) -> Amount {
        let set = self.limits.iter().zip(&self.amounts).find(|(known, _)| known.key == limit.key);
        set.map_or(limit.default, |(_, amount)| *amount)
    }

    /// A limit as a whole number: nanoseconds, bytes or a count.
    pub fn whole(&self, limit: &Limit) -> u64 {
        match self.amount(limit) {
            Amount::Nanos(n) | Amount::Bytes(n) | Amount::Count(n) => n,
            Amount::Ratio(ratio) => ratio as u64,
        }
    }

    /// A share or a factor.
    pub fn ratio(&self, limit: &Limit) -> f64 {
        match self.amount(limit) {
            Amount::Ratio(ratio) => ratio,
            Amount::Nanos(n) | Amount::Bytes(n) | Amount::Count(n) => n as f64,
        }
    }
}
