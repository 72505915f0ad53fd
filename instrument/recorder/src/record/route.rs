//! Routes: what requests are told apart by, as texts that are known for the life of the process.
//!
//! At most [`MAX_ROUTES`] of them; what comes later is counted under [`OTHER`], so that no client of the service decides
//! how much is kept. A route is found through a cache of the thread. While there is room a thread takes a lock for a
//! route that it meets first; once there is none, nothing here is ever locked again. A route's text is never freed: its
//! address stands for it in the cache of sites ([`intern`]).

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use super::{Recorder, intern};

/// The most routes that are told apart in a process.
pub const MAX_ROUTES: usize = 256;
/// Stands for the routes beyond them.
pub const OTHER: &str = "(other routes, over the limit of 256)";
/// Stands for the empty text.
const NAMELESS: &str = "(no route)";

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    text: &'static str,
    /// The same as a name: the scope of what is spawned for its requests.
    name: u32,
}

impl Route {
    /// Its text, at the same address each time.
    #[inline]
    pub(super) fn text(self) -> &'static str {
        self.text
    }

    /// The number of its text as a name.
    #[inline]
    pub fn name(self) -> u32 {
        self.name
    }

    fn of(text: &'static str) -> Self {
        Self { text, name: intern::name(text) }
    }
}

/// By their texts.
type Table = HashMap<&'static str, Route>;

/// What the recorder keeps of routes.
pub(super) struct Routes {
    /// While there is room.
    open: LazyLock<Mutex<Table>>,
    /// All of them, once there is none.
    full: OnceLock<Table>,
}

impl Routes {
    /// None.
    pub(super) const fn new() -> Self {
        Self { open: LazyLock::new(Mutex::default), full: OnceLock::new() }
    }

    /// The route of that text, which is new if there is room; `None` if there is none.
    fn find(&self, text: &str) -> Option<Route> {
        if let Some(full) = self.full.get() {
            return full.get(text).copied();
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(text) {
            return Some(*known);
        }
        if open.len() >= MAX_ROUTES {
            return None;
        }
        let route = Route::of(Box::leak(text.into()));
        open.insert(route.text, route);
        if open.len() == MAX_ROUTES {
            let _ = self.full.set(open.clone());
        }
        Some(route)
    }
}

thread_local! {
    /// The routes that this thread met, so that it takes no lock for one twice. No more than there are.
    static KNOWN: RefCell<Table> = RefCell::default();
}

/// The route of that text. A long text is cut, an empty one is told as such.
///
/// Cost: a hash of the text, for a route that the thread has met.
#[inline]
pub fn route(text: &str) -> Route {
    let known = KNOWN.try_with(|known| known.borrow().get(text).copied());
    known.ok().flatten().unwrap_or_else(|| route_slowly(text))
}

#[cold]
fn route_slowly(text: &str) -> Route {
    let text = if text.is_empty() { NAMELESS } else { text };
    let Some(route) = Recorder::global().routes.find(&intern::fitting(text)) else {
        return Route::of(OTHER);
    };
    if route.text == text {
        // Fails only while the thread ends, and then the cache matters no more.
        let _ = KNOWN.try_with(|known| known.borrow_mut().insert(route.text, route));
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_keeps_its_text_on_every_thread() {
        let here = route("GET /route-test/{id}");
        let there = std::thread::spawn(|| route("GET /route-test/{id}")).join().expect("no panic");
        assert_eq!(here.text(), "GET /route-test/{id}");
        assert!(std::ptr::eq(here.text(), there.text()), "the address stands for it");
        assert!(std::ptr::eq(here.text(), route("GET /route-test/{id}").text()));
        assert_eq!((here.name(), there.name()), (intern::name(here.text()), here.name()));
        assert_eq!(route("").text(), NAMELESS);
        let long = format!("GET /{}", "x".repeat(10_000));
        assert!(route(&long).text().len() <= 256 && route(&long).text().ends_with('…'));
    }

    #[test]
    fn routes_beyond_the_limit_are_one() {
        let routes = Routes::new();
        for nth in 0..MAX_ROUTES {
            let text = format!("GET /limit-test/{nth}");
            assert_eq!(routes.find(&text).map(Route::text), Some(&*text));
        }
        assert!(routes.find("GET /one-more").is_none());
        assert_eq!(routes.find("GET /limit-test/7").map(Route::text), Some("GET /limit-test/7"));
        assert!(OTHER.contains(&MAX_ROUTES.to_string()), "{OTHER}");
    }
}
