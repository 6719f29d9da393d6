//! The agreements that ship, each at its own time: what is taken under it, and what it refuses by which clause.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::fmt::Write;

use jiff::Timestamp;
use kassebro::{
    clock::{Clock, System},
    domain::Cpr,
    tools::generate,
    units,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    gateway::{Gateway, Setup},
    world::key,
};

mod dated;

/// Every party of the agreements that ship, København and Norddjurs with a mailbox.
fn configuration() -> String {
    let mut text = String::from("[watch]\nperiod = \"100ms\"\n");
    for code in ["3f", "foa", "hk", "krifa", "metal", "tib", "0101", "0707"] {
        let hash = units::hex(&Sha256::digest(key(code)));
        write!(text, "\n[[party]]\ncode = \"{code}\"\napi_key_sha256 = [\"{hash}\"]\n").unwrap();
    }
    for code in ["0101", "0707"] {
        write!(text, "\n[[receiver]]\nparty = \"{code}\"\nchannel = \"mailbox\"\n").unwrap();
    }
    text
}

/// A gateway under all the agreements that ship, whose clock shows another year.
struct Then {
    gateway: Gateway,
    now: Timestamp,
}

/// What an a-kasse was answered: the status, and the rules with what they say, in Danish and in English.
struct Answered {
    status: u16,
    said: Vec<(String, String, String)>,
}

impl Answered {
    /// Whether a rule is told with all these words in both languages.
    fn says(&self, rule: &str, words: &[&str]) -> bool {
        let whole = |text: &str| words.iter().all(|word| text.contains(word));
        self.said.iter().any(|(found, da, en)| found == rule && whole(da) && whole(en))
    }
}

impl Then {
    async fn at(time: &str) -> Self {
        let now: Timestamp = time.parse().unwrap();
        let files = format!("[\"{}/config/agreements/*.toml\"]", env!("CARGO_MANIFEST_DIR"));
        let setup = Setup::new(&configuration()).env("KASSEBRO__AGREEMENT_FILES", &files);
        let gateway = setup.clock(now.duration_since(System.now())).start().await;
        Self { gateway, now }
    }

    /// A valid message of the generator's; the same for the same seed.
    fn event(&self, kind: &str, seed: u64, from: &str, to: &str) -> Value {
        let (source, receiver) = (format!("urn:dk:akasse:{from}"), format!("urn:dk:jobcenter:{to}"));
        generate::event(kind, seed, &format!("{kind}-{seed}"), &source, &receiver, self.now)
    }

    fn send(&self, event: &Value) -> Answered {
        let from = event["source"].as_str().unwrap().rsplit(':').next().unwrap();
        let party = self.gateway.http().with_key(&key(from));
        let answer = party.call("POST", "/v1/messages", &event.to_string()).unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let said = body["errors"].as_array().into_iter().flatten().map(|error| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&error["rule"]), text(&error["message"]["da"]), text(&error["message"]["en"]))
        });
        Answered { status: answer.status, said: said.collect() }
    }

    fn sends(&self, kind: &str, from: &str, to: &str) -> Answered {
        self.send(&self.event(kind, 1, from, to))
    }

    /// The agreement that a message went under.
    fn under(&self, id: &str) -> Value {
        let told =
            crate::support::command::run(&mut self.gateway.command(&["messages", "show", id, "--json"]));
        told.exits(0).json()["agreement"].clone()
    }
}

#[tokio::test]
async fn koebenhavn_2009_takes_the_placements_kinds_and_a_complaint_has_its_day() {
    let then = Then::at("2009-09-01T10:00:00Z").await;
    assert_eq!(then.sends("complaint", "hk", "0101").status, 202);
    assert_eq!(then.under("complaint-1"), "koebenhavn-hk-2009");
    for kind in ["job_order", "recommendation"] {
        let refused = then.sends(kind, "hk", "0101");
        assert_eq!(refused.status, 422);
        assert!(
            refused.says("agreement.kind", &["koebenhavn-hk-2009", "4. Principper for samarbejdet"]),
            "{:?}",
            refused.said
        );
    }
    let before = Then::at("2009-07-31T10:00:00Z").await;
    let early = before.sends("job_order", "hk", "0101");
    assert!(early.says("agreement.validity", &["koebenhavn-hk-2009", "1. Baggrund"]), "{:?}", early.said);
}

