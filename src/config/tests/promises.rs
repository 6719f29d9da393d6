//! Calendars and promises as they are written, and what is wrong with them.

use std::fs;

use jiff::Timestamp;

use super::{SMALL, first};
use crate::{
    config::{self, Invalid, calendar::calendars, from_text, load},
    domain::sla::{Starts, Stops},
};

const OFFICE: &str = "[calendar.office]\nweekdays = [\"08:00-12:00\", \"12:30-15:00\"]\nfriday = [\"08:00-13:00\"]\n\
                      closed = [\"12-24\", \"2026-05-15\"]\nopen = [\"2026-05-29\"]\n";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_calendar_has_windows_for_each_day_and_days_of_its_own() {
    let settings = from_text("site.toml", OFFICE).unwrap();
    let office = &calendars(&settings).unwrap()["office"].calendar;
    let hours = |from: &str, to: &str| office.business_between(at(from), at(to)).unwrap().as_secs() / 60;
    let day =
        |day: &str| hours(&format!("{day}T00:00+01:00"), &format!("{day}T24:00+01:00").replace("T24", "T23"));
    assert_eq!(day("2026-03-03"), 390, "four hours and two and a half");
    assert_eq!(day("2026-03-06"), 300, "Friday is another");
    assert_eq!(day("2026-03-07"), 0);
    assert_eq!(day("2026-12-24"), 0);
    assert_eq!(day("2027-12-24"), 0, "each year");
    assert_eq!(day("2026-05-14"), 0, "Kristi himmelfart");
    assert_eq!(day("2026-05-15"), 0, "this year's");
    assert_eq!(day("2026-05-29"), 300);
    let every = &calendars(&settings).unwrap()["every_day"].calendar;
    assert!(every.is_open_on("2026-12-25".parse().unwrap()), "the one that ships is never closed");
}

#[test]
fn what_else_is_promised_is_read_with_its_start_its_stop_and_its_pause() {
    let text = format!(
        "{OFFICE}[promise.recommendation]\nwithin = \"1 business day\"\ncalendar = \"office\"\nretry_window = \"30d\"\nalso = [\n\
         {{ name = \"receipted\", within = \"1h\", starts = \"delivered\", stops = \"receipt\" }},\n\
         {{ name = \"decided\", within = \"5 business days\", calendar = \"office\", starts = \"delivered\", stops = \"decided\", paused_by = \"missing_information\" }}]\n\
         {SMALL}promises = {{ recommendation = {{ also = [{{ name = \"decided\", within = \"12h\", stops = \"decided\", clause = \"Tilbud\" }}] }} }}\n"
    );
    let settings = from_text("site.toml", &text).unwrap();
    let rules = config::build(&settings, 1).unwrap().rules;
    let general = rules.promise_of("recommendation");
    assert_eq!(general.promise.calendar().unwrap().name, "office");
    assert_eq!(general.promise.terms.basis, "setting promise.recommendation");
    let told = |agreement| {
        let further = rules.further("recommendation", agreement);
        further
            .map(|p| (p.terms.promise.clone(), p.terms.starts.clone(), p.terms.pauses, p.terms.basis.clone()))
            .collect::<Vec<_>>()
    };
    let setting = || "setting promise.recommendation".to_owned();
    let receipted = ("receipted".to_owned(), Starts::Delivered, false, setting());
    assert_eq!(told(None), [receipted.clone(), ("decided".to_owned(), Starts::Delivered, true, setting())]);
    let agreed = ("decided".to_owned(), Starts::Occurred, false, "agreement kbh-3f, Tilbud".to_owned());
    assert_eq!(
        told(rules.agreements.first()),
        [receipted, agreed],
        "the agreement's takes the place of the general one"
    );
    assert!(rules.agreements[0].promise("recommendation").is_none(), "it says nothing of being delivered");
    assert!(rules.awaited.is_empty());
    let awaited = "[promise.placement]\nwithin = \"24h\"\nretry_window = \"30d\"\nalso = [{ name = \"first_interview\", \
                   within = \"14 days\", calendar = \"every_day\", starts = \"registration\", stops = \"interview_record\" }]\n";
    let rules = config::build(&from_text("site.toml", awaited).unwrap(), 1).unwrap().rules;
    assert_eq!(rules.awaited, ["interview_record".to_owned()].into());
    let first = rules.further("placement", None).next().unwrap();
    assert_eq!((first.terms.stops.clone(), first.terms.count), (Stops::Kind("interview_record".into()), 1));
    let three = awaited.replace("stops =", "count = 3, stops =");
    let rules = config::build(&from_text("site.toml", &three).unwrap(), 1).unwrap().rules;
    assert_eq!(rules.further("placement", None).next().unwrap().terms.count, 3);
}

