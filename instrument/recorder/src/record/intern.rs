//! Spawn sites and names as small numbers: each is stored once, found through a cache of the thread
//! and sent once in the dictionary.
//!
//! A site has a number for each [`session`](super::session) that spawns at it. Reports of the process as a whole use
//! its own number alone ([`own`]).

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use pollscope_model::dict::{DictEntry, MAX_ENTRIES, Site};
use pollscope_model::id::{NameId, SiteId};

use super::route::Route;
use super::session::Session;
use super::{Recorder, by_site};

/// Stands for every site that found no room; the dictionary has no entry for it.
pub const NO_SITE: u32 = MAX_ENTRIES as u32;
/// Bytes of one name; a longer one is cut and ends with an ellipsis.
const MAX_NAME: usize = 256;
/// Bytes of all names that the service gives.
const MAX_NAMES: usize = 8 << 20;
/// Numbers that the service's names leave for our own words.
const OWN_WORDS: usize = 1_024;
/// A thread's cache of names is started over beyond this many.
const CACHED_NAMES: usize = 256;

#[derive(Default)]
struct Tables {
    sites: Vec<Site>,
    /// By content: the compiler may keep several copies of one location.
    site_ids: HashMap<(&'static str, u32, u32, Session), u32>,
    /// Of each session that ever spawned.
    of_sessions: HashMap<Session, OfSession>,
    names: Vec<Arc<str>>,
    name_ids: HashMap<Arc<str>, u32>,
    name_bytes: usize,
    refused: u64,
}

#[derive(Default)]
struct OfSession {
    sites: Vec<u32>,
    refused: u64,
}

/// What the recorder keeps of sites and names.
pub(super) struct Interned {
    tables: LazyLock<Mutex<Tables>>,
    /// Any session ever spawned.
    has_sessions: AtomicBool,
}

impl Interned {
    /// None.
    pub(super) const fn new() -> Self {
        Self { tables: LazyLock::new(Mutex::default), has_sessions: AtomicBool::new(false) }
    }
}

fn interned() -> &'static Interned {
    &Recorder::global().interned
}

fn tables() -> MutexGuard<'static, Tables> {
    interned().tables.lock().unwrap_or_else(PoisonError::into_inner)
}

const CACHED_SITES: usize = 64;

thread_local! {
    /// Direct-mapped by the address of a location, or of a route's text, and session; 0 is none.
    static SITES: [Cell<(usize, u32, Session)>; CACHED_SITES] =
        const { [const { Cell::new((0, 0, Session::NONE)) }; CACHED_SITES] };
    /// Names that this thread gave, so that it takes no lock for one twice.
    static NAMES: RefCell<HashMap<Box<str>, u32>> = RefCell::new(HashMap::new());
}

/// The number of a spawn site in a session. A hit in the thread's cache costs a few loads.
#[inline]
pub fn site(location: &'static Location<'static>, session: Session) -> u32 {
    let address = std::ptr::from_ref(location) as usize;
    cached_site(address, session, || (location.file(), location.line(), location.column()))
}

/// The number of a route as a site, which has no line, in a session. A hit in the thread's cache costs a few loads.
#[inline]
pub fn route(route: Route, session: Session) -> u32 {
    // A text and a location that both live as long as the process are at different addresses.
    cached_site(route.text().as_ptr() as usize, session, || (route.text(), 0, 0))
}

