//! The expansion of `#[pollscope::test]`: a session of the crate's `check`, with the arguments as calls on it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Error, ItemFn, Result};

use crate::args::{self, Args, Flavor};
use crate::function;
use crate::limits;
use crate::main_fn::output_to_check;

/// The function as a test with its body inside a session, or as it was with the error beside it.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    function::expand(args, item, check, wrap)
}

fn check(function: &ItemFn) -> Result<()> {
    if let Some(second) = function.attrs.iter().find(|attribute| is_test(attribute)) {
        let message = "a second test attribute: `#[pollscope::test]` makes the function a test by itself";
        return Err(Error::new_spanned(second, message));
    }
    Ok(())
}

fn is_test(attribute: &Attribute) -> bool {
    let names: Vec<_> = attribute.path().segments.iter().map(|segment| segment.ident.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    matches!(names[..], ["test"] | ["core" | "std", "prelude", _, "test"] | ["tokio", "test"])
}

/// All arguments, checked.
struct TestArgs {
    runtime: Args,
    limits: TokenStream,
}

impl Default for TestArgs {
    fn default() -> Self {
        Self { runtime: Args::of_a_test(), limits: TokenStream::new() }
    }
}

impl Parse for TestArgs {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let expected: Vec<_> = args::EXPECTED.into_iter().chain(limits::EXPECTED).collect();
        let mut taken = Self::default();
        let mut others = Vec::new();
        for argument in args::list(input, &expected)? {
            if !taken.runtime.take(&argument)? {
                others.push(argument);
            }
        }
        // Once it is known what pollscope is called.
        let pollscope = taken.runtime.pollscope();
        for argument in others {
            let limit = limits::take(&argument, &pollscope)?.ok_or_else(|| argument.unknown(&expected))?;
            taken.limits.extend(limit);
        }
        taken.runtime.check()?;
        Ok(taken)
    }
}

