//! What generated messages promise.

use std::collections::BTreeSet;

use super::*;
use crate::{domain::Cpr, kinds::testing};

#[test]
fn the_same_seed_makes_the_same_message() {
    for kind in KINDS {
        assert_eq!(testing::generated(kind, 7), testing::generated(kind, 7));
        assert_ne!(testing::generated(kind, 7)["data"], testing::generated(kind, 8)["data"]);
    }
}

#[test]
fn the_people_were_never_issued_a_number() {
    let today = "2026-11-02".parse().unwrap();
    let mut numbers = BTreeSet::new();
    for seed in 0..5000 {
        let text = cpr(&mut Chance::new(seed), today);
        let person = Cpr::parse(&text).unwrap();
        let weights = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1];
        let sum: u32 = text.bytes().zip(weights).map(|(b, w)| u32::from(b - b'0') * w).sum();
        assert_ne!(sum % 11, 0, "{text}");
        assert_ne!((person.born().month(), person.born().day()), (1, 1), "{text}");
        assert!((18..=66).contains(&person.age_on(today)), "{text}");
        numbers.insert(text);
    }
    assert!(numbers.len() > 4900, "only {} people", numbers.len());
}

#[test]
fn every_optional_part_comes_and_stays_away() {
    for (kind, pointer) in [
        ("recommendation", "/subject"),
        ("recommendation", "/data/citizen/name"),
        ("recommendation", "/data/offer/vitasCaseId"),
        ("recommendation", "/data/offer/priceOere"),
        ("recommendation", "/data/motivation/changeOfLineOfBusiness"),
        ("complaint", "/data/representative/address"),
        ("complaint", "/data/attachments"),
        ("complaint", "/data/points"),
        ("job_order", "/data/candidates"),
        ("job_order", "/data/owner"),
        ("job_order", "/data/company/pNumber"),
    ] {
        let there =
            (0..200).filter(|seed| testing::generated(kind, *seed).pointer(pointer).is_some()).count();
        assert!((1..200).contains(&there), "{kind} {pointer}: {there} of 200");
    }
}
