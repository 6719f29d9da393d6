//! Outages, pauses, windows and backlogs, in tables; and that slices are judged as each delivery would be.

use proptest::prelude::*;

use super::*;
use crate::domain::{Fault, FaultCode};

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap()
}

fn pace(able: f64) -> Pace {
    Pace { per_second: able, busy: 1.0, able, took: 0.0 }
}

fn open(since: i64) -> Circuit {
    let fault = Fault::new(FaultCode::ReceiverError, "503");
    Circuit::Open { since: at(since), probe_at: at(since), probes: 3, fault }
}

fn window(from: i64, until: i64) -> Maintenance {
    let (receiver, reason, by) = ("kbh".into(), "new server".into(), "cli:op".into());
    Maintenance { receiver, from: at(from), until: at(until), reason, by }
}

fn outlook(circuit: &Circuit, paused: bool, windows: &[(i64, i64)]) -> Outlook {
    let windows = windows.iter().map(|(from, until)| window(*from, *until));
    Outlook::new(circuit, paused, windows, Some(pace(1.0)), at(0))
}

/// One delivery due at each of these minutes.
fn due(minutes: &[i64]) -> Vec<Slice> {
    minutes.iter().map(|m| Slice { first: at(*m), last: at(*m), count: 1 }).collect()
}

/// The first and the last due minute of each range, how many, and why.
fn told(late: &[Late]) -> Vec<(i64, i64, u64, &'static str)> {
    let minute = |t: Timestamp| (t.as_second() - 1_790_000_000) / 60;
    late.iter().map(|l| (minute(l.from), minute(l.until), l.count, l.cause.name())).collect()
}

#[test]
fn a_receiver_that_works_endangers_nothing_that_it_has_time_for() {
    let works = outlook(&Circuit::default(), false, &[]);
    assert_eq!(works.late(0, &due(&[1, 2, 600])), []);
    let many =
        [Slice { first: at(10), last: at(10), count: 601 }, Slice { first: at(20), last: at(20), count: 1 }];
    assert_eq!(told(&works.late(0, &many)), [(10, 10, 601, "backlog")]);
    assert_eq!(works.late(0, &[Slice { count: 600, ..many[0] }]), []);
    assert_eq!(
        told(&works.late(1, &[Slice { count: 600, ..many[0] }])),
        [(10, 10, 600, "backlog")],
        "one goes before"
    );
}

#[test]
fn an_outage_is_taken_to_last_as_long_again_and_at_least_some_minutes() {
    for (since, safe, endangered) in [(0, 6, 5), (-3, 6, 5), (-60, 61, 60), (-600, 601, 600)] {
        let down = outlook(&open(since), false, &[]);
        let slices = due(&[endangered, safe, safe + 100]);
        assert_eq!(told(&down.late(0, &slices)), [(endangered, endangered, 1, "outage")], "since {since}");
    }
    let over = outlook(&Circuit::default(), false, &[]);
    assert_eq!(over.late(0, &due(&[5, 60, 600])), [], "when it is over nothing is shown");
}

#[test]
fn after_an_outage_the_backlog_is_worked_off_in_deadline_order() {
    let down = outlook(&open(-60), false, &[]);
    // Back at 60; the first 60 take a minute, the next 600 ten.
    let slices = [
        Slice { first: at(61), last: at(61), count: 60 },
        Slice { first: at(70), last: at(70), count: 600 },
        Slice { first: at(75), last: at(75), count: 1 },
    ];
    assert_eq!(told(&down.late(0, &slices)), [(70, 70, 600, "outage")]);
    assert_eq!(down.late(0, &slices)[0].before, 60);
}

#[test]
fn a_pause_has_no_end() {
    let paused = outlook(&Circuit::default(), true, &[]);
    assert_eq!(told(&paused.late(0, &due(&[1, 1_000_000]))), [(1, 1_000_000, 2, "pause")]);
    assert_eq!(paused.horizon(1), None);
    assert_eq!(paused.done(1), None);
}

#[test]
fn a_window_endangers_what_is_due_within_it_and_not_gone_before() {
    let now = outlook(&Circuit::default(), false, &[(0, 120)]);
    assert_eq!(told(&now.late(0, &due(&[1, 60, 119, 121]))), [(1, 119, 3, "maintenance")]);
    let later = outlook(&Circuit::default(), false, &[(60, 120)]);
    assert_eq!(later.late(0, &due(&[70, 119])), [], "both go before it begins");
    let down = outlook(&open(-80), false, &[(60, 120)]);
    assert_eq!(
        told(&down.late(0, &due(&[70, 110, 119, 121]))),
        [(70, 70, 1, "outage"), (110, 119, 2, "maintenance")],
        "back at 80, but then it is in maintenance"
    );
    assert_eq!(outlook(&Circuit::default(), false, &[(-60, 0)]).late(0, &due(&[1])), [], "it is over");
}

