//! Where the debug information of a loaded file is: in the file, or in one of its own that the build or the
//! distribution put beside it (`.gnu_debuglink`, build-id folders). Or why there is none.
//!
//! Such a file is read, not mapped: it is none that this process runs, and may be written to at any time. Only for
//! the file that this crate is in, so that at most one is held.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object};

use super::image::range_of;
use super::mapped::{Mapped, MappedMut};

/// The largest file that is read; it takes as much memory until stacks fail to come for some time.
const MAX_FILE: u64 = 256 << 20;
/// Where distributions put debug information.
const GLOBAL: &str = "/usr/lib/debug";

type Elf<'a> = ElfFile64<'a, LittleEndian>;

/// The file that has the debug information of the one with these bytes, loaded from that path, or why there is none.
pub(super) fn find(bytes: &Arc<Mapped>, path: &Path) -> Result<Arc<Mapped>, String> {
    find_below(Path::new(GLOBAL), bytes, path)
}

fn find_below(global: &Path, bytes: &Arc<Mapped>, path: &Path) -> Result<Arc<Mapped>, String> {
    let elf = Elf::parse(&***bytes).map_err(|error| format!("it cannot be read: {error}"))?;
    let own = look_into(&elf);
    if matches!(own, Debug::Plain) {
        return Ok(Arc::clone(bytes));
    }
    let wanted = Wanted::of(&elf);
    let mut seen = None;
    for candidate in wanted.candidates(global, path) {
        match read(&candidate, &wanted) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(why) => seen = seen.or(Some(format!("{} {why}", candidate.display()))),
        }
    }
    Err(match (seen, own, wanted.link) {
        (Some(why), _, _) => why,
        (None, Debug::Compressed, _) => {
            "its debug information is compressed, which is not read; link with --compress-debug-sections=none"
                .to_owned()
        }
        (None, _, Some((name, _))) => {
            let name = String::from_utf8_lossy(name);
            format!(
                "its debug information is in {name}, which is neither beside it nor below {}",
                global.display()
            )
        }
        (None, _, None) => {
            "it has no debug information; build with debug = \"line-tables-only\" and strip = \"none\""
                .to_owned()
        }
    })
}

/// What a file has of debug information.
enum Debug {
    Plain,
    Compressed,
    Absent,
}

fn look_into(elf: &Elf<'_>) -> Debug {
    if range_of(elf, b".debug_info").is_some() {
        return Debug::Plain;
    }
    let is_there = |name: &[u8]| elf.section_by_name_bytes(name).is_some();
    if is_there(b".debug_info") || is_there(b".zdebug_info") { Debug::Compressed } else { Debug::Absent }
}

/// How the file with the debug information is recognised.
struct Wanted<'a> {
    build_id: Option<&'a [u8]>,
    /// Its name, and the checksum of all of it.
    link: Option<(&'a [u8], u32)>,
}

impl<'a> Wanted<'a> {
    fn of(elf: &Elf<'a>) -> Self {
        let build_id = elf.build_id().ok().flatten().filter(|id| id.len() > 1);
        Self { build_id, link: elf.gnu_debuglink().ok().flatten() }
    }

    /// Where it may be, the likelier place first.
    fn candidates(&self, global: &Path, loaded: &Path) -> Vec<PathBuf> {
        let mut candidates = Vec::new();
        if let Some((first, rest)) = self.build_id.and_then(<[u8]>::split_first) {
            candidates.push(global.join(format!(".build-id/{}/{}.debug", hex(&[*first]), hex(rest))));
        }
        let name = self.link.and_then(|(name, _)| std::str::from_utf8(name).ok());
        // A name, no path: the file says it, and it is not to lead anywhere else.
        if let (Some(name), Some(folder)) = (name.filter(|name| !name.contains('/')), loaded.parent()) {
            let below_global = folder.strip_prefix("/").unwrap_or(folder);
            candidates.push(folder.join(name));
            candidates.push(folder.join(".debug").join(name));
            candidates.push(global.join(below_global).join(name));
        }
        candidates.retain(|candidate| candidate != loaded);
        candidates
    }

    fn is(&self, elf: &Elf<'_>, bytes: &[u8]) -> bool {
        match (self.build_id, elf.build_id()) {
            (Some(wanted), Ok(Some(found))) => wanted == found,
            _ => self.link.is_some_and(|(_, checksum)| checksum == crc32(bytes)),
        }
    }
}

/// Two digits for each byte.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing into a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// One that is there, and the right one. `None` if there is none; else why it is of no use.
fn read(path: &Path, wanted: &Wanted<'_>) -> Result<Option<Arc<Mapped>>, String> {
    // Nothing but plain files: opening others can wait for ever.
    let Ok(length) = std::fs::metadata(path).map(|found| if found.is_file() { found.len() } else { 0 })
    else {
        return Ok(None);
    };
    if length == 0 {
        return Ok(None);
    }
    if length > MAX_FILE {
        return Err(format!("has its debug information and is larger than {} MiB", MAX_FILE >> 20));
    }
    let unreadable = |error: std::io::Error| format!("has its debug information and cannot be read: {error}");
    let mut bytes = MappedMut::zeroes(length as usize).map_err(unreadable)?;
    File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).map_err(unreadable)?;
    let bytes = bytes.into_read_only().map_err(unreadable)?;
    let Ok(elf) = Elf::parse(&*bytes) else { return Err("is no ELF file".to_owned()) };
    if !wanted.is(&elf, &bytes) {
        return Err("is of another build".to_owned());
    }
    match look_into(&elf) {
        Debug::Plain => Ok(Some(Arc::new(bytes))),
        Debug::Compressed => Err("has its debug information compressed, which is not read".to_owned()),
        Debug::Absent => Err("has no debug information".to_owned()),
    }
}

/// The checksum that a link holds: CRC-32 as in zip and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 {
            let mut value = at as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[at] = value;
            at += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc: u32, byte| crc >> 8 ^ TABLE[(crc as u8 ^ byte) as usize])
}

#[cfg(test)]
mod tests;