#[tokio::test]
async fn the_partnership_of_2009_is_with_each_of_its_four_a_kasser() {
    let then = Then::at("2009-10-01T10:00:00Z").await;
    for fund in ["3f", "foa", "tib", "metal"] {
        let mut complaint = then.event("complaint", 1, fund, "0101");
        complaint["id"] = json!(fund);
        assert_eq!(then.send(&complaint).status, 202);
        assert_eq!(then.under(fund), "lo-koebenhavn-2009");
    }
    let refused = then.sends("recommendation", "tib", "0101");
    assert_eq!(refused.status, 422);
    assert!(refused.says("agreement.kind", &["lo-koebenhavn-2009", "(Løsning)"]), "{:?}", refused.said);
}

/// An internship, as the kind's own rules take it with or without its number in VITAS.
fn internship(then: &Then, id: &str, vitas: Option<&str>) -> Value {
    let mut event = then.event("recommendation", 1, "foa", "0707");
    event["id"] = json!(id);
    let day = then.now.strftime("%F").to_string();
    event["data"]["offer"] =
        json!({"kind": "internship", "startDate": day, "endDate": day, "weeklyHours": 30});
    if let Some(number) = vitas {
        event["data"]["offer"]["vitasCaseId"] = json!(number);
    }
    event
}

#[tokio::test]
async fn norddjurs_2024_wants_the_number_in_vitas_and_ends_with_its_last_day() {
    let then = Then::at("2024-02-01T10:00:00Z").await;
    assert_eq!(then.send(&internship(&then, "whole", Some("VITAS-1"))).status, 202);
    assert_eq!(then.under("whole"), "norddjurs-foa-2024");
    let refused = then.send(&internship(&then, "bare", None));
    assert_eq!(refused.status, 422);
    let words = ["norddjurs-foa-2024", "Virksomhedsrettede aktiviteter: VITAS"];
    assert!(refused.says("agreement.field", &words), "{:?}", refused.said);
    // At once with what the schema finds, and not twice of one place.
    let mut poor = internship(&then, "poor", None);
    poor["data"]["surprise"] = json!(true);
    poor["data"].as_object_mut().unwrap().remove("guidanceGiven");
    let refused = then.send(&poor);
    assert!(refused.says("agreement.field", &words), "{:?}", refused.said);
    let found: Vec<&str> = refused.said.iter().map(|(rule, ..)| rule.as_str()).collect();
    for (rule, times) in [("schema.additionalProperties", 1), ("schema.required", 1), ("agreement.field", 1)]
    {
        assert_eq!(found.iter().filter(|one| **one == rule).count(), times, "{rule} in {found:?}");
    }
    assert_eq!(then.sends("job_order", "foa", "0707").status, 202);

    // The last day is by Danish clocks.
    let last = Then::at("2025-12-31T22:59:00Z").await;
    assert_eq!(last.sends("job_order", "foa", "0707").status, 202);
    let after = Then::at("2025-12-31T23:00:00Z").await;
    let expired = after.sends("job_order", "foa", "0707");
    assert_eq!(expired.status, 422);
    let words = ["norddjurs-foa-2024", "Ikrafttrædelse, gyldighedsperiode"];
    assert!(expired.says("agreement.validity", &words), "{:?}", expired.said);
    let carried = after.sends("complaint", "foa", "0707");
    assert_eq!(carried.status, 202);
    assert!(carried.says("agreement.validity", &words), "{:?}", carried.said);
}

#[tokio::test]
async fn krifa_2023_takes_every_age_and_is_flagged_after_its_end() {
    let then = Then::at("2023-09-01T10:00:00Z").await;
    let day = "2023-09-01".parse().unwrap();
    // One of each band.
    for young in [true, false] {
        let of_age = |event: &Value| {
            let cpr = Cpr::parse(event["data"]["citizen"]["cpr"].as_str().unwrap()).unwrap();
            (cpr.age_on(day) < 30) == young
        };
        let mut events = (0..).map(|seed| then.event("recommendation", seed, "krifa", "0101"));
        assert_eq!(then.send(&events.find(of_age).unwrap()).status, 202, "young: {young}");
    }
    let refused = then.sends("job_order", "krifa", "0101");
    assert_eq!(refused.status, 422);
    assert!(
        refused.says("agreement.kind", &["krifa-koebenhavn-2023", "(Aftalens indhold)"]),
        "{:?}",
        refused.said
    );
    // The example's own agreement begins the day after; before this one there is nothing near but it.
    let before = Then::at("2023-07-31T10:00:00Z").await;
    let flagged = before.sends("recommendation", "krifa", "0101");
    assert_eq!(flagged.status, 202);
    let words = ["krifa-koebenhavn-2023", "Andet: ikrafttræden og udløb"];
    assert!(flagged.says("agreement.validity", &words), "{:?}", flagged.said);
    assert_eq!(before.under("recommendation-1"), Value::Null);
}

