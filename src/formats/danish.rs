//! Days and numbers as Danes write them.

use jiff::civil::Date;

const MONTHS: [&str; 12] = [
    "januar",
    "februar",
    "marts",
    "april",
    "maj",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "december",
];

/// `1. februar 2027`
pub fn day(date: Date) -> String {
    let month = MONTHS[usize::from(date.month().unsigned_abs()) - 1];
    format!("{}. {month} {}", date.day(), date.year())
}

/// `1. februar 2027` as a date.
pub fn read_day(words: &str) -> Option<Date> {
    let (day, rest) = words.split_once(". ")?;
    let (month, year) = rest.split_once(' ')?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Date::new(year.parse().ok()?, i8::try_from(month).ok()?, day.parse().ok()?).ok()
}

/// `1234567` as `1.234.567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('.');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_is_read_back_as_it_was_written() {
        for (when, words) in [
            (date(2026, 11, 1), "1. november 2026"),
            (date(2027, 2, 28), "28. februar 2027"),
            (date(2024, 12, 31), "31. december 2024"),
        ] {
            assert_eq!(day(when), words);
            assert_eq!(read_day(words), Some(when));
        }
        for words in ["", "1. nov 2026", "31. februar 2026", "1 november 2026", "1. november"] {
            assert_eq!(read_day(words), None, "{words}");
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1.000"), (12_345_678, "12.345.678")] {
            assert_eq!(thousands(number), shown);
        }
    }
}
