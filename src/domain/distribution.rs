//! Where KOMBIT's Fordelingskomponent (SF2900) takes a parcel: who sends it, to which authority, and by which subject.
//!
//! What there is to say, its patterns and the choice are those of the published schema of its `DistributionContext`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::Cvr;

/// What a receiver's distributor must be told of every parcel.
///
/// ```toml
/// sf2900 = { senders = { 3f = "31378028" }, authority = "64942212", kle = "15.20.00", facet = "G01" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// `AfsendendeMyndighed`: the CVR number of each sender, by its code here.
    pub senders: BTreeMap<String, Cvr>,
    /// `RoutingMyndighed`: the CVR number of the authority that the receiver belongs to.
    pub authority: Cvr,
    /// The subject by KLE: `RoutingKLEEmne`, and `KLEEmneForslag` of the form.
    pub kle: KleSubject,
    /// What is done about it, by KLE: `RoutingHandlingFacet` and `HandlingFacetForslag`.
    #[serde(default)]
    pub facet: Option<KleFacet>,
    /// `RoutingModtagerAktoer`: the receiving system itself, in the place of routing by subject.
    #[serde(default, deserialize_with = "recipient")]
    pub recipient: Option<Uuid>,
}

/// As people write it, and in no other way that a UUID may be read from.
fn recipient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Uuid::try_parse(&text).map(Some).map_err(serde::de::Error::custom)
}

/// A subject of the municipalities' common classification (KLE): `15.20.00`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KleSubject(String);

/// A facet of that classification: a letter and two digits, such as `G01`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KleFacet(String);

impl KleSubject {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KleFacet {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KleSubject {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        let fits = text.split('.').count() == 3 && text.split('.').all(digits);
        if fits { Ok(Self(text)) } else { Err("a KLE subject is written like 15.20.00") }
    }
}

impl TryFrom<String> for KleFacet {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut characters = text.chars();
        let letter = characters.next().is_some_and(|c| c.is_ascii_uppercase() || "ÆØÅ".contains(c));
        let number = characters.as_str();
        let fits = letter && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self(text)) } else { Err("a KLE facet is a capital letter and two digits, like G01") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_and_a_facet_have_the_patterns_of_the_schema() {
        for text in ["15.20.00", "00.00.00"] {
            assert_eq!(KleSubject::try_from(text.to_owned()).unwrap().as_str(), text);
        }
        for text in ["", "15.20", "15.20.0", "15.20.000", "15.20.00.", "15,20,00", "a5.20.00", "15.20.00 "] {
            assert!(KleSubject::try_from(text.to_owned()).is_err(), "{text:?}");
        }
        for text in ["G01", "Å99"] {
            assert_eq!(KleFacet::try_from(text.to_owned()).unwrap().as_str(), text);
        }
        for text in ["", "G", "G1", "g01", "G001", "01", "É01", "G0x"] {
            assert!(KleFacet::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
