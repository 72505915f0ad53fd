//! Sizes as people write them.

/// Why a size could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid size `{text}`: expected a number with a unit, such as 256MiB, 2GiB or 500kB")]
pub struct InvalidSize {
    text: String,
}

/// Reads `256MiB`, `2 GiB`, `500kB` or a number of bytes.
pub fn parse_size(text: &str) -> Result<u64, InvalidSize> {
    let invalid = || InvalidSize { text: text.to_owned() };
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(invalid()),
    };
    let number: u64 = number.parse().map_err(|_| invalid())?;
    number.checked_mul(unit).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        assert_eq!((parse_size("256MiB"), parse_size("2 GiB")), (Ok(256 << 20), Ok(2 << 30)));
        assert_eq!((parse_size("500kB"), parse_size("1048576")), (Ok(500_000), Ok(1 << 20)));
        for bad in ["", "MiB", "-1", "1.5GiB", "99999999999999GiB", "5 parsecs"] {
            assert!(parse_size(bad).is_err(), "{bad:?} was taken");
        }
    }
}
