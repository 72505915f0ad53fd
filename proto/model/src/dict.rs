//! The dictionary of one process: spawn sites, names and stacks are sent once and referred to by index.
//!
//! Indexes are dense and start at 0. Unknown indexes (a frame was lost, or the peer is hostile)
//! resolve to a visible placeholder, never to a panic.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::id::{LineId, NameId, SiteId, StackId};
use lines::Lines;
use source::{shortened, without_cache};

mod lines;
mod source;
mod stack;

pub use lines::{StackLine, short_line};
pub use source::is_library_path;
pub(crate) use source::without_version;
pub use stack::{Frame, MAX_FRAMES, MAX_STACKS, Stack};

/// The most sites, and the most names, that a dictionary keeps; further ones are refused and counted.
pub const MAX_ENTRIES: usize = 65_536;

/// The most bytes that a dictionary keeps; what is over is refused and counted.
pub const MAX_BYTES: usize = 32 << 20;

/// Where a task was spawned: the caller's line, by `#[track_caller]`. The site of a request is its route,
/// `GET /price/{id}`, as the file of a site without a line.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Site {
    /// Path of the source file as the compiler saw it.
    pub file: Arc<str>,
    /// Line, from 1; 0 when the site stands for no line: for a route, or see [`Site::unknown`].
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
}

impl Site {
    /// A site that is no source line, such as `(over the site limit)`.
    pub fn unknown(what: &str) -> Self {
        Self { file: what.into(), line: 0, column: 0 }
    }

    /// The last part of the path and the line, `cart.rs:88`, for narrow columns and sentences. A file that says nothing
    /// by itself (`mod.rs`, `lib.rs`, `main.rs`) keeps its folder: `jobs/src/main.rs:7:1` becomes `jobs/main.rs:7`.
    pub fn short(&self) -> String {
        if self.line == 0 {
            return self.file.to_string();
        }
        let mut names = self.file.rsplit(['/', '\\']);
        let name = names.next().unwrap_or(&self.file);
        let line = self.line;
        match names.find(|folder| *folder != "src").filter(|folder| !folder.is_empty()) {
            Some(folder) if matches!(name, "mod.rs" | "lib.rs" | "main.rs") => {
                format!("{folder}/{name}:{line}")
            }
            _ => format!("{name}:{line}"),
        }
    }

    /// Whether a library spawned there and not the user's code: its file is of the standard library, of a registry, or
    /// of a repository that cargo fetched. A route is the user's.
    pub fn is_of_library(&self) -> bool {
        self.line > 0 && source::is_of_library(&self.file)
    }

    /// The site of a text as [`Display`](fmt::Display) writes it, `src/cart.rs:88:9`; `None` where no line and column
    /// end it.
    pub fn parse(text: &str) -> Option<Self> {
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let mut parts = text.rsplitn(3, ':');
        let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { file: file.into(), line: number(line)?, column: number(column)? })
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// One new entry, carried by the first report that uses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DictEntry {
    /// A spawn site.
    Site(SiteId, Site),
    /// An interned string: a task, group, scope, runtime or thread name.
    Name(NameId, Arc<str>),
    /// A call stack. It may be sent again when more is known of its frames; the newest replaces.
    Stack(StackId, Stack),
}

impl DictEntry {
    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Site(_, site) => site.file.len(),
            Self::Name(_, name) => name.len(),
            Self::Stack(_, stack) => stack.heap_bytes(),
        }
    }
}

/// All that one process has interned so far.
#[derive(Clone, Debug)]
pub struct Dictionary {
    sites: Vec<Option<(Site, Arc<str>)>>,
    names: Vec<Option<Arc<str>>>,
    stacks: Vec<Option<Arc<Stack>>>,
    /// The user's line of each stack.
    lines: Lines,
    /// Bytes of what is stored, without the tables.
    bytes: usize,
    refused: u64,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            sites: Vec::new(),
            names: vec![Some("".into())],
            stacks: Vec::new(),
            lines: Lines::default(),
            bytes: SHARED,
            refused: 0,
        }
    }
}

