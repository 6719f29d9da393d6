//! Why a message or a delivery did not go on, and what follows from it.
//!
//! A fault is news about a message: stored, shown, counted, expected. What follows is decided by its class,
//! here and nowhere else.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of fault, and so what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// Cannot be read at all: the message is invalid.
    Malformed,
    /// Read, but wrong: the message is invalid.
    Invalid,
    /// Fine, but owed to nobody: the message is invalid.
    Unroutable,
    /// The receiver refuses this message and means it: the delivery is dead now.
    Refused,
    /// The receiver is at fault (credentials, address, certificate): the lane is held and probed, nothing dies.
    ReceiverFault,
    /// The receiver cannot just now: tried again by the schedule.
    Unavailable,
    /// The receiver asks us to wait: not before then, and the lane slows.
    Throttled,
    /// Sent, but no answer: the receiver's profile says retry with the same id, or hold for a person.
    Ambiguous,
    /// Its window is spent: the delivery is dead.
    Expired,
    /// We are at fault: tried again, then held for a person with the evidence.
    Internal,
}

/// What the gateway does with a delivery after a fault of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// The message is stored as invalid and answered; there is no delivery.
    Invalid,
    /// Dead at once.
    Dead,
    /// Tried again by the schedule; counts against the receiver's circuit.
    Retry,
    /// Tried again by the schedule; the circuit opens at once and the receiver is probed.
    HoldLane,
    /// What the receiver's profile says of ambiguous outcomes.
    AskProfile,
    /// Tried again; after the second time held for a person.
    RetryThenPerson,
}

impl FaultClass {
    pub fn follows(self) -> Follows {
        match self {
            Self::Malformed | Self::Invalid | Self::Unroutable => Follows::Invalid,
            Self::Refused | Self::Expired => Follows::Dead,
            Self::ReceiverFault => Follows::HoldLane,
            Self::Unavailable | Self::Throttled => Follows::Retry,
            Self::Ambiguous => Follows::AskProfile,
            Self::Internal => Follows::RetryThenPerson,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::Unroutable => "unroutable",
            Self::Refused => "refused",
            Self::ReceiverFault => "receiver_fault",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Ambiguous => "ambiguous",
            Self::Expired => "expired",
            Self::Internal => "internal",
        }
    }
}

macro_rules! fault_codes {
    ($($variant:ident = $code:literal, $class:ident, $title:literal;)*) => {
        /// The stable code of a fault: `GW1001`. Each has a page, shown by `kassebro explain <code>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FaultCode { $(#[doc = $title] $variant,)* }

        impl FaultCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code's number, e.g. 1001.
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $code,)* }
            }

            pub fn class(self) -> FaultClass {
                match self { $(Self::$variant => FaultClass::$class,)* }
            }

            /// A few English words that say what happened.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The page that ships with the binary: what happened, what the gateway does, what you can do.
            pub fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("faults/GW", stringify!($code), ".md")),)* }
            }
        }
    };
}

