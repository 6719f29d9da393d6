//! Valid messages by the thousand, the same for the same seed: for the demo, the load tests and the tests.
//!
//! The people do not exist: their CPR numbers fail modulus 11 on a birthday other than 1 January, and such
//! numbers were never issued to anyone. Names are invented, mail goes to `.example`.

use jiff::{Timestamp, ToSpan, civil::Date};
use serde_json::{Map, Value, json};

use crate::domain::calendar::copenhagen;

mod chance;
mod example;

use chance::Chance;

/// A whole structured `CloudEvent` of that kind: valid. Of those in [`KINDS`] all optional parts are chosen by the
/// seed; of the others it is the kind's example, at that time and about other people.
///
/// # Panics
/// On a kind that the gateway does not know.
pub fn event(kind: &str, seed: u64, id: &str, source: &str, receiver: &str, time: Timestamp) -> Value {
    let mut chance = Chance::new(seed);
    let today = copenhagen().to_datetime(time).date();
    let (data, answered) = match kind {
        "recommendation" => (recommendation(&mut chance, today), None),
        "complaint" => (complaint(&mut chance, today), None),
        "job_order" => (job_order(&mut chance, today), None),
        other => example::retold(other, &mut chance, time),
    };
    let offset = copenhagen().to_offset(time);
    let mut event = json!({
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": format!("dk.kassebro.{kind}.v1"),
        "time": time.display_with_offset(offset).to_string(),
        "receiver": receiver,
        "datacontenttype": "application/json",
        "data": data,
    });
    if let Some(answered) = answered {
        event["correlationid"] = json!(answered);
    }
    if chance.one_in(2) {
        event["subject"] = json!(format!("{}-{:07}", today.year(), chance.below(10_000_000)));
    }
    event
}

/// The kinds whose messages [`event`] makes of many parts.
pub const KINDS: [&str; 3] = ["recommendation", "complaint", "job_order"];

const GIVEN: [&str; 12] = [
    "Prøve",
    "Øvelse",
    "Åse",
    "Ærlig",
    "Test",
    "Søren-Prøve",
    "Skabelon",
    "Eksempel",
    "Mønster",
    "Kladde",
    "Udkast",
    "Fiktiva",
];
const SURNAMES: [&str; 10] = [
    "Testesen",
    "Ødegård-Åkær",
    "Prøvesen",
    "Eksempelholm",
    "Øvelund",
    "Ærøprøve",
    "Skabelund",
    "Kladdegaard",
    "Mønsterby",
    "O'Prøve",
];
const STREETS: [&str; 6] = ["Prøvevej", "Øvelsesgade", "Åprøven", "Ærtestien", "Testtorvet", "Skabelon Allé"];
const CITIES: [(&str, &str); 6] = [
    ("8500", "Grenaa"),
    ("1000", "København K"),
    ("0999", "København C"),
    ("8963", "Auning"),
    ("3700", "Rønne"),
    ("5970", "Ærøskøbing"),
];
const SENTENCES: [&str; 10] = [
    "Virksomheden søger flere medarbejdere til foråret.",
    "Jeg har mange års erfaring fra butik og lager.",
    "Kurset giver et certifikat, som alle lagre i området spørger efter.",
    "Løn < 200 kr. i timen & tillæg efter \"overenskomst\".",
    "Ægte ærlighed: jeg ønsker at skifte branche.",
    "Aftalen blev aflyst uden varsel.\r\nEn ny tid er ikke givet.",
    "Første punkt:\n\t- møde kl. 7\n\t- fri kl. 15",
    "Erfaring med rugbrød er en fordel 🍞.",
    "Det står i afgørelsen ]]> men passer ikke.",
    "Kan begynde straks.",
];
/// Real companies' published numbers, as used in tests everywhere; a made-up one could be someone's.
const CVR: [&str; 4] = ["13585628", "64942212", "55133018", "29189986"];
const PHONES: [&str; 4] = ["20123456", "+45 20 12 34 57", "0045 20123458", "20 12 34 59"];

fn recommendation(chance: &mut Chance, today: Date) -> Value {
    let start = later(today, chance.below(60));
    let mut data = json!({
        "citizen": citizen(chance, today),
        "guidanceGiven": true,
        "preconditions": {"jobnetCvUpdated": !chance.one_in(10), "joblogUpdated": !chance.one_in(10)},
        "offer": offer(chance, start),
        "provider": {
            "name": format!("{} Kursuscenter & Søn", chance.pick(&GIVEN)),
            "address": address(chance),
            "email": email(chance),
            "phone": chance.pick(&PHONES),
        },
        "fastestWayToJob": prose(chance, 3000),
        "motivation": {"description": prose(chance, 3000)},
        "caseworker": contact(chance),
    });
    if chance.one_in(2) {
        data["provider"]["contactPerson"] = json!(name(chance));
    }
    if chance.one_in(3) {
        data["motivation"]["changeOfLineOfBusiness"] = json!(prose(chance, 1000));
    }
    data
}

