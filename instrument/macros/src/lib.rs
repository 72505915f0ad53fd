//! The attribute macros of `pollscope`; use them through that crate.

mod args;
mod detectors;
mod function;
mod limits;
mod main_fn;
mod nearest;
mod test_fn;

use proc_macro::TokenStream;

/// `#[pollscope::main]` in place of `#[tokio::main]`: builds the runtime with pollscope's hooks, starts
/// pollscope, runs the body where its own polls are seen, and flushes at the end.
///
/// Takes every argument that tokio's attribute takes, with the same meaning: `flavor` (`"multi_thread"`,
/// the default, `"current_thread"`, or with tokio_unstable `"local"`), `worker_threads`, `start_paused`,
/// `name`, `unhandled_panic`, and `crate` for the path of tokio. And one of its own: `pollscope = "path"`, where the
/// crate is called something else, because it was renamed or another crate exports it.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(args.into(), &item.into()).into()
}

/// `#[pollscope::test]` in place of `#[tokio::test]`: runs the body in a runtime whose tasks are recorded, and
/// fails the test for what the detectors found in it. Needs the feature `check` of `pollscope`.
///
/// ```ignore
/// #[pollscope::test(max_poll = "10ms", p99_poll = "2ms", leaks = "deny")]
/// async fn checkout_survives_a_burst() { /* … */ }
/// ```
///
/// Takes every argument that tokio's attribute takes, with the same meaning and the same default of one thread:
/// `flavor`, `worker_threads`, `start_paused`, `name`, `unhandled_panic`, `crate`. And of its own, each but the last the
/// method of that name of `pollscope::check::Session`, where they are explained:
///
/// - `max_poll`, `p99_poll`, `max_sched_delay`, `timeout`: a duration, `"10ms"`
/// - `leaks`, `lost_wakers`, `forgotten`, `self_wake`: `"deny"`, `"warn"` or `"allow"`
/// - `deny`, `warn`, `allow`: detectors, `"large-future"` or `["large-future", "task-leak"]`
/// - `profile`: a profile of `pollscope.toml`
/// - `pollscope`: the path of the crate, `"path"`, where it is called something else
///
/// With `flavor = "multi_thread"` the body runs on a worker, as any task, and so has to be `Send`. Other
/// attributes stay, such as `#[should_panic]`. What the body returns the test returns.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    test_fn::expand(args.into(), &item.into()).into()
}
