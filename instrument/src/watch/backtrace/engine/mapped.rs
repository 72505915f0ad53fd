//! Memory that is mapped for us alone: a file to read, or zeroes to write. Unmapped when it is dropped.
//!
//! Never grows, and never checks what becomes of a file: the caller of [`Mapped::file`] upholds that nothing cuts it.
//! Called by the rooms of the engine that read files and keep copies.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use rustix::mm::{self, Advice, MapFlags, MprotectFlags, ProtFlags};

/// Bytes that are read.
#[derive(Debug)]
pub(super) struct Mapped(Pages);

/// Bytes that are written, and seen by this process alone.
#[derive(Debug)]
pub(super) struct MappedMut(Pages);

/// Pages of one mapping, which this owns.
#[derive(Debug)]
struct Pages {
    start: NonNull<u8>,
    len: usize,
}

#[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
// SAFETY: the pages belong to this value alone, like those of a box of bytes.
unsafe impl Send for Pages {}
#[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
// SAFETY: a shared reference only reads them.
unsafe impl Sync for Pages {}

impl Pages {
    fn of(start: *mut std::ffi::c_void, len: usize) -> io::Result<Self> {
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    fn start(&self) -> *mut std::ffi::c_void {
        self.start.as_ptr().cast()
    }

    #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the pages are mapped and readable until this is dropped, and were filled by the kernel.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Pages {
    #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no reference to it outlives this value.
        let _ = unsafe { mm::munmap(self.start(), self.len) };
    }
}

impl Mapped {
    /// A whole file.
    ///
    /// # Safety
    /// The caller upholds that nothing changes or cuts the file while it is mapped.
    #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
    pub(super) unsafe fn file(file: &File) -> io::Result<Self> {
        let len = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // SAFETY: the kernel chooses a place that is free; a length of zero is an error of the call.
        let start = unsafe { mm::mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, file, 0)? };
        Ok(Self(Pages::of(start, len)?))
    }

    /// Lets the pages of a mapped file go: the next look reads them again.
    ///
    /// # Safety
    /// The caller upholds that it maps a file: of other memory the content would be lost.
    #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
    pub(super) unsafe fn give_back(&self) {
        // SAFETY: the pages are this value's own, and the caller upholds that they are read again from the file. Where
        // the system refuses, they stay.
        let _ = unsafe { mm::madvise(self.0.start(), self.0.len, Advice::LinuxDontNeed) };
    }
}

impl MappedMut {
    /// So many zeroes.
    #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
    pub(super) fn zeroes(len: usize) -> io::Result<Self> {
        // SAFETY: the kernel chooses a place that is free; a length of zero is an error of the call.
        let start = unsafe {
            mm::mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)?
        };
        Ok(Self(Pages::of(start, len)?))
    }

    /// The same, to be read only.
    #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
    pub(super) fn into_read_only(self) -> io::Result<Mapped> {
        // SAFETY: the pages are this value's own, and no reference to them exists, since it is moved.
        unsafe { mm::mprotect(self.0.start(), self.0.len, MprotectFlags::READ)? };
        Ok(Mapped(self.0))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Deref for MappedMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl DerefMut for MappedMut {
    #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the pages are mapped and writable until this is dropped, and this is the one reference to them.
        unsafe { std::slice::from_raw_parts_mut(self.0.start.as_ptr(), self.0.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_is_the_file_and_what_is_written_stays() {
        let path = std::env::current_exe().expect("a program");
        let file = File::open(&path).expect("it runs");
        #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
        // SAFETY: the program runs, so nothing changes its file.
        let mapped = unsafe { Mapped::file(&file) }.expect("a mapping");
        assert_eq!(mapped[..4], *b"\x7fELF");
        assert_eq!(mapped.len() as u64, file.metadata().expect("a length").len());
        #[expect(unsafe_code, reason = "mappings are memory behind a pointer")]
        // SAFETY: it maps a file.
        unsafe {
            mapped.give_back();
        }
        assert_eq!(mapped[..4], *b"\x7fELF");

        let mut written = MappedMut::zeroes(10_000).expect("a mapping");
        assert!(written.iter().all(|byte| *byte == 0));
        written.fill(7);
        let read = written.into_read_only().expect("its own pages");
        assert!(read.len() == 10_000 && read.iter().all(|byte| *byte == 7));
        assert!(MappedMut::zeroes(0).is_err());
    }
}
