//! Sizes as people write them.

/// Text that is no size.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SizeError {
    #[error("{0:?} is not a size; write for example 512K, 64M or 1.5GiB")]
    NotASize(String),
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Bytes: `K M G T P` and `KiB MiB …` are steps of 1024, `KB MB …` steps of 1000, a bare number or `B` is bytes. Case does
/// not matter; fractions are allowed and what is less than a byte is dropped.
///
/// # Errors
/// If it is none of these, or more than 64 bits hold.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let not_a_size = || SizeError::NotASize(text.into());
    let too_large = || SizeError::TooLarge(text.into());
    let trimmed = text.trim();
    let digits_end = trimmed.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(not_a_size());
    }
    let unit = unit_bytes(unit.trim_start()).ok_or_else(not_a_size)?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_large())? };
    // More digits than these are less than a byte of any unit.
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10u128.pow(fraction.len() as u32);
    let part = fraction.parse().unwrap_or(0u128) * u128::from(unit) / scale;
    whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part as u64)).ok_or_else(too_large)
}

fn unit_bytes(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let (prefix, step) = match unit.strip_suffix('b') {
        Some("") => return Some(1),
        Some(rest) => rest.strip_suffix('i').map_or((rest, 1000u64), |prefix| (prefix, 1024)),
        None => (&unit[..], 1024),
    };
    let power = ["", "k", "m", "g", "t", "p"].iter().position(|&known| known == prefix)?;
    (power > 0 || unit.is_empty()).then(|| step.pow(power as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_1024_and_of_1000() {
        for (text, bytes) in [
            ("0", 0),
            ("100", 100),
            ("100b", 100),
            ("10K", 10_240),
            ("10k", 10_240),
            ("10KiB", 10_240),
            ("10kb", 10_000),
            ("64M", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("1.5 GB", 1_500_000_000),
            (" 2T ", 2 << 40),
            ("1P", 1 << 50),
            (".5K", 512),
            ("5.", 5),
            ("0.9", 0),
            ("0.3333333333333333333333333333K", 341),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_size_says_so() {
        for text in
            ["", " ", ".", "K", "x", "10X", "10iB", "10i", "1.2.3", "-1", "+1", "1e3", "10 K B", "10KiBs", "ä", "1,5M"]
        {
            assert_eq!(parse_size(text), Err(SizeError::NotASize(text.into())), "{text:?}");
        }
        for text in ["18446744073709551616", "16777216T", "16383.9999999999999999999999999P99999999999", "99999P"] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
        assert_eq!(parse_size("16777216T"), Err(SizeError::TooLarge("16777216T".into())));
    }
}