/// File, line and column.
type Place = (&'static str, u32, u32);

#[inline]
fn cached_site(address: usize, session: Session, place: impl Fn() -> Place) -> u32 {
    SITES.with(|cache| {
        let slot = &cache[(address >> 3) % CACHED_SITES];
        let (cached, id, of) = slot.get();
        if cached == address && of == session {
            return id;
        }
        let id = site_slowly(place(), session);
        slot.set((address, id, session));
        id
    })
}

#[cold]
fn site_slowly(place: Place, session: Session) -> u32 {
    tables().site(place, session)
}

impl Tables {
    fn site(&mut self, place: Place, session: Session) -> u32 {
        let key = (place.0, place.1, place.2, session);
        if let Some(id) = self.site_ids.get(&key) {
            return *id;
        }
        let own = if session.is_none() { None } else { Some(self.site(place, Session::NONE)) };
        if self.sites.len() >= MAX_ENTRIES {
            let of_session = own.map(|_| &mut self.of_sessions.entry(session).or_default().refused);
            *of_session.unwrap_or(&mut self.refused) += 1;
            return NO_SITE;
        }
        let id = self.sites.len() as u32;
        self.sites.push(Site { file: key.0.into(), line: key.1, column: key.2 });
        self.site_ids.insert(key, id);
        if let Some(own) = own {
            by_site::add(id, session, own);
            interned().has_sessions.store(true, Ordering::Relaxed);
            self.of_sessions.entry(session).or_default().sites.push(id);
        }
        id
    }
}

/// Whether any session ever spawned.
pub fn has_sessions() -> bool {
    interned().has_sessions.load(Ordering::Relaxed)
}

/// The process's own number for the line of a site.
#[inline]
pub fn own(site: SiteId) -> SiteId {
    SiteId(by_site::own(site.0))
}

/// The number of a name that the service gives; 0 for the empty one and for those that find no room. A long name is
/// cut.
pub fn name(text: &str) -> u32 {
    numbered(text, Names::OfService)
}

/// The same of a word of our own, which finds room where the service's names have none left.
pub fn own_word(text: &str) -> u32 {
    numbered(text, Names::OfOurs)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    OfService,
    OfOurs,
}

fn numbered(text: &str, of: Names) -> u32 {
    if text.len() > MAX_NAME {
        return numbered(&cut(text), of);
    }
    if text.is_empty() {
        return 0;
    }
    let cached = NAMES.try_with(|cache| cache.borrow().get(text).copied()).ok().flatten();
    if let Some(id) = cached {
        return id;
    }
    let id = tables().name(text, of);
    // Fails only while the thread ends, and then the cache matters no more.
    let _ = NAMES.try_with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.len() >= CACHED_NAMES {
            cache.clear();
        }
        cache.insert(text.into(), id);
    });
    id
}

/// The text as a name has it: a long one is cut.
pub(super) fn fitting(text: &str) -> Cow<'_, str> {
    if text.len() > MAX_NAME { cut(text).into() } else { text.into() }
}

/// The beginning of a long name, at most [`MAX_NAME`] bytes with its ellipsis.
fn cut(text: &str) -> String {
    const ELLIPSIS: char = '…';
    let fits = 0..=MAX_NAME - ELLIPSIS.len_utf8();
    let end = fits.rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let mut cut = String::with_capacity(MAX_NAME);
    cut.push_str(&text[..end]);
    cut.push(ELLIPSIS);
    cut
}

impl Tables {
    fn name(&mut self, text: &str, of: Names) -> u32 {
        if let Some(id) = self.name_ids.get(text) {
            return *id;
        }
        // Number 0 is the empty name, so the last one is the table's length.
        let next = self.names.len() + 1;
        let has_room = match of {
            Names::OfService => next < MAX_ENTRIES - OWN_WORDS && self.name_bytes + text.len() <= MAX_NAMES,
            Names::OfOurs => next < MAX_ENTRIES,
        };
        if !has_room {
            self.refused += 1;
            return 0;
        }
        let stored: Arc<str> = text.into();
        self.names.push(Arc::clone(&stored));
        self.name_bytes += text.len();
        let id = self.names.len() as u32;
        self.name_ids.insert(stored, id);
        id
    }
}

/// How far a reader has read.
#[derive(Clone, Copy, Default, Debug)]
pub struct Mark {
    sites: usize,
    names: usize,
}

/// What was added since the mark, which moves on.
pub fn since(mark: &mut Mark) -> Vec<DictEntry> {
    let tables = tables();
    let now = Mark { sites: tables.sites.len(), names: tables.names.len() };
    entries(&tables, std::mem::replace(mark, now), now)
}

/// Everything up to the mark.
pub fn until(mark: Mark) -> Vec<DictEntry> {
    entries(&tables(), Mark::default(), mark)
}

