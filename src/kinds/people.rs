//! People, companies, jobs and addresses as several kinds write them.

use serde::Deserialize;

/// The citizen a message is about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Citizen<'e> {
    pub cpr: &'e str,
    #[serde(borrow)]
    pub name: Option<&'e str>,
}

/// A Danish address.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address<'e> {
    pub street: &'e str,
    pub house_number: &'e str,
    #[serde(borrow)]
    pub floor_and_door: Option<&'e str>,
    pub post_code: &'e str,
    pub city: &'e str,
}

/// A person at work, and how to reach them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contact<'e> {
    pub name: &'e str,
    pub email: &'e str,
    pub phone: &'e str,
}

/// A company with jobs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Company<'e> {
    pub cvr: &'e str,
    #[serde(borrow)]
    pub p_number: Option<&'e str>,
    pub name: &'e str,
    #[serde(borrow)]
    pub address: Address<'e>,
    #[serde(borrow)]
    pub contact_person: Option<ContactPerson<'e>>,
}

/// Whom a placement officer talks to at a company.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContactPerson<'e> {
    pub name: &'e str,
    #[serde(borrow)]
    pub email: Option<&'e str>,
    #[serde(borrow)]
    pub phone: Option<&'e str>,
}

/// What a job is (stillingsbetegnelse), by title or code.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Occupation<'e> {
    #[serde(borrow)]
    pub title: Option<&'e str>,
    #[serde(borrow)]
    pub concept_uri: Option<&'e str>,
    #[serde(borrow)]
    pub disco08: Option<&'e str>,
}

/// A job's weekly hours.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkingTime<'e> {
    pub weekly_hours: u64,
    #[serde(default)]
    pub weekly_minutes: u64,
    #[serde(borrow)]
    pub note: Option<&'e str>,
}

/// Which of the two, of those who look for candidates and companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    Akasse,
    #[default]
    Jobcenter,
}

/// A time with a first day, and a last one where it is known.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Period<'e> {
    pub start_date: &'e str,
    #[serde(borrow)]
    pub end_date: Option<&'e str>,
}