fault_codes! {
    NotReadable = 1001, Malformed, "the body is not JSON or XML";
    TooLarge = 1002, Malformed, "the body is over the size limit";
    TooDeep = 1003, Malformed, "the body is nested too deeply or has too many parts";
    DuplicateKey = 1004, Malformed, "a name stands twice in one object";
    NotUtf8 = 1005, Malformed, "the body is not UTF-8";
    ControlCharacter = 1006, Malformed, "a text holds a control character";
    NumberNotExact = 1007, Malformed, "a number cannot be kept exactly";
    DtdRefused = 1008, Malformed, "the XML declares a document type or an entity";
    EnvelopeWrong = 1009, Malformed, "the envelope is missing or wrong";
    SetAside = 1010, Malformed, "the message stopped its worker twice";
    SchemaViolation = 1101, Invalid, "the data does not fit the kind's schema";
    RuleViolation = 1102, Invalid, "a rule of the kind is violated";
    IdentifierWrong = 1103, Invalid, "an identifier is not valid";
    TimeOutOfBounds = 1104, Invalid, "a time is outside its bounds";
    IdentityReused = 1105, Invalid, "the same id was used for another message";
    NotYourSource = 1106, Invalid, "the message speaks for another party";
    AgreementRefuses = 1107, Invalid, "no agreement in force allows the message";
    CannotRender = 1108, Invalid, "the message does not fit what the receiver reads";
    NumberInText = 1109, Invalid, "a text holds a number that the receiver takes in a header only";
    UnknownKind = 1201, Unroutable, "the kind is not known";
    NoRoute = 1202, Unroutable, "no receiver is configured for the message";
    WrongDirection = 1203, Unroutable, "the kind does not go from this party to that";
    ReceiverRefused = 2001, Refused, "the receiver refused the message";
    ReceiverUnauthorised = 2051, ReceiverFault, "the receiver does not let us in";
    ReceiverMisplaced = 2052, ReceiverFault, "the receiver's address answers with not-found or a redirect";
    ReceiverCertificate = 2053, ReceiverFault, "the receiver's certificate is not accepted";
    ReceiverUnroutable = 2054, ReceiverFault, "the receiver's queue or folder does not exist";
    ConnectFailed = 2101, Unavailable, "no connection to the receiver";
    ReceiverError = 2102, Unavailable, "the receiver answered with an error of its own";
    ReceiverBusy = 2103, Unavailable, "the receiver's queue or disk did not take the parcel";
    Throttled = 2201, Throttled, "the receiver asks us to wait";
    WindowSpent = 2301, Expired, "the retry window is spent";
    NoAnswer = 2401, Ambiguous, "sent, but no answer came";
    AnswerUnreadable = 2402, Ambiguous, "sent, but the answer could not be read";
    AttemptCrashed = 9001, Internal, "the attempt stopped in our own code";
}

impl FaultCode {
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.number() == number)
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GW{:04}", self.number())
    }
}

impl std::str::FromStr for FaultCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim()
            .strip_prefix("GW")
            .or_else(|| text.trim().strip_prefix("gw"))
            .and_then(|digits| digits.parse().ok())
            .and_then(Self::from_number)
            .ok_or_else(|| format!("no fault has the code {text:?}"))
    }
}

impl Serialize for FaultCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FaultCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A fault as it is stored with a delivery: the code and one sentence of detail without personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub code: FaultCode,
    pub detail: String,
    /// The error code in the answer of a STAR service, where it had one.
    #[serde(default, rename = "starCode", skip_serializing_if = "Option::is_none")]
    pub star_code: Option<u32>,
}

impl Fault {
    pub fn new(code: FaultCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), star_code: None }
    }

    pub fn star(mut self, code: Option<u32>) -> Self {
        self.star_code = code;
        self
    }

    pub fn class(&self) -> FaultClass {
        self.code.class()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_its_class_by_its_hundred() {
        for code in FaultCode::ALL {
            let expected = match code.number() {
                1000..=1099 => FaultClass::Malformed,
                1100..=1199 => FaultClass::Invalid,
                1200..=1299 => FaultClass::Unroutable,
                2000..=2049 => FaultClass::Refused,
                2050..=2099 => FaultClass::ReceiverFault,
                2100..=2199 => FaultClass::Unavailable,
                2200..=2299 => FaultClass::Throttled,
                2300..=2399 => FaultClass::Expired,
                2400..=2499 => FaultClass::Ambiguous,
                _ => FaultClass::Internal,
            };
            assert_eq!(code.class(), expected, "{code}");
        }
    }

    #[test]
    fn a_code_is_read_back_from_its_text() {
        for code in FaultCode::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
        }
        assert!("GW0000".parse::<FaultCode>().is_err());
    }

    #[test]
    fn every_page_opens_with_its_code_and_title() {
        for code in FaultCode::ALL {
            let first = code.page().lines().next().unwrap_or_default();
            assert_eq!(first, format!("# {code}: {}", code.title()));
        }
    }
}
