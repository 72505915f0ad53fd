//! The arguments of `#[pollscope::test]` that are ours: limits, levels, the policy's profile.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, LitStr, Result};

use crate::args::{Argument, string};
use crate::detectors::DETECTORS;
use crate::nearest::nearest;

/// Ours, in the order of the documentation.
pub(crate) const EXPECTED: [&str; 12] = [
    "max_poll",
    "p99_poll",
    "max_sched_delay",
    "leaks",
    "lost_wakers",
    "forgotten",
    "self_wake",
    "timeout",
    "profile",
    "deny",
    "warn",
    "allow",
];

/// Takes an argument of ours as a call on the session, and leaves any other. `pollscope` is the crate's path.
pub(crate) fn take(argument: &Argument, pollscope: &TokenStream) -> Result<Option<TokenStream>> {
    let text = || string(argument.literal()?);
    Ok(Some(match argument.key.as_str() {
        "max_poll" => duration(&text()?, |ns| quote! { .max_poll(#ns) })?,
        "p99_poll" => duration(&text()?, |ns| quote! { .p99_poll(#ns) })?,
        "max_sched_delay" => duration(&text()?, |ns| quote! { .max_sched_delay(#ns) })?,
        "timeout" => duration(&text()?, |ns| quote! { .timeout(#ns) })?,
        "leaks" => level(&text()?, pollscope, |level| quote! { .leaks(#level) })?,
        "lost_wakers" => level(&text()?, pollscope, |level| quote! { .lost_wakers(#level) })?,
        "forgotten" => level(&text()?, pollscope, |level| quote! { .forgotten(#level) })?,
        "self_wake" => level(&text()?, pollscope, |level| quote! { .self_wake(#level) })?,
        "profile" => {
            let name = text()?;
            quote! { .profile(#name) }
        }
        "deny" => detectors(argument, |name| quote! { .deny(#name) })?,
        "warn" => detectors(argument, |name| quote! { .warn(#name) })?,
        "allow" => detectors(argument, |name| quote! { .allow(#name) })?,
        _ => return Ok(None),
    }))
}

fn level(
    text: &LitStr,
    pollscope: &TokenStream,
    call: impl Fn(TokenStream) -> TokenStream,
) -> Result<TokenStream> {
    let level = match text.value().as_str() {
        "deny" => quote! { #pollscope::check::Level::Deny },
        "warn" => quote! { #pollscope::check::Level::Warn },
        "allow" => quote! { #pollscope::check::Level::Allow },
        other => {
            let message = format!("no level `{other}`; there are `deny`, `warn` and `allow`");
            return Err(Error::new_spanned(text, message));
        }
    };
    Ok(call(level))
}

fn duration(text: &LitStr, call: impl Fn(TokenStream) -> TokenStream) -> Result<TokenStream> {
    let ns = nanoseconds(&text.value()).ok_or_else(|| {
        let message = format!(
            "invalid duration `{}`: expected a number with a unit, such as 10ms, 1.5s, 250us or 5m",
            text.value()
        );
        Error::new_spanned(text, message)
    })?;
    Ok(call(quote! { ::core::time::Duration::from_nanos(#ns) }))
}

/// The grammar of `pollscope.toml`. 0 is no limit that a poll can keep.
fn nanoseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let unit: u64 = match unit.trim() {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let ns = number.parse::<f64>().ok()? * unit as f64;
    (ns >= 1.0 && ns < u64::MAX as f64).then(|| ns.round() as u64)
}

/// `"task-leak"`, `"task-leak, lost-waker"` or `["task-leak", "lost-waker"]`.
fn detectors(argument: &Argument, call: impl Fn(&str) -> TokenStream) -> Result<TokenStream> {
    let literals = match &argument.value {
        Expr::Array(array) => array.elems.iter().map(literal).collect::<Result<Vec<_>>>()?,
        other => vec![literal(other)?],
    };
    let mut calls = TokenStream::new();
    for literal in &literals {
        let text = literal.value();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if !DETECTORS.contains(&name) {
                return Err(Error::new_spanned(literal, unknown(name)));
            }
            calls.extend(call(name));
        }
    }
    Ok(calls)
}

fn literal(value: &Expr) -> Result<LitStr> {
    match value {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Ok(text.clone()),
        other => Err(Error::new_spanned(
            other,
            "expected a detector's name such as \"task-leak\", or several in [ ]",
        )),
    }
}

fn unknown(name: &str) -> String {
    match nearest(name, DETECTORS) {
        Some(near) => format!("unknown detector `{name}`; did you mean `{near}`?"),
        None => format!("unknown detector `{name}`; there are {}", DETECTORS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_policy() {
        assert_eq!(nanoseconds("10ms"), Some(10_000_000));
        assert_eq!(nanoseconds(" 1.5 s"), Some(1_500_000_000));
        assert_eq!(nanoseconds("250us"), Some(250_000));
        for bad in ["", "10", "0", "0ms", "ms", "-1s", "1.2.3s", "99999999999999d", "5 parsecs"] {
            assert_eq!(nanoseconds(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_detector_that_was_mistyped_is_understood() {
        assert_eq!(unknown("task-leek"), "unknown detector `task-leek`; did you mean `task-leak`?");
        assert!(unknown("colours").contains("there are blocking-poll, "));
    }
}
