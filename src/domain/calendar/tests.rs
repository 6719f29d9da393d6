//! Budgets over weekends, holidays and changes of clocks.

use jiff::{ToSpan, civil::date};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

fn office() -> Calendar {
    Calendar::weekdays(&[Window::hours(8, 12).unwrap(), Window::hours(13, 16).unwrap()]).unwrap()
}

fn always() -> Calendar {
    let day = || vec![Window::day()];
    Calendar::new(
        "Europe/Copenhagen",
        [day(), day(), day(), day(), day(), day(), day()],
        ClosedDays::default(),
    )
    .unwrap()
}

#[test]
fn one_day_is_24_elapsed_hours_over_the_change_of_clocks() {
    for (start, end) in [
        ("2025-03-29T14:00:00+01:00", "2025-03-30T15:00:00+02:00"),
        ("2025-10-25T14:00:00+02:00", "2025-10-26T13:00:00+01:00"),
        ("2025-10-25T02:30:00+02:00", "2025-10-26T02:30:00+02:00"),
        ("2024-02-28T12:00:00+01:00", "2024-02-29T12:00:00+01:00"),
        ("2026-12-31T23:59:59+01:00", "2027-01-01T23:59:59+01:00"),
    ] {
        assert_eq!(add_elapsed(at(start), hours(24)), Some(at(end)), "{start}");
        assert_eq!(always().add_business(at(start), hours(24)), Some(at(end)), "{start}");
    }
    assert_eq!(add_elapsed(Timestamp::MAX, hours(24)), None);
}

#[test]
fn a_business_budget_runs_while_the_office_is_open() {
    for (start, budget, end) in [
        // Tuesday: within the morning, over lunch, to closing time, over night.
        ("2026-03-03T09:00:00+01:00", hours(2), "2026-03-03T11:00:00+01:00"),
        ("2026-03-03T11:00:00+01:00", hours(2), "2026-03-03T14:00:00+01:00"),
        ("2026-03-03T09:00:00+01:00", hours(6), "2026-03-03T16:00:00+01:00"),
        ("2026-03-03T09:00:00+01:00", hours(7), "2026-03-04T09:00:00+01:00"),
        ("2026-03-03T12:30:00+01:00", hours(1), "2026-03-03T14:00:00+01:00"),
        ("2026-03-03T05:00:00+01:00", hours(1), "2026-03-03T09:00:00+01:00"),
        // Friday afternoon to Monday.
        ("2026-03-06T15:00:00+01:00", hours(2), "2026-03-09T09:00:00+01:00"),
        // Over Easter 2026 and the change of clocks on 29 March.
        ("2026-03-27T15:00:00+01:00", hours(2), "2026-03-30T09:00:00+02:00"),
        ("2026-04-01T15:00:00+02:00", hours(2), "2026-04-07T09:00:00+02:00"),
        // Over Christmas and New Year: 24 and 31 December are working days here.
        ("2026-12-23T15:00:00+01:00", hours(9), "2026-12-28T09:00:00+01:00"),
        ("2026-12-31T15:00:00+01:00", hours(2), "2027-01-04T09:00:00+01:00"),
        // Nothing to spend.
        ("2026-12-25T15:00:00+01:00", hours(0), "2026-12-25T15:00:00+01:00"),
    ] {
        assert_eq!(office().add_business(at(start), budget), Some(at(end)), "{start} + {budget:#}");
    }
}

#[test]
fn the_night_of_a_change_is_as_long_as_it_was() {
    let day = |date: &str| (at(&format!("{date}T00:00:00+01:00")), SignedDuration::ZERO);
    let (spring, _) = day("2026-03-29");
    assert_eq!(always().business_between(spring, at("2026-03-30T00:00:00+02:00")), Some(hours(23)));
    let autumn = at("2026-10-25T00:00:00+02:00");
    assert_eq!(always().business_between(autumn, at("2026-10-26T00:00:00+01:00")), Some(hours(25)));
    // Windows whose edges the clocks leave out or repeat still touch and do not overlap.
    let quarter = |from, to| Window::new(from, to).unwrap();
    let night = || vec![quarter(60, 135), quarter(135, 165), quarter(165, 180), quarter(180, 240)];
    let nights = Calendar::new(
        "Europe/Copenhagen",
        [night(), night(), night(), night(), night(), night(), night()],
        ClosedDays::default(),
    );
    let nights = nights.unwrap();
    assert_eq!(nights.business_between(spring, at("2026-03-30T00:00:00+02:00")), Some(hours(2)));
    assert_eq!(nights.business_between(autumn, at("2026-10-26T00:00:00+01:00")), Some(hours(4)));
}

#[test]
fn budgets_and_distances_are_bounded() {
    assert_eq!(office().add_business(at("2026-03-03T09:00:00Z"), hours(-1)), None);
    assert_eq!(office().add_business(at("2026-03-03T09:00:00Z"), hours(1_000_000)), None);
    assert_eq!(office().add_business(Timestamp::MAX, hours(1)), None);
    assert_eq!(office().business_between(Timestamp::MIN, Timestamp::MAX), None);
    let closed = ClosedDays {
        others: (0..4000).map(|i| date(2026, 1, 1).saturating_add(i.days())).collect(),
        ..ClosedDays::default()
    };
    let closed = Calendar::new(
        "Europe/Copenhagen",
        [vec![Window::day()], vec![], vec![], vec![], vec![], vec![], vec![]],
        closed,
    )
    .unwrap();
    assert_eq!(closed.add_business(at("2026-03-03T09:00:00Z"), hours(1)), None);
}

