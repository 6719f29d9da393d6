//! Who sends and who receives: a-kasser and jobcentres, as URNs on the wire.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{AkasseCode, MunicipalityCode};

/// A party to the cooperation agreements, or the gateway itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// `urn:dk:akasse:<code>`
    Akasse(AkasseCode),
    /// `urn:dk:jobcenter:<kommunekode>`
    Jobcenter(MunicipalityCode),
    /// `urn:dk:kassebro`
    Gateway,
}

/// Which side of the bridge a party stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartyKind {
    Akasse,
    Jobcenter,
    Gateway,
}

const AKASSE: &str = "urn:dk:akasse:";
const JOBCENTER: &str = "urn:dk:jobcenter:";
const GATEWAY: &str = "urn:dk:kassebro";

impl Party {
    pub fn kind(&self) -> PartyKind {
        match self {
            Self::Akasse(_) => PartyKind::Akasse,
            Self::Jobcenter(_) => PartyKind::Jobcenter,
            Self::Gateway => PartyKind::Gateway,
        }
    }

    /// The code that queues, configuration and metrics use: `3f`, `0101`, `kassebro`.
    pub fn code(&self) -> &str {
        match self {
            Self::Akasse(code) => code.as_str(),
            Self::Jobcenter(code) => code.as_str(),
            Self::Gateway => "kassebro",
        }
    }

    /// Reads a code as configuration writes it. Four digits are a jobcenter, anything else an a-kasse.
    ///
    /// # Errors
    /// A code that is neither.
    pub fn from_code(code: &str) -> Result<Self, NotAParty> {
        if code.len() == 4 && code.bytes().all(|b| b.is_ascii_digit()) {
            code.parse().map(Self::Jobcenter).map_err(|_| NotAParty)
        } else {
            code.parse().map(Self::Akasse).map_err(|_| NotAParty)
        }
    }
}

/// The text is not a party's URN or code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a party is urn:dk:akasse:<code> or urn:dk:jobcenter:<one of the 98 municipality codes>")]
pub struct NotAParty;

impl FromStr for Party {
    type Err = NotAParty;

    fn from_str(text: &str) -> Result<Self, NotAParty> {
        if let Some(code) = text.strip_prefix(AKASSE) {
            return code.parse().map(Self::Akasse).map_err(|_| NotAParty);
        }
        if let Some(code) = text.strip_prefix(JOBCENTER) {
            return code.parse().map(Self::Jobcenter).map_err(|_| NotAParty);
        }
        if text == GATEWAY { Ok(Self::Gateway) } else { Err(NotAParty) }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Akasse(code) => write!(f, "{AKASSE}{code}"),
            Self::Jobcenter(code) => write!(f, "{JOBCENTER}{code}"),
            Self::Gateway => f.write_str(GATEWAY),
        }
    }
}

impl Serialize for Party {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Party {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_are_read_from_their_urns_and_back() {
        for urn in ["urn:dk:akasse:3f", "urn:dk:jobcenter:0101", "urn:dk:kassebro"] {
            assert_eq!(urn.parse::<Party>().unwrap().to_string(), urn);
        }
    }

    #[test]
    fn what_is_no_party_is_refused() {
        // 0411 Christiansø is not a municipality; an a-kasse code is never four digits.
        for urn in [
            "",
            "3f",
            "urn:dk:jobcenter:0411",
            "urn:dk:jobcenter:101",
            "urn:dk:akasse:0101",
            "urn:dk:akasse:3F",
            "URN:dk:akasse:3f",
        ] {
            assert_eq!(urn.parse::<Party>(), Err(NotAParty), "{urn}");
        }
    }
}
