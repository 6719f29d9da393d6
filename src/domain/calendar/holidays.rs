//! Danish public holidays, and the days that many a workplace is closed besides.

use std::collections::BTreeSet;

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

/// The last year in which Store bededag was a public holiday (abolished from 2024).
const STORE_BEDEDAG_LAST: i16 = 2023;

/// Easter Sunday of a year of the Gregorian calendar, by the anonymous (Meeus/Jones/Butcher) algorithm.
/// `None` for years before 1583, when the calendar began, and after 9999.
pub fn easter_sunday(year: i16) -> Option<Date> {
    if year < 1583 {
        return None;
    }
    let year_number = i32::from(year);
    let golden = year_number % 19;
    let (century, of_century) = (year_number / 100, year_number % 100);
    let moon_correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - moon_correction + 15) % 30;
    let to_sunday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * to_sunday) / 451;
    let days = epact + to_sunday - 7 * late + 114;
    let (month, day) = (i8::try_from(days / 31).ok()?, i8::try_from(days % 31 + 1).ok()?);
    Date::new(year, month, day).ok()
}

/// Whether a day is a Danish public holiday (helligdag). Sundays are not holidays by themselves.
pub fn is_public_holiday(date: Date) -> bool {
    if matches!((date.month(), date.day()), (1, 1) | (12, 25 | 26)) {
        return true;
    }
    let Some(easter) = easter_sunday(date.year()) else {
        return false;
    };
    let Ok(after_easter) = date.since(easter).map(|span| span.get_days()) else {
        return false;
    };
    match after_easter {
        // Skærtorsdag, langfredag, påskedag, 2. påskedag, Kristi himmelfart, pinsedag, 2. pinsedag.
        -3 | -2 | 0 | 1 | 39 | 49 | 50 => true,
        // Store bededag, the fourth Friday after Easter.
        26 => date.year() <= STORE_BEDEDAG_LAST,
        _ => false,
    }
}

/// Days that come again each year: so many from a day of a month on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Yearly {
    pub month: i8,
    pub day: i8,
    /// At least 1.
    pub days: u16,
    /// The first and the last year in which they begin.
    pub first: i16,
    pub last: i16,
}

impl Yearly {
    /// A year that lacks the first day (29 February) is passed over.
    fn includes(self, date: Date) -> bool {
        [date.year(), date.year() - 1].into_iter().filter(|year| (self.first..=self.last).contains(year)).any(
            |year| {
                let since = Date::new(year, self.month, self.day).and_then(|first| date.since(first));
                since.is_ok_and(|since| (0..i32::from(self.days)).contains(&since.get_days()))
            },
        )
    }
}

/// The days that a calendar is closed whatever its week says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, not a state")]
pub struct ClosedDays {
    pub public_holidays: bool,
    /// 1 May, the workers' day.
    pub may_first: bool,
    /// 5 June, Grundlovsdag.
    pub constitution_day: bool,
    /// 24 December.
    pub christmas_eve: bool,
    /// 31 December.
    pub new_years_eve: bool,
    /// Days of this workplace alone.
    pub others: BTreeSet<Date>,
    /// The same, each year.
    pub yearly: Vec<Yearly>,
    /// Days on which it works all the same.
    pub opened: BTreeSet<Date>,
}

impl ClosedDays {
    /// Closed on public holidays and on no other day.
    pub fn public_holidays() -> Self {
        Self { public_holidays: true, ..Self::default() }
    }

    pub fn includes(&self, date: Date) -> bool {
        let fixed = match (date.month(), date.day()) {
            (5, 1) => self.may_first,
            (6, 5) => self.constitution_day,
            (12, 24) => self.christmas_eve,
            (12, 31) => self.new_years_eve,
            _ => false,
        };
        let closed = fixed
            || self.others.contains(&date)
            || (self.public_holidays && is_public_holiday(date))
            || self.yearly.iter().any(|yearly| yearly.includes(date));
        closed && !self.opened.contains(&date)
    }
}

