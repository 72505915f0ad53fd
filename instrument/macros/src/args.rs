//! The arguments of the attribute: tokio's names, tokio's rules.

use proc_macro2::Span;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, MetaNameValue, Path, Result, Token};

const EXPECTED: &str =
    "expected one of: `flavor`, `worker_threads`, `start_paused`, `crate`, `unhandled_panic`, `name`";

/// Which runtime to build.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Flavor {
    #[default]
    MultiThread,
    CurrentThread,
    Local,
}

/// All arguments, checked.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) flavor: Flavor,
    pub(crate) worker_threads: Option<Lit>,
    pub(crate) start_paused: Option<Lit>,
    pub(crate) name: Option<Lit>,
    pub(crate) unhandled_panic: Option<&'static str>,
    pub(crate) tokio: Option<Path>,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let mut wants_one_thread: Option<(Span, String)> = None;
        for pair in Punctuated::<Argument, Token![,]>::parse_terminated(input)? {
            let key = pair.key;
            if seen.contains(&key) {
                return Err(Error::new(pair.span, format!("`{key}` is set twice")));
            }
            match key.as_str() {
                "flavor" => args.flavor = flavor(&pair.value)?,
                "worker_threads" => args.worker_threads = Some(positive(pair.value)?),
                "start_paused" => args.start_paused = Some(boolean(pair.value)?),
                "name" => args.name = Some(Lit::Str(string(&pair.value)?)),
                "unhandled_panic" => args.unhandled_panic = Some(unhandled_panic(&pair.value)?),
                "crate" => args.tokio = Some(string(&pair.value)?.parse()?),
                _ => return Err(Error::new(pair.span, format!("unknown argument `{key}`; {EXPECTED}"))),
            }
            if matches!(key.as_str(), "start_paused" | "unhandled_panic") {
                wants_one_thread.get_or_insert((pair.span, key.clone()));
            }
            seen.push(key);
        }
        match (args.flavor, &args.worker_threads, wants_one_thread) {
            (Flavor::MultiThread, _, Some((span, key))) => {
                Err(Error::new(span, format!("`{key}` needs `flavor = \"current_thread\"`")))
            }
            (Flavor::CurrentThread | Flavor::Local, Some(threads), _) => {
                Err(Error::new(threads.span(), "`worker_threads` needs `flavor = \"multi_thread\"`"))
            }
            _ => Ok(args),
        }
    }
}

struct Argument {
    key: String,
    span: Span,
    value: Lit,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let span = input.span();
        // `crate` is a keyword, so that a path is read and not an identifier.
        let pair: MetaNameValue = input
            .parse()
            .map_err(|_| Error::new(span, format!("expected `argument = value`; {EXPECTED}")))?;
        let key = pair.path.to_token_stream().to_string();
        match pair.value {
            Expr::Lit(ExprLit { lit, .. }) => Ok(Self { key, span, value: lit }),
            other => Err(Error::new_spanned(other, format!("`{key}` takes a literal"))),
        }
    }
}

fn string(value: &Lit) -> Result<syn::LitStr> {
    match value {
        Lit::Str(text) => Ok(text.clone()),
        other => Err(Error::new_spanned(other, "expected a string")),
    }
}

fn boolean(value: Lit) -> Result<Lit> {
    match value {
        Lit::Bool(_) => Ok(value),
        other => Err(Error::new_spanned(other, "expected `true` or `false`")),
    }
}

fn positive(value: Lit) -> Result<Lit> {
    match &value {
        Lit::Int(number) if number.base10_parse::<usize>().is_ok_and(|number| number > 0) => Ok(value),
        other => Err(Error::new_spanned(other, "expected a number above 0")),
    }
}

fn flavor(value: &Lit) -> Result<Flavor> {
    let text = string(value)?;
    match text.value().as_str() {
        "multi_thread" => Ok(Flavor::MultiThread),
        "current_thread" => Ok(Flavor::CurrentThread),
        "local" => Ok(Flavor::Local),
        other => Err(Error::new_spanned(
            text,
            format!("no runtime flavor `{other}`; there are `multi_thread`, `current_thread` and `local`"),
        )),
    }
}

fn unhandled_panic(value: &Lit) -> Result<&'static str> {
    let text = string(value)?;
    match text.value().as_str() {
        "ignore" => Ok("Ignore"),
        "shutdown_runtime" => Ok("ShutdownRuntime"),
        other => Err(Error::new_spanned(
            text,
            format!("no behaviour `{other}`; there are `ignore` and `shutdown_runtime`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        syn::parse_str::<Args>(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn all_of_tokios_arguments_are_taken() {
        let args: Args = syn::parse_str(
            r#"flavor = "current_thread", start_paused = true, unhandled_panic = "ignore", name = "x", crate = "a::b","#,
        )
        .expect("valid");
        assert_eq!((args.flavor, args.unhandled_panic), (Flavor::CurrentThread, Some("Ignore")));
        assert!(args.start_paused.is_some() && args.name.is_some() && args.tokio.is_some());
        assert!(syn::parse_str::<Args>("worker_threads = 4").is_ok());
        assert!(syn::parse_str::<Args>("").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(error("worker_threads = 0").contains("above 0"));
        assert!(error("threads = 2").contains("`threads`"));
        assert!(error(r#"flavor = "fast""#).contains("`fast`"));
        assert!(error("start_paused = true").contains("current_thread"));
        assert!(error(r#"flavor = "current_thread", worker_threads = 2"#).contains("multi_thread"));
        assert!(error("worker_threads = 2, worker_threads = 3").contains("twice"));
        assert!(error("worker_threads = two()").contains("literal"));
        assert!(error("worker_threads").contains("expected `argument = value`"));
    }
}
