//! Paths of source files: what is cut from them, and which of them are a library's.
//!
//! Pure functions of texts. The dictionary cuts with them; it and the recorder of stacks ask whose a file is, so that
//! frames and spawn sites are the user's by the same rule.

use std::sync::Arc;

/// Parts of the path of a source file that is not the service's.
const LIBRARY_PATHS: &[&str] = &[
    "/rustc/",
    "/registry/src/",
    "/git/checkouts/",
    "/rustlib/src/",
    "/usr/src/",
    "/usr/include/",
    "/nix/store/",
    "/sysdeps/",
    "/debug/glibc",
];
/// Digits of the hash behind the name of a repository that cargo fetched.
const HASH_DIGITS: usize = 16;
/// The fewest digits of a revision.
const REVISION_DIGITS: usize = 7;

/// Whether a source file, by its path as the compiler wrote it, is a library's and not the user's own. A library whose
/// source lies in the user's folders (a vendored one, a dependency by path) is the user's.
pub fn is_library_path(file: &str) -> bool {
    ["library/", "./", "../"].iter().any(|start| file.starts_with(start))
        || LIBRARY_PATHS.iter().any(|part| file.contains(part))
}

/// The same of a path from which the folder of cargo's cache may be cut.
pub(super) fn is_of_library(file: &str) -> bool {
    is_library_path(file) || is_of_registry(file) || is_of_repository(file)
}

/// `hyper-1.12.0/src/server.rs`.
fn is_of_registry(file: &str) -> bool {
    file.split_once(['/', '\\']).is_some_and(|(folder, _)| without_version(folder).len() < folder.len())
}

/// `axum-0123456789abcdef/89abcde/src/lib.rs`.
fn is_of_repository(file: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut folders = file.splitn(3, ['/', '\\']);
    let (Some(name), Some(revision), Some(_)) = (folders.next(), folders.next(), folders.next()) else {
        return false;
    };
    let hash = name.rsplit_once('-').filter(|(name, _)| !name.is_empty()).map_or("", |(_, hash)| hash);
    hash.len() == HASH_DIGITS && is_hex(hash) && revision.len() >= REVISION_DIGITS && is_hex(revision)
}

/// `hyper-1.12.0` is `hyper`.
pub(crate) fn without_version(folder: &str) -> &str {
    let version = folder.match_indices('-').find(|(at, _)| {
        let mut parts = folder[at + 1..].split('.');
        let number = |part: Option<&str>| {
            part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        number(parts.next()) && number(parts.next()) && parts.next().is_some()
    });
    version.map_or(folder, |(at, _)| &folder[..at])
}

/// The path without the folder in which cargo or rustup keeps sources, which differs from machine to
/// machine: `…/registry/src/INDEX/hyper-1.12.0/src/server.rs` begins at `hyper-1.12.0`,
/// `…/git/checkouts/NAME-HASH/REVISION/src/lib.rs` at the name, `/rustc/HASH/library/…` at `library`.
pub(super) fn without_cache(file: &str) -> &str {
    let after = |marker: &str, folders: usize| {
        let rest = &file[file.find(marker)? + marker.len()..];
        rest.splitn(folders + 1, ['/', '\\']).nth(folders).filter(|path| !path.is_empty())
    };
    after("/registry/src/", 1)
        .or_else(|| after("/git/checkouts/", 0))
        .or_else(|| file.starts_with("/rustc/").then(|| after("/rustc/", 1)).flatten())
        .unwrap_or(file)
}

/// The same, without a copy where there is nothing to cut.
pub(super) fn shortened(file: Arc<str>) -> Arc<str> {
    let short = without_cache(&file);
    if short.len() == file.len() { file } else { short.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_with_and_without_the_folder_of_the_cache() {
        for file in [
            "/srv/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/hyper-1.12.0/src/server.rs",
            "/srv/.cargo/git/checkouts/axum-0123456789abcdef/89abcde/axum/src/lib.rs",
            "/rustc/59807616e1/library/std/src/thread.rs",
            "/srv/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/thread.rs",
        ] {
            assert!(is_of_library(file) && is_of_library(without_cache(file)), "{file}");
            assert!(is_library_path(file));
        }
        for file in [
            "src/cart.rs",
            "services/shop/src/main.rs",
            "/srv/shop/src/main.rs",
            "vendor/hyper/src/server.rs",
            "shop-2/src/main.rs",
            "shop-2/89abcde/main.rs",
            "shop-0123456789abcdef/src/main.rs",
            "shop-1.2.3",
            "(over the site limit)",
            "",
        ] {
            assert!(!is_of_library(file), "{file}");
        }
    }
}
