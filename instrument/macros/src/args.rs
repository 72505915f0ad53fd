//! The arguments of both attributes that are tokio's, with its names and its rules, and the path of pollscope.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, Lit, MetaNameValue, Path, Result, Token};

use crate::nearest::nearest;

/// Tokio's arguments, and ours of both attributes.
pub(crate) const EXPECTED: [&str; 7] =
    ["flavor", "worker_threads", "start_paused", "crate", "unhandled_panic", "name", "pollscope"];

/// Which runtime to build.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Flavor {
    #[default]
    MultiThread,
    CurrentThread,
    Local,
}

/// What decides about the runtime, checked.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) flavor: Flavor,
    pub(crate) worker_threads: Option<Lit>,
    pub(crate) start_paused: Option<Lit>,
    pub(crate) name: Option<Lit>,
    pub(crate) unhandled_panic: Option<&'static str>,
    pub(crate) tokio: Option<Path>,
    /// What the crate `pollscope` is called where the attribute stands, if that is something else.
    pollscope: Option<Path>,
    /// The first argument that one thread only can have.
    wants_one_thread: Option<(Span, String)>,
}

impl Args {
    /// A test's runtime has one thread unless it says otherwise, as tokio's.
    pub(crate) fn of_a_test() -> Self {
        Self { flavor: Flavor::CurrentThread, ..Self::default() }
    }

    /// Takes an argument that is about the runtime, and leaves any other.
    pub(crate) fn take(&mut self, argument: &Argument) -> Result<bool> {
        let (key, value) = (argument.key.as_str(), || argument.literal());
        match key {
            "flavor" => self.flavor = flavor(value()?)?,
            "worker_threads" => self.worker_threads = Some(positive(value()?)?),
            "start_paused" => self.start_paused = Some(boolean(value()?)?),
            "name" => self.name = Some(Lit::Str(string(value()?)?)),
            "unhandled_panic" => self.unhandled_panic = Some(unhandled_panic(value()?)?),
            "crate" => self.tokio = Some(string(value()?)?.parse()?),
            "pollscope" => self.pollscope = Some(string(value()?)?.parse()?),
            _ => return Ok(false),
        }
        if matches!(key, "start_paused" | "unhandled_panic") {
            self.wants_one_thread.get_or_insert((argument.span, key.to_owned()));
        }
        Ok(true)
    }

    /// The path of pollscope.
    pub(crate) fn pollscope(&self) -> TokenStream {
        self.pollscope.as_ref().map_or_else(|| quote! { ::pollscope }, |path| quote! { #path })
    }

    /// The same at a place in the user's code: the compiler takes a call's line from where its path begins, and the
    /// line of the attribute for what only the expansion says.
    pub(crate) fn pollscope_at(&self, span: Span) -> TokenStream {
        let at = |mut token: TokenTree| {
            token.set_span(span);
            token
        };
        self.pollscope().into_iter().map(at).collect()
    }

    /// The path of tokio.
    pub(crate) fn tokio(&self) -> TokenStream {
        let pollscope = self.pollscope();
        self.tokio.as_ref().map_or_else(|| quote! { #pollscope::__private::tokio }, |path| quote! { #path })
    }

    /// Whether all that was taken goes together.
    pub(crate) fn check(&self) -> Result<()> {
        match (self.flavor, &self.worker_threads, &self.wants_one_thread) {
            (Flavor::MultiThread, _, Some((span, key))) => {
                Err(Error::new(*span, format!("`{key}` needs `flavor = \"current_thread\"`")))
            }
            (Flavor::CurrentThread | Flavor::Local, Some(threads), _) => {
                Err(Error::new(threads.span(), "`worker_threads` needs `flavor = \"multi_thread\"`"))
            }
            _ => Ok(()),
        }
    }
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();
        for argument in list(input, &EXPECTED)? {
            if !args.take(&argument)? {
                return Err(argument.unknown(&EXPECTED));
            }
        }
        args.check()?;
        Ok(args)
    }
}

/// `key = value, …`, each key once. `expected` is what there is, for the messages.
pub(crate) fn list(input: ParseStream<'_>, expected: &[&str]) -> Result<Vec<Argument>> {
    let mut all: Vec<Argument> = Vec::new();
    while !input.is_empty() {
        all.push(Argument::parse(input, expected)?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    for (at, argument) in all.iter().enumerate() {
        if all[..at].iter().any(|before| before.key == argument.key) {
            return Err(Error::new(argument.span, format!("`{}` is set twice", argument.key)));
        }
    }
    Ok(all)
}

/// One of them.
pub(crate) struct Argument {
    pub(crate) key: String,
    pub(crate) span: Span,
    pub(crate) value: Expr,
}

impl Argument {
    fn parse(input: ParseStream<'_>, expected: &[&str]) -> Result<Self> {
        let span = input.span();
        // `crate` is a keyword, so that a path is read and not an identifier.
        let pair: MetaNameValue = input
            .parse()
            .map_err(|_| Error::new(span, format!("expected `argument = value`; {}", one_of(expected))))?;
        Ok(Self { key: pair.path.to_token_stream().to_string(), span, value: pair.value })
    }

    /// The value, where nothing else will do.
    pub(crate) fn literal(&self) -> Result<&Lit> {
        match &self.value {
            Expr::Lit(ExprLit { lit, .. }) => Ok(lit),
            other => Err(Error::new_spanned(other, format!("`{}` takes a literal", self.key))),
        }
    }

    /// No such argument.
    pub(crate) fn unknown(&self, expected: &[&str]) -> Error {
        let hint = match nearest(&self.key, expected) {
            Some(name) => format!("did you mean `{name}`?"),
            None => one_of(expected),
        };
        Error::new(self.span, format!("unknown argument `{}`; {hint}", self.key))
    }
}

fn one_of(expected: &[&str]) -> String {
    let names: Vec<_> = expected.iter().map(|name| format!("`{name}`")).collect();
    format!("expected one of: {}", names.join(", "))
}

pub(crate) fn string(value: &Lit) -> Result<syn::LitStr> {
    match value {
        Lit::Str(text) => Ok(text.clone()),
        other => Err(Error::new_spanned(other, "expected a string")),
    }
}

fn boolean(value: &Lit) -> Result<Lit> {
    match value {
        Lit::Bool(_) => Ok(value.clone()),
        other => Err(Error::new_spanned(other, "expected `true` or `false`")),
    }
}

fn positive(value: &Lit) -> Result<Lit> {
    match value {
        Lit::Int(number) if number.base10_parse::<usize>().is_ok_and(|number| number > 0) => {
            Ok(value.clone())
        }
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
            r#"flavor = "current_thread", start_paused = true, unhandled_panic = "ignore", name = "x", crate = "a::b", pollscope = "c::d","#,
        )
        .expect("valid");
        assert_eq!((args.flavor, args.unhandled_panic), (Flavor::CurrentThread, Some("Ignore")));
        assert!(args.start_paused.is_some() && args.name.is_some());
        assert_eq!(
            (args.tokio().to_string(), args.pollscope().to_string()),
            ("a :: b".into(), "c :: d".into())
        );
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
