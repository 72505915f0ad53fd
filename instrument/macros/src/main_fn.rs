//! The expansion of `#[pollscope::main]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, ReturnType, Type};

use crate::args::{Args, Flavor};
use crate::function;

/// The function with its body inside a runtime, or as it was with the error beside it, so that editors
/// still understand the rest.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    function::expand(args, item, check, wrap)
}

fn check(function: &ItemFn) -> Result<()> {
    if function.sig.ident == "main" && !function.sig.inputs.is_empty() {
        return Err(Error::new_spanned(&function.sig.inputs, "the main function takes no arguments"));
    }
    Ok(())
}

fn wrap(mut function: ItemFn, args: Args) -> TokenStream {
    function.sig.asyncness = None;
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (tokio, pollscope) = (args.tokio(), args.pollscope());
    let pollscope_here = args.pollscope_at(sig.ident.span());
    let constructor = match args.flavor {
        Flavor::MultiThread => quote! { new_multi_thread },
        Flavor::CurrentThread | Flavor::Local => quote! { new_current_thread },
    };
    let build = if args.flavor == Flavor::Local {
        quote! { build_local(::core::default::Default::default()) }
    } else {
        quote! { build() }
    };
    let worker_threads = args.worker_threads.map(|n| quote! { builder.worker_threads(#n); });
    let start_paused = args.start_paused.map(|paused| quote! { builder.start_paused(#paused); });
    let unhandled_panic = args.unhandled_panic.map(|behaviour| {
        let behaviour = Ident::new(behaviour, Span::call_site());
        quote! { builder.unhandled_panic(#tokio::runtime::UnhandledPanic::#behaviour); }
    });
    let set_name = args.name.as_ref().map(|name| quote! { builder.name(#name); });
    let shown_name = args.name.map_or_else(|| quote! { "main" }, |name| quote! { #name });
    // The body's own future at the place of the body, so that type errors and the site point there.
    let check_output = output_to_check(&sig.output).map(|output| {
        quote! {
            if false {
                let _: &dyn ::core::future::Future<Output = #output> = &body;
            }
        }
    });
    let body = quote_spanned! {block.span()=> let body = async #block; };
    let seen = quote_spanned! {sig.ident.span()=> #pollscope_here::__private::block_on_body(body) };
    quote! {
        #(#attrs)*
        #vis #sig {
            #body
            #check_output
            // Declared before the runtime, hence dropped after it: the last flush sees every end.
            let guard = #pollscope::init();
            #[allow(clippy::expect_used, clippy::diverging_sub_expression, clippy::needless_return, unreachable_code)]
            {
                let mut builder = #tokio::runtime::Builder::#constructor();
                builder.enable_all();
                #worker_threads
                #start_paused
                #unhandled_panic
                #set_name
                #pollscope::attach_with(&mut builder, #pollscope::Callbacks::new());
                let runtime = builder.#build.expect("Failed building the Runtime");
                #pollscope::observe(runtime.handle(), #shown_name);
                let output = runtime.block_on(#seen);
                drop(runtime);
                drop(guard);
                return output;
            }
        }
    }
}

/// The return type, where it can be written down a second time.
pub(crate) fn output_to_check(output: &ReturnType) -> Option<TokenStream> {
    match output {
        ReturnType::Default => Some(quote! { () }),
        ReturnType::Type(_, ty) => {
            let text = quote! { #ty }.to_string();
            let is_plain = !matches!(**ty, Type::Never(_)) && !text.split(' ').any(|word| word == "impl");
            is_plain.then(|| quote! { #ty })
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
    fn the_expansion_is_a_plain_function_that_builds_what_was_asked_for() {
        let text = expanded(
            quote! { flavor = "current_thread", start_paused = true, name = "x" },
            &quote! { async fn main() -> Result<(), E> { Ok(()) } },
        );
        assert!(!text.contains("async fn"));
        for part in ["new_current_thread", "start_paused (true)", "name (\"x\")", "Output = Result"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let text = expanded(quote! {}, &quote! { pub async fn serve(port: u16) -> impl Termination {} });
        assert!(text.contains("new_multi_thread") && !text.contains("dyn"));
        let text = expanded(quote! { pollscope = "crate::scope" }, &quote! { async fn main() {} });
        assert!(text.contains("crate :: scope :: init ()") && !text.contains(":: pollscope"), "{text}");
    }

    #[test]
    fn a_mistake_is_an_error_beside_the_function() {
        for (args, item) in [
            (quote! {}, quote! { fn main() {} }),
            (quote! {}, quote! { async fn main(x: u8) {} }),
            (quote! { threads = 1 }, quote! { async fn main() {} }),
        ] {
            let text = expand(args, &item).to_string();
            assert!(text.contains("compile_error") && text.contains("fn main"), "{text}");
        }
    }
}
