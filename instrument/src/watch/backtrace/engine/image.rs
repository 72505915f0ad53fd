//! One loaded file: its unwind tables and what its debug information and symbols say of an address.
//!
//! Read from a mapping of our own of the file, never from what the process has loaded: that may be unloaded
//! under us.

use std::fs;
use std::ops::{Deref, Range};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use framehop::{Module, ModuleSectionInfo};
use object::elf::{PF_X, PT_LOAD};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{CompressionFormat, LittleEndian, Object, ObjectSection};

use super::mapped::{Mapped, MappedMut};
use super::maps::Mapping;
use super::memory;
use super::names::Names;

/// So much of a file's beginning is compared with what is loaded; it holds the build id of most.
const COMPARED: usize = 1024;
/// The kernel's own little library.
const VDSO: &str = "[vdso]";
/// No library that the kernel provides comes near this.
const MAX_VDSO: u64 = 1 << 20;

type Elf<'a> = ElfFile64<'a, LittleEndian>;

/// See the module.
pub(super) struct Image {
    /// Before `bytes`, which it reads: fields are dropped in this order.
    pub(super) names: Names,
    bytes: Arc<Mapped>,
    /// The bytes are the file's own, not a copy.
    is_file: bool,
    /// What to add to an address of the file for the address in memory.
    pub(super) bias: u64,
    /// First address that the file asks for.
    base: u64,
}

impl Image {
    /// Opens what is mapped there; `None` if it is not to be had any more, or no ELF file.
    /// `is_ours`: this crate is in it, so that its debug information is looked for elsewhere, too.
    pub(super) fn open(mapping: &Mapping, is_ours: bool) -> Option<Self> {
        let is_file = mapping.path != VDSO;
        let bytes = Arc::new(if is_file { map_file(mapping)? } else { copy_vdso(mapping)? });
        let elf = Elf::parse(&**bytes).ok()?;
        let (bias, base) = place(&elf, mapping)?;
        if is_file && !is_loaded(&elf, &bytes, bias) {
            return None;
        }
        let path = is_ours.then(|| Path::new(&mapping.path));
        Some(Self { names: Names::new(&bytes, path), bytes, is_file, bias, base })
    }

    /// Gives back the memory that the last names took: what was parsed, and the pages of the file that were read for it.
    /// Names that were found stay.
    pub(super) fn release(&mut self) {
        self.names.release();
        if self.is_file {
            give_back_pages(&self.bytes);
        }
    }

    /// The unwind tables, for one mapping of the file.
    pub(super) fn module(&self, mapping: &Mapping) -> Option<Module<Section>> {
        let elf = Elf::parse(&**self.bytes).ok()?;
        let sections = Sections { elf, bytes: &self.bytes, base: self.base };
        let base = self.base.wrapping_add(self.bias);
        Some(Module::new(mapping.path.clone(), mapping.addresses.clone(), base, sections))
    }
}

/// What the unwinder asks for.
struct Sections<'a> {
    elf: Elf<'a>,
    bytes: &'a Arc<Mapped>,
    base: u64,
}

impl ModuleSectionInfo<Section> for Sections<'_> {
    fn base_svma(&self) -> u64 {
        self.base
    }

    fn section_svma_range(&mut self, name: &[u8]) -> Option<Range<u64>> {
        let section = self.elf.section_by_name_bytes(name)?;
        Some(section.address()..section.address().checked_add(section.size())?)
    }

    fn section_data(&mut self, name: &[u8]) -> Option<Section> {
        let range = range_of(&self.elf, name)?;
        self.bytes.get(range.clone())?;
        Some(Section { bytes: Arc::clone(self.bytes), range })
    }
}

/// A section's bytes in the file.
pub(super) struct Section {
    bytes: Arc<Mapped>,
    range: Range<usize>,
}

