//! Numbers that are kept exactly or refused, never rounded.

use serde_json::Number;

/// Why a text is not a number that the gateway keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFault {
    /// Not a number by the grammar of JSON (RFC 8259).
    NotANumber,
    /// A number that neither 64 bits of integer nor a double holds exactly.
    NotExact,
}

/// Reads a number by JSON's grammar.
///
/// One number has one form: whatever is whole and fits 64 bits becomes an integer, however it was written
/// (`1.0`, `10e-1`, `-0`), so that equal numbers are equal values. A decimal fraction is exact where the
/// shortest decimal that names its double is the decimal that came, which holds for all of up to 15 digits.
///
/// # Errors
/// See [`NumberFault`].
pub fn parse(text: &str) -> Result<Number, NumberFault> {
    if prefix_len(text.as_bytes()) != Some(text.len()) || text.is_empty() {
        return Err(NumberFault::NotANumber);
    }
    read(text)
}

/// Reads a text that [`prefix_len`] has measured.
pub fn read(text: &str) -> Result<Number, NumberFault> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(whole.into());
        }
        return text.parse::<u64>().map(Number::from).map_err(|_| NumberFault::NotExact);
    }
    let decimal = Decimal::read(text).ok_or(NumberFault::NotExact)?;
    if let Some(whole) = decimal.whole() {
        return Ok(whole);
    }
    let double: f64 = text.parse().map_err(|_| NumberFault::NotANumber)?;
    if decimal.is_certainly_exact() || Decimal::read(&format!("{double:e}")) == Some(decimal) {
        return Number::from_f64(double).ok_or(NumberFault::NotExact);
    }
    Err(NumberFault::NotExact)
}

/// How many bytes at the front are a number by JSON's grammar; `None` where there is none.
pub fn prefix_len(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at += match bytes.get(at)? {
        b'0' => 1,
        b'1'..=b'9' => digits(at),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        if count == 0 {
            return None;
        }
        at += 1 + count;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let count = digits(at + 1 + sign);
        if count == 0 {
            return None;
        }
        at += 1 + sign + count;
    }
    Some(at)
}

/// `±digits × 10^exponent`, without zeros at either end of the digits; zero is `0 × 10^0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: u64,
    exponent: i64,
}

impl Decimal {
    /// `None` where there are more digits than 64 bits hold, which a double would round anyway.
    fn read(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (mut digits, mut zeros, mut places) = (0u64, 0u32, 0i64);
        for (index, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
            let after_point = index >= whole.len();
            if byte == b'0' {
                // A zero counts only once another digit follows it.
                zeros += u32::from(digits != 0);
            } else {
                let scale = 10u64.checked_pow(zeros + 1)?;
                digits = digits.checked_mul(scale)?.checked_add(u64::from(byte - b'0'))?;
                zeros = 0;
            }
            places += i64::from(after_point);
        }
        if digits == 0 {
            return Some(Self { negative: false, digits: 0, exponent: 0 });
        }
        // An exponent too long for 64 bits is far outside what a double holds.
        let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
        let exponent = exponent.checked_sub(places)?.checked_add(i64::from(zeros))?;
        Some(Self { negative, digits, exponent })
    }

    fn whole(self) -> Option<Number> {
        let scale = 10u64.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let magnitude = self.digits.checked_mul(scale)?;
        if self.negative {
            0i64.checked_sub_unsigned(magnitude).map(Number::from)
        } else {
            Some(magnitude.into())
        }
    }

    /// Up to 15 digits well inside the range of doubles: no two such decimals share a double.
    fn is_certainly_exact(self) -> bool {
        self.digits < 1_000_000_000_000_000 && (-290..=290).contains(&self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_numbers_have_one_form() {
        for (text, form) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0e5", "0"),
            ("0e999999999999999999999", "0"),
            ("1.0", "1"),
            ("10e-1", "1"),
            ("1e2", "100"),
            ("1.50", "1.5"),
            ("0.1", "0.1"),
            ("37.5", "37.5"),
            ("-12.25e1", "-122.5"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("5e-324", "5e-324"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), form, "{text}");
        }
    }

    #[test]
    fn what_would_be_rounded_is_refused() {
        for text in [
            "12345678901234567890123",
            "18446744073709551616",
            "-9223372036854775809",
            "0.1234567890123456789",
            "1.00000000000000000001",
            "9007199254740993.5",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "4e-324",
        ] {
            assert_eq!(parse(text), Err(NumberFault::NotExact), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_said_to_be_none() {
        for text in [
            "", "-", "+1", "01", ".5", "1.", "1e", "1e+", "NaN", "Infinity", "0x10", "1 ", " 1", "1,5",
            "--1", "1-", "١",
        ] {
            assert_eq!(parse(text), Err(NumberFault::NotANumber), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_double_written_shortest_is_read_back(double in proptest::num::f64::NORMAL) {
            let text = format!("{double:e}");
            prop_assert_eq!(parse(&text).unwrap().as_f64(), Some(double));
        }

        #[test]
        fn every_integer_is_read_back(whole in any::<i64>()) {
            prop_assert_eq!(parse(&whole.to_string()).unwrap().as_i64(), Some(whole));
        }
    }
}