impl Dictionary {
    /// Takes one entry; an index past [`MAX_ENTRIES`], for stacks [`MAX_STACKS`], and what does not fit
    /// into [`MAX_BYTES`] is refused and counted. Of a stack the innermost [`MAX_FRAMES`] stay.
    pub fn insert(&mut self, entry: DictEntry) {
        let bytes = &mut self.bytes;
        let stored = match entry {
            DictEntry::Site(id, site) => {
                let is_file = site.line > 0;
                let site =
                    if is_file { Site { file: without_cache(&site.file).into(), ..site } } else { site };
                let text = site.to_string().into();
                put(&mut self.sites, id.0, (site, text), MAX_ENTRIES, bytes, |(site, text)| {
                    site.file.len() + text.len()
                })
            }
            DictEntry::Name(id, name) => {
                put(&mut self.names, id.0, name, MAX_ENTRIES, bytes, |name| name.len())
            }
            DictEntry::Stack(id, mut stack) => {
                stack.truncated |= stack.frames.len() > MAX_FRAMES;
                stack.frames.truncate(MAX_FRAMES);
                for frame in &mut stack.frames {
                    frame.file = frame.file.take().map(shortened);
                }
                stack.frames.shrink_to_fit();
                let stack = Arc::new(stack);
                let weight = |stack: &Arc<Stack>| stack.heap_bytes();
                let stored = put(&mut self.stacks, id.0, stack.clone(), MAX_STACKS, bytes, weight);
                if stored {
                    self.lines.put(id, &stack);
                }
                stored
            }
        };
        self.refused += u64::from(!stored);
    }

    /// The site, or a placeholder that names the unknown index.
    pub fn site(&self, id: SiteId) -> Site {
        match self.sites.get(id.0 as usize) {
            Some(Some((site, _))) => site.clone(),
            _ => Site::unknown(&format!("(site {} unknown)", id.0)),
        }
    }

    /// Whether the site is a route, that of requests: what a process tells without a line. What it does not tell is
    /// none.
    pub fn is_route(&self, id: SiteId) -> bool {
        matches!(self.sites.get(id.0 as usize), Some(Some((site, _))) if site.line == 0)
    }

    /// The site as it prints, `src/cart.rs:88:9`, or a placeholder that names the unknown index.
    ///
    /// Cost: a reference count, for known sites.
    pub fn site_text(&self, id: SiteId) -> Arc<str> {
        match self.sites.get(id.0 as usize) {
            Some(Some((_, text))) => text.clone(),
            _ => format!("(site {} unknown)", id.0).into(),
        }
    }

    /// The string, or a placeholder that names the unknown index.
    pub fn name(&self, id: NameId) -> Arc<str> {
        match self.names.get(id.0 as usize) {
            Some(Some(name)) => name.clone(),
            _ => format!("(name {} unknown)", id.0).into(),
        }
    }

    /// The stack, if it is known.
    pub fn stack(&self, id: StackId) -> Option<&Arc<Stack>> {
        self.stacks.get(id.0 as usize)?.as_ref()
    }

    /// Whether a library spawned at that site, see [`Site::is_of_library`]. Unknown counts as no.
    pub fn is_of_library(&self, id: SiteId) -> bool {
        matches!(self.sites.get(id.0 as usize), Some(Some((site, _))) if site.is_of_library())
    }

    /// Which line of the user's a poll was at whose thread was looked at.
    pub fn line_of(&self, stack: Option<StackId>) -> StackLine {
        stack.map_or(StackLine::Unknown, |stack| self.lines.of(stack))
    }

    /// The function that a line is in, as a number of the same kind.
    pub fn function_of(&self, id: LineId) -> LineId {
        self.lines.function_of(id)
    }

    /// The line as it prints, `src/cart.rs:70`, or the function where no line is known; of a function the first of its
    /// lines that was seen. A placeholder names an unknown index.
    ///
    /// Cost: a reference count, for known lines.
    pub fn line_text(&self, id: LineId) -> Arc<str> {
        self.lines.text(id).cloned().unwrap_or_else(|| format!("(line {} unknown)", id.0).into())
    }

    /// Why stacks have no line or no frame, each reason once.
    pub(crate) fn missing_lines(&self) -> BTreeSet<&str> {
        self.stacks.iter().flatten().filter_map(|stack| stack.why.as_deref()).collect()
    }

    /// Every entry, as a snapshot sends them.
    pub fn entries(&self) -> impl Iterator<Item = DictEntry> + '_ {
        let sites = self.sites.iter().enumerate().filter_map(|(index, site)| {
            Some(DictEntry::Site(SiteId(u32::try_from(index).ok()?), site.as_ref()?.0.clone()))
        });
        let names = self.names.iter().enumerate().skip(1).filter_map(|(index, name)| {
            Some(DictEntry::Name(NameId(u32::try_from(index).ok()?), name.clone()?))
        });
        let stacks = self.stacks.iter().enumerate().filter_map(|(index, stack)| {
            Some(DictEntry::Stack(StackId(u32::try_from(index).ok()?), Stack::clone(stack.as_ref()?)))
        });
        sites.chain(names).chain(stacks)
    }

    /// Bytes that the dictionary holds.
    pub fn held_bytes(&self) -> usize {
        self.bytes
            + self.sites.capacity() * size_of::<Option<(Site, Arc<str>)>>()
            + self.names.capacity() * size_of::<Option<Arc<str>>>()
            + self.stacks.capacity() * size_of::<Option<Arc<Stack>>>()
            + self.lines.held_bytes()
    }

    /// Entries refused because the dictionary was full.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// Bytes that the counts of one shared entry take beside it.
