//! Call stacks: what a thread was doing when it was looked at.

use std::fmt;
use std::sync::Arc;

/// The most frames that a stack keeps: the innermost.
pub const MAX_FRAMES: usize = 64;

/// The most stacks that a dictionary keeps; further ones are refused and counted.
pub const MAX_STACKS: usize = 2_048;

/// One call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// The function's path, demangled and without its hash, `cart::load`; an address if it has no name.
    pub function: Arc<str>,
    /// Path of the source file as the compiler saw it, if known.
    pub file: Option<Arc<str>>,
    /// Line of the call, from 1; 0 if unknown.
    pub line: u32,
    /// Whether it is the user's own code: not of the standard library, of the runtime or of a
    /// dependency.
    pub users: bool,
}

/// Where a thread sleeps for a lock of glibc's own.
const WAITS_FOR_LIBC: &str = "lll_lock_wait_private";
/// glibc's functions that take the lock of its allocator, without the prefixes `__`, `_` and `GI_` and without what a
/// compiler appends to a part of a function.
const ALLOCATES: [&str; 30] = [
    "aligned_alloc",
    "arena_get2",
    "arena_get_retry",
    "calloc",
    "cfree",
    "free",
    "int_free",
    "int_free_chunk",
    "int_free_create_chunk",
    "int_free_merge_chunk",
    "int_malloc",
    "int_memalign",
    "int_realloc",
    "libc_calloc",
    "libc_free",
    "libc_malloc",
    "libc_memalign",
    "libc_realloc",
    "malloc",
    "malloc_consolidate",
    "malloc_trim",
    "memalign",
    "mid_memalign",
    "posix_memalign",
    "pvalloc",
    "realloc",
    "reused_arena",
    "sysmalloc",
    "tcache_init",
    "valloc",
];
/// Functions of C libraries that sleep, without prefixes and versions, other than for a lock.
const SLEEPS: [&str; 17] = [
    "accept",
    "clock_nanosleep",
    "connect",
    "fdatasync",
    "flock",
    "fsync",
    "nanosleep",
    "poll",
    "pread64",
    "pwrite64",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "usleep",
    "wait4",
    "write",
];
/// Parts of the names of the functions in which Rust's locks sleep.
const LOCKS: [&str; 4] = ["lock_contended", "lock_slow", "read_contended", "write_contended"];
/// Where our own functions are.
const OWN: &str = "pollscope::";
/// Where the functions are that poll a task: what lies beyond is none of it.
const POLLS_TASKS: [&str; 2] = ["tokio::runtime::task::", "async_task::raw::"];

impl Frame {
    /// Whether the function, or the type that it is a method of, is in that module.
    fn is_of(&self, path: &str) -> bool {
        self.function.trim_start_matches('<').starts_with(path)
    }

    /// A C function's name without what the C library and the compiler add to it.
    fn c_name(&self) -> &str {
        let name = self.function.trim_start_matches('_');
        let name = name.strip_prefix("GI_").unwrap_or(name).trim_start_matches('_');
        name.split(['.', '@']).next().unwrap_or(name)
    }

    /// Whether it is in the C library, which does not tell what the function is called.
    fn is_nameless_in_libc(&self) -> bool {
        self.function.starts_with("libc") && self.function.contains("+0x")
    }

    /// The function without the closures inside of it: an `async fn` runs as a closure of itself.
    pub fn name(&self) -> &str {
        let mut name = &*self.function;
        while let Some((outer, last)) = name.rsplit_once("::")
            && last.contains("closure")
            && last.starts_with('{')
        {
            name = outer;
        }
        name
    }

    /// The line of the call, `src/cart.rs:70`, if it is known.
    pub(super) fn line(&self) -> Option<String> {
        let file = self.file.as_ref().filter(|_| self.line > 0)?;
        Some(format!("{file}:{}", self.line))
    }

    /// In a few words, `cart::load src/cart.rs:70`.
    pub fn short(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), 0) => format!("{} {file}", self.name()),
            (Some(file), line) => format!("{} {file}:{line}", self.name()),
            (None, _) => self.name().to_owned(),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), 0) => write!(f, "{} ({file})", self.function),
            (Some(file), line) => write!(f, "{} ({file}:{line})", self.function),
            (None, _) => f.write_str(&self.function),
        }
    }
}

/// The calls of one thread, innermost first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Stack {
    /// The calls.
    pub frames: Vec<Frame>,
    /// Outer frames are missing: there were more than were kept, or the way up was not found.
    pub truncated: bool,
    /// Why frames of the program have no line, or why there is no frame at all, as a part of a sentence. `None` if
    /// nothing is missing, or no reason is known.
    pub why: Option<Arc<str>>,
}

