//! Which days a report is about: a month, a quarter, a half-year, a year, or from one day to another; Danish days.

use jiff::{Timestamp, ToSpan, civil::Date};

use crate::domain::{agreement::copenhagen, figure::Month};

/// A report is about ten years at the most.
const MONTHS_MAX: i32 = 120;

#[derive(Debug, clap::Args)]
pub(super) struct PeriodArgs {
    /// A month, e.g. 2026-11. Without a period: this month.
    #[arg(long, group = "period", value_name = "YYYY-MM", value_parser = month)]
    month: Option<Period>,
    /// A quarter, e.g. 2026-Q4.
    #[arg(long, group = "period", value_name = "YYYY-Qn", value_parser = quarter)]
    quarter: Option<Period>,
    /// A half-year, e.g. 2026-H2.
    #[arg(long, group = "period", value_name = "YYYY-Hn", value_parser = half)]
    half: Option<Period>,
    /// A year, e.g. 2026.
    #[arg(long, group = "period", value_name = "YYYY", value_parser = year)]
    year: Option<Period>,
    /// The first day, e.g. 2026-11-15. Interviews count by whole months.
    #[arg(long, conflicts_with = "period", requires = "to", value_name = "DAY")]
    from: Option<Date>,
    /// The last day.
    #[arg(long, conflicts_with = "period", requires = "from", value_name = "DAY")]
    to: Option<Date>,
}

/// Days from `first` to `last`, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    /// As it was asked for: `2026-11`, `2026-Q4`.
    pub(super) name: String,
    pub(super) first: Date,
    pub(super) last: Date,
}

impl PeriodArgs {
    /// # Errors
    /// A sentence: it ends before it begins, or is longer than ten years.
    pub(super) fn period(&self, now: Timestamp) -> Result<Period, String> {
        let named =
            [&self.month, &self.quarter, &self.half, &self.year].into_iter().flatten().next().cloned();
        let period = match (named, self.from, self.to) {
            (Some(period), ..) => period,
            (None, Some(first), Some(last)) => Period { name: format!("{first} to {last}"), first, last },
            _ => Period::of(&Month::at(now).to_string(), Month::at(now), 1),
        };
        let (first, last) = period.months();
        if period.last < period.first {
            return Err(format!("the period ends on {}, before it begins on {}", period.last, period.first));
        }
        if last.number() - first.number() >= MONTHS_MAX {
            return Err(format!("the period is longer than {MONTHS_MAX} months"));
        }
        Ok(period)
    }
}

impl Period {
    fn of(name: &str, first: Month, months: i32) -> Self {
        Self { name: name.to_owned(), first: first.first_day(), last: first.plus(months - 1).last_day() }
    }

    /// The months that the days lie in.
    pub(super) fn months(&self) -> (Month, Month) {
        (Month::of(self.first), Month::of(self.last))
    }

    /// The first instant, and the first after it.
    pub(super) fn instants(&self) -> (Timestamp, Timestamp) {
        let begins = |day: Date| day.to_zoned(copenhagen()).map_or(Timestamp::MAX, |day| day.timestamp());
        (begins(self.first), begins(self.last.saturating_add(1.day())))
    }
}

/// A year of four digits from 1900 on, and what is written behind it.
fn parts(text: &str) -> Option<(i16, &str)> {
    let (year, rest) = text.split_at_checked(4)?;
    let digits = year.bytes().all(|b| b.is_ascii_digit());
    let year = year.parse().ok().filter(|year| digits && (1900..=9990).contains(year))?;
    Some((year, rest))
}

/// `months` months of `text`, the part of the year being one digit from 1 to `last` behind `letter`.
fn part(text: &str, letter: char, last: i8, months: i8) -> Option<Period> {
    let (year, rest) = parts(text)?;
    let number: i8 =
        rest.strip_prefix('-')?.strip_prefix(letter).filter(|rest| rest.len() == 1)?.parse().ok()?;
    let fits = (1..=last).contains(&number);
    let first = Date::new(year, (number - 1) * months + 1, 1).ok().filter(|_| fits)?;
    Some(Period::of(text, Month::of(first), i32::from(months)))
}

fn month(text: &str) -> Result<Period, &'static str> {
    let found = parts(text).and_then(|(year, rest)| {
        let month =
            rest.strip_prefix('-').filter(|rest| rest.len() == 2 && !rest.starts_with('+'))?.parse().ok()?;
        Date::new(year, month, 1).ok()
    });
    found.map(|day| Period::of(text, Month::of(day), 1)).ok_or("a month is written like 2026-11")
}

fn quarter(text: &str) -> Result<Period, &'static str> {
    part(text, 'Q', 4, 3).ok_or("a quarter is written like 2026-Q4")
}

fn half(text: &str) -> Result<Period, &'static str> {
    part(text, 'H', 2, 6).ok_or("a half-year is written like 2026-H2")
}

fn year(text: &str) -> Result<Period, &'static str> {
    let found = parts(text).filter(|(_, rest)| rest.is_empty());
    let first = found.and_then(|(year, _)| Date::new(year, 1, 1).ok());
    first.map(|day| Period::of(text, Month::of(day), 12)).ok_or("a year is written like 2026")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(period: Result<Period, &'static str>) -> String {
        period.map_or_else(str::to_owned, |p| format!("{}..{}", p.first, p.last))
    }

    #[test]
    fn a_period_is_read_as_it_is_written() {
        assert_eq!(days(month("2024-02")), "2024-02-01..2024-02-29");
        assert_eq!(days(quarter("2026-Q4")), "2026-10-01..2026-12-31");
        assert_eq!(days(half("2026-H2")), "2026-07-01..2026-12-31");
        assert_eq!(days(half("2026-H1")), "2026-01-01..2026-06-30");
        assert_eq!(days(year("2026")), "2026-01-01..2026-12-31");
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "26-11",
            "2026-11-01",
            "2026-Q5",
            "2026-H0",
            "2026-+1",
            "ø026-11",
        ] {
            let all = [month(text), quarter(text), half(text)];
            assert!(all.iter().all(Result::is_err), "{text}: {all:?}");
        }
        assert!(year("20266").is_err() && year("0026").is_err() && quarter("2026-q4").is_err());
    }

    #[test]
    fn a_period_begins_and_ends_at_danish_midnight() {
        let (from, to) = month("2026-10").unwrap().instants();
        assert_eq!(
            (from.to_string(), to.to_string()),
            ("2026-09-30T22:00:00Z".into(), "2026-10-31T23:00:00Z".into())
        );
    }

    fn args(from: &str, to: &str) -> PeriodArgs {
        let day = |text: &str| text.parse().ok();
        PeriodArgs { month: None, quarter: None, half: None, year: None, from: day(from), to: day(to) }
    }

    #[test]
    fn days_are_in_order_and_not_too_many_and_none_are_this_month() {
        let now = "2026-10-31T23:30:00Z".parse().unwrap();
        assert_eq!(args("", "").period(now).unwrap().name, "2026-11");
        assert_eq!(args("2026-11-15", "2026-11-15").period(now).unwrap().months().0.to_string(), "2026-11");
        assert!(args("2026-11-15", "2026-11-14").period(now).unwrap_err().contains("before"));
        assert!(args("2016-11-15", "2026-11-14").period(now).unwrap_err().contains("120"));
    }
}