impl Deref for Section {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

/// Where in the file a section is; `None` also for one that is compressed.
pub(super) fn range_of(elf: &Elf<'_>, name: &[u8]) -> Option<Range<usize>> {
    let range = elf.section_by_name_bytes(name)?.compressed_file_range().ok()?;
    if range.format != CompressionFormat::None {
        return None;
    }
    let start = usize::try_from(range.offset).ok()?;
    Some(start..start.checked_add(usize::try_from(range.uncompressed_size).ok()?)?)
}

/// The file behind a mapping, if it still is that file.
#[expect(unsafe_code, reason = "files are mapped, not read: their debug information can be huge")]
fn map_file(mapping: &Mapping) -> Option<Mapped> {
    const OWN: &str = "/proc/self/exe";
    // The program itself can be had even if its file was replaced or removed since.
    let own = fs::read_link(OWN).is_ok_and(|path| path.as_os_str() == mapping.path.as_str());
    let path = Path::new(if own { OWN } else { &mapping.path });
    // Nothing but plain files: opening a device can have effects.
    let found = fs::metadata(path).ok()?;
    if !found.is_file() || (!own && found.ino() != mapping.file.1) {
        return None;
    }
    let file = pollscope_system::file::open(path).ok()?;
    // SAFETY: the file is mapped and executed by this process already; a change or truncation of it under
    // us would change the code that runs as well.
    unsafe { Mapped::file(&file) }.ok()
}

/// Lets the pages of a mapped file go; the next look reads them again, mostly from the system's cache.
#[expect(unsafe_code, reason = "files are mapped, not read: their debug information can be huge")]
fn give_back_pages(bytes: &Mapped) {
    // SAFETY: the mapping is of a file, as the caller upholds, so that what is read from it later is the same.
    unsafe { bytes.give_back() };
}

fn copy_vdso(mapping: &Mapping) -> Option<Mapped> {
    let len = mapping.addresses.end.checked_sub(mapping.addresses.start).filter(|len| *len <= MAX_VDSO)?;
    let mut bytes = MappedMut::zeroes(len as usize).ok()?;
    let copied = memory::copy(mapping.addresses.start, &mut bytes);
    (copied as u64 == len).then(|| bytes.into_read_only().ok())?
}

/// How far the file was moved when it was loaded, and the first address that it asks for.
fn place(elf: &Elf<'_>, mapping: &Mapping) -> Option<(u64, u64)> {
    let endian = LittleEndian;
    let loads = || elf.elf_program_headers().iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
    let base = loads().map(|segment| segment.p_vaddr(endian)).min()?;
    // Mappings begin and end at pages, segments anywhere.
    let length = mapping.addresses.end.checked_sub(mapping.addresses.start)?;
    let code = loads().filter(|segment| segment.p_flags(endian) & PF_X == PF_X).find(|segment| {
        let (from, len) = (segment.p_offset(endian), segment.p_filesz(endian));
        from < mapping.offset.saturating_add(length) && from.saturating_add(len) > mapping.offset
    })?;
    let at = code.p_vaddr(endian).wrapping_sub(code.p_offset(endian)).wrapping_add(mapping.offset);
    Some((mapping.addresses.start.wrapping_sub(at), base))
}

/// Whether the beginning of the file is what is in memory: another build's names would be lies.
fn is_loaded(elf: &Elf<'_>, bytes: &[u8], bias: u64) -> bool {
    let endian = LittleEndian;
    let first = elf
        .elf_program_headers()
        .iter()
        .find(|segment| segment.p_type(endian) == PT_LOAD && segment.p_offset(endian) == 0);
    // Without one there is nothing to compare, and inode and path have to do.
    let Some(first) = first else { return true };
    let mut loaded = [0; COMPARED];
    let wanted = COMPARED.min(first.p_filesz(endian) as usize).min(bytes.len());
    let copied = memory::copy(first.p_vaddr(endian).wrapping_add(bias), &mut loaded[..wanted]);
    copied == wanted && loaded[..wanted] == bytes[..wanted]
}
