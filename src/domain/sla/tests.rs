//! Steps, standings, and budgets over nights, weekends and changes of clocks.

use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::domain::calendar::{Calendar, ClosedDays, Named, Week, Window};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day() -> Promise {
    Promise::elapsed(DELIVERED, SignedDuration::from_hours(24))
}

/// 8 to 12 and 12:30 to 16:30 on Danish working days: eight hours a day.
fn office() -> Arc<Named> {
    let day = || ["08:00-12:00", "12:30-16:30"].map(|w| w.parse::<Window>().unwrap());
    Arc::new(Named::new("office", Calendar::weekdays(&day()).unwrap()))
}

fn every_day() -> Arc<Named> {
    let day = || vec![Window::day()];
    let week: Week = [day(), day(), day(), day(), day(), day(), day()];
    Arc::new(Named::new(
        "every_day",
        Calendar::new("Europe/Copenhagen", week, ClosedDays::default()).unwrap(),
    ))
}

fn business(within: Within, calendar: Arc<Named>) -> Promise {
    let terms = Terms {
        promise: "decided".into(),
        within,
        stops: Stops::Decided,
        ..Promise::elapsed("x", SignedDuration::ZERO).terms
    };
    Promise::new(terms, Some(calendar))
}

#[test]
fn a_day_is_24_elapsed_hours_over_both_nights_of_daylight_saving() {
    for (start, due) in [
        ("2025-03-29T14:00+01:00", "2025-03-30T15:00+02:00"),
        ("2025-10-25T14:00+02:00", "2025-10-26T13:00+01:00"),
        ("2025-10-25T02:30+02:00", "2025-10-26T02:30+02:00"),
    ] {
        assert_eq!(day().start(at(start)).due, at(due), "{start}");
    }
}

#[test]
fn a_message_that_waited_twenty_hours_has_passed_two_steps() {
    let course = day().start(at("2026-11-01T00:00Z"));
    let due: Vec<_> = course.steps_due(0, at("2026-11-01T20:00Z")).collect();
    assert_eq!(due, [(50, at("2026-11-01T12:00Z")), (75, at("2026-11-01T18:00Z"))]);
    assert_eq!(course.next_step(75), Some((90, at("2026-11-01T21:36Z"))));
}

#[test]
fn a_step_has_come_at_its_very_instant_and_not_before() {
    let course = day().start(at("2026-11-01T00:00Z"));
    for step in STEPS {
        let instant = course.step_instant(step);
        assert_eq!(course.passed(instant), step);
        assert_ne!(course.passed(instant - SignedDuration::from_nanos(1)), step);
    }
}

#[test]
fn a_breached_promise_has_no_further_step() {
    assert_eq!(day().start(Timestamp::UNIX_EPOCH).next_step(100), None);
}

#[test]
fn a_promise_met_in_time_is_met_and_stays_so() {
    let course = day().start(Timestamp::UNIX_EPOCH);
    let hours = |h| Timestamp::from_second(h * 3600).unwrap();
    let standing =
        |met: Option<i64>, unmet, now| Standing::of(course, met.map(hours), unmet, false, hours(now));
    assert_eq!(standing(None, None, 17), Standing::OnTrack);
    assert_eq!(standing(None, None, 18), Standing::AtRisk);
    assert_eq!(standing(None, None, 24), Standing::Breached);
    assert_eq!(standing(Some(24), None, 99), Standing::Met);
    assert_eq!(standing(Some(25), None, 99), Standing::MetLate);
    assert_eq!(standing(None, Some(Unmet::Ended), 99), Standing::Ended);
    assert_eq!(standing(None, Some(Unmet::Waived), 99), Standing::Waived);
    assert_eq!(Standing::of(course, None, None, true, hours(99)), Standing::Paused);
}

