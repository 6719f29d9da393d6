//! The finished bytes for one receiver, and the formats they may have.

use std::{borrow::Cow, fmt, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Cpr;

/// What a receiver reads. One renderer each, in `formats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A message of type 11 in the beskedmodul: Danish text a citizen may read, and an XML attachment.
    Beskedmodul,
    /// A job order with JobAG's field names and limits, as JSON.
    Jobag,
    /// A case document for the jobcenter's complaint handlers, as XML.
    Klagesag,
    /// The event as it is: a structured CloudEvent in JSON.
    Cloudevents,
    /// KOMBIT's envelope around the kind's XML.
    Kombit,
    /// Any kind that is about one citizen, for a service of the labour-market authority: JSON without the citizen's
    /// CPR number, which travels beside it.
    Star,
}

impl Format {
    pub const ALL: [Self; 6] =
        [Self::Beskedmodul, Self::Jobag, Self::Klagesag, Self::Cloudevents, Self::Kombit, Self::Star];

    /// The word in configuration and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beskedmodul => "beskedmodul",
            Self::Jobag => "jobag",
            Self::Klagesag => "klagesag",
            Self::Cloudevents => "cloudevents",
            Self::Kombit => "kombit",
            Self::Star => "star",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|f| f.name() == text)
            .ok_or_else(|| format!("no format is called {text:?}"))
    }
}

/// Bytes and content type, finished at admission and the same at every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    pub format: Format,
    /// The version of the format's renderer: what a later reader must know to make the same bytes.
    pub format_version: u16,
    pub content_type: Cow<'static, str>,
    pub body: Bytes,
    /// Whom it is about, where the format leaves that out of the body: the channel says it in its own place.
    pub citizen: Option<Cpr>,
}
