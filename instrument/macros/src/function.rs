//! What every attribute on an `async fn` does alike: reads the function and the arguments, and puts an
//! error beside the function, so that editors still understand the rest. The attributes call it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parse;
use syn::{Error, ItemFn, Result};

/// The function as `wrap` makes it; with the default arguments and the error beside it, if `check` or the
/// arguments object.
pub(crate) fn expand<A: Default + Parse>(
    args: TokenStream,
    item: &TokenStream,
    check: impl FnOnce(&ItemFn) -> Result<()>,
    wrap: impl Fn(ItemFn, A) -> TokenStream,
) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            return quote! { #item #error };
        }
    };
    let checked = is_async(&function).and_then(|()| check(&function)).and_then(|()| syn::parse2::<A>(args));
    match checked {
        Ok(args) => wrap(function, args),
        Err(error) => {
            let function = wrap(function, A::default());
            let error = error.into_compile_error();
            quote! { #function #error }
        }
    }
}

fn is_async(function: &ItemFn) -> Result<()> {
    if function.sig.asyncness.is_none() {
        return Err(Error::new_spanned(function.sig.fn_token, "the function must be `async`"));
    }
    Ok(())
}
