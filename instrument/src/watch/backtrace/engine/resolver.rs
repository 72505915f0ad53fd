//! From a copied stack to named frames: unwinds, then names, on a thread of ours.

use std::any::Any;
use std::collections::HashMap;
use std::path::Path;

use framehop::{CacheNative, FrameAddress, MayAllocateDuringUnwind, Unwinder, UnwinderNative};

use super::image::{Image, Section};
use super::locked;
use super::maps::{self, Mapping};
use super::owner::is_users;
use super::signal::RawStack;
use crate::watch::backtrace::{Frame, Names, TakenStack, Trace};

/// Why there are no frames where memory is locked.
const LOCKED: &str =
    "the process locks its memory (mlockall), and its debug information would be locked with it";

/// Frames of a trace at most, inlined ones included.
const MAX_FRAMES: usize = 128;

/// Unwinds copied stacks and names their frames; keeps what it learned of the loaded files.
///
/// Holds a mapping of each file that frames were found in, the parsed parts of their debug information and the
/// names of some thousand addresses; dropping it frees all.
pub struct Resolver {
    mappings: Vec<Mapping>,
    /// By the start of the mapping. `None` for those that are no files, or not the right ones any more.
    images: HashMap<u64, Option<Image>>,
    unwinder: UnwinderNative<Section, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
    program: String,
    /// What is mapped is locked into memory, so that no file is.
    is_locked: bool,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Names for Resolver {
    fn resolve(&mut self, stack: &dyn TakenStack) -> Trace {
        let stack: &dyn Any = stack;
        // No other kind is ever taken here.
        stack.downcast_ref().map_or_else(Trace::default, |stack| Self::resolve(self, stack))
    }

    fn release(&mut self) {
        Self::release(self);
    }

    fn go_on(self: Box<Self>) -> Box<dyn Names> {
        Box::new(Self::go_on(*self))
    }
}

impl Resolver {
    /// Knows nothing yet, costs nothing yet.
    pub fn new() -> Self {
        let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
        Self {
            mappings: Vec::new(),
            images: HashMap::new(),
            unwinder: UnwinderNative::new(),
            cache: CacheNative::new(),
            program: program.to_string_lossy().into_owned(),
            is_locked: locked::is_what_comes_locked(),
        }
    }

    /// The same, for stacks that come some time after those before; anew if memory was locked meanwhile, or is not any
    /// more.
    #[must_use]
    pub fn go_on(self) -> Self {
        if self.is_locked == locked::is_what_comes_locked() { self } else { Self::new() }
    }

    /// The named frames of a stack of this process.
    ///
    /// Cost: microseconds a frame for addresses seen before; milliseconds for new ones, and up to some hundred
    /// of them for the first of a large program in an unoptimised build. Not for a thread that others wait for.
    pub fn resolve(&mut self, stack: &RawStack) -> Trace {
        if self.is_locked {
            return Trace { why: Some(LOCKED.into()), ..Trace::default() };
        }
        self.refresh();
        let mut trace = Trace::default();
        let mut registers = stack.registers.for_unwinding();
        let mut address = FrameAddress::from_instruction_pointer(stack.registers.pc);
        loop {
            self.load(address.address_for_lookup());
            self.name(address, &mut trace);
            if trace.frames.len() >= MAX_FRAMES {
                trace.frames.truncate(MAX_FRAMES);
                trace.truncated = true;
                break;
            }
            let next = self
                .unwinder
                .unwind_frame(address, &mut registers, &mut self.cache, &mut |at| stack.read(at));
            match next.map(|next| next.and_then(FrameAddress::from_return_address)) {
                Ok(Some(caller)) => address = caller,
                Ok(None) => break,
                Err(_) => {
                    trace.truncated = true;
                    break;
                }
            }
        }
        trace
    }

    /// Gives back what the last names took: the parsed debug information and the pages of the files that it is in. The
    /// names of addresses seen before stay, so that they need none of it.
    pub fn release(&mut self) {
        for image in self.images.values_mut().flatten() {
            image.release();
        }
    }

    /// Forgets what is not loaded any more, so that nothing is named after what was there before.
    fn refresh(&mut self) {
        let now = maps::read();
        if now == self.mappings {
            return;
        }
        let before = std::mem::replace(&mut self.mappings, now);
        let mut removed = false;
        for mapping in before {
            if !self.mappings.contains(&mapping) && self.images.remove(&mapping.addresses.start).is_some() {
                self.unwinder.remove_module(mapping.addresses.start);
                removed = true;
            }
        }
        if removed {
            self.cache = CacheNative::new();
        }
    }

    /// Opens what is mapped at an address, unless that was tried before.
    fn load(&mut self, address: u64) {
        let Some(mapping) = covering(&self.mappings, address) else { return };
        self.images.entry(mapping.addresses.start).or_insert_with(|| {
            let image = Image::open(mapping, is_ours(&self.mappings, mapping))?;
            self.unwinder.add_module(image.module(mapping)?);
            Some(image)
        });
    }

    fn name(&mut self, address: FrameAddress, trace: &mut Trace) {
        let frames = &mut trace.frames;
        let address = address.address_for_lookup();
        let Some(mapping) = covering(&self.mappings, address) else {
            // Generated code, or none at all.
            frames.push(nameless(format!("{address:#x}"), false));
            return;
        };
        let module = Path::new(&mapping.path).file_name().unwrap_or_default().to_string_lossy();
        let beside_us = is_ours(&self.mappings, mapping);
        let mut place = || {
            let offset = address - mapping.addresses.start + mapping.offset;
            format!("{module}+{offset:#x}")
        };
        let mut image = self.images.get_mut(&mapping.addresses.start).and_then(Option::as_mut);
        let names = image.as_mut().map(|image| image.names.at(address.wrapping_sub(image.bias)));
        let names = names.as_deref().unwrap_or_default();
        if beside_us && names.iter().all(|name| name.line.is_none()) {
            let why = image.and_then(|image| image.names.why()).cloned();
            trace.why = trace.why.take().or(why);
        }
        if names.is_empty() {
            frames.push(nameless(place(), beside_us));
        }
        let own_program = mapping.path == self.program;
        frames.extend(names.iter().map(|name| {
            let function = name.function.clone().unwrap_or_else(&mut place);
            let users = is_users(&function, name.file.as_deref(), own_program);
            let (file, line, inlined) = (name.file.clone(), name.line, name.inlined);
            Frame { function, file, line, inlined, users, beside_us }
        }));
    }
}

impl RawStack {
    /// The word at an address of the stack, if it was copied.
    fn read(&self, address: u64) -> Result<u64, ()> {
        let at = usize::try_from(address.wrapping_sub(self.registers.sp)).map_err(drop)?;
        let word = self.bytes.get(at..at.checked_add(8).ok_or(())?).ok_or(())?;
        Ok(u64::from_ne_bytes(word.try_into().map_err(drop)?))
    }
}

/// Whether a mapping is of the file that this crate is in.
fn is_ours(mappings: &[Mapping], mapping: &Mapping) -> bool {
    covering(mappings, is_ours as *const () as u64).is_some_and(|ours| ours.path == mapping.path)
}

/// A call of which nothing is known but the place.
fn nameless(function: String, beside_us: bool) -> Frame {
    Frame { function, file: None, line: None, inlined: false, users: false, beside_us }
}

/// The mapping that an address is in.
fn covering(mappings: &[Mapping], address: u64) -> Option<&Mapping> {
    let after = mappings.partition_point(|mapping| mapping.addresses.start <= address);
    mappings.get(after.checked_sub(1)?).filter(|mapping| mapping.addresses.contains(&address))
}