/// The public holidays of a year, in order.
pub fn public_holidays(year: i16) -> impl Iterator<Item = Date> {
    let first = Date::new(year, 1, 1).ok();
    let days = first
        .into_iter()
        .flat_map(move |first| first.series(1.day()).take_while(move |date| date.year() == year));
    days.filter(|date| is_public_holiday(*date))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_public_holidays_are_those_of_the_almanac() {
        let days = |year: i16| {
            public_holidays(year)
                .map(|d| format!("{:02}-{:02}", d.month(), d.day()))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(days(2023), "01-01 04-06 04-07 04-09 04-10 05-05 05-18 05-28 05-29 12-25 12-26");
        assert_eq!(days(2024), "01-01 03-28 03-29 03-31 04-01 05-09 05-19 05-20 12-25 12-26");
        assert_eq!(days(2025), "01-01 04-17 04-18 04-20 04-21 05-29 06-08 06-09 12-25 12-26");
        assert_eq!(days(2026), "01-01 04-02 04-03 04-05 04-06 05-14 05-24 05-25 12-25 12-26");
        assert_eq!(days(2027), "01-01 03-25 03-26 03-28 03-29 05-06 05-16 05-17 12-25 12-26");
    }

    #[test]
    fn store_bededag_is_a_holiday_until_2023() {
        assert!(is_public_holiday(date(2023, 5, 5)));
        assert!(!is_public_holiday(date(2024, 4, 26)));
    }

    #[test]
    fn easter_is_found_for_its_earliest_and_latest_days() {
        for (year, easter) in [
            (1818, date(1818, 3, 22)),
            (1943, date(1943, 4, 25)),
            (1954, date(1954, 4, 18)),
            (1981, date(1981, 4, 19)),
            (2000, date(2000, 4, 23)),
            (2038, date(2038, 4, 25)),
            (2285, date(2285, 3, 22)),
        ] {
            assert_eq!(easter_sunday(year), Some(easter));
        }
        assert_eq!(easter_sunday(1582), None);
    }

    #[test]
    fn a_workplace_chooses_its_other_closed_days() {
        let days =
            [date(2026, 5, 1), date(2026, 6, 5), date(2026, 12, 24), date(2026, 12, 31), date(2026, 10, 12)];
        let none = ClosedDays::public_holidays();
        assert!(days.iter().all(|day| !none.includes(*day)));
        let all = ClosedDays {
            public_holidays: false,
            may_first: true,
            constitution_day: true,
            christmas_eve: true,
            new_years_eve: true,
            others: BTreeSet::from([date(2026, 10, 12)]),
            ..ClosedDays::default()
        };
        assert!(days.iter().all(|day| all.includes(*day)));
        assert!(!all.includes(date(2026, 12, 25)));
    }

    #[test]
    fn what_comes_each_year_comes_in_its_years_and_over_new_year() {
        let yearly = vec![
            Yearly { month: 12, day: 27, days: 7, first: 2024, last: 2026 },
            Yearly { month: 2, day: 29, days: 1, first: 2024, last: 9999 },
        ];
        let closed =
            ClosedDays { yearly, opened: BTreeSet::from([date(2025, 12, 30)]), ..ClosedDays::default() };
        for (day, expected) in [
            (date(2023, 12, 27), false),
            (date(2024, 12, 26), false),
            (date(2024, 12, 27), true),
            (date(2025, 1, 2), true),
            (date(2025, 1, 3), false),
            (date(2025, 12, 30), false),
            (date(2027, 1, 2), true),
            (date(2027, 12, 27), false),
            (date(2024, 2, 29), true),
            (date(2025, 3, 1), false),
            (date(2028, 2, 29), true),
        ] {
            assert_eq!(closed.includes(day), expected, "{day}");
        }
    }
}
