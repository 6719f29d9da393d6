//! Interview record (afholdt samtale): that an interview was held or was not, and by when it had to be.
//!
//! København agreement, "IT-understøtning" (the a-kasse registers the interviews it holds) and "Resultatmål" (at
//! least 90 % held in time, and no fewer than the jobcenter's own, so the jobcenter tells of its own too);
//! Norddjurs agreement, "Jobsamtaler" (three in the first three months, three more from month 4 to 6); the regions'
//! agreement with the a-kasser's association, "Månedlige nøgletal" (CV and sickness interviews count as well).
//! Whether an interview was in time is reckoned from when it was held and its deadline, and is never sent.

use jiff::{Timestamp, ToSpan, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Direction, Kind,
    people::{Citizen, Contact},
    rules::{self, Findings, days},
};
use crate::domain::{
    Event, Format, Severity,
    figure::{Figure, Interview, Month, Timeliness},
    party::PartyKind,
    placement::Bearing,
};

pub static KIND: Kind = Kind {
    name: "interview_record",
    version: 1,
    title: "Interview record (afholdt samtale)",
    schema: include_str!("../../schemas/interview_record.v1.json"),
    example: include_str!("../../schemas/examples/interview_record.v1/valid-job-interview.json"),
    direction: Direction::BothWays,
    formats: &[Format::Cloudevents, Format::Kombit],
    ordering_domain: Some("contact"),
    check,
    says: |_| None,
    bears,
    figure,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub r#type: InterviewType,
    pub contact_form: ContactForm,
    #[serde(borrow)]
    pub planned_at: Option<&'e str>,
    #[serde(borrow)]
    pub held_at: Option<&'e str>,
    /// The last day, by Danish clocks, that was in time.
    pub deadline: &'e str,
    pub status: Status,
    pub sequence_number: Option<u64>,
    #[serde(borrow)]
    pub registration_date: Option<&'e str>,
    #[serde(borrow, default)]
    pub participants: Vec<Participant<'e>>,
    #[serde(borrow)]
    pub booking_reference: Option<&'e str>,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

/// What kind of interview it is. The numbers are those of STAR's list as publicly known (unverified).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InterviewType {
    /// Jobsamtale, 7
    JobInterview,
    /// Henvisning, 8
    Referral,
    /// Informationsmøde, 9
    InformationMeeting,
    /// CV-samtale, 10
    CvInterview,
    /// Formidlingssamtale, 11
    PlacementInterview,
    /// Anden, 12
    Other,
    /// Informationsmøde uden mødepligt, 13
    VoluntaryInformationMeeting,
    /// Rådighedssamtale, 15
    AvailabilityInterview,
    /// Jobsamtale med a-kasse, 17
    JobInterviewWithAkasse,
    /// Fælles jobsamtale med dagpengemodtager, 19
    JointInterview,
    /// A-kasse forsøgssamtale, 20
    TrialInterview,
    /// Sygefraværssamtale; no number is publicly known
    SicknessInterview,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContactForm {
    /// Personligt fremmøde
    InPerson,
    /// Telefon
    Phone,
    /// Video
    Video,
    /// Skriftligt
    Written,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Afholdt
    Held,
    /// Udeblevet
    Absent,
    /// Aflyst
    Cancelled,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Participant<'e> {
    pub organisation: Organisation,
    pub role: &'e str,
    pub participated: bool,
}

/// Whom a participant stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Organisation {
    /// A-kasse
    Akasse,
    /// Jobcenter
    Jobcenter,
    /// Anden: a representative of the citizen, an interpreter, a company
    Other,
}

/// When it was held. `None`: it was not.
pub(super) fn held(event: &Event) -> Option<Timestamp> {
    let is_held = event.data.get("status").and_then(Value::as_str) == Some("held");
    is_held.then(|| event.data.get("heldAt").and_then(Value::as_str).and_then(days::instant)).flatten()
}

/// What the key figures count of the record. Reads no more of the data than that needs.
fn figure(event: &Event) -> Option<Figure> {
    let text = |name: &str| event.data.get(name).and_then(Value::as_str);
    let instant = |name: &str| text(name).and_then(days::instant);
    let (day, timeliness) = match Status::deserialize(event.data.get("status")?).ok()? {
        Status::Held => {
            let held = rules::day_of(instant("heldAt")?);
            (held, timeliness(held, days::day(text("deadline"))?))
        }
        Status::Absent | Status::Cancelled => {
            (rules::day_of(instant("plannedAt").unwrap_or(event.envelope.time)), Timeliness::NotHeld)
        }
    };
    Some(Figure { month: Month::of(day), interview: Interview::new(text("type")?)?, timeliness })
}

