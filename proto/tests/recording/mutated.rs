//! Recordings with changed bytes: read to some end, without a panic, in bounded memory.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;

use super::{open, record, said};

/// What is changed.
static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| record(&said(4).1));

/// As many cases as `PROPTEST_CASES` asks for, else a few.
#[expect(clippy::disallowed_methods, reason = "proptest's own variable")]
fn cases() -> Config {
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| Config::default().cases);
    Config { cases: asked.unwrap_or(256), ..Config::default() }
}

/// One change.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    /// A length or a count, more or less anywhere.
    Number(Index, u64),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (any::<Index>(), prop_oneof![Just(u64::MAX), Just(1 << 40), 0u64..100])
            .prop_map(|(at, n)| Change::Number(at, n)),
        (any::<Index>(), 1usize..200).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), 1usize..2_000).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    if file.is_empty() {
        return;
    }
    let length = file.len();
    match change {
        Change::Set(at, byte) => file[at.index(length)] = *byte,
        Change::Flip(at, bit) => file[at.index(length)] ^= 1 << bit,
        Change::Number(at, number) => {
            let at = at.index(length);
            let bytes = number.to_le_bytes();
            let room = (length - at).min(8);
            file[at..at + room].copy_from_slice(&bytes[..room]);
        }
        Change::Remove(at, count) => {
            let at = at.index(length);
            file.drain(at..length.min(at + count));
        }
        Change::Repeat(at, count) => {
            let at = at.index(length);
            let again = file[at..length.min(at + count)].to_vec();
            file.splice(at..at, again);
        }
    }
}

/// Reads all of it; the number of messages is bounded by what the file can hold.
fn read(file: &[u8]) {
    if let Ok(mut recording) = open(file) {
        let read = recording.messages().count();
        assert!(read <= file.len() * 1_000, "{read} messages out of {} bytes", file.len());
        let _ = (recording.damaged(), recording.ending(), recording.span());
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn changed_bytes_do_no_harm(changes in vec(change(), 1..6)) {
        let mut file = SOUND.clone();
        for change in &changes {
            apply(&mut file, change);
        }
        read(&file);
    }

    #[test]
    fn changed_contents_of_sound_chunks_do_no_harm(changes in vec(change(), 1..6)) {
        let file = super::uncompressed(&SOUND, |chunk| changes.iter().for_each(|change| apply(chunk, change)));
        read(&file);
    }

    #[test]
    fn any_bytes_behind_the_magic_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        let mut file = mcap::MAGIC.to_vec();
        file.extend(bytes);
        read(&file);
    }
}
