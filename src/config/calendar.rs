//! Calendars as people write them: `[calendar.<name>]`, with an iCalendar file beside it where there is one.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use jiff::civil::{Date, Weekday};
use serde::Deserialize;

use super::{File, Problem, Settings, files::whole_path, layers::Layers, loaded::Beside};
use crate::domain::calendar::{self, CalendarFault, ClosedDays, Named, Week, Window, Yearly, ical};

/// Every calendar of a configuration, by its name.
pub type Calendars = BTreeMap<String, Arc<Named>>;

/// The days of single years that a calendar lists, at the most.
const DAYS_MAX: usize = 5_000;

/// One `[calendar.<name>]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    #[serde(default = "denmark")]
    pub zone: String,
    /// Monday to Friday, where a day has no windows of its own.
    #[serde(default)]
    pub weekdays: Vec<Window>,
    pub monday: Option<Vec<Window>>,
    pub tuesday: Option<Vec<Window>>,
    pub wednesday: Option<Vec<Window>>,
    pub thursday: Option<Vec<Window>>,
    pub friday: Option<Vec<Window>>,
    #[serde(default)]
    pub saturday: Vec<Window>,
    #[serde(default)]
    pub sunday: Vec<Window>,
    #[serde(default)]
    pub holidays: Holidays,
    #[serde(default)]
    pub closed: Vec<ClosedDay>,
    /// Open all the same: it overrides holidays, `closed` and the file.
    #[serde(default)]
    pub open: Vec<Date>,
    /// Seen from the folder of the file that names it.
    pub ical: Option<PathBuf>,
    /// What the file says, once it is read.
    #[serde(skip)]
    days: ical::Days,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holidays {
    #[default]
    Danish,
    None,
}

/// A day of one year (`2026-12-24`), or of each (`12-24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ClosedDay {
    Once(Date),
    Yearly(i8, i8),
}

impl TryFrom<String> for ClosedDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // A leap year has every day that comes at all.
        let yearly =
            format!("2024-{text}").parse::<Date>().map(|date| Self::Yearly(date.month(), date.day()));
        let once = text.parse::<Date>().map(Self::Once);
        once.or(yearly).map_err(|_| format!("{text:?} is no day: write 2026-12-24, or 12-24 for each year"))
    }
}

fn denmark() -> String {
    "Europe/Copenhagen".to_owned()
}

impl Calendar {
    /// What it comes to.
    ///
    /// # Errors
    /// The zone is not known, windows overlap, or it is never open.
    pub fn build(&self) -> Result<calendar::Calendar, CalendarFault> {
        let working = |own: &Option<Vec<Window>>| own.clone().unwrap_or_else(|| self.weekdays.clone());
        let days = [&self.monday, &self.tuesday, &self.wednesday, &self.thursday, &self.friday];
        let [monday, tuesday, wednesday, thursday, friday] = days.map(working);
        let week: Week =
            [monday, tuesday, wednesday, thursday, friday, self.saturday.clone(), self.sunday.clone()];
        let mut closed = ClosedDays {
            public_holidays: self.holidays == Holidays::Danish,
            others: self.days.once.clone(),
            yearly: self.days.yearly.clone(),
            opened: self.days.except.iter().chain(&self.open).copied().collect(),
            ..ClosedDays::default()
        };
        for day in &self.closed {
            match *day {
                ClosedDay::Once(date) => {
                    closed.others.insert(date);
                }
                ClosedDay::Yearly(month, day) => {
                    closed.yearly.push(Yearly { month, day, days: 1, first: 0, last: 9998 });
                }
            }
        }
        calendar::Calendar::new(&self.zone, week, closed)
    }
}

/// Every calendar, built.
///
/// # Errors
/// A sentence that names the setting.
pub fn calendars(settings: &Settings) -> Result<Calendars, String> {
    let named = settings.calendar.iter().map(|(name, calendar)| {
        let calendar = calendar.build().map_err(|fault| format!("calendar.{name}: {fault}"))?;
        Ok((name.clone(), Arc::new(Named::new(name.clone(), calendar))))
    });
    named.collect()
}

/// Reads the files that calendars name, from where those of the configuration are read. What is wrong in one is told
/// with its own line.
pub(super) fn read_files(settings: &mut Settings, layers: &Layers) -> (Vec<Beside>, Vec<Problem>) {
    let (mut beside, mut problems) = (Vec::new(), Vec::new());
    for (name, calendar) in &mut settings.calendar {
        let Some(path) = &calendar.ical else { continue };
        let key = format!("calendar.{name}.ical");
        let here = layers.at(&key);
        let path =
            PathBuf::from(&here.file).parent().map_or_else(|| path.clone(), |folder| folder.join(path));
        let read = layers.files.read_within(&path, ical::BYTES_MAX);
        match read.map(|text| (ical::read(&text), text)) {
            Ok((Ok(days), text)) => {
                calendar.days = days;
                beside.push(Beside { setting: key, file: File { path: whole_path(&path), text } });
            }
            Ok((Err(wrong), _)) => problems.push(Problem {
                file: path.display().to_string(),
                line: Some(wrong.line),
                key,
                problem: wrong.problem,
                suggestion: None,
            }),
            Err(error) => problems.push(Problem { problem: format!("{}: {error}", path.display()), ..here }),
        }
    }
    (beside, problems)
}

/// What is wrong with calendars by themselves.
pub(super) fn check(settings: &Settings, check: &mut super::check::Check<'_>) {
    for (name, calendar) in &settings.calendar {
        let key = format!("calendar.{name}");
        if !super::promise::is_name(name) {
            check.problem(&key, super::promise::NAME);
        }
        if name == super::promise::ELAPSED {
            check.problem(&key, "\"elapsed\" stands for no calendar: give it another name");
        }
        let built = match calendar.build() {
            Ok(built) => built,
            Err(fault) => {
                let key = if fault == CalendarFault::Zone { format!("{key}.zone") } else { key };
                check.problem(key, fault.to_string());
                continue;
            }
        };
        if calendar.closed.len() + calendar.open.len() + calendar.days.once.len() > DAYS_MAX {
            check.problem(&key, format!("it lists more than {DAYS_MAX} days"));
        }
        for date in calendar.open.iter().filter(|date| !built.has_windows_on(date.weekday())) {
            let weekday = weekday(date.weekday());
            let problem = format!("{date} is a {weekday}, and the calendar has no windows on a {weekday}");
            check.problem(format!("{key}.open"), problem);
        }
    }
}

fn weekday(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
