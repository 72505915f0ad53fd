//! `Send`, `Sync`, `Unpin`, `UnwindSafe` and `RefUnwindSafe`: a public type has each of them where tokio's type in its
//! place has it, so that replacing tokio's by ours breaks no build. All of it is decided while this compiles.

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

/// The five traits of a type, as a constant `OF` of `Traits<T>`.
macro_rules! traits {
    ($($struct:ident: $trait:ident),*) => {
        $(
            struct $struct<T>(PhantomData<T>);
            impl<T: $trait> $struct<T> {
                // The type's own constant comes before the fallback's, wherever its bound holds.
                #[allow(dead_code, reason = "no type of the table has the trait, or all have")]
                const HAS: bool = true;
            }
            impl<T> Fallback for $struct<T> {}
        )*
        macro_rules! of {
            ($type:ty) => { [$(($struct::<$type>::HAS)),*] };
        }
    };
}

trait Fallback {
    const HAS: bool = false;
}

traits!(IsSend: Send, IsSync: Sync, IsUnpin: Unpin, IsUnwindSafe: UnwindSafe, IsRefUnwindSafe: RefUnwindSafe);

const fn equal(ours: [bool; 5], theirs: [bool; 5]) -> bool {
    let mut at = 0;
    while at < 5 {
        if ours[at] != theirs[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Compares two generic types for parameters that lack each of the traits.
macro_rules! same_for_all {
    ($($ours:path => $theirs:path),* $(,)?) => {
        $(same_for_all!(one $ours => $theirs: u8, Cell<u8>, Rc<u8>, &'static mut u8, &'static Cell<u8>, PhantomPinned);)*
    };
    (one $ours:path => $theirs:path: $($parameter:ty),*) => {
        $(const _: () = {
            type Ours<T> = $ours;
            type Theirs<T> = $theirs;
            assert!(
                equal(of!(Ours<$parameter>), of!(Theirs<$parameter>)),
                concat!(stringify!($ours), " is not what ", stringify!($theirs), " is, of ", stringify!($parameter))
            );
        };)*
    };
}

/// A future with the traits of its parameter.
struct Holds<T>(#[allow(dead_code, reason = "only its type matters")] T);

impl<T> Future for Holds<T> {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Ready(())
    }
}

// What a combinator of tokio's adds to its future is what ours may: nothing.
same_for_all! {
    pollscope::JoinHandle<T> => tokio::task::JoinHandle<T>,
    pollscope::JoinSet<T> => tokio::task::JoinSet<T>,
    pollscope::Scoped<Holds<T>> => tokio::task::coop::Unconstrained<Holds<T>>,
    pollscope::TracedFuture<Holds<T>> => tokio::task::coop::Unconstrained<Holds<T>>,
}

const ALL: [bool; 5] = [true; 5];

const _: () = assert!(equal(of!(pollscope::AbortHandle), of!(tokio::task::AbortHandle)));
const _: () = assert!(equal(of!(pollscope::Guard), of!(tokio::runtime::Runtime)));

// No type of tokio's stands in for them: they hold plain data.
const _: () = assert!(equal(of!(pollscope::TaskBuilder<'static>), ALL));
const _: () = assert!(equal(of!(pollscope::Builder), ALL));
const _: () = assert!(equal(of!(pollscope::Listen), ALL));
const _: () = assert!(equal(of!(pollscope::Flight), ALL));
const _: () = assert!(equal(of!(pollscope::DumpSignal), ALL));
const _: () = assert!(equal(of!(pollscope::LogLevel), ALL));
const _: () = assert!(equal(of!(pollscope::Status), ALL));

#[cfg(feature = "check")]
const _: () = {
    // A session changes a tokio builder and is sent nowhere, as that.
    assert!(!equal(of!(tokio::runtime::Builder), ALL));
    assert!(equal(of!(pollscope::check::Judged<u8>), ALL));
    assert!(equal(of!(pollscope::check::Phase), ALL));
    assert!(equal(of!(pollscope::check::Flavor), ALL));
};

#[test]
fn a_handle_goes_through_catch_unwind() {
    let caught = std::panic::catch_unwind(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let handle = pollscope::spawn_on(std::future::ready(3), runtime.handle());
        runtime.block_on(handle).expect("returns")
    });
    assert_eq!(caught.ok(), Some(3));
    let handle = {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        pollscope::spawn_on(std::future::ready(3), runtime.handle())
    };
    let finished = std::panic::catch_unwind(|| handle.is_finished());
    assert_eq!(finished.ok(), Some(true));
}
