//! Reads a policy's text, strictly: what is not understood is refused with its place.

mod check;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{CLEAR, FOR, LEVEL, Policy};
use crate::detect;
use crate::level::Level;
use crate::nearest::nearest;
use crate::rule::Rule;
use crate::rule::limit;
use crate::rule::limit::Amount;
use crate::time::parse_duration;

/// How strict each detector is.
const DETECTORS: &str = "detectors";
/// The limits of a check.
const CHECK: &str = "check";
/// What is known and accepted.
const EXPECT: &str = "expect";
/// Overlays by name.
const PROFILE: &str = "profile";

/// Why a policy was refused. Lines and columns count from 1.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is no TOML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line of the offence.
        line: usize,
        /// Column of the offence.
        column: usize,
        /// What the TOML parser says.
        message: String,
    },
    /// A detector or key that does not exist.
    #[error("line {line}, column {column}: unknown {what} `{name}`{hint}")]
    Unknown {
        /// Line of the name.
        line: usize,
        /// Column of the name.
        column: usize,
        /// `detector`, or `key` and where.
        what: String,
        /// The name as written.
        name: String,
        /// What was probably meant, or what there is.
        hint: String,
    },
    /// A value of the wrong sort.
    #[error("line {line}, column {column}: `{key}` is {found}, expected {expected}")]
    Value {
        /// Line of the value.
        line: usize,
        /// Column of the value.
        column: usize,
        /// Path of its key.
        key: String,
        /// The value as written.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A key that must be there and is not.
    #[error("line {line}, column {column}: `{path}` has no `{key}`: {why}")]
    Missing {
        /// Line of what it should be in.
        line: usize,
        /// Column of the same.
        column: usize,
        /// What it should be in.
        path: String,
        /// The key.
        key: &'static str,
        /// What to do.
        why: &'static str,
    },
}

pub(super) fn parse(text: &str, file: &str) -> Result<Policy, PolicyError> {
    let place = |at: usize| line_and_column(text, at);
    let root = DeTable::parse(text).map_err(|error| {
        let (line, column) = place(error.span().map_or(text.len(), |span| span.start));
        PolicyError::Syntax { line, column, message: error.message().trim().replace('\n', ", ") }
    })?;
    let reader = PolicyReader { text, file };
    let mut policy = Policy::default();
    reader.tables("", &mut policy, root.get_ref(), &[DETECTORS, CHECK, EXPECT, PROFILE])?;
    // Overlays lie on the whole of the rest, wherever they stand.
    if let Some(profiles) = root.get_ref().get(PROFILE) {
        for (name, overlay) in reader.table(PROFILE, profiles)? {
            let path = format!("{PROFILE}.{}", name.get_ref());
            let mut profile = policy.without_profiles();
            let tables = reader.table(&path, overlay)?;
            reader.tables(&path, &mut profile, tables, &[DETECTORS, CHECK, EXPECT])?;
            policy.profiles.push((name.get_ref().as_ref().into(), profile));
        }
    }
    Ok(policy)
}

struct PolicyReader<'t> {
    text: &'t str,
    file: &'t str,
}

impl PolicyReader<'_> {
    /// Sets what the tables below a path name, all but profiles.
    fn tables(
        &self,
        path: &str,
        policy: &mut Policy,
        tables: &DeTable<'_>,
        known: &[&'static str],
    ) -> Result<(), PolicyError> {
        for (key, value) in tables {
            let name = key.get_ref().as_ref();
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            match name {
                PROFILE if known.contains(&PROFILE) => {}
                CHECK => {
                    let path = below(CHECK);
                    self.check(&path, &mut policy.check, self.table(&path, value)?)?;
                }
                EXPECT => self.expect(&below(EXPECT), &mut policy.expectations, value)?,
                DETECTORS => self.detectors(&below(DETECTORS), policy, value)?,
                _ if path.is_empty() => return Err(self.unknown("key", key, known.iter().copied())),
                _ => {
                    let what = format!("key in `{path}`:");
                    return Err(self.unknown(&what, key, known.iter().copied()));
                }
            }
        }
        Ok(())
    }

    fn detectors(
        &self,
        path: &str,
        policy: &mut Policy,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), PolicyError> {
        for (id, settings) in self.table(path, value)? {
            let Some(index) = detect::index_of(id.get_ref()) else {
                return Err(self.unknown("detector", id, detect::ALL.iter().map(|detector| detector.id)));
            };
            let path = format!("{path}.{}", id.get_ref());
            for (key, value) in self.table(&path, settings)? {
                self.setting(&path, &mut policy.rules[index], key, value)?;
            }
        }
        Ok(())
    }

    fn setting(
        &self,
        path: &str,
        rule: &mut Rule,
        key: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), PolicyError> {
        let name = key.get_ref().as_ref();
        let text = value.get_ref().as_str();
        let wrong = |expected| self.wrong(&format!("{path}.{name}"), value, expected);
        let duration = || {
            let like = Amount::Nanos(0);
            text.and_then(|text| parse_duration(text).ok()).ok_or_else(|| wrong(like.expected()))
        };
        match name {
            LEVEL => {
                let level = text.and_then(Level::from_name);
                rule.level = level.ok_or_else(|| wrong("\"allow\", \"warn\" or \"deny\""))?;
            }
            FOR => rule.for_ns = duration()?,
            CLEAR => rule.clear_ns = duration()?,
            _ => {
                let Some(index) = rule.limits().iter().position(|limit| limit.key == name) else {
                    let known =
                        [LEVEL, FOR, CLEAR].into_iter().chain(rule.limits().iter().map(|limit| limit.key));
                    return Err(self.unknown(&format!("key in `{path}`:"), key, known));
                };
                let like = rule.limits()[index].default;
                let amount = limit::read(like, value.get_ref());
                rule.set(index, amount.ok_or_else(|| wrong(like.expected()))?);
            }
        }
        Ok(())
    }

    fn table<'v, 'i>(
        &self,
        path: &str,
        value: &'v Spanned<DeValue<'i>>,
    ) -> Result<&'v DeTable<'i>, PolicyError> {
        value.get_ref().as_table().ok_or_else(|| self.wrong(path, value, "a table"))
    }

    fn unknown<'k>(
        &self,
        what: &str,
        key: &Spanned<toml::de::DeString<'_>>,
        known: impl IntoIterator<Item = &'k str> + Clone,
    ) -> PolicyError {
        self.unknown_at(what, key.get_ref(), key.span().start, known)
    }

    fn unknown_at<'k>(
        &self,
        what: &str,
        name: &str,
        at: usize,
        known: impl IntoIterator<Item = &'k str> + Clone,
    ) -> PolicyError {
        let (line, column) = line_and_column(self.text, at);
        let hint = match nearest(name, known.clone()) {
            Some(name) => format!("; did you mean `{name}`?"),
            None => format!("; there is {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        };
        PolicyError::Unknown { line, column, what: what.to_owned(), name: name.to_owned(), hint }
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &'static str) -> PolicyError {
        let span = value.span();
        let (line, column) = line_and_column(self.text, span.start);
        let found = self.text.get(span).unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        PolicyError::Value { line, column, key: key.to_owned(), found, expected }
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
