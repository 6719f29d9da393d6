//! People and addresses as several kinds write them.

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
