//! Protobuf, as far as writing other tools' files needs it: fields by number, into a vector.
//!
//! Of Perfetto's schema and of pprof's we write a few dozen fields. The crates that carry the whole of
//! them bring a second protobuf runtime and a hundred thousand generated lines; and prost's types stay in
//! `pollscope-proto`, with our own wire.

use pollscope_model::text::clean;

/// The bytes of one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// An unsigned or enumerated field; `int32` and `int64` too, where the value is not negative.
    pub(super) fn uint(mut self, field: u32, value: u64) -> Self {
        self.tag(field, 0);
        self.varint(value);
        self
    }

    /// A `fixed64` field.
    pub(super) fn fixed64(mut self, field: u32, value: u64) -> Self {
        self.tag(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A `double` field.
    pub(super) fn double(self, field: u32, value: f64) -> Self {
        self.fixed64(field, value.to_bits())
    }

    /// A `string` field, clean: what shows it may not know what else is in a name.
    pub(super) fn text(mut self, field: u32, text: &str) -> Self {
        self.put(field, clean(text).as_bytes());
        self
    }

    /// A message inside of the message.
    pub(super) fn message(mut self, field: u32, inner: &Self) -> Self {
        self.put(field, &inner.0);
        self
    }

    /// Repeated numbers, packed.
    pub(super) fn packed(mut self, field: u32, values: impl IntoIterator<Item = u64>) -> Self {
        let mut inner = Self::default();
        values.into_iter().for_each(|value| inner.varint(value));
        self.put(field, &inner.0);
        self
    }

    /// The same by reference, for messages that grow in loops.
    pub(super) fn put(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_the_format_says() {
        // The example of protobuf's own manual: field 1 is 150; and a text in field 2.
        assert_eq!(Message::default().uint(1, 150).bytes(), [0x08, 0x96, 0x01]);
        let text = Message::default().text(2, "testing");
        assert_eq!(text.bytes(), b"\x12\x07testing");
        assert_eq!(
            Message::default().packed(6, [3, 270, 86_942]).bytes(),
            b"\x32\x06\x03\x8e\x02\x9e\xa7\x05"
        );
        assert_eq!(
            Message::default().message(3, &Message::default().uint(1, 150)).bytes(),
            b"\x1a\x03\x08\x96\x01"
        );
        assert_eq!(Message::default().double(1, 1.0).bytes(), b"\x09\0\0\0\0\0\0\xf0\x3f");
    }
}