#[test]
fn half_of_eight_business_hours_is_four_business_hours() {
    let eight = business(Within::Time(SignedDuration::from_hours(8)), office());
    // Wednesday before Easter 2026 at 14:30: two hours that day, six on the Tuesday after it.
    let course = eight.start(at("2026-04-01T14:30:00+02:00"));
    assert_eq!(course.due, at("2026-04-07T14:30:00+02:00"));
    let shares = ["2026-04-07T10:00:00+02:00", "2026-04-07T12:00:00+02:00", "2026-04-07T13:42:00+02:00"];
    assert_eq!(course.shares, Some(shares.map(at)));
    assert_eq!(course.passed(at("2026-04-07T09:59:59+02:00")), 0, "a weekend warns of nothing");
}

#[test]
fn a_business_day_ends_at_the_close_of_the_day_after() {
    for (start, days, due) in [
        // Monday to Tuesday, Friday to Monday, a night and a Sunday like the day they fall on.
        ("2026-03-02T10:00:00+01:00", 1, "2026-03-03T16:30:00+01:00"),
        ("2026-03-06T16:00:00+01:00", 1, "2026-03-09T16:30:00+01:00"),
        ("2026-03-08T10:00:00+01:00", 1, "2026-03-09T16:30:00+01:00"),
        ("2026-03-02T23:59:59+01:00", 5, "2026-03-09T16:30:00+01:00"),
        // Over Store bededag: a holiday in 2023, a working day after it.
        ("2023-05-04T10:00:00+02:00", 1, "2023-05-08T16:30:00+02:00"),
        ("2024-04-25T10:00:00+02:00", 1, "2024-04-26T16:30:00+02:00"),
        // Over New Year, a leap day and the change of clocks.
        ("2026-12-30T10:00:00+01:00", 2, "2027-01-04T16:30:00+01:00"),
        ("2024-02-28T10:00:00+01:00", 1, "2024-02-29T16:30:00+01:00"),
        ("2026-03-27T10:00:00+01:00", 1, "2026-03-30T16:30:00+02:00"),
    ] {
        assert_eq!(
            business(Within::Days(days), office()).start(at(start)).due,
            at(due),
            "{days} from {start}"
        );
    }
    // Days of a calendar that never closes are days of the almanac: 23 and 25 hours long, and the first not counted.
    let fortnight = business(Within::Days(14), every_day());
    assert_eq!(fortnight.start(at("2026-03-20T00:00:00+01:00")).due, at("2026-04-04T00:00:00+02:00"));
    assert_eq!(fortnight.start(at("2026-10-20T23:00:00+02:00")).due, at("2026-11-04T00:00:00+01:00"));
}

#[test]
fn what_stood_still_has_as_much_left_as_before() {
    let plain = Promise::elapsed("decided", SignedDuration::from_hours(24));
    let course = plain.start(at("2026-11-02T00:00Z"));
    let later = plain.resumed(&course, at("2026-11-02T10:00Z"), at("2026-11-02T15:00Z"));
    assert_eq!(later.due, at("2026-11-03T05:00Z"));
    let shares = ["2026-11-02T17:00Z", "2026-11-02T23:00Z", "2026-11-03T02:36Z"].map(at);
    assert_eq!(later.shares, Some(shares));
    // A second time, from what the first left.
    let twice = plain.resumed(&later, at("2026-11-02T20:00Z"), at("2026-11-02T21:00Z"));
    assert_eq!((twice.due, twice.step_instant(50)), (at("2026-11-03T06:00Z"), at("2026-11-02T17:00Z")));
    // In business time: paused with six of eight hours left, over a weekend.
    let eight = business(Within::Time(SignedDuration::from_hours(8)), office());
    let course = eight.start(at("2026-03-05T14:30:00+01:00"));
    let later = eight.resumed(&course, at("2026-03-05T20:00:00+01:00"), at("2026-03-08T12:00:00+01:00"));
    assert_eq!(later.due, at("2026-03-09T14:30:00+01:00"));
    assert_eq!(later.step_instant(50), at("2026-03-09T10:00:00+01:00"));
    // What is never due is not due for having waited, and comes back from a table the same.
    for promise in [plain, eight] {
        let course = promise.start(at("9999-12-30T20:00Z"));
        assert_eq!(course.due, Timestamp::from_microsecond(course.due.as_microsecond()).unwrap());
        assert_eq!(promise.resumed(&course, at("9999-12-30T20:10Z"), at("9999-12-30T20:20Z")), course);
    }
}