#[tokio::test]
async fn the_regional_framework_is_over_everyone_and_behind_the_local_agreements() {
    let then = Then::at("2009-12-01T10:00:00Z").await;
    let refused = then.sends("job_order", "hk", "0707");
    assert_eq!(refused.status, 422);
    assert!(
        refused.says("agreement.kind", &["regional-2009", "(A. Månedlige nøgletal)"]),
        "{:?}",
        refused.said
    );
    // A complaint is nobody's to refuse: it is carried, and the framework's silence is told.
    let carried = then.sends("complaint", "hk", "0707");
    assert_eq!(carried.status, 202);
    assert!(carried.says("agreement.kind", &["regional-2009"]), "{:?}", carried.said);
    let local = then.event("complaint", 2, "hk", "0101");
    assert_eq!(then.send(&local).status, 202);
    assert_eq!(then.under("complaint-2"), "koebenhavn-hk-2009", "the local one goes before it");
}

/// The kind's example at that time, about somebody of that age.
fn of_age(then: &Then, kind: &str, id: &str, (from, to): (&str, &str), ages: std::ops::Range<i16>) -> Value {
    let day = then.now.strftime("%F").to_string().parse().unwrap();
    let mut people = (0..).map(|seed| then.event("complaint", seed, from, to)["data"]["citizen"].clone());
    let citizen = people
        .find(|citizen| ages.contains(&Cpr::parse(citizen["cpr"].as_str().unwrap()).unwrap().age_on(day)));
    let mut event = then.event(kind, 1, from, to);
    event["id"] = json!(id);
    event["data"]["citizen"] = citizen.unwrap();
    event
}

#[tokio::test]
async fn koebenhavn_2009_places_those_from_thirty_on_and_binds_courses_to_its_framework() {
    let then = Then::at("2009-09-01T10:00:00Z").await;
    let between = ("hk", "0101");
    let held = of_age(&then, "interview_record", "held", between, 30..60);
    assert_eq!(then.send(&held).status, 202);
    let young = then.send(&of_age(&then, "interview_record", "young", between, 18..30));
    assert_eq!(young.status, 422);
    assert!(young.says("agreement.group", &["koebenhavn-hk-2009", "4. Målgrupper"]), "{:?}", young.said);
    let mut course = of_age(&then, "course_referral", "course", between, 30..60);
    course["data"]["frameworkId"] = json!("RAMMEAFTALE-HK-2009");
    course["data"]["subAgreementId"] = json!("DELAFTALE-0101-HK");
    assert_eq!(then.send(&course).status, 202);
    course["id"] = json!("another-framework");
    course["data"]["frameworkId"] = json!("RAMMEAFTALE-3F-2009");
    let refused = then.send(&course);
    assert_eq!(refused.status, 422);
    assert!(refused.says("agreement.field", &["koebenhavn-hk-2009", "5. Rammeaftale"]), "{:?}", refused.said);
}

#[tokio::test]
async fn krifa_2023_begins_its_second_phase_with_the_law_and_the_regions_count_interviews() {
    let first = Then::at("2023-09-01T10:00:00Z").await;
    let early = first.sends("risk_notice", "krifa", "0101");
    assert_eq!(early.status, 422);
    assert!(early.says("agreement.phase", &["krifa-koebenhavn-2023"]), "{:?}", early.said);
    let second = Then::at("2024-02-01T10:00:00Z").await;
    assert_eq!(second.sends("risk_notice", "krifa", "0101").status, 202);
    assert_eq!(second.under("risk_notice-1"), "krifa-koebenhavn-2023");
    let regions = Then::at("2009-12-01T10:00:00Z").await;
    assert_eq!(regions.sends("interview_record", "hk", "0707").status, 202);
    assert_eq!(regions.under("interview_record-1"), "regional-2009");
}

impl Then {
    fn move_to(&mut self, time: &str) {
        self.now = time.parse().unwrap();
        self.gateway.set_clock(self.now.duration_since(System.now()));
    }

