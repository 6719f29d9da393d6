//! The Danish text of a recommendation as the citizen may read it, and proof that it says what the fields say.
//!
//! The labour-market authority's message module shows the message to the citizen as well, so the text holds
//! what the agreements list (Norddjurs agreement, "Oplysninger til indstilling") and nothing internal; no CPR
//! number either.

use std::{fmt::Write, ops::Range};

use serde_json::Value;

use super::{
    danish,
    mapping::{self, Differs},
};
use crate::codec::pointer;

/// The kinds of offer in words, by their canonical code.
const OFFERS: &[(&str, &str)] = &[
    ("internship", "Virksomhedspraktik"),
    ("wageSubsidyPrivate", "Ansættelse med løntilskud hos en privat arbejdsgiver"),
    ("wageSubsidyPublic", "Ansættelse med løntilskud hos en offentlig arbejdsgiver"),
    ("communityWork", "Nytteindsats"),
    ("ordinaryEducation", "Ordinær uddannelse"),
    ("guidanceAndUpskilling", "Øvrig vejledning og opkvalificering"),
    ("jobRotation", "Jobrotation"),
    ("adultApprenticeship", "Voksenlærling"),
    ("priorLearningAssessment", "Realkompetencevurdering"),
    ("mentor", "Mentor"),
];

/// The text, and where in it each value of the data stands.
#[derive(Debug)]
pub struct CitizenText {
    pub text: String,
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    place: Range<usize>,
    pointer: &'static str,
    manner: Manner,
}

/// How a value is put into words.
#[derive(Debug, Clone, Copy)]
enum Manner {
    AsItIs,
    Offer,
    Day,
    Kroner,
    Number,
    Phone,
}

/// Writes the text from the data of a recommendation. What the data lacks is left out.
pub fn compose(data: &Value) -> CitizenText {
    let mut out = CitizenText { text: String::with_capacity(2048), said: Vec::with_capacity(24) };
    out.add(
        "A-kassen har vejledt om mulighederne for tilbud og indstiller følgende tilbud til jobcentret.\n",
    );
    out.add("Det er jobcentret, der afgør, om tilbuddet bevilges.\n\n");
    out.line(data, "Tilbud: ", "/offer/kind", Manner::Offer);
    out.line(data, "Titel: ", "/offer/title", Manner::AsItIs);
    out.line(data, "Startdato: ", "/offer/startDate", Manner::Day);
    out.line(data, "Slutdato: ", "/offer/endDate", Manner::Day);
    out.hours(data);
    out.price(data);
    out.line(data, "VITAS-sagsnummer: ", "/offer/vitasCaseId", Manner::AsItIs);
    out.provider(data);
    out.section(data, "Sådan er tilbuddet den hurtigste vej i job", "/fastestWayToJob");
    out.section(data, "Den lediges egen motivation", "/motivation/description");
    out.section(data, "Ønske om brancheskift", "/motivation/changeOfLineOfBusiness");
    out.caseworker(data);
    out
}

