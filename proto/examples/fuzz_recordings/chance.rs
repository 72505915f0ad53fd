//! Numbers that look random and are a function of the input's number.

/// See the module.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(number: u64) -> Self {
        let mut chance = Self(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        chance.number();
        chance
    }

    /// Any number (splitmix64).
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `end`; 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }

    /// Once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub(crate) fn of_these<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A number at an edge that a reader may not handle.
    pub(crate) fn odd(&mut self) -> u64 {
        const ODD: [u64; 14] = [
            0,
            1,
            2,
            127,
            255,
            65_536,
            i32::MAX as u64,
            u32::MAX as u64,
            1 << 32,
            1 << 40,
            i64::MAX as u64,
            1 << 63,
            u64::MAX - 1,
            u64::MAX,
        ];
        if self.one_in(3) { self.number() >> self.below(64) } else { *self.of_these(&ODD) }
    }
}
