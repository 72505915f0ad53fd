//! The clipboard, through the terminal: the OSC 52 sequence, which also works over ssh.
//!
//! Makes the bytes; the owner of the terminal writes them.

/// The longest text that is offered: terminals cut or drop longer sequences without notice.
pub const MAX_BYTES: usize = 54_000;

/// The sequence that puts the text into the clipboard; `None` if it is longer than [`MAX_BYTES`].
pub fn osc52(text: &str) -> Option<String> {
    (text.len() <= MAX_BYTES).then(|| format!("\x1b]52;c;{}\x07", base64(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0u8; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..4 {
            let sextet = (bits >> (18 - 6 * position)) as usize & 63;
            out.push(if position <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_as_the_standard_says() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(osc52("foo").as_deref(), Some("\x1b]52;c;Zm9v\x07"));
        assert_eq!(osc52(&"x".repeat(MAX_BYTES + 1)), None);
    }
}