impl CitizenText {
    /// Every value stands where it was put and says what the data says, and the eight fields that the
    /// agreement demands are among them.
    ///
    /// # Errors
    /// The first value that does not.
    pub fn compare(&self, read: &str, data: &Value) -> Result<(), Differs> {
        for said in &self.said {
            let value = pointer::at(data, said.pointer);
            let piece = read.get(said.place.clone());
            let same = value.zip(piece).is_some_and(|(value, piece)| says(said.manner, value, piece));
            if !same {
                return Err(mapping::differs(format!("/data{}", said.pointer)));
            }
        }
        let unsaid = DEMANDED.iter().find(|pointer| !self.said.iter().any(|said| said.pointer == **pointer));
        match unsaid {
            Some(pointer) => Err(mapping::differs(format!("/data{pointer}"))),
            None => Ok(()),
        }
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn line(&mut self, data: &Value, label: &str, pointer: &'static str, manner: Manner) {
        self.piece(data, label, pointer, manner, "\n");
    }

    fn section(&mut self, data: &Value, heading: &str, pointer: &'static str) {
        if pointer::at(data, pointer).is_some() {
            self.add("\n");
            self.add(heading);
            self.piece(data, ":\n", pointer, Manner::AsItIs, "\n");
        }
    }

    /// Label, value, tail; nothing where there is no value.
    fn piece(&mut self, data: &Value, label: &str, pointer: &'static str, manner: Manner, tail: &str) {
        let Some(value) = pointer::at(data, pointer) else {
            return;
        };
        self.text.push_str(label);
        let start = self.text.len();
        put(&mut self.text, manner, value);
        self.said.push(Said { place: start..self.text.len(), pointer, manner });
        self.text.push_str(tail);
    }

    fn hours(&mut self, data: &Value) {
        self.piece(data, "Ugentligt timetal: ", "/offer/weeklyHours", Manner::Number, " timer");
        self.piece(data, " og ", "/offer/weeklyMinutes", Manner::Number, " minutter");
        self.add("\n");
    }

    fn price(&mut self, data: &Value) {
        self.piece(data, "Pris: ", "/offer/priceOere", Manner::Kroner, " kr.\n");
    }

    fn provider(&mut self, data: &Value) {
        self.add("\nTilbudssted:\n");
        self.line(data, "", "/provider/name", Manner::AsItIs);
        self.piece(data, "", "/provider/address/street", Manner::AsItIs, "");
        self.piece(data, " ", "/provider/address/houseNumber", Manner::AsItIs, "");
        self.piece(data, ", ", "/provider/address/floorAndDoor", Manner::AsItIs, "");
        self.piece(data, ", ", "/provider/address/postCode", Manner::AsItIs, "");
        self.line(data, " ", "/provider/address/city", Manner::AsItIs);
        self.line(data, "E-mail: ", "/provider/email", Manner::AsItIs);
        self.line(data, "Telefon: ", "/provider/phone", Manner::Phone);
        self.line(data, "Kontaktperson: ", "/provider/contactPerson", Manner::AsItIs);
    }

    fn caseworker(&mut self, data: &Value) {
        self.add("\nIndstillet af sagsbehandler i a-kassen:\n");
        self.line(data, "", "/caseworker/name", Manner::AsItIs);
        self.line(data, "E-mail: ", "/caseworker/email", Manner::AsItIs);
        self.line(data, "Telefon: ", "/caseworker/phone", Manner::Phone);
    }
}

/// What "Oplysninger til indstilling" demands of every recommendation.
const DEMANDED: [&str; 13] = [
    "/offer/kind",
    "/offer/startDate",
    "/offer/endDate",
    "/offer/weeklyHours",
    "/provider/name",
    "/provider/address/street",
    "/provider/email",
    "/provider/phone",
    "/fastestWayToJob",
    "/motivation/description",
    "/caseworker/name",
    "/caseworker/email",
    "/caseworker/phone",
];

/// Puts a value into words; one that is not what the schema says is left out, and [`says`] notices.
fn put(text: &mut String, manner: Manner, value: &Value) {
    const NEVER_FAILS: &str = "writing to memory does not fail";
    match manner {
        Manner::AsItIs => text.push_str(value.as_str().unwrap_or_default()),
        Manner::Offer => {
            let offer = OFFERS.iter().find(|(code, _)| Some(*code) == value.as_str());
            text.push_str(offer.map_or("", |(_, words)| words));
        }
        Manner::Day => {
            if let Some(day) = value.as_str().and_then(mapping::day) {
                text.push_str(&danish::day(day));
            }
        }
        Manner::Kroner => {
            let oere = value.as_u64().unwrap_or_default();
            write!(text, "{},{:02}", danish::thousands(oere / 100), oere % 100).expect(NEVER_FAILS);
        }
        Manner::Number => write!(text, "{}", value.as_u64().unwrap_or_default()).expect(NEVER_FAILS),
        Manner::Phone => {
            let phone = value.as_str().unwrap_or_default();
            match crate::domain::identifiers::phone(phone) {
                Some(digits) => pairs(text, &digits),
                None => text.push_str(phone),
            }
        }
    }
}

/// `20123456` as `20 12 34 56`.
fn pairs(text: &mut String, digits: &str) {
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index.is_multiple_of(2) {
            text.push(' ');
        }
        text.push(digit);
    }
}

