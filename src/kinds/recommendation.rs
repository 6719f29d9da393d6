//! Recommendation of an offer (indstilling om tilbud): the a-kasse asks, the jobcenter decides.
//!
//! The content is what the agreements list (Norddjurs agreement, "Oplysninger til indstilling"), with the
//! attestation that the citizen was guided beforehand and the state of the Jobnet CV and the job log.

use serde::Deserialize;

use super::{
    Direction, Kind,
    people::{Address, Citizen, Contact},
    rules::{self, Findings},
};
use crate::domain::{Event, Format, Severity};

/// Where the price stands in the data, in øre.
pub(super) const PRICE: &str = "/offer/priceOere";

pub static KIND: Kind = Kind {
    name: "recommendation",
    version: 1,
    title: "Recommendation of an offer (indstilling om tilbud)",
    schema: include_str!("../../schemas/recommendation.v1.json"),
    example: include_str!("../../schemas/examples/recommendation.v1/valid-course.json"),
    direction: Direction::ToJobcenter,
    formats: &[Format::Beskedmodul, Format::Cloudevents, Format::Kombit],
    ordering_domain: Some("recommendation"),
    check,
    says: |_| None,
    bears: |_| None,
    figure: |_| None,
};

/// The data, borrowed from the event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data<'e> {
    #[serde(borrow)]
    pub citizen: Citizen<'e>,
    pub guidance_given: bool,
    pub preconditions: Preconditions,
    #[serde(borrow)]
    pub offer: Offer<'e>,
    #[serde(borrow)]
    pub provider: Provider<'e>,
    pub fastest_way_to_job: &'e str,
    #[serde(borrow)]
    pub motivation: Motivation<'e>,
    #[serde(borrow)]
    pub caseworker: Contact<'e>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preconditions {
    pub jobnet_cv_updated: bool,
    pub joblog_updated: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Offer<'e> {
    pub kind: OfferKind,
    #[serde(borrow)]
    pub title: Option<&'e str>,
    pub start_date: &'e str,
    pub end_date: &'e str,
    pub weekly_hours: u64,
    #[serde(default)]
    pub weekly_minutes: u64,
    /// In øre, 1/100 krone.
    pub price_oere: Option<u64>,
    #[serde(borrow)]
    pub vitas_case_id: Option<&'e str>,
}

/// What kind of offer it is by the rules (LAB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OfferKind {
    /// Virksomhedspraktik
    Internship,
    /// Løntilskud, privat
    WageSubsidyPrivate,
    /// Løntilskud, offentlig
    WageSubsidyPublic,
    /// Nytteindsats
    CommunityWork,
    /// Ordinær uddannelse
    OrdinaryEducation,
    /// Øvrig vejledning og opkvalificering (LAB § 91)
    GuidanceAndUpskilling,
    /// Jobrotation
    JobRotation,
    /// Voksenlærling
    AdultApprenticeship,
    /// Realkompetencevurdering
    PriorLearningAssessment,
    /// Mentor
    Mentor,
}

impl OfferKind {
    /// A course or an education: it has a title and a price.
    pub fn is_education(self) -> bool {
        match self {
            Self::OrdinaryEducation | Self::GuidanceAndUpskilling => true,
            Self::Internship
            | Self::WageSubsidyPrivate
            | Self::WageSubsidyPublic
            | Self::CommunityWork
            | Self::JobRotation
            | Self::AdultApprenticeship
            | Self::PriorLearningAssessment
            | Self::Mentor => false,
        }
    }

