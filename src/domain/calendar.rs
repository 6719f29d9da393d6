//! Working time: holidays, opening hours and zones; from a budget of time to an instant, and back.
//!
//! Elapsed budgets ("ét døgn") are durations and know no calendar. Business budgets run only while the
//! calendar is open. All arithmetic is on instants; the zone decides only when a day's windows begin and end.

use std::{fmt, str::FromStr, sync::LazyLock};

use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};
use serde::{Deserialize, Serialize};

mod holidays;
pub mod ical;
mod named;

pub use holidays::{ClosedDays, Yearly, easter_sunday, is_public_holiday, public_holidays};
pub use named::Named;

/// Days that a business budget is looked for, and that two instants may lie apart: ten years. Beyond that the
/// calendar is never open, or somebody's clock is wrong.
pub const DAYS_MAX: usize = 3660;

/// Minutes in a day without a change of clocks, and the end of a window that lasts until midnight.
const DAY_MINUTES: u16 = 24 * 60;

/// A part of a day on the local clock, half-open: `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    from: u16,
    to: u16,
}

impl Window {
    /// From and to in minutes after midnight; `to` up to 24:00 (1440).
    ///
    /// # Errors
    /// An empty window, or one past midnight.
    pub fn new(from: u16, to: u16) -> Result<Self, CalendarFault> {
        if from < to && to <= DAY_MINUTES { Ok(Self { from, to }) } else { Err(CalendarFault::Window) }
    }

    /// The window between two whole hours.
    pub fn hours(from: u16, to: u16) -> Result<Self, CalendarFault> {
        Self::new(from.saturating_mul(60), to.saturating_mul(60))
    }

    /// All day.
    pub fn day() -> Self {
        Self { from: 0, to: DAY_MINUTES }
    }
}

impl FromStr for Window {
    type Err = String;

    /// Reads `08:00-15:30`, up to `00:00-24:00`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no window: write two times of a day, such as \"08:00-15:30\"");
        let minutes = |time: &str| -> Option<u16> {
            let (hour, minute) = time.split_once(':')?;
            let two = |digits: &str| {
                let digits =
                    Some(digits).filter(|d| d.len() == 2 && d.bytes().all(|b| b.is_ascii_digit()))?;
                digits.parse::<u16>().ok()
            };
            Some(two(hour)? * 60 + two(minute).filter(|m| *m < 60)?)
        };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minutes(from).ok_or_else(wrong)?, minutes(to).ok_or_else(wrong)?);
        Self::new(from, to).map_err(|fault| format!("{text:?}: {fault}"))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

/// Why a calendar, or a local time in it, cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalendarFault {
    #[error("a window begins before it ends, and ends at 24:00 at the latest")]
    Window,
    #[error("the windows of a day follow each other without overlap")]
    Overlap,
    #[error("a calendar has at least one window in its week")]
    NeverOpen,
    #[error("the time zone is not known")]
    Zone,
    #[error("the clocks go forward over that time: it does not exist")]
    Nonexistent,
    #[error("the clocks go back over that time: it occurs twice, so an offset must be given")]
    Ambiguous,
}

/// The windows of each weekday, Monday first.
pub type Week = [Vec<Window>; 7];

/// When somebody works: a week of windows in a zone, and the days that are closed all the same. Written down, it is
/// what it is made of, so that what was reckoned by it can be reckoned again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Calendar {
    zone: TimeZone,
    zone_name: String,
    week: Week,
    closed: ClosedDays,
}

/// A calendar as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    zone: String,
    week: Week,
    closed: ClosedDays,
}

impl TryFrom<Written> for Calendar {
    type Error = CalendarFault;

    fn try_from(written: Written) -> Result<Self, CalendarFault> {
        Self::new(&written.zone, written.week, written.closed)
    }
}

impl From<Calendar> for Written {
    fn from(calendar: Calendar) -> Self {
        Self { zone: calendar.zone_name, week: calendar.week, closed: calendar.closed }
    }
}

impl Calendar {
    /// A calendar in an IANA zone (`Europe/Copenhagen`).
    ///
    /// # Errors
    /// See [`CalendarFault`].
    pub fn new(zone: &str, week: Week, closed: ClosedDays) -> Result<Self, CalendarFault> {
        let zone_name = zone.to_owned();
        let zone = TimeZone::get(zone).map_err(|_| CalendarFault::Zone)?;
        if week.iter().flat_map(|day| day.windows(2)).any(|pair| pair[0].to > pair[1].from) {
            return Err(CalendarFault::Overlap);
        }
        if week.iter().all(Vec::is_empty) {
            return Err(CalendarFault::NeverOpen);
        }
        Ok(Self { zone, zone_name, week, closed })
    }

    /// Danish office time: the same windows Monday to Friday, closed on public holidays.
    ///
    /// # Errors
    /// See [`CalendarFault`].
    pub fn weekdays(windows: &[Window]) -> Result<Self, CalendarFault> {
        let day = || windows.to_vec();
        let week = [day(), day(), day(), day(), day(), Vec::new(), Vec::new()];
        Self::new("Europe/Copenhagen", week, ClosedDays::public_holidays())
    }

    /// Whether any work is done on a day.
    pub fn is_open_on(&self, date: Date) -> bool {
        !self.windows_of(date).is_empty()
    }

