//! Spawn sites and names as small numbers: each is stored once, found through a cache of the thread
//! and sent once in the dictionary.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use pollscope_model::dict::{DictEntry, MAX_ENTRIES, Site};
use pollscope_model::id::{NameId, SiteId};

/// Stands for every site that found no room; the dictionary has no entry for it.
pub(crate) const NO_SITE: u32 = MAX_ENTRIES as u32;
/// A thread's cache of names is started over beyond this many.
const CACHED_NAMES: usize = 256;

#[derive(Default)]
struct Tables {
    sites: Vec<Site>,
    /// By content: the compiler may keep several copies of one location.
    site_ids: HashMap<(&'static str, u32, u32), u32>,
    names: Vec<Arc<str>>,
    name_ids: HashMap<Arc<str>, u32>,
    refused: u64,
}

static TABLES: LazyLock<Mutex<Tables>> = LazyLock::new(Mutex::default);

fn tables() -> MutexGuard<'static, Tables> {
    TABLES.lock().unwrap_or_else(PoisonError::into_inner)
}

const CACHED_SITES: usize = 64;

thread_local! {
    /// Direct-mapped by address; 0 is no location.
    static SITES: [Cell<(usize, u32)>; CACHED_SITES] = const { [const { Cell::new((0, 0)) }; CACHED_SITES] };
    static NAMES: RefCell<HashMap<Box<str>, u32>> = RefCell::new(HashMap::new());
}

/// The number of a spawn site. A hit in the thread's cache costs a few loads.
#[inline]
pub(crate) fn site(location: &'static Location<'static>) -> u32 {
    let address = std::ptr::from_ref(location) as usize;
    SITES.with(|cache| {
        let slot = &cache[(address >> 3) % CACHED_SITES];
        let (cached, id) = slot.get();
        if cached == address {
            return id;
        }
        let id = site_slowly(location);
        slot.set((address, id));
        id
    })
}

#[cold]
fn site_slowly(location: &'static Location<'static>) -> u32 {
    let key = (location.file(), location.line(), location.column());
    let mut guard = tables();
    let tables = &mut *guard;
    if let Some(id) = tables.site_ids.get(&key) {
        return *id;
    }
    if tables.sites.len() >= MAX_ENTRIES {
        tables.refused += 1;
        return NO_SITE;
    }
    let id = tables.sites.len() as u32;
    tables.sites.push(Site { file: key.0.into(), line: key.1, column: key.2 });
    tables.site_ids.insert(key, id);
    id
}

/// The number of a name; 0 for the empty one and for those that find no room.
pub(crate) fn name(text: &str) -> u32 {
    if text.is_empty() {
        return 0;
    }
    let cached = NAMES.try_with(|cache| cache.borrow().get(text).copied()).ok().flatten();
    if let Some(id) = cached {
        return id;
    }
    let id = name_slowly(text);
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

fn name_slowly(text: &str) -> u32 {
    let mut guard = tables();
    let tables = &mut *guard;
    if let Some(id) = tables.name_ids.get(text) {
        return *id;
    }
    // Number 0 is the empty name, so the last one is the table's length.
    if tables.names.len() + 1 >= MAX_ENTRIES {
        tables.refused += 1;
        return 0;
    }
    let stored: Arc<str> = text.into();
    tables.names.push(Arc::clone(&stored));
    let id = tables.names.len() as u32;
    tables.name_ids.insert(stored, id);
    id
}

/// How far a reader has read.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Mark {
    sites: usize,
    names: usize,
}

/// What was added since the mark, which moves on.
pub(crate) fn since(mark: &mut Mark) -> Vec<DictEntry> {
    let tables = tables();
    let now = Mark { sites: tables.sites.len(), names: tables.names.len() };
    entries(&tables, std::mem::replace(mark, now), now)
}

/// Everything up to the mark.
pub(crate) fn until(mark: Mark) -> Vec<DictEntry> {
    entries(&tables(), Mark::default(), mark)
}

fn entries(tables: &Tables, from: Mark, to: Mark) -> Vec<DictEntry> {
    let site = |(at, site): (usize, &Site)| DictEntry::Site(SiteId(at as u32), site.clone());
    let name = |(at, name): (usize, &Arc<str>)| DictEntry::Name(NameId(at as u32 + 1), Arc::clone(name));
    let sites = tables.sites.iter().enumerate().take(to.sites).skip(from.sites).map(site);
    let names = tables.names.iter().enumerate().take(to.names).skip(from.names).map(name);
    sites.chain(names).collect()
}

/// Sites and names that found no room.
pub(crate) fn refused() -> u64 {
    tables().refused
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(name(""), 0);
        let mut mark = Mark::default();
        assert!(since(&mut mark).contains(&DictEntry::Name(NameId(id), "intern-test".into())));
        assert!(until(mark).contains(&DictEntry::Name(NameId(id), "intern-test".into())));
    }
}