    /// Virksomhedspraktik and løntilskud, which companies apply for in VITAS.
    pub fn is_in_vitas(self) -> bool {
        matches!(self, Self::Internship | Self::WageSubsidyPrivate | Self::WageSubsidyPublic)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider<'e> {
    pub name: &'e str,
    #[serde(borrow)]
    pub address: Address<'e>,
    pub email: &'e str,
    pub phone: &'e str,
    #[serde(borrow)]
    pub contact_person: Option<&'e str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Motivation<'e> {
    pub description: &'e str,
    #[serde(borrow)]
    pub change_of_line_of_business: Option<&'e str>,
}

fn check(event: &Event, findings: &mut Findings) {
    let Some(data) = findings.read::<Data<'_>>(event) else { return };
    findings.cpr("/data/citizen/cpr", data.citizen.cpr);
    check_preconditions(&data, findings);
    check_period(&data.offer, event, findings);
    check_hours(&data.offer, findings);
    check_course(&data.offer, findings);
    if data.offer.kind.is_in_vitas() && data.offer.vitas_case_id.is_none() {
        findings.warning(
            "/data/offer/vitasCaseId",
            "recommendation.vitas-reference",
            "Virksomhedspraktik og løntilskud behandles i VITAS. Uden sagsnummer kan jobcentret ikke finde ansøgningen.",
            "Internships and wage subsidies are handled in VITAS. Without the case number the jobcenter cannot find the application.",
        );
    }
    findings.phone("/data/provider/phone", data.provider.phone, Severity::Error);
    findings.phone("/data/caseworker/phone", data.caseworker.phone, Severity::Error);
    for (pointer, text) in [
        ("/data/offer/title", data.offer.title),
        ("/data/provider/name", Some(data.provider.name)),
        ("/data/provider/contactPerson", data.provider.contact_person),
        ("/data/fastestWayToJob", Some(data.fastest_way_to_job)),
        ("/data/motivation/description", Some(data.motivation.description)),
        ("/data/motivation/changeOfLineOfBusiness", data.motivation.change_of_line_of_business),
    ] {
        findings.text(pointer, text.unwrap_or_default(), Severity::Error);
    }
}

fn check_preconditions(data: &Data<'_>, findings: &mut Findings) {
    if !data.preconditions.jobnet_cv_updated {
        findings.warning(
            "/data/preconditions/jobnetCvUpdated",
            "recommendation.jobnet-cv",
            "Jobcentret forudsætter, at den lediges CV på Jobnet er opdateret.",
            "The jobcenter presupposes that the citizen's CV on Jobnet is up to date.",
        );
    }
    if !data.preconditions.joblog_updated {
        findings.warning(
            "/data/preconditions/joblogUpdated",
            "recommendation.joblog",
            "Jobcentret forudsætter, at den lediges joblog er opdateret.",
            "The jobcenter presupposes that the citizen's job log is up to date.",
        );
    }
}

fn check_period(offer: &Offer<'_>, event: &Event, findings: &mut Findings) {
    let (Some(start), Some(end)) = (rules::day(offer.start_date), rules::day(offer.end_date)) else {
        return;
    };
    if start > end {
        let error = findings.error(
            "/data/offer/endDate",
            "recommendation.period",
            "Tilbuddet slutter, før det begynder.",
            "The offer ends before it begins.",
        );
        error.expected = format!("{start} or later");
        error.actual = Some(end.to_string());
        error.star_code = Some(1003);
    }
    let sent = rules::day_of(event.envelope.time);
    if start < sent {
        let warning = findings.warning(
            "/data/offer/startDate",
            "recommendation.start-passed",
            "Tilbuddet begynder, før indstillingen er sendt.",
            "The offer begins before the recommendation was sent.",
        );
        warning.expected = format!("{sent} or later");
        warning.actual = Some(start.to_string());
        warning.star_code = Some(4783);
    }
}

/// A full-time week, in minutes.
const FULL_TIME_WEEK: u64 = 37 * 60;

fn check_hours(offer: &Offer<'_>, findings: &mut Findings) {
    let minutes = offer.weekly_hours * 60 + offer.weekly_minutes;
    if minutes == 0 {
        findings
            .error(
                "/data/offer/weeklyHours",
                "recommendation.no-hours",
                "Tilbuddet har intet ugentligt timetal.",
                "The offer has no weekly hours.",
            )
            .expected = "more than 0 minutes a week".into();
    } else if minutes > FULL_TIME_WEEK {
        findings
            .warning(
                "/data/offer/weeklyHours",
                "recommendation.over-full-time",
                "Det ugentlige timetal er over 37 timer.",
                "The weekly hours are more than 37.",
            )
            .expected = "at most 37 hours a week".into();
    }
}

/// A course or education has a title and a price; other offers have no price.
fn check_course(offer: &Offer<'_>, findings: &mut Findings) {
    let education = offer.kind.is_education();
    if education && offer.title.is_none() {
        findings.error(
            "/data/offer/title",
            "recommendation.title-required",
            "Ved kursus eller uddannelse skal titlen oplyses.",
            "A course or education needs its title.",
        );
    }
    match offer.price_oere {
        None if education => {
            findings
                .error(
                    "/data/offer/priceOere",
                    "recommendation.price-required",
                    "Ved kursus eller uddannelse skal prisen oplyses.",
                    "A course or education needs its price.",
                )
                .star_code = Some(8113);
        }
        Some(0) => {
            let error = findings.error(
                "/data/offer/priceOere",
                "recommendation.price-above-zero",
                "Prisen skal være over nul.",
                "The price must be more than zero.",
            );
            error.expected = "1 øre or more".into();
            error.actual = Some("0".into());
            error.star_code = Some(8112);
        }
        Some(_) if !education => {
            findings.warning(
                "/data/offer/priceOere",
                "recommendation.price-unexpected",
                "Prisen oplyses kun ved kursus eller uddannelse.",
                "A price is given for courses and education only.",
            );
        }
        None | Some(_) => {}
    }
}

#[cfg(test)]
mod tests;