fn wrap(mut function: ItemFn, args: TestArgs) -> TokenStream {
    function.sig.asyncness = None;
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let TestArgs { runtime, limits } = args;
    let (tokio, pollscope) = (runtime.tokio(), runtime.pollscope());
    let pollscope_here = runtime.pollscope_at(sig.ident.span());
    // A task of several threads is sent to them; the others' bodies stay where they are, as tokio's.
    let (flavor, run) = match runtime.flavor {
        Flavor::MultiThread => (quote! { MultiThread }, quote! { run }),
        Flavor::CurrentThread => (quote! { CurrentThread }, quote! { run_local }),
        Flavor::Local => (quote! { Local }, quote! { run_local }),
    };
    let worker_threads = runtime.worker_threads.map(|n| quote! { .worker_threads(#n) });
    let start_paused = runtime.start_paused.map(|paused| quote! { .start_paused(#paused) });
    let set_name = runtime.name.map(|name| quote! { builder.name(#name); });
    let unhandled_panic = runtime.unhandled_panic.map(|behaviour| {
        let behaviour = Ident::new(behaviour, Span::call_site());
        quote! { builder.unhandled_panic(#tokio::runtime::UnhandledPanic::#behaviour); }
    });
    let configures = set_name.is_some() || unhandled_panic.is_some() || runtime.tokio.is_some();
    let configure = configures.then(|| {
        quote! { .configure(|builder: &mut #tokio::runtime::Builder| { #set_name #unhandled_panic }) }
    });
    let name = sig.ident.to_string();
    let check_output = output_to_check(&sig.output).map(|output| {
        quote! {
            if false {
                let _: &dyn ::core::future::Future<Output = #output> = &body;
            }
        }
    });
    // At the places of the body and of the name, so that errors and the failure's line point there.
    let body = quote_spanned! {block.span()=> let body = async move #block; };
    let run =
        quote_spanned! {sig.ident.span()=> #pollscope_here::__private::check::finish(session.#run(body)) };
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis #sig {
            #body
            #check_output
            #[allow(unused_variables, clippy::diverging_sub_expression, clippy::needless_return, unreachable_code)]
            {
                let session = #pollscope::check::Session::new(::core::concat!(::core::module_path!(), "::", #name))
                    .project(::core::option_env!("CARGO_MANIFEST_DIR"))
                    .flavor(#pollscope::check::Flavor::#flavor)
                    #worker_threads
                    #start_paused
                    #configure
                    #limits;
                return #run;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(args: TokenStream, item: &TokenStream) -> String {
        let text = expand(args, item).to_string();
        assert!(syn::parse_str::<syn::File>(&text).is_ok(), "{text}");
        text
    }

    #[test]
    fn the_expansion_is_a_test_that_runs_a_session() {
        let text = expanded(
            quote! { start_paused = true, max_poll = "10ms", leaks = "deny", deny = ["large-future", "task-leak"] },
            &quote! { #[cfg(unix)] #[should_panic] async fn burst() -> Result<(), E> { Ok(()) } },
        );
        for part in [
            "# [cfg (unix)]",
            "# [should_panic]",
            "prelude :: v1 :: test",
            "CurrentThread",
            "start_paused (true)",
            ". max_poll (:: core :: time :: Duration :: from_nanos (10000000u64))",
            ". leaks (:: pollscope :: check :: Level :: Deny)",
            ". deny (\"large-future\") . deny (\"task-leak\")",
            "run_local",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("async fn") && !text.contains("configure"));
    }

    #[test]
    fn several_threads_and_what_else_tokio_takes() {
        let text = expanded(
            quote! { flavor = "multi_thread", worker_threads = 2, name = "x", crate = "a::b" },
            &quote! { async fn burst() {} },
        );
        for part in [
            "MultiThread",
            ". worker_threads (2)",
            "builder . name (\"x\")",
            "a :: b :: runtime",
            "session . run (",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let text = expanded(
            quote! { leaks = "deny", name = "x", pollscope = "scope" },
            &quote! { async fn burst() {} },
        );
        assert!(text.contains("leaks (scope :: check :: Level :: Deny)"), "{text}");
        assert!(!text.contains(":: pollscope"), "{text}");
        let text = expanded(quote! { unhandled_panic = "shutdown_runtime" }, &quote! { async fn burst() {} });
        assert!(text.contains("UnhandledPanic :: ShutdownRuntime"));
    }

    fn error(args: TokenStream, item: &TokenStream) -> String {
        let text = expand(args, item).to_string();
        assert!(text.contains("compile_error"), "{text}");
        assert!(text.contains("fn burst"), "the function stays: {text}");
        text
    }

    #[test]
    fn a_mistake_is_an_error_beside_the_function() {
        let good = quote! { async fn burst() {} };
        for (args, message) in [
            (quote! { max_pol = "10ms" }, "did you mean `max_poll`?"),
            (quote! { max_poll = "10" }, "invalid duration `10`"),
            (quote! { max_poll = 10 }, "expected a string"),
            (quote! { leaks = "never" }, "no level `never`"),
            (quote! { deny = "task-leek" }, "did you mean `task-leak`?"),
            (quote! { allow = 3 }, "expected a detector's name"),
            (quote! { max_poll = "1ms", max_poll = "2ms" }, "set twice"),
            (quote! { max_poll }, "expected `argument = value`"),
            (quote! { worker_threads = 2 }, "needs `flavor = \\\"multi_thread\\\"`"),
            (
                quote! { flavor = "multi_thread", start_paused = true },
                "needs `flavor = \\\"current_thread\\\"`",
            ),
        ] {
            let text = error(args, &good);
            assert!(text.contains(message), "{message} is not in {text}");
        }
        assert!(error(quote! {}, &quote! { fn burst() {} }).contains("must be `async`"));
        assert!(error(quote! {}, &quote! { #[test] async fn burst() {} }).contains("second test attribute"));
    }
}