#[test]
fn terms_are_read_back_as_they_were() {
    for promise in [day(), business(Within::Days(5), office())] {
        let text = serde_json::to_string(&promise.terms).unwrap();
        assert_eq!(serde_json::from_str::<Terms>(&text).unwrap(), promise.terms);
    }
    let kind = Terms { stops: Stops::Kind("interview_record".into()), ..day().terms };
    let text = serde_json::to_string(&kind).unwrap();
    assert_eq!(serde_json::from_str::<Terms>(&text).unwrap(), kind);
    let named = office();
    let again: Calendar = serde_json::from_str(named.written()).unwrap();
    assert_eq!(Named::new("office", again), *named);
}

/// Instants around changes of clocks, leap days, Easter, Store bededag and new years.
fn awkward() -> impl Strategy<Value = Timestamp> {
    const DAYS: &[&str] = &[
        "2023-05-05",
        "2024-02-29",
        "2024-04-26",
        "2025-03-30",
        "2025-10-26",
        "2026-03-29",
        "2026-04-02",
        "2026-10-25",
        "2027-01-01",
    ];
    (proptest::sample::select(DAYS), -400_000i64..400_000)
        .prop_map(|(day, seconds)| at(&format!("{day}T01:00:00Z")) + SignedDuration::from_secs(seconds))
}

fn any_promise() -> impl Strategy<Value = Promise> {
    let time = |seconds| Within::Time(SignedDuration::from_secs(seconds));
    prop_oneof![
        (1i64..800_000).prop_map(|s| Promise::elapsed("decided", SignedDuration::from_secs(s))),
        (1i64..300_000).prop_map(move |s| business(time(s), office())),
        (1u16..30).prop_map(|days| business(Within::Days(days), office())),
        (1u16..30).prop_map(|days| business(Within::Days(days), every_day())),
    ]
}

proptest! {
    #[test]
    fn steps_come_in_order_within_the_budget(start in awkward(), promise in any_promise()) {
        let course = promise.start(start);
        let steps: Vec<_> = course.steps_due(0, Timestamp::MAX).collect();
        prop_assert_eq!(steps.len(), STEPS.len());
        prop_assert!(steps.is_sorted_by_key(|(_, at)| *at));
        prop_assert!(steps.iter().all(|(_, at)| *at >= course.starts && *at <= course.due));
        prop_assert!(course.due > course.starts);
    }

    /// Deadline, warnings and report rest on the same function: the share of the budget used at each step's instant
    /// is that share.
    #[test]
    fn each_step_has_used_its_share_of_the_budget(start in awkward(), promise in any_promise()) {
        let course = promise.start(start);
        let whole = promise.budget.used(course.starts, course.due).as_micros();
        for (step, at) in course.steps_due(0, Timestamp::MAX) {
            let used = promise.budget.used(course.starts, at).as_micros();
            prop_assert!((used * 100 - whole * i128::from(step)).abs() <= 100, "{step}: {used} of {whole}");
        }
    }

    #[test]
    fn a_pause_takes_nothing_and_gives_nothing(
        start in awkward(), promise in any_promise(), into in 0i64..2_000_000, pause in 0i64..2_000_000,
    ) {
        let course = promise.start(start);
        let paused = start + SignedDuration::from_secs(into);
        prop_assume!(paused < course.due);
        let resumed = paused + SignedDuration::from_secs(pause);
        let later = promise.resumed(&course, paused, resumed);
        prop_assert!(later.due >= course.due, "nobody has less time for having waited");
        prop_assert_eq!(promise.budget.used(paused, course.due), promise.budget.used(resumed, later.due));
        for step in [50, 75, 90] {
            if course.step_instant(step) <= paused {
                prop_assert_eq!(later.step_instant(step), course.step_instant(step), "what has passed has passed");
            } else {
                prop_assert!(later.step_instant(step) >= resumed);
            }
        }
    }
}