fn offer(chance: &mut Chance, start: Date) -> Value {
    let kind = chance.pick(&[
        "internship",
        "wageSubsidyPrivate",
        "wageSubsidyPublic",
        "communityWork",
        "ordinaryEducation",
        "guidanceAndUpskilling",
        "jobRotation",
        "adultApprenticeship",
        "priorLearningAssessment",
        "mentor",
    ]);
    let mut offer = json!({
        "kind": kind,
        "startDate": start.to_string(),
        "endDate": later(start, chance.below(180)).to_string(),
        "weeklyHours": 1 + chance.below(37),
    });
    if chance.one_in(3) {
        offer["weeklyMinutes"] = json!(chance.below(60));
    }
    match kind {
        "ordinaryEducation" | "guidanceAndUpskilling" => {
            offer["title"] =
                if chance.one_in(20) { json!("Å".repeat(100)) } else { json!("Gaffeltruck B, øvet") };
            offer["priceOere"] =
                if chance.one_in(20) { json!(1) } else { json!(100 + chance.below(10_000_000)) };
        }
        "internship" | "wageSubsidyPrivate" | "wageSubsidyPublic" if !chance.one_in(8) => {
            offer["vitasCaseId"] = json!(format!("VITAS-{}", chance.below(1_000_000)));
        }
        _ => {}
    }
    offer
}

fn complaint(chance: &mut Chance, today: Date) -> Value {
    let form = chance.pick(&["written", "written", "oral"]);
    let mut data = json!({
        "citizen": citizen(chance, today),
        "form": form,
        "concerns": {
            "subject": chance.pick(&["decision", "contactCourse", "offer", "other"]),
            "description": prose(chance, 2000),
        },
        "text": prose(chance, 20_000),
        "guidance": {"handedOut": !chance.one_in(10)},
    });
    if form == "oral" {
        data["takenDownBy"] = json!(name(chance));
    }
    if data["guidance"]["handedOut"] == true {
        data["guidance"]["date"] = json!(today.to_string());
    }
    if chance.one_in(2) {
        data["concerns"]["decisionDate"] = json!(earlier(today, chance.below(28)).to_string());
        data["concerns"]["decisionReference"] =
            json!(format!("{}-{:07}-3", today.year(), chance.below(10_000_000)));
    }
    if chance.one_in(4) {
        data["points"] = Value::from((0..=chance.below(4)).map(|_| prose(chance, 2000)).collect::<Vec<_>>());
    }
    if chance.one_in(4) {
        data["representative"] = representative(chance);
    }
    if chance.one_in(2) {
        data["caseworker"] = contact(chance);
    }
    if chance.one_in(5) {
        data["attachments"] = json!([{
            "fileName": format!("klage-{}.txt", chance.below(100)),
            "mediaType": "text/plain",
            "content": "SmVnIGtsYWdlciBoZXJtZWQgb3ZlciBhZmfDuHJlbHNlbi4K",
        }]);
    }
    data
}

fn representative(chance: &mut Chance) -> Value {
    let mut representative = json!({"name": name(chance)});
    if chance.one_in(2) {
        representative["organisation"] = json!("Øvelsesforbundet");
        representative["address"] = address(chance);
        representative["email"] = json!(email(chance));
        representative["phone"] = json!(chance.pick(&PHONES));
        representative["powerOfAttorney"] = json!(chance.one_in(2));
    }
    representative
}