/// Reads the words back and compares.
fn says(manner: Manner, value: &Value, piece: &str) -> bool {
    match manner {
        Manner::AsItIs => value.as_str() == Some(piece) && !piece.is_empty(),
        Manner::Offer => {
            let offer = OFFERS.iter().find(|(_, words)| *words == piece);
            offer.is_some_and(|(code, _)| value.as_str() == Some(code))
        }
        Manner::Day => {
            value.as_str().and_then(mapping::day).is_some_and(|day| danish::read_day(piece) == Some(day))
        }
        Manner::Kroner => {
            let digits: String = piece.chars().filter(|c| !matches!(c, '.' | ',')).collect();
            piece.find(',') == piece.len().checked_sub(3)
                && value.is_u64()
                && digits.parse().ok() == value.as_u64()
        }
        Manner::Number => value.is_u64() && piece.parse().ok() == value.as_u64(),
        Manner::Phone => value.as_str().is_some_and(|phone| mapping::same_phone(phone, piece)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data() -> Value {
        json!({
            "offer": {"kind": "guidanceAndUpskilling", "title": "Truckfører B", "startDate": "2027-02-01",
                "endDate": "2027-02-26", "weeklyHours": 37, "weeklyMinutes": 30, "priceOere": 1_234_567},
            "provider": {"name": "Øvelseskursus", "email": "kursus@oevelse.example", "phone": "+4520123456",
                "address": {"street": "Prøvevej", "houseNumber": "1", "postCode": "8500", "city": "Grenaa"}},
            "fastestWayToJob": "Lageret mangler førere.",
            "motivation": {"description": "Jeg vil gerne.", "changeOfLineOfBusiness": "Fra butik til lager."},
            "caseworker": {"name": "Prøve Sagsen", "email": "ps@akasse.example", "phone": "20123457"},
        })
    }

    #[test]
    fn the_text_is_danish_and_always_the_same() {
        let expected = "A-kassen har vejledt om mulighederne for tilbud og indstiller følgende tilbud til jobcentret.\n\
            Det er jobcentret, der afgør, om tilbuddet bevilges.\n\n\
            Tilbud: Øvrig vejledning og opkvalificering\nTitel: Truckfører B\n\
            Startdato: 1. februar 2027\nSlutdato: 26. februar 2027\n\
            Ugentligt timetal: 37 timer og 30 minutter\nPris: 12.345,67 kr.\n\n\
            Tilbudssted:\nØvelseskursus\nPrøvevej 1, 8500 Grenaa\nE-mail: kursus@oevelse.example\n\
            Telefon: 20 12 34 56\n\n\
            Sådan er tilbuddet den hurtigste vej i job:\nLageret mangler førere.\n\n\
            Den lediges egen motivation:\nJeg vil gerne.\n\n\
            Ønske om brancheskift:\nFra butik til lager.\n\n\
            Indstillet af sagsbehandler i a-kassen:\nPrøve Sagsen\nE-mail: ps@akasse.example\nTelefon: 20 12 34 57\n";
        let composed = compose(&data());
        assert_eq!(composed.text, expected);
        assert!(composed.compare(expected, &data()).is_ok());
    }

    #[test]
    fn a_text_that_says_something_else_is_noticed() {
        let composed = compose(&data());
        for (from, to, pointer) in [
            ("1. februar", "2. februar", "/data/offer/startDate"),
            ("37 timer", "36 timer", "/data/offer/weeklyHours"),
            ("12.345,67", "12.345,66", "/data/offer/priceOere"),
            ("20 12 34 57", "20 12 34 58", "/data/caseworker/phone"),
            ("Jeg vil", "Vi vil ", "/data/motivation/description"),
            ("Øvrig", "Ovrigt", "/data/offer/kind"),
        ] {
            let other = composed.text.replacen(from, to, 1);
            let violation = composed.compare(&other, &data()).unwrap_err();
            assert_eq!(violation.pointer, pointer);
        }
    }

    #[test]
    fn none_of_the_demanded_fields_can_be_left_out() {
        for pointer in DEMANDED {
            let mut data = data();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            data.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            let composed = compose(&data);
            let violation = composed.compare(&composed.text, &data).unwrap_err();
            assert_eq!(violation.pointer, format!("/data{pointer}"));
        }
    }
}