/// Those of one name are one promise.
#[test]
fn what_an_agreement_adds_and_what_is_promised_anyway_fit_one_message_together() {
    let list = |from: u32, count: u32| {
        let entry = |n| format!("{{ name = \"p{n}\", within = \"1h\", stops = \"receipt\" }}");
        (from..from + count).map(entry).collect::<Vec<_>>().join(", ")
    };
    let together = |general: &str, kind: &str, agreed: &str| {
        from_text(
            "site.toml",
            &format!(
                "[promise.{general}]\nwithin = \"24h\"\nretry_window = \"30d\"\nalso = [{}]\n{SMALL}promises = {{ {kind} = {{ also = [{agreed}] }} }}\n",
                list(0, 10)
            ),
        )
    };
    // What has no promise of its own has the general one.
    for (general, kind) in [("recommendation", "recommendation"), ("default", "placement")] {
        assert!(together(general, kind, &list(10, 5)).is_ok());
        assert!(together(general, kind, &list(5, 10)).is_ok(), "five are one promise each");
        let Err(Invalid(problems)) = together(general, kind, &list(10, 6)) else { panic!("16 of {kind}") };
        let told = problems[0].to_string();
        for part in [&*format!("promises.{kind}.also: with what site.toml:"), "these are 16:"] {
            assert!(told.contains(part), "{told}");
        }
    }
    assert!(together("recommendation", "placement", &list(10, 15)).is_ok(), "another kind");
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    let also = |entry: &str| {
        format!("[promise.complaint]\nwithin = \"24h\"\nretry_window = \"never\"\nalso = [{entry}]\n")
    };
    for (text, told) in [
        (
            "[promise.complaint]\nwithin = \"8h\"\ncalendar = \"office\"\nretry_window = \"never\"\n".to_owned(),
            "site.toml:3: promise.complaint.calendar: the promise counts by the calendar \"office\", and there is none of that name: write [calendar.office] (the calendars, config/default.toml (built in):",
        ),
        (
            "[promise.complaint]\nwithin = \"1 business day\"\nretry_window = \"never\"\n".to_owned(),
            "site.toml:2: promise.complaint.within: business days are counted by a calendar",
        ),
        (
            "[promise.complaint]\nwithin = \"1d\"\ncalendar = \"every_day\"\nretry_window = \"never\"\n".to_owned(),
            "site.toml:2: promise.complaint.within: 1d would be so many times 24 open hours",
        ),
        (
            "[promise.complaint]\nwithin = \"2000 days\"\nretry_window = \"never\"\n".to_owned(),
            "promise.complaint.within: \"2000 days\" is no number of days from 1 to 1000",
        ),
        (
            "[promise.complaint]\nwithin = \"24h\"\nstarts = \"delivered\"\nretry_window = \"never\"\n".to_owned(),
            "promise.complaint.starts: the clock of being delivered starts with",
        ),
        (
            also("{ name = \"delivered\", within = \"1h\", stops = \"receipt\" }"),
            "site.toml:4: promise.complaint.also[0].name: \"delivered\" is promised already",
        ),
        (
            also("{ name = \"x\", within = \"1h\", stops = \"receipt\" }, { name = \"x\", within = \"1h\", stops = \"answered\" }"),
            "promise.complaint.also[1].name: \"x\" is promised already",
        ),
        (
            also("{ name = \"x\", within = \"0s\", stops = \"receipt\" }"),
            "promise.complaint.also[0].within: a promise is longer than nothing",
        ),
        (
            also("{ name = \"x\", within = \"1h\", stops = \"delivered\" }"),
            "promise.complaint.also[0].stops: \"delivered\" is neither receipt, answered, decided, closed nor the name of a kind",
        ),
        (
            also("{ name = \"x\", within = \"1h\", stops = \"receipt\", paused_by = \"missing_information\" }"),
            "promise.complaint.also[0].paused_by: a case can only wait",
        ),
        (
            also("{ name = \"x\", within = \"1h\", stops = \"receipt\", count = 3 }"),
            "promise.complaint.also[0].count: so many messages of a kind are counted, from 1 to 100",
        ),
        (
            also("{ name = \"x\", within = \"1h\", stops = \"interview_record\", count = 101 }"),
            "promise.complaint.also[0].count: so many messages of a kind are counted, from 1 to 100",
        ),
        (
            "[promise.job_order]\nwithin = \"24h\"\nretry_window = \"never\"\nalso = [{ name = \"x\", within = \"1h\", stops = \"interview_record\" }]\n".to_owned(),
            "promise.job_order.also[0].stops: messages are found by their citizen, and job_order need not name one",
        ),
        (
            "[calendar.office]\nzone = \"Europe/Kobenhavn\"\nweekdays = [\"08:00-16:00\"]\n".to_owned(),
            "site.toml:2: calendar.office.zone: the time zone is not known",
        ),
        (
            "[calendar.office]\nweekdays = [\"08:00-16:00\", \"15:00-17:00\"]\n".to_owned(),
            "site.toml:1: calendar.office: the windows of a day follow each other without overlap",
        ),
        (
            "[calendar.office]\nweekdays = [\"16:00-08:00\"]\n".to_owned(),
            "site.toml:2: calendar.office.weekdays[0]: \"16:00-08:00\": a window begins before it ends",
        ),
        (
            "[calendar.office]\nweekdays = [\"8-16\"]\n".to_owned(),
            "calendar.office.weekdays[0]: \"8-16\" is no window: write two times of a day",
        ),
        (
            "[calendar.elapsed]\nweekdays = [\"08:00-16:00\"]\n".to_owned(),
            "site.toml:1: calendar.elapsed: \"elapsed\" stands for no calendar",
        ),
        ("[calendar.office]\n".to_owned(), "calendar.office: a calendar has at least one window in its week"),
        (
            "[calendar.office]\nweekdays = [\"08:00-16:00\"]\nopen = [\"2026-10-10\"]\n".to_owned(),
            "site.toml:3: calendar.office.open: 2026-10-10 is a Saturday, and the calendar has no windows on a Saturday",
        ),
        (
            "[calendar.office]\nweekdays = [\"08:00-16:00\"]\nclosed = [\"24-12\"]\n".to_owned(),
            "site.toml:3: calendar.office.closed[0]: \"24-12\" is no day",
        ),
        (
            "[calendar.office]\nsunday = [\"08:00-08:01\"]\n[promise.complaint]\nwithin = \"100h\"\ncalendar = \"office\"\nretry_window = \"never\"\n".to_owned(),
            "promise.complaint.within: the calendar \"office\" has not so much time in ten years",
        ),
    ] {
        let problem = first(&text);
        assert!(problem.contains(told), "{told}\n{problem}");
    }
}

