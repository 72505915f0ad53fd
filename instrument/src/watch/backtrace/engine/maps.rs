//! What is loaded where: the executable mappings of this process, as the kernel tells them.
//!
//! Read from `/proc`, because asking the dynamic loader would mean to wait for its lock, which the very thread
//! that is looked at may hold.

use std::ops::Range;

/// One executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) addresses: Range<u64>,
    /// Where in the file it begins.
    pub(super) offset: u64,
    /// Device and inode as the kernel prints them.
    pub(super) file: (u64, u64),
    /// The file's path, or a name like `[vdso]`.
    pub(super) path: String,
}

/// The executable mappings that have a name, by address. None if `/proc` cannot be read.
pub(super) fn read() -> Vec<Mapping> {
    // Paths are bytes, and one that is not text must not cost us all the others.
    let maps = std::fs::read("/proc/self/maps").unwrap_or_default();
    String::from_utf8_lossy(&maps).lines().filter_map(parse).collect()
}

/// `start-end perms offset major:minor inode   path`.
fn parse(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after.trim_start_matches(' ');
        field
    };
    let (start, end) = field().split_once('-')?;
    let executable = field().as_bytes().get(2) == Some(&b'x');
    let offset = hex(field())?;
    let (major, minor) = field().split_once(':')?;
    let inode = field().parse().ok()?;
    (executable && !rest.is_empty()).then_some(())?;
    Some(Mapping {
        addresses: hex(start)?..hex(end)?,
        offset,
        file: (hex(major)? << 32 | hex(minor)?, inode),
        path: rest.to_owned(),
    })
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel() {
        let text = "55d0c0a5e000-55d0c0a80000 r-xp 00012000 fd:01 1837 /usr/bin/a b (deleted)";
        let parsed = Mapping {
            addresses: 0x55d0_c0a5_e000..0x55d0_c0a8_0000,
            offset: 0x12000,
            file: (0xfd << 32 | 1, 1837),
            path: "/usr/bin/a b (deleted)".to_owned(),
        };
        assert_eq!(parse(text), Some(parsed));
        let vdso = parse("7ffe3a1fd000-7ffe3a1ff000 r-xp 00000000 00:00 0                          [vdso]");
        assert_eq!(vdso.map(|mapping| mapping.path).as_deref(), Some("[vdso]"));
        for nothing in [
            "7f0000000000-7f0000001000 rw-p 00000000 fd:01 1837    /usr/lib/x.so",
            "7f0000000000-7f0000001000 r-xp 00000000 00:00 0 ",
            "",
            "nonsense",
        ] {
            assert_eq!(parse(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn this_very_code_is_in_one() {
        let here = this_very_code_is_in_one as *const () as u64;
        assert!(read().iter().any(|mapping| mapping.addresses.contains(&here)));
    }
}
