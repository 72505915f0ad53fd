//! Panels above each other: how many rows each gets.

use crate::screens::state::hits::Area;

/// How many rows a panel needs to be worth showing, and how many it could use.
#[derive(Clone, Copy)]
pub(super) struct Need {
    pub(super) least: u16,
    pub(super) most: u16,
}

impl Need {
    pub(super) fn new(least: usize, most: usize) -> Self {
        let least = u16::try_from(least).unwrap_or(u16::MAX);
        Self { least, most: u16::try_from(most).unwrap_or(u16::MAX).max(least) }
    }

    /// A panel that has nothing to show.
    pub(super) const NOTHING: Self = Self { least: 0, most: 0 };
}

/// Splits the area from the top. Each part gets the least that it needs, or nothing at all, in the order
/// of `first`, whose first one takes all that there is; then up to the most that each could use, in the
/// order of `then`.
pub(super) fn split<const N: usize>(
    area: Area,
    needs: [Need; N],
    first: [usize; N],
    then: [usize; N],
) -> [Area; N] {
    let mut left = area.h;
    let mut rows = [0; N];
    for (place, at) in first.into_iter().enumerate() {
        if needs[at].least <= left || place == 0 {
            rows[at] = needs[at].least.min(left);
            left -= rows[at];
        }
    }
    for at in then {
        if rows[at] > 0 {
            let more = (needs[at].most - rows[at]).min(left);
            rows[at] += more;
            left -= more;
        }
    }
    let mut rest = area;
    rows.map(|rows| {
        let (panel, below) = rest.split(rows);
        rest = below;
        panel
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_in_the_order_is_served_first_and_nothing_overlaps() {
        let needs = [Need::new(3, 100), Need::new(4, 6), Need::new(2, 2)];
        let heights = |h| split(Area::new(0, 2, 80, h), needs, [0, 2, 1], [0, 2, 1]).map(|area| area.h);
        let grown = |h| split(Area::new(0, 0, 80, h), needs, [0, 2, 1], [1, 0, 2]).map(|area| area.h);
        assert_eq!(grown(10), [3, 5, 2]);
        assert_eq!(heights(2), [2, 0, 0]);
        assert_eq!(heights(4), [4, 0, 0]);
        assert_eq!(heights(9), [3, 4, 2]);
        assert_eq!(heights(26), [20, 4, 2]);
        let [a, b, c] = split(Area::new(0, 2, 80, 26), needs, [0, 2, 1], [0, 2, 1]);
        assert_eq!((a.y, b.y, c.y), (2, a.y + a.h, b.y + b.h));
    }
}
