//! Which site of one run is which of another, without line numbers.
//!
//! A site is known by its source file and the name of its tasks, as in a finding's fingerprint. Sites
//! that share both are told apart by their order in the file. Where the numbers of such sites differ,
//! order proves nothing: then only those that did not move are known again, and only if that leaves
//! none of the fewer side over; otherwise nothing is guessed.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::dict::{Site, without_version};
use crate::fingerprint::without_digits;

/// File and name: what a site is called across runs and edits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SiteKey {
    /// The source file, as far as it is the same on every machine.
    pub file: Arc<str>,
    /// Name of its tasks, with digits replaced, or empty.
    pub name: Arc<str>,
}

impl SiteKey {
    /// The key of a site whose tasks have that name.
    pub fn new(file: &str, name: &str) -> Self {
        Self { file: stable(file).into(), name: without_digits(name).into() }
    }
}

impl fmt::Display for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " {}", self.name) }
    }
}

/// Line and column: where a site was in one run. A hint, never part of who it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// Line, from 1; 0 for a route.
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
}

impl Place {
    /// The place of a site.
    pub fn of(site: &Site) -> Self {
        Self { line: site.line, column: site.column }
    }

    /// Reads what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (line, column) = text.split_once(':').unwrap_or((text, "0"));
        Some(Self { line: line.parse().ok()?, column: column.parse().ok()? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            0 => write!(f, "{}", self.line),
            column => write!(f, "{}:{column}", self.line),
        }
    }
}

/// The path with `/`, without what differs from machine to machine (an absolute path loses all in
/// front of its crate's folder) and without the version of a library.
fn stable(file: &str) -> String {
    let file = file.replace('\\', "/");
    let absolute = file.starts_with('/') || file.as_bytes().get(1) == Some(&b':');
    let kept = if absolute {
        // `…/cart/src/lib.rs` begins at `cart`.
        let before = file.rfind("/src/").or_else(|| file.rfind('/')).unwrap_or(0);
        let start = file[..before].rfind('/').map_or(0, |slash| slash + 1);
        &file[start..]
    } else {
        &file[..]
    };
    let kept = kept.trim_start_matches('/');
    let Some((first, rest)) = kept.split_once('/') else { return kept.to_owned() };
    format!("{}/{rest}", without_version(first))
}

/// The name of a test's executable ends in a hash of its build: `cart-0123456789abcdef` is `cart`.
pub(super) fn process_name(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((plain, hash))
            if hash.len() == 16 && !plain.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            plain
        }
        _ => name,
    }
}

/// How the sites of one key of two runs go together; both sides sorted by place.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Pairing {
    /// Index on the left with index on the right. The others have no partner.
    Pairs(Vec<(usize, usize)>),
    /// It cannot be told which is which.
    Unclear,
}

/// Pairs the sites of one key.
pub(super) fn pair(left: &[Place], right: &[Place]) -> Pairing {
    match left.len().cmp(&right.len()) {
        Ordering::Equal => Pairing::Pairs((0..left.len()).map(|index| (index, index)).collect()),
        Ordering::Less => unmoved(left, right).map_or(Pairing::Unclear, Pairing::Pairs),
        Ordering::Greater => match unmoved(right, left) {
            Some(pairs) => Pairing::Pairs(pairs.into_iter().map(|(few, many)| (many, few)).collect()),
            None => Pairing::Unclear,
        },
    }
}

/// Each of the fewer with the one of the same place, if all of them have one.
fn unmoved(few: &[Place], many: &[Place]) -> Option<Vec<(usize, usize)>> {
    few.iter()
        .enumerate()
        .map(|(index, place)| Some((index, many.iter().position(|other| other == place)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_on_every_machine_and_for_every_version() {
        let cases = [
            ("src/cart.rs", "src/cart.rs"),
            ("src\\cart.rs", "src/cart.rs"),
            ("/srv/ann/shop/cart/src/http/mod.rs", "cart/src/http/mod.rs"),
            ("C:\\work\\cart\\src\\lib.rs", "cart/src/lib.rs"),
            ("/build/gen.rs", "build/gen.rs"),
            ("/gen.rs", "gen.rs"),
            ("hyper-1.12.0/src/server.rs", "hyper/src/server.rs"),
            ("tokio-util-0.7.1-rc.1/src/a.rs", "tokio-util/src/a.rs"),
            ("http-2/src/a.rs", "http-2/src/a.rs"),
            ("GET /price/{id}", "GET /price/{id}"),
            ("/shop.Cart/Add", "shop.Cart/Add"),
        ];
        for (file, stable) in cases {
            assert_eq!(&*SiteKey::new(file, "").file, stable, "{file}");
        }
        assert_eq!(SiteKey::new("src/a.rs", "conn 51028").to_string(), "src/a.rs conn #");
    }

    #[test]
    fn a_test_binary_is_known_without_its_hash() {
        assert_eq!(process_name("cart-0123456789abcdef"), "cart");
        assert_eq!(process_name("cart-service"), "cart-service");
        assert_eq!(process_name("-0123456789abcdef"), "-0123456789abcdef");
    }

    #[test]
    fn order_tells_apart_where_the_numbers_agree_and_nothing_is_guessed_where_they_do_not() {
        let at =
            |lines: &[u32]| lines.iter().map(|line| Place { line: *line, column: 9 }).collect::<Vec<_>>();
        let pairs = |pairs: &[(usize, usize)]| Pairing::Pairs(pairs.to_vec());
        assert_eq!(pair(&at(&[10, 40]), &at(&[12, 47])), pairs(&[(0, 0), (1, 1)]), "all moved");
        assert_eq!(pair(&at(&[40]), &at(&[10, 40])), pairs(&[(0, 1)]), "one more, the other stayed");
        assert_eq!(pair(&at(&[10, 40]), &at(&[40])), pairs(&[(1, 0)]), "one less");
        assert_eq!(pair(&at(&[10, 40]), &at(&[11, 20, 42])), Pairing::Unclear);
        assert_eq!(pair(&at(&[]), &at(&[11])), pairs(&[]));
    }
}
