//! Reads a policy's text, strictly: what is not understood is refused with its place.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::limit::{self, Amount};
use super::{CLEAR, FOR, LEVEL, Policy, Rule};
use crate::detect;
use crate::nearest::nearest;
use crate::query::page::Level;
use crate::time::parse_duration;

/// The one table that a policy has.
const DETECTORS: &str = "detectors";

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
}

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    let place = |at: usize| line_and_column(text, at);
    let root = DeTable::parse(text).map_err(|error| {
        let (line, column) = place(error.span().map_or(text.len(), |span| span.start));
        PolicyError::Syntax { line, column, message: error.message().trim().replace('\n', ", ") }
    })?;
    let reader = Reader { text };
    let mut policy = Policy::default();
    for (key, value) in root.get_ref() {
        if key.get_ref() != DETECTORS {
            return Err(reader.unknown("key", key, [DETECTORS]));
        }
        for (id, settings) in reader.table(DETECTORS, value)? {
            let Some(index) = detect::index_of(id.get_ref()) else {
                return Err(reader.unknown("detector", id, detect::ALL.iter().map(|detector| detector.id)));
            };
            let path = format!("{DETECTORS}.{}", id.get_ref());
            for (key, value) in reader.table(&path, settings)? {
                reader.setting(&path, &mut policy.rules[index], key, value)?;
            }
        }
    }
    Ok(policy)
}

struct Reader<'t> {
    text: &'t str,
}

impl Reader<'_> {
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
                let Some(index) = rule.limits.iter().position(|limit| limit.key == name) else {
                    let known =
                        [LEVEL, FOR, CLEAR].into_iter().chain(rule.limits.iter().map(|limit| limit.key));
                    return Err(self.unknown(&format!("key in `{path}`:"), key, known));
                };
                let like = rule.limits[index].default;
                rule.amounts[index] =
                    limit::read(like, value.get_ref()).ok_or_else(|| wrong(like.expected()))?;
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
        let (line, column) = line_and_column(self.text, key.span().start);
        let hint = match nearest(key.get_ref(), known.clone()) {
            Some(name) => format!("; did you mean `{name}`?"),
            None => format!("; there is {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        };
        PolicyError::Unknown { line, column, what: what.to_owned(), name: key.get_ref().to_string(), hint }
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
