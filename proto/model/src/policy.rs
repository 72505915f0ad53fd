//! The policy: how strict each detector is, from `pollscope.toml`.
//!
//! Every key comes from the detectors' own tables ([`Detector::limits`](crate::detect::Detector)); what
//! the text does not name keeps its default. Nothing here reads a file: the caller passes the text.
//!
//! ```toml
//! [detectors.blocking-poll]
//! level = "warn"     # never worse than this: allow, warn or deny
//! warn = "25ms"
//!
//! [check]            # what `pollscope check` and tests ask for
//! max_poll = "10ms"
//!
//! [check.scope."GET /price/{id}"] # of one route, with the feature `tower`
//! max_poll = "5ms"
//!
//! [[expect]]         # what is known and accepted
//! detector = "blocking-poll"
//! site = "src/config.rs"
//! reason = "reads its configuration once, before traffic"
//!
//! [profile.ci.check] # what is different under a name
//! max_poll = "25ms"
//! ```

mod check;
mod expectation;
mod limits;
#[cfg(feature = "toml")]
mod parse;
mod terms;

use std::fmt::Write as _;

use crate::detect::{self, blocking_poll};
use crate::nearest::nearest;
use crate::rule::Rule;
use crate::rule::limit::Amount;

pub use check::Check;
pub use expectation::Expectation;
pub use limits::{CheckLimits, ScopeLimits, least_poll_ns};
#[cfg(feature = "toml")]
pub use parse::PolicyError;
pub use terms::Terms;

/// The name of the file that a policy is looked for in.
pub const FILE: &str = "pollscope.toml";

/// How long a signal must last before it is reported; a key that every detector has.
pub(crate) const FOR: &str = "for";
/// How long a signal must be gone before its finding is closed; a key that every detector has.
pub(crate) const CLEAR: &str = "clear";
/// The worst level that a detector may report; a key that every detector has.
pub const LEVEL: &str = "level";

/// How strict every detector is, what a check asks for, and what it expects.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    check: Check,
    expectations: Vec<Expectation>,
    profiles: Vec<(Box<str>, Policy)>,
}

/// A profile that the policy does not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no profile `{name}`{hint}")]
pub struct UnknownProfile {
    /// The name as written.
    pub name: String,
    /// What was probably meant, or what there is.
    pub hint: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rules: detect::ALL.iter().map(|detector| detector.rule()).collect(),
            check: Check::default(),
            expectations: Vec::new(),
            profiles: Vec::new(),
        }
    }
}