const SHARED: usize = 32;

/// Stores a value if its index and its bytes, in place of those of the entry before, are within the limits.
fn put<T>(
    table: &mut Vec<Option<T>>,
    index: u32,
    value: T,
    limit: usize,
    bytes: &mut usize,
    weight: impl Fn(&T) -> usize,
) -> bool {
    let index = index as usize;
    let before = table.get(index).and_then(Option::as_ref).map_or(0, |value| weight(value) + SHARED);
    let after = *bytes - before + weight(&value) + SHARED;
    if index >= limit || after > MAX_BYTES.max(*bytes) {
        return false;
    }
    *bytes = after;
    if table.len() <= index {
        table.resize_with(index + 1, || None);
    }
    table[index] = Some(value);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_indexes_are_shown_not_panicked_on() {
        let dict = Dictionary::default();
        assert_eq!(dict.site(SiteId(7)).to_string(), "(site 7 unknown)");
        assert_eq!(&*dict.name(NameId(7)), "(name 7 unknown)");
        assert_eq!(&*dict.name(NameId::NONE), "");
    }

    #[test]
    fn a_librarys_site_begins_at_the_library() {
        let cases = [
            (
                "/srv/.cargo/registry/src/index.crates.io-1949cf8c/hyper-1.12.0/src/server.rs",
                "hyper-1.12.0/src/server.rs",
            ),
            ("/srv/.cargo/git/checkouts/axum-12ab/34cd/src/lib.rs", "axum-12ab/34cd/src/lib.rs"),
            ("/rustc/59807616e1/library/std/src/thread.rs", "library/std/src/thread.rs"),
            ("src/registry/src/", "src/registry/src/"),
            ("src/cart.rs", "src/cart.rs"),
        ];
        for (file, shown) in cases {
            let mut dict = Dictionary::default();
            dict.insert(DictEntry::Site(SiteId(0), Site { file: file.into(), line: 7, column: 0 }));
            assert_eq!(&*dict.site_text(SiteId(0)), format!("{shown}:7"));
        }
    }

    #[test]
    fn a_route_stays_as_it_is() {
        let route = "GET /registry/src/{index}/{name}";
        let mut dict = Dictionary::default();
        dict.insert(DictEntry::Site(SiteId(0), Site { file: route.into(), line: 0, column: 0 }));
        assert_eq!((&*dict.site_text(SiteId(0)), dict.site(SiteId(0)).short()), (route, route.to_owned()));
        assert!(dict.is_route(SiteId(0)) && !dict.is_route(SiteId(1)), "the other is only unknown");
    }

    #[test]
    fn a_hostile_index_is_refused_and_counted() {
        let mut dict = Dictionary::default();
        dict.insert(DictEntry::Name(NameId(u32::MAX), "x".into()));
        dict.insert(DictEntry::Stack(StackId(MAX_STACKS as u32), Stack::default()));
        assert_eq!(dict.refused(), 2);
        assert_eq!(dict.entries().count(), 0);
    }

    #[test]
    fn the_innermost_frames_of_a_deep_stack_stay() {
        let frame = |line| Frame { function: "f".into(), file: None, line, users: true };
        let frames = (0..200).map(frame).collect();
        let mut dict = Dictionary::default();
        dict.insert(DictEntry::Stack(StackId(3), Stack { frames, ..Stack::default() }));
        let stack = dict.stack(StackId(3)).expect("it was stored");
        assert_eq!((stack.frames.len(), stack.frames[0].line, stack.truncated), (MAX_FRAMES, 0, true));
        assert_eq!(dict.stack(StackId(2)), None);
        assert_eq!(dict.entries().count(), 1);
    }

    #[test]
    fn sites_print_like_rustc_and_shorten_to_file_and_line() {
        let site = Site { file: "src/http/cart.rs".into(), line: 88, column: 9 };
        assert_eq!(site.to_string(), "src/http/cart.rs:88:9");
        assert_eq!(site.short(), "cart.rs:88");
        let short = |text: &str| Site::parse(text).map(|site| site.short());
        assert_eq!(short("jobs/src/main.rs:7:1").as_deref(), Some("jobs/main.rs:7"));
        assert_eq!(short("src/http/mod.rs:7:1").as_deref(), Some("http/mod.rs:7"));
        assert_eq!(short("src/main.rs:7:1").as_deref(), Some("main.rs:7"));
        assert_eq!(Site::parse(&site.to_string()), Some(site));
        for text in ["not a site", "src/cart.rs:88", "a:b:c", "a::1", "a:1:", "a:1:99999999999"] {
            assert_eq!(Site::parse(text), None, "{text}");
        }
    }
}