#[test]
fn a_file_of_closed_days_is_read_beside_the_configuration_and_blamed_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.toml");
    fs::write(&path, format!("{OFFICE}ical = \"closed.ics\"\n")).unwrap();
    let Err(Invalid(problems)) = load(Some(&path), &[]) else { panic!("the file is missing") };
    assert!(problems[0].to_string().contains("site.toml:6: calendar.office.ical: "), "{}", problems[0]);
    let event = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260605\nRRULE:FREQ=YEARLY\nEND:VEVENT\n";
    let file = folder.path().join("closed.ics");
    fs::write(&file, format!("BEGIN:VCALENDAR\n{event}END:VCALENDAR\n")).unwrap();
    let settings = load(Some(&path), &[]).unwrap();
    let office = &calendars(&settings).unwrap()["office"];
    assert!(!office.calendar.is_open_on("2030-06-05".parse().unwrap()), "Grundlovsdag");
    assert_ne!(office.id, calendars(&from_text("site.toml", OFFICE).unwrap()).unwrap()["office"].id);
    fs::write(
        &file,
        format!("BEGIN:VCALENDAR\n{event}{event}", event = event.replace("20260605", "tomorrow")),
    )
    .unwrap();
    let Err(Invalid(problems)) = load(Some(&path), &[]) else { panic!("the file is wrong") };
    let told = problems[0].to_string();
    assert!(told.contains("closed.ics:3: calendar.office.ical: \"tomorrow\" is no day"), "{told}");
}