impl Stack {
    /// Bytes on the heap; texts that frames share are counted for each of them.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = |frame: &Frame| frame.function.len() + frame.file.as_ref().map_or(0, |file| file.len());
        let why = self.why.as_ref().map_or(0, |why| why.len());
        self.frames.capacity() * size_of::<Frame>() + self.frames.iter().map(texts).sum::<usize>() + why
    }

    /// The innermost of the user's frames, and its index: the line that the user can change. `None` for a task
    /// without a frame of the user's: the frames of the code that runs the runtime do not count.
    pub fn users_frame(&self) -> Option<(usize, &Frame)> {
        self.of_task().iter().enumerate().find(|(_, frame)| frame.users)
    }

    /// Whether the task's stack is known as a whole and none of it is the user's.
    pub(super) fn is_of_libraries(&self) -> bool {
        let of_task = self.of_task();
        let is_whole = self.why.is_none() && (!self.truncated || of_task.len() < self.frames.len());
        is_whole && !of_task.is_empty() && self.users_frame().is_none()
    }

    /// What the user's innermost frame called, if anything: the lock, the sleep, the read.
    pub fn called(&self) -> Option<&Frame> {
        let (at, _) = self.users_frame()?;
        self.frames.get(at.checked_sub(1)?)
    }

    /// Whether the thread slept for the lock of glibc's allocator: another thread that allocates or frees holds it, and
    /// lets go at once, unless it has no CPU.
    pub(crate) fn waits_for_allocator(&self) -> bool {
        let mut frames = self.frames.iter();
        let waits = frames.next().is_some_and(|innermost| innermost.c_name() == WAITS_FOR_LIBC);
        // A library without its symbol table names only the functions that programs call.
        let caller = frames.find(|frame| !frame.is_nameless_in_libc());
        waits && caller.is_some_and(|caller| ALLOCATES.binary_search(&caller.c_name()).is_ok())
    }

    /// Whether it ends in a lock of the code's own.
    pub(crate) fn sleeps_for_lock(&self) -> bool {
        let sleeps = |frame: &Frame| LOCKS.iter().any(|lock| frame.name().ends_with(lock));
        !self.waits_for_allocator() && self.of_task().iter().take_while(|frame| !frame.users).any(sleeps)
    }

    /// Whether it ends in a call that sleeps, other than for a lock.
    pub(crate) fn sleeps_in_call(&self) -> bool {
        self.frames.first().is_some_and(|innermost| SLEEPS.binary_search(&innermost.c_name()).is_ok())
    }

    /// What the task was in, innermost first: up to the user's outermost frame, without what polls the task and
    /// the code that runs that, and without pollscope's own frames. All of the task's if none is the user's.
    pub fn inside(&self) -> impl DoubleEndedIterator<Item = &Frame> {
        let of_task = self.of_task();
        let last = of_task.iter().rposition(|frame| frame.users).map_or(of_task.len(), |last| last + 1);
        of_task[..last].iter().filter(|frame| frame.users || !frame.is_of(OWN))
    }

    /// The frames for people, `function (file:line)`: what is [`inside`](Self::inside), from the user's innermost
    /// on.
    pub fn shown(&self) -> Vec<Arc<str>> {
        let first = self.users_frame().map(|(_, frame)| frame);
        let beyond = |frame: &&Frame| first.is_some_and(|first| !std::ptr::eq(first, *frame));
        self.inside().skip_while(beyond).map(|frame| frame.to_string().into()).collect()
    }

    /// The frames up to where an executor polls the innermost task.
    fn of_task(&self) -> &[Frame] {
        let end = self.frames.iter().position(|frame| POLLS_TASKS.iter().any(|path| frame.is_of(path)));
        &self.frames[..end.unwrap_or(self.frames.len())]
    }
}

