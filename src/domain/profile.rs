//! What a receiver is, beyond how it is reached: one of the public systems that have rules of their own.
//!
//! A profile is a name for defaults, for the formats that the system reads, and for how its answers are read
//! (`channels::profiles`). What of it rests on public descriptions that nobody has confirmed is listed in
//! `schemas/README.md`.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Format;

/// A system with rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A service of the labour-market authority (STAR): JSON over HTTP, and the citizen in a header.
    Star,
    /// KOMBIT's Beskedfordeler: its envelope, answered by a `StandardRetur`.
    Kombit,
    /// KOMBIT's Fordelingskomponent (SF2900), answered by a `TransportKvittering`.
    Sf2900,
}

impl Profile {
    pub const ALL: [Self; 3] = [Self::Star, Self::Kombit, Self::Sf2900];

    /// The word in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Star => "star",
            Self::Kombit => "kombit",
            Self::Sf2900 => "sf2900",
        }
    }

    /// The channels that can carry it, by their words in configuration.
    pub fn channels(self) -> &'static [&'static str] {
        match self {
            Self::Star | Self::Sf2900 => &["http"],
            Self::Kombit => &["http", "amqp"],
        }
    }

    /// The formats that it can be fed with; the first where the receiver's configuration names none.
    pub fn formats(self) -> &'static [Format] {
        match self {
            Self::Star => &[Format::Star],
            Self::Kombit => &[Format::Kombit],
            Self::Sf2900 => &[Format::Kombit, Format::Klagesag, Format::Beskedmodul],
        }
    }

    /// The HTTP statuses by which it says that it has the message already: 412 for an `x-requestId` that STAR
    /// has seen, and 409 beside it.
    pub fn already_have(self) -> &'static [u16] {
        match self {
            Self::Star => &[409, 412],
            Self::Kombit | Self::Sf2900 => &[],
        }
    }

    /// Whether its word is only that of a distributor: the jobcenter's own comes later, as a business receipt.
    pub fn receipt_follows(self) -> bool {
        match self {
            Self::Star => false,
            Self::Kombit | Self::Sf2900 => true,
        }
    }

    /// The longest gap of a schedule that doubles from one second, where it has one: STAR sends its own pushes
    /// again after min(10 800, 2ⁿ − 1) seconds.
    pub fn doubling_until(self) -> Option<SignedDuration> {
        match self {
            Self::Star => Some(SignedDuration::from_secs(10_800)),
            Self::Kombit | Self::Sf2900 => None,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