#[test]
fn a_promise_to_the_limit_is_an_agreements_and_has_a_limit_to_last_to() {
    let limit = "name = \"x\", within = \"limit\"";
    let agreed = |kind: &str, entry: &str, group: &str| {
        first(&format!("{SMALL}promises = {{ {kind} = {{ also = [{{ {entry} }}] }} }}\n{group}"))
    };
    let group = "[[agreement.group]]\ncode = \"A\"\nlimit = \"26 weeks\"\nclause = \"4\"\n";
    let whole = format!("{limit}, starts = \"registration\", stops = \"back_referral\"");
    assert_eq!(agreed("placement", &whole, group), "");
    for (found, told) in [
        (
            agreed("placement", &whole, ""),
            "agreement[0].promises.placement.also[0].within: no group of the agreement has a limit",
        ),
        (
            agreed("placement", &whole, "[[agreement.group]]\ncode = \"A\"\nclause = \"4\"\n"),
            "also[0].within: no group of the agreement has a limit",
        ),
        (
            agreed("placement", &format!("{limit}, stops = \"back_referral\""), group),
            "also[0].starts: a limit is counted from the registration",
        ),
        (
            agreed("placement", &format!("{whole}, calendar = \"every_day\""), group),
            "also[0].calendar: a limit is a day and is counted by no calendar",
        ),
        (
            agreed("complaint", &whole, group),
            "also[0].within: a limit is counted from the registration, and complaint does not tell of it",
        ),
        (
            first(&format!("{SMALL}promises = {{ placement = \"limit\" }}\n{group}")),
            "agreement[0].promises.placement.within: that a receiver has a message is promised within a time",
        ),
        (
            first(&format!(
                "[promise.placement]\nwithin = \"24h\"\nretry_window = \"1d\"\nalso = [{{ {whole} }}]\n{SMALL}"
            )),
            "site.toml:4: promise.placement.also[0].within: only an agreement has groups with a limit",
        ),
        (
            first(&format!("[promise.placement]\nwithin = \"limit\"\nretry_window = \"1d\"\n{SMALL}")),
            "site.toml:2: promise.placement.within: only an agreement has groups with a limit",
        ),
    ] {
        assert!(found.contains(told), "{told}\n{found}");
    }
}

#[test]
fn a_promise_by_a_date_names_one_that_the_kind_has() {
    let agreed = |kind: &str, entry: &str| {
        first(&format!("{SMALL}promises = {{ {kind} = {{ also = [{{ name = \"x\", {entry} }}] }} }}\n"))
    };
    let days = "within = \"28 days\", calendar = \"every_day\"";
    let sick = format!("{days}, starts = \"sickReportDate\", stops = \"sickness_follow_up\"");
    let before =
        |more: &str| format!("{more}, starts = \"before transitionDate\", stops = \"handover_report\"");
    assert_eq!(agreed("sickness_follow_up", &sick), "");
    assert_eq!(agreed("risk_notice", &before("within = \"30d\"")), "");
    for (found, told) in [
        (
            agreed("risk_notice", &sick),
            "also[0].starts: \"sickReportDate\" is neither occurred, received, delivered, registration nor a date that each message of kind risk_notice may tell of (transitionDate)",
        ),
        (
            agreed("activation_request", &before("within = \"30d\"")),
            "a date that each message of kind activation_request may tell of (none)",
        ),
        (
            first(&format!(
                "{SMALL}kinds = [\"risk_notice\"]\npromises = {{ risk_notice = {{ also = [{{ name = \"x\", {} }}] }} }}\n",
                before("within = \"30d\"")
            )),
            "also[0].stops: it waits for handover_report, which is not among the kinds it takes (site.toml:",
        ),
        (
            agreed("risk_notice", &before(days)),
            "also[0].within: how long before a date the clock starts is so much time: write \"30d\" or hours",
        ),
        (
            agreed("risk_notice", &before("within = \"30h\", calendar = \"every_day\"")),
            "also[0].calendar: time before a date is elapsed time, by no calendar",
        ),
        (
            agreed(
                "risk_notice",
                "within = \"30d\", starts = \"the transition\", stops = \"handover_report\"",
            ),
            "\"the transition\" starts no clock: write `occurred`, `received`, `delivered`, `registration`, or a date",
        ),
        (
            first(&format!(
                "[promise.risk_notice]\nwithin = \"24h\"\nretry_window = \"1d\"\nstarts = \"transitionDate\"\n{SMALL}"
            )),
            "promise.risk_notice.starts: the clock of being delivered starts with",
        ),
        (
            first(&format!(
                "[promise.default]\nwithin = \"24h\"\nretry_window = \"1d\"\nalso = [{{ name = \"x\", within = \"1h\", starts = \"transitionDate\", stops = \"answered\" }}]\n{SMALL}"
            )),
            "nor a date that each message of kind default may tell of (none)",
        ),
    ] {
        assert!(found.contains(told), "{told}\n{found}");
    }
}
