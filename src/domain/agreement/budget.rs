//! The most that may be spent under an agreement, and what a message would take of it.
//!
//! København agreement, "Økonomi": courses are paid within a sum for the financial year, and the right to refer is
//! negotiated anew when it is about to be passed. The partnership of the LO a-kasser, "Økonomi": half a million kroner
//! for each a-kasse at the most.

use super::{Agreement, copenhagen};
use crate::domain::{Event, party::PartyKind};

/// What an accepted message takes of a cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// The sum that it counts towards: one for each agreement, cap, a-kasse and calendar year.
    pub sum: String,
    pub agreement: String,
    /// The clause of the cap.
    pub clause: String,
    /// In øre.
    pub price: i64,
    /// In øre.
    pub most: i64,
}

impl Spend {
    /// What a message with that price (in øre) takes, by the year of its business time in Denmark; `None` where it has
    /// no price, or no cap in kroner counts it.
    pub fn of(agreement: &Agreement, event: &Event, price: Option<i64>) -> Option<Self> {
        let caps = &agreement.particulars.caps;
        let counts = |kinds: &[String]| kinds.contains(&event.envelope.kind.name);
        let (place, cap) =
            caps.iter().enumerate().find(|(_, cap)| cap.kroner.is_some() && counts(&cap.kinds))?;
        let price = price?;
        let envelope = &event.envelope;
        let akasse =
            if envelope.source.kind() == PartyKind::Akasse { &envelope.source } else { &envelope.receiver };
        let year = envelope.time.to_zoned(copenhagen()).year();
        Some(Self {
            sum: format!("{}/{place}/{}/{year}", agreement.id, akasse.code()),
            agreement: agreement.id.clone(),
            clause: cap.clause.clone(),
            price,
            most: i64::try_from(cap.kroner?).unwrap_or(i64::MAX).saturating_mul(100),
        })
    }

    /// Whether it would pass the cap, where so much is spent already.
    pub fn passes(&self, spent: i64) -> bool {
        spent.saturating_add(self.price) > self.most
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::agreement::{Cap, tests::agreement};

    fn event(time: &str, kind: &str) -> Event {
        let mut event = crate::kinds::testing::event(&crate::kinds::testing::generated(kind, 1));
        event.envelope.time = time.parse().unwrap();
        event
    }

    #[test]
    fn a_price_counts_towards_its_a_kasses_sum_of_the_danish_year() {
        let mut agreement = agreement("a", date(2024, 1, 1), None);
        let cap = |kroner, kind: &str| Cap {
            kroner,
            kinds: vec![kind.into()],
            account: None,
            clause: "Økonomi".into(),
        };
        agreement.particulars.caps = vec![
            cap(None, "course_referral"),
            cap(Some(1_000), "course_referral"),
            cap(Some(1), "complaint"),
        ];
        let spend = |time: &str| Spend::of(&agreement, &event(time, "course_referral"), Some(60_000));
        let first = spend("2026-12-31T22:59:00Z").unwrap();
        assert_eq!((first.sum.as_str(), first.price, first.most), ("a/1/3f/2026", 60_000, 100_000));
        assert_eq!(spend("2026-12-31T23:00:00Z").unwrap().sum, "a/1/3f/2027", "by Danish clocks");
        assert_eq!([0, 40_000, 40_001].map(|spent| first.passes(spent)), [false, false, true]);
        let free = event("2026-06-01T10:00:00Z", "complaint");
        assert_eq!(Spend::of(&agreement, &free, None), None, "what has no price takes nothing");
        let other = event("2026-06-01T10:00:00Z", "recommendation");
        assert_eq!(Spend::of(&agreement, &other, Some(5)), None);
    }
}