    /// A promise of a message, as it is explained.
    fn promised(&self, id: &str, name: &str) -> Value {
        let told = crate::support::command::run(&mut self.gateway.command(&["sla", "explain", id, "--json"]));
        let told = told.exits(0).json();
        told.as_array().unwrap().iter().find(|promise| promise["promise"] == name).unwrap().clone()
    }

    /// København places somebody of that age with HK, in a portal that shows a year.
    fn places(&self, id: &str, ages: std::ops::Range<i16>) -> Value {
        let mut placement = of_age(self, "placement", id, ("hk", "0101"), ages);
        placement["source"] = json!("urn:dk:jobcenter:0101");
        placement["receiver"] = json!("urn:dk:akasse:hk");
        let data = &mut placement["data"];
        for (field, value) in [
            ("registrationDate", "2009-09-07"),
            ("startDate", "2009-09-07"),
            ("endDate", "2010-09-06"),
            ("action", "placement"),
        ] {
            data[field] = json!(value);
        }
        let answered = self.send(&placement);
        assert_eq!(answered.status, 202, "{:?}", answered.said);
        placement["data"]["citizen"].clone()
    }
}

#[tokio::test]
async fn koebenhavn_2009_waits_for_the_report_and_the_citizen_at_the_limit_whatever_the_portal_shows() {
    let mut then = Then::at("2009-09-07T10:00:00Z").await;
    let citizen = then.places("of-forty", 35..45);
    then.places("of-sixty-two", 60..65);
    // Week 26 ends with Sunday 7 March 2010, week 16 with 27 December.
    for (id, due) in [("of-forty", "2010-03-07T23:00:00Z"), ("of-sixty-two", "2009-12-27T23:00:00Z")] {
        for name in ["handover", "back_referral"] {
            let promised = then.promised(id, name);
            assert_eq!(
                (&promised["due"], &promised["standing"]),
                (&json!(due), &json!("on_track")),
                "{name}"
            );
        }
    }
    let basis = then.promised("of-forty", "handover")["basis"].clone();
    assert_eq!(basis, "agreement koebenhavn-hk-2009, 5. Input til fremtidig aktivering");
    let about = |then: &Then, kind: &str| {
        let mut event = then.event(kind, 1, "hk", "0101");
        event["data"]["citizen"] = citizen.clone();
        let answered = then.send(&event);
        assert_eq!(answered.status, 202, "{:?}", answered.said);
    };
    then.move_to("2010-03-05T12:00:00Z");
    about(&then, "handover_report");
    assert_eq!(then.promised("of-forty", "handover")["standing"], "met");
    then.move_to("2010-03-08T12:00:00Z");
    about(&then, "back_referral");
    assert_eq!(then.promised("of-forty", "back_referral")["standing"], "met_late");
    assert_eq!(then.promised("of-sixty-two", "back_referral")["standing"], "breached");
}

#[tokio::test]
async fn norddjurs_2024_waits_for_three_interviews_from_the_registration_on() {
    let mut then = Then::at("2024-02-05T10:00:00Z").await;
    let mut enrolled = then.event("enrolment_status", 1, "foa", "0707");
    enrolled["source"] = json!("urn:dk:jobcenter:0707");
    enrolled["receiver"] = json!("urn:dk:akasse:foa");
    enrolled["data"]["status"] = json!("enrolled");
    enrolled["data"]["registrationDate"] = json!("2024-02-01");
    let citizen = enrolled["data"]["citizen"].clone();
    let answered = then.send(&enrolled);
    assert_eq!(answered.status, 202, "{:?}", answered.said);
    let promised = |then: &Then| then.promised("enrolment_status-1", "three_interviews");
    assert_eq!(promised(&then)["basis"], "agreement norddjurs-foa-2024, Jobsamtaler");
    // 92 days after the day of the registration.
    assert_eq!(promised(&then)["due"], "2024-05-03T22:00:00Z");
    for (day, count) in [("2024-02-20", 1), ("2024-03-20", 2), ("2024-04-20", 3)] {
        then.move_to(&format!("{day}T12:00:00Z"));
        assert_ne!(promised(&then)["standing"], "met", "the interview {count} is to come still");
        let mut held = then.event("interview_record", count, "foa", "0707");
        held["data"]["citizen"] = citizen.clone();
        held["data"]["status"] = json!("held");
        held["data"]["heldAt"] = json!(then.now.to_string());
        let answered = then.send(&held);
        assert_eq!(answered.status, 202, "{:?}", answered.said);
        assert_eq!(promised(&then)["progress"]["count"], count);
    }
    assert_eq!(promised(&then)["standing"], "met");
}
