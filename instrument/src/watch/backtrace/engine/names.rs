//! From an address of a file to the functions that are there, inlined ones too: from its debug information,
//! else from its symbols.
//!
//! Debug information in a file of its own is found by [`debug`](super::debug), which says why there is none. Calls that
//! were inlined are missing where only `.dwo` or `.dwp` files tell of them; lines are known there, too.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addr2line::Context;
use addr2line::gimli::{AbbreviationsCacheStrategy, Dwarf, EndianSlice, LittleEndian as Little, SectionId};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind};

use super::debug;
use super::image::range_of;
use super::mapped::Mapped;
use super::owner::{crate_of, is_users_path};
use super::path::{complete, has_path};

/// Addresses whose names are kept; at the next one all are dropped.
const MAX_ADDRESSES: usize = 2048;
/// Addresses that are looked up before the parsed debug information is dropped, which grows with the compilation
/// units that they are in.
const MAX_LOOKUPS: u32 = 256;

/// Bytes before code without a line that are searched for code with one.
const NEAR: u64 = 64;

type Reader = EndianSlice<'static, Little>;

/// What is known of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) inlined: bool,
}

/// Debug information, parsed as far as it was asked for.
enum Debug {
    Unparsed,
    Absent,
    Parsed(Context<Reader>),
}

/// See the module.
pub(super) struct Names {
    /// Before `source`, which it reads: fields are dropped in this order.
    debug: Debug,
    lookups: u32,
    bytes: Arc<Mapped>,
    /// The file that has the debug information, once it was looked for, or why there is none.
    source: Option<Result<Arc<Mapped>, Arc<str>>>,
    /// Where the file was loaded from, if debug information beside it is of use.
    path: Option<PathBuf>,
    known: HashMap<u64, Arc<[Name]>>,
}

impl Names {
    /// Nothing is parsed yet. With the path that the file was loaded from, its debug information is looked for in
    /// files beside it, too.
    pub(super) fn new(bytes: &Arc<Mapped>, path: Option<&Path>) -> Self {
        Self {
            debug: Debug::Unparsed,
            lookups: 0,
            bytes: Arc::clone(bytes),
            source: None,
            path: path.map(Path::to_path_buf),
            known: HashMap::new(),
        }
    }

    /// Why there are no lines, if that was found out.
    pub(super) fn why(&self) -> Option<&Arc<str>> {
        self.source.as_ref()?.as_ref().err()
    }

    fn parse(&mut self) {
        let (bytes, path) = (&self.bytes, self.path.as_deref());
        let find = || path.map_or_else(|| Ok(Arc::clone(bytes)), |path| debug::find(bytes, path));
        let source = self.source.get_or_insert_with(|| find().map_err(Arc::from));
        let parsed = source.as_ref().ok().and_then(debug_information);
        self.debug = parsed.map_or(Debug::Absent, Debug::Parsed);
    }

    /// Drops the parsed debug information and what was read from files beside this one. Names that were found stay, so
    /// that the same addresses need none of it.
    pub(super) fn release(&mut self) {
        self.debug = Debug::Unparsed;
        // Why there is none stays.
        self.source.take_if(|source| source.as_ref().is_ok_and(|source| !Arc::ptr_eq(source, &self.bytes)));
    }

    /// The calls at an address of the file, innermost first; empty if nothing is known there.
    ///
    /// Cost: nothing to speak of for an address seen before. The first of a file, and of a compilation unit,
    /// parses debug information: milliseconds.
    pub(super) fn at(&mut self, address: u64) -> Arc<[Name]> {
        if let Some(names) = self.known.get(&address) {
            return Arc::clone(names);
        }
        if self.known.len() >= MAX_ADDRESSES {
            self.known = HashMap::new();
        }
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS {
            self.debug = Debug::Unparsed;
        }
        if matches!(self.debug, Debug::Unparsed) {
            self.lookups = 0;
            self.parse();
        }
        let mut names = match &self.debug {
            Debug::Parsed(debug) => with_a_line(debug, address),
            Debug::Unparsed | Debug::Absent => Vec::new(),
        };
        let beside = self.source.as_ref().and_then(|source| source.as_ref().ok());
        let symbols = || {
            from_symbols(&self.bytes, address).or_else(|| {
                beside
                    .filter(|beside| !Arc::ptr_eq(beside, &self.bytes))
                    .and_then(|beside| from_symbols(beside, address))
            })
        };
        if let Some(function) = is_incomplete(&names).then(symbols).flatten() {
            match names.last_mut() {
                Some(outermost) => outermost.function = Some(function),
                None => names.push(Name { function: Some(function), file: None, line: None, inlined: false }),
            }
        }
        complete_paths(&mut names);
        let names: Arc<[Name]> = names.into();
        self.known.insert(address, Arc::clone(&names));
        names
    }
}