fn entries(tables: &Tables, from: Mark, to: Mark) -> Vec<DictEntry> {
    let site = |(at, site): (usize, &Site)| {
        let id = SiteId(at as u32);
        (own(id) == id).then(|| DictEntry::Site(id, site.clone()))
    };
    let name = |(at, name): (usize, &Arc<str>)| DictEntry::Name(NameId(at as u32 + 1), Arc::clone(name));
    let sites = tables.sites.iter().enumerate().take(to.sites).skip(from.sites).filter_map(site);
    let names = tables.names.iter().enumerate().take(to.names).skip(from.names).map(name);
    sites.chain(names).collect()
}

/// Sites and names that found no room.
pub fn refused() -> u64 {
    tables().refused
}

/// What is known of a session's part.
#[cfg(any(feature = "check", test))]
mod part {
    use super::{DictEntry, NameId, Session, SiteId, tables};

    /// Every site of a session, also those of an earlier one with the number.
    pub fn sites_of(session: Session) -> Vec<u32> {
        tables().of_sessions.get(&session).map_or_else(Vec::new, |known| known.sites.clone())
    }

    /// Sites of a session, and of earlier ones with the number, that found no room.
    pub fn refused_in(session: Session) -> u64 {
        tables().of_sessions.get(&session).map_or(0, |known| known.refused)
    }

    /// The entries of some sites and names.
    pub fn entries_of(
        sites: impl Iterator<Item = SiteId>,
        names: impl Iterator<Item = NameId>,
    ) -> Vec<DictEntry> {
        let tables = tables();
        let site = |id: SiteId| Some(DictEntry::Site(id, tables.sites.get(id.0 as usize)?.clone()));
        let name = |id: NameId| {
            let at = (id.0 as usize).checked_sub(1)?;
            Some(DictEntry::Name(id, tables.names.get(at)?.clone()))
        };
        sites.filter_map(site).chain(names.filter_map(name)).collect()
    }
}

#[cfg(any(feature = "check", test))]
pub use part::{entries_of, refused_in, sites_of};

#[cfg(test)]
mod tests {
    use super::*;

    fn site(location: &'static Location<'static>) -> u32 {
        super::site(location, Session::NONE)
    }

    #[test]
    fn one_number_for_one_line_and_one_name_on_every_thread() {
        let here = Location::caller();
        let id = site(here);
        assert_eq!(site(here), id);
        assert_eq!(std::thread::spawn(move || site(here)).join().expect("no panic"), id);
        assert_ne!(site(Location::caller()), id);

        let id = name("intern-test");
        assert_ne!(id, 0);
        assert_eq!(name("intern-test"), id);
        assert_eq!(std::thread::spawn(|| name("intern-test")).join().expect("no panic"), id);
        assert_eq!((name(""), own_word("intern-test")), (0, id));
        let mut mark = Mark::default();
        assert!(since(&mut mark).contains(&DictEntry::Name(NameId(id), "intern-test".into())));
        assert!(until(mark).contains(&DictEntry::Name(NameId(id), "intern-test".into())));
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let long = "é".repeat(MAX_NAME);
        let short = cut(&long);
        assert!(short.len() <= MAX_NAME && short.ends_with("é…"), "{short}");
        let mut mark = Mark::default();
        let id = name(&long);
        assert_eq!(name(&short), id);
        assert!(since(&mut mark).contains(&DictEntry::Name(NameId(id), short.into())));
    }

    #[test]
    fn names_are_bounded_in_number_and_bytes_and_our_own_words_have_room_left() {
        let few_bytes = |nth: usize| format!("conn-{nth}");
        let many_bytes = |nth: usize| format!("{nth:0MAX_NAME$}");
        for name in [&few_bytes as &dyn Fn(usize) -> String, &many_bytes] {
            let mut tables = Tables::default();
            for nth in 0..MAX_ENTRIES + 10 {
                tables.name(&name(nth), Names::OfService);
            }
            assert!(tables.name_bytes <= MAX_NAMES && tables.names.len() <= MAX_ENTRIES - OWN_WORDS);
            assert_eq!(tables.refused as usize, MAX_ENTRIES + 10 - tables.names.len());
            assert_ne!(tables.name(&name(0), Names::OfService), 0, "it is known");
            let words: Vec<_> = (0..OWN_WORDS)
                .map(|nth| tables.name(&format!("asleep in call {nth}"), Names::OfOurs))
                .collect();
            assert!(words.iter().all(|word| *word != 0 && (*word as usize) < MAX_ENTRIES));
        }
    }
}
