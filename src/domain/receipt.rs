//! What a receiver says of a delivery afterwards, in KOMBIT's words.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Fault, FaultCode};

/// Characters of the reason.
pub const TEXT_CHARACTERS_MAX: usize = 500;

/// KOMBIT's business receipt (`ForretningsValideringsKode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Business {
    Modtaget,
    Afleveret,
    Accepteret,
    Afvist,
    Fejlet,
}

impl Business {
    pub const ALL: [Self; 5] =
        [Self::Modtaget, Self::Afleveret, Self::Accepteret, Self::Afvist, Self::Fejlet];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modtaget => "MODTAGET",
            Self::Afleveret => "AFLEVERET",
            Self::Accepteret => "ACCEPTERET",
            Self::Afvist => "AFVIST",
            Self::Fejlet => "FEJLET",
        }
    }

    /// Whether the receiver has the message and takes it.
    pub fn takes(self) -> bool {
        match self {
            Self::Modtaget | Self::Afleveret | Self::Accepteret => true,
            Self::Afvist | Self::Fejlet => false,
        }
    }

    /// A receipt that does not take the message, as the sender will read it. `id` is the receiver's own for it.
    pub fn refusal(self, receiver: &str, text: Option<&str>, id: Option<&str>) -> Fault {
        let mut detail = format!("{receiver} answered {}", self.name());
        if let Some(text) = text {
            detail.extend([": ", text]);
        }
        if let Some(id) = id {
            detail.extend([" (receipt ", id, ")"]);
        }
        Fault::new(FaultCode::ReceiverRefused, detail)
    }
}

/// Why a message is not taken: the text and KOMBIT's `FejlListe` (code and text), as the sender will read them.
pub fn reason<'a>(text: Option<&str>, errors: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let errors = errors.map(|(code, text)| format!("{code} {text}"));
    let parts: Vec<String> = text.map(str::to_owned).into_iter().chain(errors).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

impl FromStr for Business {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|business| business.name() == word);
        found.ok_or_else(|| format!("no business receipt is called {word:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_json_and_in_a_name() {
        for business in Business::ALL {
            assert_eq!(serde_json::to_value(business).unwrap(), business.name());
            assert_eq!(business.name().parse(), Ok(business));
        }
        assert!("modtaget".parse::<Business>().is_err());
    }

    #[test]
    fn a_refusal_says_who_what_and_why() {
        let says = |text, id| Business::Afvist.refusal("kbh", text, id).detail;
        assert_eq!(says(None, None), "kbh answered AFVIST");
        assert_eq!(
            says(Some("forkert kommune"), Some("JC-1")),
            "kbh answered AFVIST: forkert kommune (receipt JC-1)"
        );
    }
}
