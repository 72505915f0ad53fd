//! Reads MCAP's little-endian fields out of a slice. Total: what is not there is `None`.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteReader<'a>(pub(super) &'a [u8]);

impl<'a> ByteReader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// The head of a record: opcode and length.
    pub(super) fn head(&mut self) -> Option<(u8, u64)> {
        Some((self.u8()?, self.u64()?))
    }

    /// A record: its opcode and its body.
    pub(super) fn record(&mut self) -> Option<(u8, &'a [u8])> {
        let (opcode, length) = self.head()?;
        Some((opcode, self.take(usize::try_from(length).ok()?)?))
    }

    /// The value of a key in the map of texts that comes next; stays before it.
    pub(super) fn value_of(self, wanted: &str) -> Option<&'a str> {
        let mut map = self;
        let length = map.u32()? as usize;
        let mut entries = ByteReader(map.take(length)?);
        while let (Some(key), Some(value)) = (entries.text(), entries.text()) {
            if key == wanted {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        let mut bytes = ByteReader(&[5, 0, 0, 0, b'a', b'b']);
        assert_eq!(bytes.text(), None, "the text is cut");
        assert_eq!(ByteReader(&[1, 255, 255, 255, 255, 255, 255, 255, 255]).record(), None);
        assert_eq!(ByteReader(&[7, 1, 0, 0, 0, 0, 0, 0, 0, 9]).record(), Some((7, &[9][..])));
    }

    #[test]
    fn a_map_is_searched() {
        let mut map = vec![20, 0, 0, 0];
        for text in ["k", "v", "k2", "v2"] {
            map.extend((text.len() as u32).to_le_bytes());
            map.extend(text.as_bytes());
        }
        map[0] = (map.len() - 4) as u8;
        assert_eq!(ByteReader(&map).value_of("k2"), Some("v2"));
        assert_eq!(ByteReader(&map).value_of("k3"), None);
        assert_eq!(ByteReader(&map[..10]).value_of("k2"), None);
    }
}