#[test]
fn a_calendar_that_makes_no_sense_is_refused() {
    let hours = |from, to| Window::hours(from, to);
    assert_eq!(hours(8, 8), Err(CalendarFault::Window));
    assert_eq!(hours(16, 8), Err(CalendarFault::Window));
    assert_eq!(hours(8, 25), Err(CalendarFault::Window));
    assert_eq!(hours(0, u16::MAX), Err(CalendarFault::Window));
    assert!(hours(0, 24).is_ok());
    let overlap = Calendar::weekdays(&[hours(8, 12).unwrap(), hours(11, 16).unwrap()]);
    assert_eq!(overlap.unwrap_err(), CalendarFault::Overlap);
    assert_eq!(Calendar::weekdays(&[]).unwrap_err(), CalendarFault::NeverOpen);
    let week = || -> Week { Default::default() };
    assert_eq!(
        Calendar::new("Europe/Kobenhavn", week(), ClosedDays::default()).unwrap_err(),
        CalendarFault::Zone
    );
}

#[test]
fn a_local_time_that_no_one_can_place_is_refused() {
    for (local, instant) in [
        (date(2025, 3, 30).at(1, 59, 59, 0), Ok(at("2025-03-30T00:59:59Z"))),
        (date(2025, 3, 30).at(2, 30, 0, 0), Err(CalendarFault::Nonexistent)),
        (date(2025, 3, 30).at(3, 0, 0, 0), Ok(at("2025-03-30T01:00:00Z"))),
        (date(2025, 10, 26).at(2, 30, 0, 0), Err(CalendarFault::Ambiguous)),
        (date(2025, 10, 26).at(3, 0, 0, 0), Ok(at("2025-10-26T02:00:00Z"))),
        (date(2026, 3, 29).at(2, 0, 0, 0), Err(CalendarFault::Nonexistent)),
        (date(2027, 10, 31).at(2, 59, 59, 0), Err(CalendarFault::Ambiguous)),
    ] {
        assert_eq!(office().instant(local), instant, "{local}");
    }
}

#[test]
fn a_day_is_denmarks_day() {
    assert_eq!(copenhagen_date(at("2026-06-30T22:30:00Z")), date(2026, 7, 1));
    assert_eq!(copenhagen_date(at("2026-12-31T22:59:59Z")), date(2026, 12, 31));
    assert!(is_weekend(date(2026, 11, 22)) && !is_weekend(date(2026, 11, 23)));
    assert!(!office().is_open_on(date(2026, 4, 6)) && office().is_open_on(date(2026, 4, 7)));
}

/// Instants from 2023 to 2030, to the second.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    (1_672_531_200i64..1_893_456_000).prop_map(|second| Timestamp::from_second(second).unwrap())
}

/// Instants within two days of a change of clocks, a leap day or a new year.
fn awkward_instant() -> impl Strategy<Value = Timestamp> {
    const DAYS: &[&str] =
        &["2025-03-30", "2025-10-26", "2026-03-29", "2026-10-25", "2024-02-29", "2027-01-01", "2027-10-31"];
    (proptest::sample::select(DAYS), -172_800i64..172_800)
        .prop_map(|(day, seconds)| at(&format!("{day}T01:00:00Z")) + SignedDuration::from_secs(seconds))
}

fn any_calendar() -> impl Strategy<Value = Calendar> {
    proptest::collection::vec(proptest::collection::btree_set(0u16..=DAY_MINUTES, 2..8), 7).prop_map(|days| {
        let mut week: Week = Default::default();
        for (windows, edges) in week.iter_mut().zip(days) {
            let edges: Vec<u16> = edges.into_iter().collect();
            *windows = edges.chunks_exact(2).map(|edge| Window::new(edge[0], edge[1]).unwrap()).collect();
        }
        Calendar::new("Europe/Copenhagen", week, ClosedDays::public_holidays()).unwrap()
    })
}

proptest! {
    #[test]
    fn a_budget_added_lies_between(
        calendar in any_calendar(),
        start in prop_oneof![any_instant(), awkward_instant()],
        seconds in 0i64..400_000,
    ) {
        let budget = SignedDuration::from_secs(seconds);
        // A calendar of a minute a week cannot hold every budget within the bound.
        if let Some(end) = calendar.add_business(start, budget) {
            prop_assert!(end >= start.checked_add(budget).unwrap());
            prop_assert_eq!(calendar.business_between(start, end), Some(budget));
            prop_assert_eq!(calendar.business_between(end, start), Some(-budget));
        }
    }

    #[test]
    fn more_budget_and_a_later_start_never_end_earlier(
        calendar in any_calendar(),
        start in prop_oneof![any_instant(), awkward_instant()],
        later in 0i64..200_000,
        budget in 1i64..100_000,
        more in 0i64..100_000,
    ) {
        let budget_end = calendar.add_business(start, SignedDuration::from_secs(budget));
        let more_end = calendar.add_business(start, SignedDuration::from_secs(budget + more));
        let later_end = calendar.add_business(start + SignedDuration::from_secs(later), SignedDuration::from_secs(budget));
        if let (Some(first), Some(second)) = (budget_end, more_end) {
            prop_assert!(first <= second);
        }
        if let (Some(first), Some(second)) = (budget_end, later_end) {
            prop_assert!(first <= second);
        }
    }

    #[test]
    fn open_time_adds_up(calendar in any_calendar(), a in awkward_instant(), b in 0i64..500_000, c in 0i64..500_000) {
        let middle = a + SignedDuration::from_secs(b);
        let end = middle + SignedDuration::from_secs(c);
        let parts = calendar.business_between(a, middle).unwrap() + calendar.business_between(middle, end).unwrap();
        prop_assert_eq!(calendar.business_between(a, end), Some(parts));
    }
}