impl Policy {
    /// Reads the text of a `pollscope.toml`. An empty text is the default.
    ///
    /// # Errors
    /// The first thing that is not understood, with its line and column and, for a name, the one that
    /// was probably meant. Nothing is ever ignored.
    #[cfg(feature = "toml")]
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::parse_file(text, FILE)
    }

    /// The same of a file with that name, which expectations then tell as their place.
    ///
    /// # Errors
    /// As [`Policy::parse`].
    #[cfg(feature = "toml")]
    pub fn parse_file(text: &str, file: &str) -> Result<Self, PolicyError> {
        parse::parse(text, file)
    }

    /// The policy that a process brings in its greeting, or why it cannot be used.
    pub(crate) fn brought(text: &str) -> Result<Self, String> {
        #[cfg(feature = "toml")]
        return Self::parse(text).map_err(|error| error.to_string());
        #[cfg(not(feature = "toml"))]
        if text.is_empty() {
            Ok(Self::default())
        } else {
            Err("this build reads no policies (feature `toml` of pollscope-model)".to_owned())
        }
    }

    /// What `[check]` says.
    pub fn check(&self) -> &Check {
        &self.check
    }

    /// Every `[[expect]]`.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// The policy with the overlay `[profile.NAME]` on it.
    ///
    /// # Errors
    /// If there is no such profile; the error names those that there are.
    pub fn profile(&self, name: &str) -> Result<&Self, UnknownProfile> {
        let known = || self.profiles.iter().map(|(name, _)| &**name);
        let found = self.profiles.iter().find(|(known, _)| **known == *name);
        found.map(|(_, policy)| policy).ok_or_else(|| UnknownProfile {
            name: name.to_owned(),
            hint: match nearest(name, known()) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None if self.profiles.is_empty() => {
                    format!("; the policy has none: add a table [profile.{name}.check]")
                }
                None => format!("; there is {}", known().collect::<Vec<_>>().join(", ")),
            },
        })
    }

    /// What a run is judged by.
    pub fn terms(&self) -> Terms {
        Terms {
            limits: self.check.limits,
            scopes: self.check.scopes.clone(),
            levels: self.check.levels.clone(),
            fail_on: self.check.fail_on,
            expectations: self.expectations.clone(),
        }
    }

    fn without_profiles(&self) -> Self {
        Self { profiles: Vec::new(), ..self.clone() }
    }

    /// The rule of the detector at that index of [`detect::ALL`].
    pub fn rule(&self, index: usize) -> &Rule {
        &self.rules[index]
    }

    /// The rule of the detector of that id.
    pub fn rule_of(&self, id: &str) -> Option<&Rule> {
        detect::index_of(id).map(|index| &self.rules[index])
    }

    /// From how long on a poll is slow, nanoseconds: what histograms of polls mark.
    pub(crate) fn poll_limit_ns(&self) -> u64 {
        self.rule_of(blocking_poll::DETECTOR.id).map_or(0, |rule| rule.whole(&blocking_poll::WARN))
    }

    /// The rules for viewers of the recording of a test that was judged by those limits: a single poll over them
    /// is enough, also the first of a process, since they are a promise and no observation.
    pub fn rules_for_test(&self, limits: &CheckLimits) -> String {
        let mut text = String::new();
        for (detector, rule) in detect::ALL.iter().zip(&self.rules) {
            let _ = writeln!(text, "[detectors.{}]\nlevel = \"{}\"", detector.id, rule.level.as_str());
            let _ = writeln!(text, "for = {}", Amount::Nanos(rule.for_ns));
            let _ = writeln!(text, "clear = {}", Amount::Nanos(rule.clear_ns));
            for limit in detector.limits {
                let asked = limits.max_poll_ns.filter(|_| detector.id == blocking_poll::DETECTOR.id);
                let promised = asked.and_then(|max_poll_ns| match limit.key {
                    key if key == blocking_poll::REPEATS.key => Some(Amount::Count(1)),
                    key if key == blocking_poll::INITIAL.key => Some(Amount::Nanos(0)),
                    key if [blocking_poll::WARN, blocking_poll::DENY, blocking_poll::UNCERTAIN]
                        .iter()
                        .any(|limit| limit.key == key) =>
                    {
                        Some(Amount::Nanos(max_poll_ns))
                    }
                    _ => None,
                });
                let _ = writeln!(text, "{} = {}", limit.key, promised.unwrap_or_else(|| rule.amount(limit)));
            }
        }
        text
    }

    /// The default as a commented `pollscope.toml`; parsing it gives [`Policy::default`].
    pub fn default_toml() -> String {
        let mut text = String::from(
            "# Everything that a policy can say, with its defaults. Keep only what you change.\n",
        );
        text.push_str(&check::default_toml());
        text.push_str(
            "\n# How strict each detector is.\n\
             # level: the worst that the rule may report (allow, warn, deny).\n\
             # for:   how long a signal must last before it is reported.\n\
             # clear: how long it must be gone before the finding is closed.\n",
        );
        for (detector, rule) in detect::ALL.iter().zip(Self::default().rules) {
            let common = [
                (LEVEL, format!("\"{}\"", rule.level.as_str())),
                (FOR, Amount::Nanos(rule.for_ns).to_string()),
                (CLEAR, Amount::Nanos(rule.clear_ns).to_string()),
            ];
            let _ = writeln!(text, "\n# {}\n[detectors.{}]", detector.summary(), detector.id);
            for (key, value) in common {
                let _ = writeln!(text, "{key} = {value}");
            }
            for limit in detector.limits {
                let _ = writeln!(text, "{} = {}  # {}", limit.key, limit.default, limit.help);
            }
        }
        text
    }
}

#[cfg(all(test, feature = "toml"))]
mod tests;
