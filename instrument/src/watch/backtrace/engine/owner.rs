//! Whose code a frame is: the service's, or that of a library below it.

use pollscope_model::dict::is_library_path;

/// A crate of ours whose code runs on the service's threads.
struct Own {
    /// As symbols spell it.
    name: &'static str,
    /// The folder of its source, as cargo has it.
    folder: &'static str,
    /// One of its files, as the compiler writes it into debug information: relative in a checkout of the workspace,
    /// and another one where paths are remapped.
    file: &'static str,
    /// The same below the folder.
    below: &'static str,
}

const THIS: Own = Own {
    name: "pollscope",
    folder: concat!(env!("CARGO_MANIFEST_DIR"), "/src/"),
    file: file!(),
    below: "watch/backtrace/engine/owner.rs",
};
const RECORDER: Own = Own {
    name: "pollscope_recorder",
    folder: pollscope_recorder::SOURCES[0],
    file: pollscope_recorder::SOURCES[1],
    below: "lib.rs",
};

/// Crates that are never the service's own, wherever their source is: what runs tasks, and what serves them.
#[rustfmt::skip]
const LIBRARIES: &[&str] = &[
    "std", "core", "alloc", "std_detect", "backtrace", "gimli", "addr2line", "hashbrown", "libc", "rustix",
    "nix", "pollscope_macros", "pollscope_model", "pollscope_proto", "pollscope_recorder", "tokio", "tokio_util", "tokio_stream", "mio", "socket2", "smol", "async_std", "async_executor", "async_io", "async_task",
    "polling", "futures", "futures_core", "futures_util", "futures_executor", "futures_lite", "pin_project",
    "pin_project_lite", "hyper", "hyper_util", "h2", "h3", "quinn", "http", "http_body", "http_body_util",
    "tower", "tower_http", "tower_service", "axum", "axum_core", "actix", "actix_rt", "actix_web",
    "actix_http", "actix_server", "warp", "rocket", "tonic", "prost", "reqwest", "rustls", "ring",
    "native_tls", "openssl", "tracing", "tracing_core", "tracing_subscriber", "log", "parking_lot",
    "parking_lot_core", "lock_api", "crossbeam", "crossbeam_channel", "crossbeam_utils", "rayon",
    "rayon_core", "once_cell", "bytes", "serde", "serde_json", "regex", "regex_automata", "memchr", "sqlx",
    "sqlx_core", "diesel", "rusqlite", "redis", "rdkafka", "test",
];

/// Whether a function is the service's own. `own_program` says that it is in the program itself and not in
/// a shared library.
pub(super) fn is_users(function: &str, file: Option<&str>, own_program: bool) -> bool {
    let Some(root) = crate_of(function) else {
        // C and assembly: ours to show only if its source is known and not the system's.
        return own_program && file.is_some_and(is_users_path) && !is_entry(function);
    };
    // A service may have the name of this crate; where its source is not known, that is the likelier.
    !is_library(root) && file.map_or(own_program && root != THIS.name, is_users_path)
}

/// Whether a crate is one of the well-known ones.
pub(super) fn is_library(root: &str) -> bool {
    LIBRARIES.contains(&root)
}

/// Whether a source file, by its path, is the service's own.
pub(super) fn is_users_path(file: &str) -> bool {
    !is_library_path(file) && own_crate_of(file).is_none()
}

impl Own {
    /// Whether a source file, by its path, is one of the crate, wherever cargo took that from: a registry, a
    /// repository, a folder, a checkout of the workspace.
    fn has(&self, file: &str) -> bool {
        let told = self.file.strip_suffix(self.below).filter(|folder| !folder.is_empty());
        file.starts_with(self.folder) || told.is_some_and(|folder| file.starts_with(folder))
    }
}

/// The crate of ours that a source file belongs to, as symbols spell it.
pub(super) fn own_crate_of(file: &str) -> Option<&'static str> {
    [THIS, RECORDER].iter().find(|own| own.has(file)).map(|own| own.name)
}

/// What the linker and rustc put round `main`.
fn is_entry(function: &str) -> bool {
    ["main", "_start", "__rust_begin_short_backtrace"].contains(&function)
}

/// The crate that a Rust path begins with, through what may stand before it: `<&mut shop::Cart as …>::poll`
/// is of `shop`. `None` for what is no path.
pub(super) fn crate_of(function: &str) -> Option<&str> {
    let mut rest = function;
    loop {
        let bare = rest.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        let bare = ["mut ", "const ", "dyn ", "impl "]
            .iter()
            .fold(bare, |bare, word| bare.strip_prefix(word).unwrap_or(bare));
        if bare.len() == rest.len() {
            break;
        }
        rest = bare;
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0 && rest[end..].starts_with("::")).then_some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_of_a_path() {
        for (function, root) in [
            ("shop::cart::add", Some("shop")),
            ("<shop::Cart as core::ops::drop::Drop>::drop", Some("shop")),
            ("<&mut shop::Cart as core::future::Future>::poll", Some("shop")),
            ("<*const [shop::Cart]>::len", Some("shop")),
            ("<dyn shop::Kind>::name", Some("shop")),
            ("core::ptr::drop_in_place<shop::Cart>", Some("core")),
            ("clock_nanosleep", None),
            ("operator new(unsigned long)", None),
            ("", None),
        ] {
            assert_eq!(crate_of(function), root, "{function}");
        }
    }

    #[test]
    fn the_services_code_is_what_no_library_owns() {
        let program = |function, file| is_users(function, file, true);
        let own = |file| format!("{}{file}", THIS.folder);
        let told = |own: &Own, file| own.file.replace(own.below, file);
        // It is the source that says whose it is.
        assert!(program("pollscope::main", Some("services/pollscope/src/main.rs")));
        assert!(program("pollscope_shop::cart::add", Some("pollscope_shop/src/cart.rs")));
        assert!(program("pollscope_shop::cart::add", None));
        assert!(program("shop::cart::add", Some("src/cart.rs")));
        assert!(program("shop::cart::add", None));
        assert!(program("compress_block", Some("/srv/shop/vendor/lz/block.c")));
        for (function, file) in [
            ("tokio::runtime::task::raw::poll", None),
            ("std::thread::sleep", Some("/rustc/59807616e1/library/std/src/thread/mod.rs")),
            ("core::ops::function::FnOnce::call_once", Some("library/core/src/ops/function.rs")),
            (
                "serde_yaml::from_str",
                Some("/srv/.cargo/registry/src/index.crates.io-1/serde_yaml-1/src/lib.rs"),
            ),
            ("pollscope::api::future::poll", Some(own("api/future.rs").as_str())),
            ("future::poll_recorded", Some(own("api/future.rs").as_str())),
            ("future::poll_recorded", Some(told(&THIS, "api/future.rs").as_str())),
            ("life::open_poll", Some(told(&RECORDER, "record/life.rs").as_str())),
            ("life::open_poll", Some(format!("{}record/life.rs", RECORDER.folder).as_str())),
            ("pollscope_recorder::record::life::open_poll", None),
            ("pollscope::api::future::poll", None),
            ("clock_nanosleep", None),
            ("main", None),
        ] {
            assert!(!program(function, file), "{function}");
        }
        assert!(!is_users("plugin::start", None, false), "a shared library without debug information");
        assert!(is_users("plugin::start", Some("plugins/src/lib.rs"), false));
    }
}
