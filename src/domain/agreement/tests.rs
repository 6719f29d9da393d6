//! Who is between whom, what is taken when, and which two cannot stand beside each other.

use jiff::civil::date;

use super::*;

pub(super) fn side(codes: &[&str]) -> Side {
    Side::These(codes.iter().map(|code| Party::from_code(code).unwrap()).collect())
}

/// Between Krifa and København.
pub(super) fn agreement(id: &str, from: Date, to: Option<Date>) -> Agreement {
    Agreement { valid_to: to, ..Agreement::new(id, side(&["krifa"]), side(&["0101"]), from) }
}

#[test]
fn an_agreement_is_between_each_of_one_side_and_each_of_the_other() {
    let party = |code| Party::from_code(code).unwrap();
    let several = Agreement { akasser: side(&["3f", "foa"]), ..agreement("s", date(2009, 8, 1), None) };
    let every = Agreement {
        akasser: Side::Every(PartyKind::Akasse),
        jobcenters: Side::Every(PartyKind::Jobcenter),
        ..agreement("e", date(2009, 11, 1), None)
    };
    for (one, other, in_several, in_every) in [
        ("3f", "0101", true, true),
        ("0101", "foa", true, true),
        ("krifa", "0101", false, true),
        ("3f", "0707", false, true),
        ("3f", "foa", false, false),
        ("0101", "0707", false, false),
    ] {
        assert_eq!(several.between(&party(one), &party(other)), in_several, "{one} {other}");
        assert_eq!(every.between(&party(one), &party(other)), in_every, "{one} {other}");
    }
}

#[test]
fn sides_meet_and_include_each_other() {
    let (every, two, one, other) =
        (Side::Every(PartyKind::Akasse), side(&["3f", "foa"]), side(&["foa"]), side(&["krifa"]));
    for (left, right, meets, includes) in [
        (&every, &every, true, true),
        (&every, &one, true, true),
        (&one, &every, true, false),
        (&two, &one, true, true),
        (&one, &two, true, false),
        (&one, &other, false, false),
        (&every, &Side::Every(PartyKind::Jobcenter), false, false),
    ] {
        assert_eq!((left.meets(right), left.includes(right)), (meets, includes), "{left:?} {right:?}");
    }
}

#[test]
fn two_that_take_a_kind_between_the_same_on_the_same_day_clash() {
    let kinds = |kinds: &[&str]| kinds.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    let first = agreement("a", date(2024, 1, 1), Some(date(2024, 12, 31)));
    let clash = |change: &dyn Fn(&mut Agreement)| {
        let mut second = agreement("b", date(2024, 12, 31), None);
        change(&mut second);
        let found = first.clashes_with(&second).map(str::to_owned);
        assert_eq!(found.is_some(), second.clashes_with(&first).is_some(), "either way");
        found
    };
    assert_eq!(clash(&|_| ()).as_deref(), Some("every kind"));
    assert_eq!(clash(&|b| b.kinds = kinds(&["complaint"])).as_deref(), Some("complaint"));
    assert_eq!(clash(&|b| b.valid_from = date(2025, 1, 1)), None, "one after the other");
    assert_eq!(clash(&|b| b.akasser = side(&["foa"])), None, "other parties");
    assert_eq!(clash(&|b| b.under = Some("a".into())), None, "a sub-agreement");
    assert_eq!(clash(&|b| b.framework = true), None, "a framework gives way");
    let (mut one, mut other) = (first.clone(), first.clone());
    one.kinds = kinds(&["complaint", "job_order"]);
    other.kinds = kinds(&["recommendation"]);
    assert_eq!(one.clashes_with(&other), None, "other kinds");
    other.kinds.push("job_order".into());
    assert_eq!(one.clashes_with(&other), Some("job_order"));
}

#[test]
fn a_phase_takes_its_kinds_from_its_first_day_on() {
    let phase = |name: &str, from, kind: &str| Phase {
        name: name.into(),
        from,
        kinds: vec![kind.into()],
        groups: vec![],
        clause: "Fase".into(),
    };
    let phased = Agreement {
        phases: vec![
            phase("1", date(2023, 8, 1), "workshop_referral"),
            phase("2", date(2024, 1, 1), "risk_notice"),
            phase("3", date(2024, 6, 1), "risk_notice"),
        ],
        ..agreement("krifa", date(2023, 8, 1), None)
    };
    let awaited = |kind, day| phased.awaited_phase(kind, day).map(|phase| phase.name.as_str());
    assert_eq!(awaited("risk_notice", date(2023, 12, 31)), Some("2"));
    assert_eq!(awaited("risk_notice", date(2024, 1, 1)), None);
    assert_eq!(awaited("workshop_referral", date(2023, 8, 1)), None);
    assert_eq!(awaited("complaint", date(2023, 8, 1)), None, "a kind of no phase is taken from the start");
}

#[test]
fn an_agreement_is_in_force_on_both_its_ends() {
    let ends = agreement("a", date(2024, 1, 1), Some(date(2025, 12, 31)));
    for (day, covered) in [
        (date(2023, 12, 31), false),
        (date(2024, 1, 1), true),
        (date(2025, 12, 31), true),
        (date(2026, 1, 1), false),
    ] {
        assert_eq!(ends.covers(day), covered, "{day}");
    }
    assert_eq!(danish_day("2025-12-31T23:30:00Z".parse().unwrap()), date(2026, 1, 1));
}
