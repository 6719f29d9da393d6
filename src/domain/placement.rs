//! Whether a citizen is placed with the a-kasse (udlagt), as far as messages tell: who chose the jobcenter instead, and
//! whom the jobcenter keeps.
//!
//! København agreement, "Information til de ledige", and the partnership of the LO a-kasser: the placement is voluntary,
//! and whoever is under the jobcenter's special effort (specialindsats) is not in it. From then on the placement's own
//! messages stop; complaints, receipts and decisions never do.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Cpr, Party};

/// What a message has to do with its citizen's placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// It is one of the placement's own: where there is no placement, it does not go.
    Within,
    /// The citizen chose the jobcenter, from then on.
    OptsOut(Timestamp),
    /// The citizen takes that back.
    OptsIn,
    /// The jobcenter keeps the citizen under its special effort from then on, or does no longer.
    SpecialEffort(Option<Timestamp>),
}

/// Who is placed with whom: a hash, which says nothing by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placed(pub [u8; 16]);

impl Placed {
    /// The citizen between these two, in whichever direction the message goes.
    pub fn of(one: &Party, other: &Party, citizen: &Cpr) -> Self {
        let mut parties = [one.to_string(), other.to_string()];
        parties.sort();
        let mut hash = Sha256::new();
        for part in [&parties[0], &parties[1], citizen.digits()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }
}

/// Why there is no placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    OptOut,
    SpecialEffort,
}

/// From when a citizen is not placed, as far as messages told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Away {
    pub opted_out: Option<Timestamp>,
    pub special: Option<Timestamp>,
}

impl Away {
    /// Why there was no placement at `at`.
    pub fn at(self, at: Timestamp) -> Option<Absence> {
        if self.opted_out.is_some_and(|from| from <= at) {
            return Some(Absence::OptOut);
        }
        self.special.is_some_and(|from| from <= at).then_some(Absence::SpecialEffort)
    }

    /// After a message that bears so on it.
    #[must_use]
    pub fn after(self, bearing: Bearing) -> Self {
        match bearing {
            Bearing::Within => self,
            Bearing::OptsOut(from) => Self { opted_out: Some(from), ..self },
            Bearing::OptsIn => Self { opted_out: None, ..self },
            Bearing::SpecialEffort(special) => Self { special, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stops_from_the_very_instant_on() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let from = at("2026-11-02T00:00:00+01:00");
        for (happened, opted_out, special, expected) in [
            ("2026-11-01T23:59:59+01:00", Some(from), None, None),
            ("2026-11-02T00:00:00+01:00", Some(from), None, Some(Absence::OptOut)),
            ("2026-11-02T00:00:00+01:00", None, Some(from), Some(Absence::SpecialEffort)),
            ("2026-11-03T00:00:00+01:00", Some(from), Some(from), Some(Absence::OptOut)),
            ("2026-11-03T00:00:00+01:00", None, None, None),
        ] {
            assert_eq!(Away { opted_out, special }.at(at(happened)), expected, "{happened}");
        }
    }

    #[test]
    fn a_citizen_is_the_same_in_both_directions_and_another_elsewhere() {
        let party = |code| Party::from_code(code).unwrap();
        let cpr = |text| Cpr::parse(text).unwrap();
        let here = Placed::of(&party("3f"), &party("0101"), &cpr("0707614285"));
        assert_eq!(Placed::of(&party("0101"), &party("3f"), &cpr("0707614285")), here);
        assert_ne!(Placed::of(&party("3f"), &party("0707"), &cpr("0707614285")), here);
        assert_ne!(Placed::of(&party("3f"), &party("0101"), &cpr("0103922852")), here);
    }
}