    /// The instant at which `budget` of open time has passed since `start`: the earliest such instant, so that
    /// a budget spent at closing time ends at closing time and not next morning. A budget of zero ends at
    /// `start`.
    ///
    /// `None` for a negative budget, one that [`DAYS_MAX`] days cannot hold, and the end of time.
    pub fn add_business(&self, start: Timestamp, budget: SignedDuration) -> Option<Timestamp> {
        if budget.is_negative() {
            return None;
        }
        if budget.is_zero() {
            return Some(start);
        }
        let mut left = budget;
        for date in self.days_from(start) {
            for (opens, closes) in self.open_times(date?)? {
                let from = opens.max(start);
                let open = closes.duration_since(from);
                if open >= left {
                    return from.checked_add(left).ok();
                }
                left -= open.max(SignedDuration::ZERO);
            }
        }
        None
    }

    /// The close of the `days`-th open day after the day that `start` falls on. That day itself does not count,
    /// open or not (Danish law counts days so), so that a budget of one day from a Friday ends on Monday.
    ///
    /// `None` for no days, for more than [`DAYS_MAX`] days hold, and at the end of time.
    pub fn add_days(&self, start: Timestamp, days: u16) -> Option<Timestamp> {
        let mut left = days;
        for date in self.days_from(start).skip(1) {
            let Some((_, closes)) = self.open_times(date?)?.filter(|(opens, closes)| opens < closes).last()
            else {
                continue;
            };
            left = left.checked_sub(1)?;
            if left == 0 {
                return Some(closes);
            }
        }
        None
    }

    /// The weekdays of the calendar that have windows, as [`is_open_on`](Self::is_open_on) sees them without closed
    /// days.
    pub fn has_windows_on(&self, weekday: Weekday) -> bool {
        !self.week[place(weekday)].is_empty()
    }

    /// The open time between two instants; negative where `to` lies before `from`.
    ///
    /// `None` where they lie more than [`DAYS_MAX`] days apart.
    pub fn business_between(&self, from: Timestamp, to: Timestamp) -> Option<SignedDuration> {
        if to < from {
            return self.business_between(to, from).map(|open| -open);
        }
        let last = self.zone.to_datetime(to).date();
        let mut sum = SignedDuration::ZERO;
        for date in self.days_from(from) {
            let date = date?;
            if date > last {
                return Some(sum);
            }
            for (opens, closes) in self.open_times(date)? {
                let open = closes.min(to).duration_since(opens.max(from));
                sum += open.max(SignedDuration::ZERO);
            }
        }
        None
    }

    /// Reads a local time that came without an offset.
    ///
    /// # Errors
    /// A time that the change of clocks leaves out or repeats: nobody can know which instant is meant.
    pub fn instant(&self, local: DateTime) -> Result<Timestamp, CalendarFault> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                offset.to_timestamp(local).map_err(|_| CalendarFault::Nonexistent)
            }
            AmbiguousOffset::Gap { .. } => Err(CalendarFault::Nonexistent),
            AmbiguousOffset::Fold { .. } => Err(CalendarFault::Ambiguous),
        }
    }

    fn windows_of(&self, date: Date) -> &[Window] {
        if self.closed.includes(date) {
            return &[];
        }
        &self.week[place(date.weekday())]
    }

    /// The local days from an instant's on, [`DAYS_MAX`] of them; `None` at the end of time.
    fn days_from(&self, start: Timestamp) -> impl Iterator<Item = Option<Date>> {
        let mut next = Some(self.zone.to_datetime(start).date());
        (0..DAYS_MAX).map(move |_| {
            let date = next?;
            next = date.tomorrow().ok();
            Some(date)
        })
    }

    /// A day's windows as instants, in order and without overlap.
    fn open_times(&self, date: Date) -> Option<impl Iterator<Item = (Timestamp, Timestamp)>> {
        let windows = self.windows_of(date);
        let times: Option<Vec<_>> = windows
            .iter()
            .map(|window| Some((self.edge(date, window.from)?, self.edge(date, window.to)?)))
            .collect();
        times.map(Vec::into_iter)
    }

    /// The instant of a window's edge. An edge that the clocks leave out falls on the change itself, one that
    /// they repeat on its first occurrence: so edges keep their order, and windows that touch go on touching.
    fn edge(&self, date: Date, minutes: u16) -> Option<Timestamp> {
        let local = if minutes == DAY_MINUTES {
            date.tomorrow().ok()?.to_datetime(Time::midnight())
        } else {
            let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
            date.at(hour, minute, 0, 0)
        };
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                let just_before = after.to_timestamp(local).ok()?;
                self.zone.following(just_before).next().map(|change| change.timestamp())
            }
        }
    }
}

/// A weekday's place in a [`Week`].
fn place(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).expect("a weekday is 0 to 6")
}

/// The instant `elapsed` after `start`: nights, weekends, holidays and changes of clocks have no part in it.
/// `None` past the end of time.
pub fn add_elapsed(start: Timestamp, elapsed: SignedDuration) -> Option<Timestamp> {
    start.checked_add(elapsed).ok()
}

static COPENHAGEN: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/Copenhagen").expect("the zones are compiled into the program"));

/// The zone of Danish law and Danish readers.
pub fn copenhagen() -> &'static TimeZone {
    &COPENHAGEN
}

/// An instant as Danish clocks show it.
pub fn in_denmark(instant: Timestamp) -> Zoned {
    instant.to_zoned(COPENHAGEN.clone())
}

/// The day an instant falls on in Denmark.
pub fn copenhagen_date(instant: Timestamp) -> Date {
    COPENHAGEN.to_datetime(instant).date()
}

/// Whether a day is a Saturday or Sunday.
pub fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests;