fn job_order(chance: &mut Chance, today: Date) -> Value {
    let mut data = json!({
        "company": company(chance),
        "title": if chance.one_in(20) { "Æ".repeat(100) } else { format!("Øvet medarbejder nr. {}", chance.below(1000)) },
        "occupation": chance.pick(&[r#"{"title": "Lagermedarbejder"}"#, r#"{"disco08": "933300"}"#,
            r#"{"title": "Bager", "conceptUri": "http://data.europa.eu/esco/occupation/proeve", "disco08": "7512"}"#])
            .parse::<Value>().expect("the texts above are JSON"),
        "description": prose(chance, 5000),
        "openings": 1 + if chance.one_in(20) { 998 } else { chance.below(5) },
        "startDate": later(today, chance.below(90)).to_string(),
        "workingTime": {"weeklyHours": 1 + chance.below(59)},
        "placementOfficer": contact(chance),
    });
    data["placementOfficer"]["organisation"] = json!("A-kassen, Ærøafdelingen");
    if chance.one_in(2) {
        data["internalComment"] = json!(prose(chance, 2000));
        data["applicationDeadline"] = json!(later(today, chance.below(60)).to_string());
    }
    if chance.one_in(3) {
        data["workingTime"]["weeklyMinutes"] = json!(chance.below(60));
        data["workingTime"]["note"] = json!("Nat og weekend");
        data["owner"] = json!(chance.pick(&["akasse", "jobcenter"]));
    }
    if chance.one_in(4) {
        data["agreedHandlingTime"] =
            json!({"handleBy": later(today, chance.below(10)).to_string(), "note": "Aftalt pr. telefon"});
    }
    if chance.one_in(2) {
        data["candidates"] = candidates(chance, today);
    }
    data
}

fn company(chance: &mut Chance) -> Value {
    let mut company = json!({
        "cvr": chance.pick(&CVR),
        "name": format!("{} & Døtre A/S", chance.pick(&SURNAMES)),
        "address": address(chance),
        "contactPerson": {"name": name(chance)},
    });
    if chance.one_in(2) {
        company["pNumber"] = json!(format!("1{:09}", chance.below(1_000_000_000)));
        company["contactPerson"]["email"] = json!(email(chance));
        company["contactPerson"]["phone"] = json!(chance.pick(&PHONES));
    }
    company
}

fn candidates(chance: &mut Chance, today: Date) -> Value {
    let mut candidates: Vec<Value> = Vec::new();
    for _ in 0..=chance.below(4) {
        let cpr = cpr(chance, today);
        if candidates.iter().any(|earlier| earlier["cpr"] == cpr.as_str()) {
            continue;
        }
        let found_by = chance.pick(&["akasse", "jobcenter"]);
        candidates.push(json!({"cpr": cpr, "name": name(chance), "foundBy": found_by, "contacted": true}));
    }
    Value::from(candidates)
}

fn citizen(chance: &mut Chance, today: Date) -> Value {
    let mut citizen = Map::new();
    citizen.insert("cpr".to_owned(), Value::from(cpr(chance, today)));
    if chance.one_in(2) {
        citizen.insert("name".to_owned(), Value::from(name(chance)));
    }
    Value::Object(citizen)
}

/// A number that was never issued: of someone 18 to 66 years old, not born on 1 January, failing modulus 11.
fn cpr(chance: &mut Chance, today: Date) -> String {
    let days = 18 * 366 + chance.below(48 * 365);
    never_issued(chance, earlier(today, days))
}

/// A number that was never issued, of someone born that day, or the next after a 1 January.
fn never_issued(chance: &mut Chance, mut born: Date) -> String {
    const WEIGHTS: [u64; 10] = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1];
    if (born.month(), born.day()) == (1, 1) {
        born = later(born, 1);
    }
    // The seventh digit names the century: 0-3 the 1900s, 5-8 the 2000s (until 2057).
    let seventh = chance.below(4) + if born.year() < 2000 { 0 } else { 5 };
    let serial = seventh * 1000 + chance.below(1000);
    let number =
        |serial: u64| format!("{:02}{:02}{:02}{serial:04}", born.day(), born.month(), born.year() % 100);
    let fails =
        |text: &str| text.bytes().zip(WEIGHTS).map(|(b, w)| u64::from(b - b'0') * w).sum::<u64>() % 11 != 0;
    let text = number(serial);
    // The last digit's weight is 1, so a neighbour of a passing number fails.
    if fails(&text) { text } else { number(serial ^ 1) }
}

fn name(chance: &mut Chance) -> String {
    if chance.one_in(50) {
        return "Å".repeat(140);
    }
    format!("{} {}", chance.pick(&GIVEN), chance.pick(&SURNAMES))
}

fn contact(chance: &mut Chance) -> Value {
    json!({"name": name(chance), "email": email(chance), "phone": chance.pick(&PHONES)})
}

fn email(chance: &mut Chance) -> String {
    let local = chance.pick(&["prøve", "test.person", "aase+job", "sagsbehandler-7"]);
    format!("{local}@{}.example", chance.pick(&["akasse", "kursus", "jobcenter"]))
}

fn address(chance: &mut Chance) -> Value {
    let (post_code, city) = chance.pick(&CITIES);
    let mut address = json!({
        "street": chance.pick(&STREETS),
        "houseNumber": format!("{}{}", 1 + chance.below(300), chance.pick(&["", "A", "Ø"])),
        "postCode": post_code,
        "city": city,
    });
    if chance.one_in(3) {
        address["floorAndDoor"] = json!("2. tv.");
    }
    address
}

/// Some sentences; now and then exactly as long as the field allows.
fn prose(chance: &mut Chance, characters_max: usize) -> String {
    if chance.one_in(100) {
        return chance.pick(&["æ", "x", "&"]).repeat(characters_max);
    }
    let mut prose = chance.pick(&SENTENCES).to_owned();
    for _ in 0..chance.below(5) {
        prose.push(' ');
        prose.push_str(chance.pick(&SENTENCES));
    }
    prose
}

fn later(day: Date, days: u64) -> Date {
    let days = i64::try_from(days).expect("a few decades at most");
    day.checked_add(days.days()).expect("a few decades are within the calendar")
}

fn earlier(day: Date, days: u64) -> Date {
    let days = i64::try_from(days).expect("a few decades at most");
    day.checked_sub(days.days()).expect("a few decades are within the calendar")
}

#[cfg(test)]
mod tests;