#[expect(unsafe_code, reason = "the parsed form points into the bytes beside it")]
fn debug_information(bytes: &Arc<Mapped>) -> Option<Context<Reader>> {
    // SAFETY: the only holder of the context is `Names::debug`, which is dropped before `Names::source` and
    // gives nothing away that it borrowed. A mapping stays where it is when its owner moves.
    let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) };
    let elf = ElfFile64::<LittleEndian>::parse(bytes).ok()?;
    range_of(&elf, b".debug_info")?;
    let section = |id: SectionId| {
        let data =
            range_of(&elf, id.name().as_bytes()).and_then(|range| bytes.get(range)).unwrap_or_default();
        Ok::<_, addr2line::gimli::Error>(EndianSlice::new(data, Little))
    };
    let mut sections = Dwarf::load(section).ok()?;
    // The units of an object file share theirs. Without this each keeps a copy: half of what is parsed.
    sections.populate_abbreviations_cache(AbbreviationsCacheStrategy::All);
    Context::from_dwarf(sections).ok()
}

/// The calls at an address; where the innermost is at code that the compiler made up for no line (it says 0: a
/// loop's jump, say), with the line of the nearest code before it in the same function.
fn with_a_line(debug: &Context<Reader>, address: u64) -> Vec<Name> {
    let mut names = from_debug(debug, address);
    if let Some(innermost) = names.first_mut().filter(|innermost| innermost.line.is_none()) {
        let before =
            (1..=NEAR).filter_map(|bytes| from_debug(debug, address.checked_sub(bytes)?).into_iter().next());
        let mut same = before.take_while(|name| name.function == innermost.function);
        if let Some(Name { file, line, .. }) = same.find(|name| name.line.is_some()) {
            (innermost.file, innermost.line) = (file, line);
        }
    }
    names
}

fn from_debug(debug: &Context<Reader>, address: u64) -> Vec<Name> {
    // As the compiler saw it: without the folder of the compilation. Libraries keep the path that tells them, and
    // so does this crate.
    let unit = debug.find_dwarf_and_unit(address).skip_all_loads();
    let folder = unit.and_then(|unit| Some(unit.comp_dir?.to_string_lossy().into_owned()));
    let relative = |file: &str| {
        let folder = folder.as_deref().filter(|_| is_users_path(file));
        let below = folder.and_then(|folder| file.strip_prefix(folder)?.strip_prefix('/'));
        below.unwrap_or(file).to_owned()
    };
    let mut names = Vec::new();
    let Ok(mut frames) = debug.find_frames(address).skip_all_loads() else { return names };
    while let Ok(Some(frame)) = frames.next() {
        let function = frame.function.and_then(|function| Some(demangle(&function.raw_name().ok()?)));
        let (file, line) =
            frame.location.map_or((None, None), |location| (location.file.map(relative), location.line));
        names.push(Name { function, file, line: line.filter(|line| *line != 0), inlined: true });
    }
    if let Some(outermost) = names.last_mut() {
        outermost.inlined = false;
    }
    names
}

/// Gives bare names the path of the module that they are written in.
fn complete_paths(names: &mut [Name]) {
    let outermost = names.last().and_then(|outermost| outermost.function.clone());
    let own_crate = outermost.as_deref().and_then(crate_of);
    for name in names {
        let function = name.function.as_deref();
        if let Some(path) = function.and_then(|bare| complete(bare, name.file.as_deref(), own_crate)) {
            name.function = Some(path);
        }
    }
}

/// Whether symbols may know better what the function at an address is called.
fn is_incomplete(names: &[Name]) -> bool {
    !names.last().and_then(|outermost| outermost.function.as_deref()).is_some_and(has_path)
}

/// The symbol that covers the address, of those at the same place the one with the plainest name. Looks at
/// every symbol: no table of our own for what is asked rarely.
fn from_symbols(bytes: &[u8], address: u64) -> Option<String> {
    let elf = ElfFile64::<LittleEndian>::parse(bytes).ok()?;
    elf.symbols()
        .chain(elf.dynamic_symbols())
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .filter(|symbol| address.checked_sub(symbol.address()).is_some_and(|offset| offset < symbol.size()))
        .filter_map(|symbol| symbol.name().ok())
        .min_by_key(|name| name.len() - name.trim_start_matches('_').len())
        .map(demangle)
}

/// Readable, without the hash.
fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
