//! A path for a function of which debug information tells the bare name only: that of the module that its source
//! file is, by Rust's convention.
//!
//! Such is all that `debug = "line-tables-only"` says of inlined functions.

use super::owner::{is_library, is_users_path, own_crate_of};

/// `swap_if_less<u32, …>` in `…/tokio-1.54.1/src/task/raw.rs` as `tokio::task::raw::swap_if_less`. What has a
/// path, and what is no Rust, stays as it is. `own_crate` is the crate that it was compiled into.
pub(super) fn complete(function: &str, file: Option<&str>, own_crate: Option<&str>) -> Option<String> {
    let stem = file?.strip_suffix(".rs")?;
    if has_path(function) {
        return None;
    }
    let name = function.split('<').next().filter(|name| !name.is_empty())?;
    let (folder, modules) = match stem.strip_prefix("src/") {
        Some(modules) => ("", modules),
        None => stem.rsplit_once("/src/")?,
    };
    let root = if let Some(own) = own_crate_of(stem) {
        Some(own.to_owned())
    } else if is_users_path(stem) {
        own_crate.filter(|root| !is_library(root)).map(str::to_owned)
    } else {
        Some(crate_of_folder(folder)?)
    };
    let modules = modules.split('/').filter(|_| !modules.starts_with("bin/"));
    let modules = modules.filter(|module| !["main", "lib", "mod"].contains(module));
    let parts: Vec<&str> = root.as_deref().into_iter().chain(modules).chain([name]).collect();
    Some(parts.join("::"))
}

/// Whether a function's name has a path before its generics.
pub(super) fn has_path(function: &str) -> bool {
    function.trim_start_matches('<').split('<').next().is_some_and(|path| path.contains("::"))
}

/// The crate that a library's folder holds: `…/pin-project-1.1.13` holds `pin_project`.
fn crate_of_folder(folder: &str) -> Option<String> {
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    let name = match above.rsplit_once("/git/checkouts/") {
        // The root of a repository is `NAME-HASH/REVISION`.
        Some((_, repository)) if !repository.contains('/') => repository.rsplit_once('-')?.0,
        _ => {
            let version = last.match_indices('-').find(|(at, _)| {
                let version = &last[at + 1..];
                version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.')
            });
            version.map_or(last, |(at, _)| &last[..at])
        }
    };
    (!name.is_empty()).then(|| name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_gets_the_path_of_its_file() {
        let cargo = "/srv/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        for (function, file, path) in [
            (
                "poll_future<shop::main::{async_block_env#0}, u32>",
                format!("{cargo}/tokio-1.54.1/src/runtime/task/harness.rs"),
                Some("tokio::runtime::task::harness::poll_future"),
            ),
            ("new", format!("{cargo}/pin-project-1.1.13-rc.1/src/lib.rs"), Some("pin_project::new")),
            (
                "nanosleep",
                "/rustc/59807616e1/library/std/src/sys/thread/unix.rs".to_owned(),
                Some("std::sys::thread::unix::nanosleep"),
            ),
            ("run", "/srv/.cargo/git/checkouts/axum-12ab/34cd/src/lib.rs".to_owned(), Some("axum::run")),
            (
                "run",
                "/srv/.cargo/git/checkouts/axum-12ab/34cd/core/src/a.rs".to_owned(),
                Some("core::a::run"),
            ),
            ("{async_fn#0}", "src/cart/load.rs".to_owned(), Some("shop::cart::load::{async_fn#0}")),
            ("{closure#0}<u32>", "services/shop/src/main.rs".to_owned(), Some("shop::{closure#0}")),
            ("serve", "src/bin/shop.rs".to_owned(), Some("shop::serve")),
            ("compress", "vendor/lz/block.c".to_owned(), None),
            ("shop::cart::add", "src/cart.rs".to_owned(), None),
            ("<shop::Cart as core::ops::drop::Drop>::drop", "src/cart.rs".to_owned(), None),
            ("here", "build/generated.rs".to_owned(), None),
        ] {
            assert_eq!(
                complete(function, Some(&file), Some("shop")).as_deref(),
                path,
                "{function} in {file}"
            );
        }
        let own = file!().replace("watch/backtrace/engine/path", "api/future");
        let path = "pollscope::api::future::poll_recorded";
        assert_eq!(complete("poll_recorded", Some(&own), Some("shop")).as_deref(), Some(path));
        let recorders = pollscope_recorder::SOURCES[1].replace("lib.rs", "record/life.rs");
        let path = "pollscope_recorder::record::life::open_poll";
        assert_eq!(complete("open_poll", Some(&recorders), Some("shop")).as_deref(), Some(path));
        assert_eq!(complete("add", Some("src/cart.rs"), Some("tokio")).as_deref(), Some("cart::add"));
        assert_eq!(complete("add", None, Some("shop")), None);
    }
}