#[cfg(test)]
impl Stack {
    /// Of these functions; those of the crate `shop` are the user's.
    pub(crate) fn of_functions(functions: &[&str]) -> Self {
        let frame = |function: &&str| Frame {
            users: function.starts_with("shop::"),
            function: (**function).into(),
            file: None,
            line: 0,
        };
        Self { frames: functions.iter().map(frame).collect(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_print_what_is_known_of_them() {
        let frame = |file: Option<&str>, line| {
            let file = file.map(Arc::from);
            Frame { function: "cart::load".into(), file, line, users: true }.to_string()
        };
        assert_eq!(frame(Some("src/cart.rs"), 70), "cart::load (src/cart.rs:70)");
        assert_eq!(frame(Some("src/cart.rs"), 0), "cart::load (src/cart.rs)");
        assert_eq!(frame(None, 70), "cart::load");
    }

    #[test]
    fn people_see_the_users_frames_first() {
        let frame = |function: &str, users: bool| Frame {
            function: function.into(),
            file: users.then(|| "src/cart.rs".into()),
            line: 7,
            users,
        };
        let stack = Stack {
            frames: vec![
                frame("clock_nanosleep", false),
                frame("std::thread::sleep", false),
                frame("cart::load::{{closure}}::{{closure}}", true),
                frame("core::future::poll_fn", false),
                frame("cart::render::{{closure}}", true),
                frame("tokio::runtime::task::raw::poll", false),
            ],
            truncated: false,
            why: None,
        };
        let shown = stack.shown();
        assert_eq!((shown.len(), &*shown[1]), (3, "core::future::poll_fn"));
        assert_eq!(stack.called().map(Frame::name), Some("std::thread::sleep"));
        assert_eq!(
            stack.users_frame().map(|(_, frame)| frame.short()),
            Some("cart::load src/cart.rs:7".into())
        );
        assert_eq!(stack.inside().count(), 5);
        let foreign = Stack { frames: stack.frames[..2].to_vec(), truncated: true, why: None };
        assert_eq!((foreign.shown().len(), foreign.called()), (2, None));
    }

    #[test]
    fn a_sleep_for_the_allocators_lock_is_told_by_the_functions_around_it() {
        assert!(ALLOCATES.is_sorted());
        let waits = |functions: &[&str]| Stack::of_functions(functions).waits_for_allocator();
        let lock = "__lll_lock_wait_private";
        let alloc = "<std::alloc::System as core::alloc::global::GlobalAlloc>::alloc_zeroed";
        for functions in [
            &[lock, "posix_memalign", alloc, "shop::render"] as &[_],
            &[lock, "malloc"],
            &[lock, "_int_free.part.0", "cfree@GLIBC_2.2.5", "shop::render"],
            &["__GI___lll_lock_wait_private", "__GI___libc_malloc", "shop::render"],
            &[lock, "libc.so.6+0x97e10", "libc-2.31.so+0x98011", "calloc", "shop::render"],
        ] {
            assert!(waits(functions), "{functions:?}");
        }
        for functions in [
            &[] as &[_],
            &[lock],
            &[lock, "libc.so.6+0x97e10"],
            &[lock, "shop+0x97e10", "malloc"],
            &[lock, "getenv", "malloc"],
            &[lock, "shop::malloc"],
            &["malloc", "shop::render"],
            &["syscall", lock, "malloc"],
            &["__lll_lock_wait", "malloc"],
            &["__lll_lock_wait_private", "fork", "shop::render"],
            &["futex_wait", "std::sync::mutex::Mutex<T>::lock", "shop::render"],
        ] {
            assert!(!waits(functions), "{functions:?}");
        }
    }

    #[test]
    fn a_stack_tells_that_it_sleeps_in_a_lock_or_a_call() {
        assert!(SLEEPS.is_sorted());
        for (functions, lock, call) in [
            (
                &["syscall", "std::sys::sync::mutex::futex::Mutex::lock_contended", "shop::a"] as &[_],
                true,
                false,
            ),
            (&["syscall", "parking_lot::raw_mutex::RawMutex::lock_slow", "shop::a"], true, false),
            (&["__GI___clock_nanosleep", "std::thread::sleep", "shop::a"], false, true),
            (&["read@GLIBC_2.2.5", "shop::a"], false, true),
            (&["__lll_lock_wait_private", "malloc", "shop::lock_slow"], false, false),
            (&["shop::lock_slow"], false, false),
            (&["memcpy", "shop::a"], false, false),
            (&[], false, false),
        ] {
            let stack = Stack::of_functions(functions);
            assert_eq!((stack.sleeps_for_lock(), stack.sleeps_in_call()), (lock, call), "{functions:?}");
        }
    }

    #[test]
    fn what_polls_the_task_and_who_runs_that_is_cut() {
        let frame = |function: &str| Frame {
            users: function.starts_with("shop::"),
            function: function.into(),
            file: None,
            line: 0,
        };
        let stack = |functions: &[&str]| Stack {
            frames: functions.iter().map(|function| frame(function)).collect(),
            truncated: false,
            why: None,
        };
        let beyond = [
            "<pollscope::future::Recorded<F> as core::future::future::Future>::poll",
            "tokio::runtime::task::core::Core<T,S>::poll",
            "tokio::runtime::runtime::Runtime::block_on",
            "shop::main",
        ];
        let of_task =
            ["std::thread::sleep", "shop::read", "pollscope::allow::allow_blocking", "shop::handle"];
        let users = stack(&[&of_task[..], &beyond[..]].concat());
        assert_eq!(users.shown(), ["shop::read".into(), "shop::handle".into()]);
        let inside: Vec<&str> = users.inside().map(Frame::name).collect();
        assert_eq!(inside, ["std::thread::sleep", "shop::read", "shop::handle"]);

        let library = stack(&[&["read", "h2::codec::poll"][..], &beyond[..]].concat());
        assert_eq!(library.shown(), ["read".into(), "h2::codec::poll".into()]);
        assert_eq!(library.users_frame(), None, "main only runs the runtime");
        // A runtime that is run inside of a task is the task's own doing.
        let nested = stack(
            &[&["shop::inner", "tokio::runtime::handle::Handle::block_on"][..], &of_task[1..], &beyond[..]]
                .concat(),
        );
        assert_eq!(nested.shown().len(), 4);
    }
}
