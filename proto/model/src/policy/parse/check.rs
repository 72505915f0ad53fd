//! Reads `[check]` and `[[expect]]`.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{PolicyError, PolicyReader};
use crate::detect;
use crate::level::Level;
use crate::policy::Expectation;
use crate::policy::ScopeLimits;
use crate::policy::check::{Check, CheckSetting, KEYS, SCOPE, SCOPE_KEYS};
use crate::rule::limit;
use crate::rule::limit::Amount;

const DETECTOR: &str = "detector";
const SITE: &str = "site";
const REASON: &str = "reason";

impl PolicyReader<'_> {
    /// Sets what the table names.
    pub(super) fn check(
        &self,
        path: &str,
        check: &mut Check,
        table: &DeTable<'_>,
    ) -> Result<(), PolicyError> {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if name == SCOPE {
                self.scopes(&format!("{path}.{SCOPE}"), &mut check.scopes, value)?;
                continue;
            }
            let Some(known) = KEYS.iter().find(|known| known.name == name) else {
                let known = KEYS.iter().map(|key| key.name).chain([SCOPE]);
                return Err(self.unknown(&format!("key in `{path}`:"), key, known));
            };
            let wrong = |expected| self.wrong(&format!("{path}.{name}"), value, expected);
            match known.set {
                CheckSetting::Time(of, _) => {
                    *of(&mut check.limits) = Some(self.time(&format!("{path}.{name}"), value)?);
                }
                CheckSetting::Switch(of) => {
                    let on = value.get_ref().as_bool();
                    *of(&mut check.limits) = on.ok_or_else(|| wrong("true or false"))?;
                }
                CheckSetting::FailOn => {
                    let level = value.get_ref().as_str().and_then(Level::from_name);
                    let level = level.filter(|level| *level > Level::Allow);
                    check.fail_on = level.ok_or_else(|| wrong("\"warn\" or \"deny\""))?;
                }
                CheckSetting::Detectors(level) => {
                    let list = value.get_ref().as_array().ok_or_else(|| wrong("a list of detectors"))?;
                    for one in list {
                        let id = self.detector(&format!("{path}.{name}"), one)?;
                        check.levels.push((id.into(), level));
                    }
                }
            }
        }
        Ok(())
    }

    fn time(&self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<u64, PolicyError> {
        let like = Amount::Nanos(0);
        match limit::read(like, value.get_ref()) {
            Some(Amount::Nanos(ns)) => Ok(ns),
            _ => Err(self.wrong(path, value, like.expected())),
        }
    }

    /// Sets the limits of the routes that the table names, over those that they have.
    fn scopes(
        &self,
        path: &str,
        scopes: &mut Vec<ScopeLimits>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), PolicyError> {
        const EXPECTED: &str = "tables named by routes: [check.scope.\"GET /price/{id}\"]";
        for (route, limits) in value.get_ref().as_table().ok_or_else(|| self.wrong(path, value, EXPECTED))? {
            let name = route.get_ref().as_ref();
            let path = format!("{path}.{name:?}");
            let table = limits.get_ref().as_table().ok_or_else(|| self.wrong(&path, limits, EXPECTED))?;
            let at = scopes.iter().position(|known| *known.scope == *name).unwrap_or_else(|| {
                scopes.push(ScopeLimits { scope: name.into(), ..ScopeLimits::default() });
                scopes.len() - 1
            });
            for (key, value) in table {
                let known = SCOPE_KEYS.iter().find(|(known, _)| *known == key.get_ref().as_ref());
                let Some((key, of)) = known else {
                    let known = SCOPE_KEYS.iter().map(|(key, _)| *key);
                    return Err(self.unknown(&format!("key in `{path}`:"), key, known));
                };
                *of(&mut scopes[at]) = Some(self.time(&format!("{path}.{key}"), value)?);
            }
        }
        Ok(())
    }

    /// Adds what the list of tables expects.
    pub(super) fn expect(
        &self,
        path: &str,
        expectations: &mut Vec<Expectation>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), PolicyError> {
        const EXPECTED: &str = "a list of tables: [[expect]]";
        let list = value.get_ref().as_array().ok_or_else(|| self.wrong(path, value, EXPECTED))?;
        for one in list {
            let table = one.get_ref().as_table().ok_or_else(|| self.wrong(path, one, EXPECTED))?;
            expectations.push(self.expectation(path, one, table)?);
        }
        Ok(())
    }

    fn expectation(
        &self,
        path: &str,
        whole: &Spanned<DeValue<'_>>,
        table: &DeTable<'_>,
    ) -> Result<Expectation, PolicyError> {
        let (mut detector, mut site, mut reason) = (None, None, None);
        // Where the first key stands: the header of a list's table has no place of its own.
        let mut first = usize::MAX;
        for (key, value) in table {
            first = first.min(key.span().start);
            let name = key.get_ref().as_ref();
            let text = |expected: &'static str| -> Result<Arc<str>, PolicyError> {
                let text = value.get_ref().as_str().filter(|text| !text.trim().is_empty());
                text.map(Arc::from).ok_or_else(|| self.wrong(&format!("{path}.{name}"), value, expected))
            };
            match name {
                DETECTOR => detector = Some(Arc::from(self.detector(&format!("{path}.{name}"), value)?)),
                SITE => site = Some(text("a part of a spawn site, of a task's name or of a function")?),
                REASON => reason = Some(text("a sentence: why this is all right")?),
                _ => {
                    let what = format!("key in `{path}`:");
                    return Err(self.unknown(&what, key, [DETECTOR, SITE, REASON]));
                }
            }
        }
        let at = if first == usize::MAX { whole.span().start } else { first };
        let (line, column) = super::line_and_column(self.text, at);
        let missing = |key, why| PolicyError::Missing { line, column, path: path.to_owned(), key, why };
        Ok(Expectation {
            detector: detector.ok_or_else(|| missing(DETECTOR, "name the detector that is expected"))?,
            site,
            reason: reason.ok_or_else(|| missing(REASON, "say why this is all right"))?,
            place: Some(format!("{}:{line}", self.file).into()),
        })
    }

    /// The id of a detector that exists.
    fn detector(&self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<&'static str, PolicyError> {
        let id = value.get_ref().as_str();
        let id = id.ok_or_else(|| self.wrong(path, value, "the name of a detector"))?;
        if let Some(index) = detect::index_of(id) {
            return Ok(detect::ALL[index].id);
        }
        let known = detect::ALL.iter().map(|detector| detector.id);
        Err(self.unknown_at("detector", id, value.span().start, known))
    }
}
