//! How durations and digests are written: `250ms`, `30s`, `1m`, `2h`, `7d`, and hexadecimal.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// The longest duration a setting may hold: 1000 days. More is a slip of the hand.
pub const DURATION_MAX: Duration = Duration::from_hours(24_000);

/// The units, longest first, so that writing picks the roundest.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a whole number with one unit: `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// A sentence that says what is expected: the text is no such thing, or lies over [`DURATION_MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let unit = unit.trim_start();
    let wrong =
        || format!("{text:?} is not a duration: write a whole number and ms, s, m, h or d, such as \"30s\"");
    let milliseconds = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    let duration = digits
        .parse::<u64>()
        .map_err(|_| wrong())?
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .filter(|d| *d <= DURATION_MAX);
    duration.ok_or_else(|| format!("{text:?} is longer than 1000 days"))
}

/// The duration as [`parse_duration`] reads it, in the largest unit that keeps it whole. Parts of a
/// millisecond are dropped.
pub fn duration_text(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (name, size) = UNITS
        .iter()
        .find(|(_, size)| milliseconds != 0 && milliseconds % size == 0)
        .copied()
        .unwrap_or(("s", 1000));
    format!("{}{name}", milliseconds / size)
}

/// The bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// For `#[serde(with = "units::duration")]`.
pub mod duration {
    use super::{Deserialize, Deserializer, Duration, Serializer, duration_text, parse_duration};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        parse_duration(&text).map_err(serde::de::Error::custom)
    }

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration_text(*duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_whole_number_and_a_unit() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1m", 60_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            (" 5 s", 5000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_a_sentence() {
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "30 sec",
            "1001d",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_byte_is_two_digits() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for text in ["250ms", "30s", "1m", "90s", "2h", "7d", "0s"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
    }
}