#[test]
fn a_backlog_that_a_window_interrupts_goes_on_after_it() {
    let slices =
        [Slice { first: at(10), last: at(10), count: 60 }, Slice { first: at(40), last: at(40), count: 120 }];
    let seen = outlook(&Circuit::default(), false, &[(2, 32)]);
    // A minute for the first, one of two for the others before the window, and one after it.
    assert_eq!(seen.late(0, &slices), []);
    assert_eq!(seen.done(180), Some(at(33)));
    let longer = outlook(&Circuit::default(), false, &[(2, 32), (32, 40)]);
    assert_eq!(told(&longer.late(0, &slices)), [(40, 40, 120, "maintenance")]);
}

#[test]
fn an_unmeasured_receiver_is_taken_to_be_slow() {
    let new = Outlook::new(&Circuit::default(), false, [], None, at(0));
    assert_eq!(new.pace(), None);
    assert_eq!(
        told(&new.late(0, &[Slice { first: at(1), last: at(1), count: 591 }])),
        [(1, 1, 591, "backlog")]
    );
    assert_eq!(new.late(0, &[Slice { first: at(1), last: at(1), count: 590 }]), []);
}

#[test]
fn what_is_just_in_time_is_not_over_yet_for_an_open_alert() {
    let works = outlook(&Circuit::default(), false, &[]);
    let slices = [Slice { first: at(10), last: at(10), count: 590 }];
    assert_eq!(works.late(0, &slices), []);
    assert_eq!(works.cautious().late(0, &slices).len(), 1);
    assert!(works.is_steady());
    for (circuit, paused, steady) in [
        (Circuit::Recovering { permits: 2 }, false, false),
        (Circuit::Recovering { permits: 4 }, false, true),
        (Circuit::default(), true, false),
        (open(0), false, false),
    ] {
        assert_eq!(outlook(&circuit, paused, &[]).is_steady(), steady, "{circuit:?}");
    }
}

proptest! {
    /// The slices are judged as each delivery by itself would be.
    #[test]
    fn what_is_late_is_what_is_done_after_it_is_due(
        dues in proptest::collection::vec(1i64..400, 0..60),
        overdue in 0u64..50,
        since in proptest::option::of(-200i64..0),
        windows in proptest::collection::vec((-50i64..300, 1i64..120), 0..4),
        able in 0.01f64..2.0,
    ) {
        let mut dues = dues;
        dues.sort_unstable();
        let circuit = since.map_or_else(Circuit::default, open);
        let windows = windows.into_iter().map(|(from, length)| window(from, from + length));
        let outlook = Outlook::new(&circuit, false, windows, Some(pace(able)), at(0));
        let late = outlook.late(overdue, &due(&dues));
        for (place, minute) in (overdue + 1..).zip(&dues) {
            let shown = late.iter().any(|l| l.before < place && place <= l.before + l.count);
            let done = outlook.done(place).unwrap();
            prop_assert_eq!(shown, done > at(*minute), "{} of {}: {}", minute, place, done);
        }
        let horizon = outlook.horizon(overdue + dues.len() as u64).unwrap();
        prop_assert!(late.iter().all(|l| l.until < horizon));
        let cautious: u64 = outlook.cautious().late(overdue, &due(&dues)).iter().map(|l| l.count).sum();
        prop_assert!(cautious >= late.iter().map(|l| l.count).sum(), "caution sees no less");
    }

    /// A coarser view shows at least what a finer one shows.
    #[test]
    fn a_coarse_slice_leaves_nothing_out(dues in proptest::collection::vec(1i64..200, 1..60), width in 1usize..9) {
        let mut dues = dues;
        dues.sort_unstable();
        let outlook = outlook(&open(-30), false, &[(50, 70)]);
        let coarse: Vec<Slice> = dues.chunks(width).map(|chunk| Slice {
            first: at(chunk[0]), last: at(chunk[chunk.len() - 1]), count: chunk.len() as u64,
        }).collect();
        let (fine, coarse) = (outlook.late(0, &due(&dues)), outlook.late(0, &coarse));
        let covered = |place: u64| coarse.iter().any(|l| l.before < place && place <= l.before + l.count);
        for range in &fine {
            prop_assert!((range.before + 1..=range.before + range.count).all(covered));
        }
    }
}

#[test]
fn a_place_among_the_late_is_as_far_in_as_its_deadline() {
    let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
    let late = Late { from: at(0), until: at(100), count: 50, before: 7, cause: Cause::Backlog };
    assert_eq!([0, 50, 100, 400].map(|second| late.place(at(second))), [8, 32, 57, 57]);
    let one = Late { until: at(0), count: 3, ..late };
    assert_eq!(one.place(at(0)), 8);
}
