//! The attribute macros of `pollscope`; use them through that crate.

mod args;
mod main_fn;

use proc_macro::TokenStream;

/// `#[pollscope::main]` in place of `#[tokio::main]`: builds the runtime with pollscope's hooks, starts
/// pollscope, runs the body where its own polls are seen, and flushes at the end.
///
/// Takes every argument that tokio's attribute takes, with the same meaning: `flavor` (`"multi_thread"`,
/// the default, `"current_thread"`, or with tokio_unstable `"local"`), `worker_threads`, `start_paused`,
/// `name`, `unhandled_panic`, and `crate` for the path of tokio.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(args.into(), &item.into()).into()
}