fn timeliness(held: Date, deadline: Date) -> Timeliness {
    if held <= deadline { Timeliness::InTime } else { Timeliness::Late }
}

/// The a-kasse's interviews are the placement's, the jobcenter's own are not.
fn bears(event: &Event) -> Option<Bearing> {
    (event.envelope.source.kind() == PartyKind::Akasse).then_some(Bearing::Within)
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_status(&data, event, findings);
    check_joint(&data, findings);
    for (index, participant) in data.participants.iter().enumerate() {
        findings.text(&format!("/data/participants/{index}/role"), participant.role, Severity::Error);
    }
    findings.text("/data/bookingReference", data.booking_reference.unwrap_or_default(), Severity::Error);
    findings.caseworker(Some(&data.caseworker));
}

/// Held and when go together.
fn check_status(data: &Data<'_>, event: &Event, findings: &mut Findings) {
    let held = data.held_at.and_then(days::instant);
    match (data.status, held) {
        (Status::Held, Some(held)) => check_held(data, held, event, findings),
        (Status::Held, None) => {
            findings.error(
                "/data/heldAt",
                "interview_record.held-at",
                "Samtalen er afholdt, men det er ikke sagt hvornår.",
                "The interview was held, but it is not said when.",
            );
        }
        (Status::Absent | Status::Cancelled, Some(_)) => {
            findings.error(
                "/data/heldAt",
                "interview_record.not-held",
                "En samtale, som den ledige udeblev fra, eller som blev aflyst, har intet tidspunkt for afholdelse.",
                "An interview that the citizen stayed away from or that was cancelled was held at no time.",
            );
        }
        (Status::Absent | Status::Cancelled, None) => {}
    }
}

/// The a-kasse holds its first interview within so many days of the registration (LAB § 31).
const FIRST_INTERVIEW_DAYS: i64 = 14;

fn check_held(data: &Data<'_>, held: Timestamp, event: &Event, findings: &mut Findings) {
    if held > event.envelope.time {
        findings
            .error(
                "/data/heldAt",
                "interview_record.held-later",
                "Samtalen er afholdt efter det tidspunkt, beskeden gælder for.",
                "The interview was held after the time of the message.",
            )
            .expected = format!("{} or earlier", event.envelope.time);
    }
    let held = rules::day_of(held);
    if let Some(deadline) = rules::day(data.deadline)
        && timeliness(held, deadline) == Timeliness::Late
    {
        let warning = findings.warning(
            "/data/heldAt",
            "interview_record.late",
            "Samtalen er afholdt efter sin frist. Den tæller som ikke rettidig.",
            "The interview was held after its deadline. It counts as late.",
        );
        days::compare(warning, format!("{deadline} or earlier"), held);
    }
    if let Some(registered) = days::day(data.registration_date) {
        check_first(data, registered, held, event, findings);
    }
}

/// The jobcenter's own first interview comes months later: only an a-kasse's has this limit.
fn check_first(data: &Data<'_>, registered: Date, held: Date, event: &Event, findings: &mut Findings) {
    if held < registered {
        let warning = findings.warning(
            "/data/heldAt",
            "interview_record.before-registration",
            "Samtalen er afholdt, før den ledige var tilmeldt.",
            "The interview was held before the citizen was registered.",
        );
        days::compare(warning, format!("{registered} or later"), held);
    }
    let due = registered.saturating_add(FIRST_INTERVIEW_DAYS.days());
    let is_first = data.sequence_number == Some(1) && event.envelope.source.kind() == PartyKind::Akasse;
    if is_first && held > due {
        let warning = findings.warning(
            "/data/heldAt",
            "interview_record.first-late",
            "Den første samtale skal holdes senest to uger efter tilmeldingen.",
            "The first interview is to be held within two weeks of the registration.",
        );
        days::compare(warning, format!("{due} or earlier"), held);
    }
}

/// A joint interview that one side did not take part in was another kind of interview.
fn check_joint(data: &Data<'_>, findings: &mut Findings) {
    if data.r#type != InterviewType::JointInterview || data.status != Status::Held {
        return;
    }
    let took_part = |organisation| {
        data.participants.iter().any(|one| one.organisation == organisation && one.participated)
    };
    if !(took_part(Organisation::Akasse) && took_part(Organisation::Jobcenter)) {
        findings
            .error(
                "/data/participants",
                "interview_record.joint",
                "En fælles samtale er holdt med deltagelse af både a-kasse og jobcenter.",
                "A joint interview is one that both a-kasse and jobcenter took part in.",
            )
            .expected = "someone of akasse and someone of jobcenter who participated, or another type".into();
    }
}

#[cfg(test)]
mod tests;
