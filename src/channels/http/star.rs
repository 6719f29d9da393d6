//! What a service of the labour-market authority (STAR) reads in headers: the citizen, and who speaks.
//!
//! `x-requestId` and `x-civilregistrationIdentifier` stand on the authority's public wiki, and so do the
//! organisation's two values; nobody has confirmed them to us. The names of the organisation's headers are our
//! guess after the same habit: who knows better sets `headers` instead.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::{
    channels::Consignment,
    domain::{Fault, FaultCode, Party, Profile},
};

/// The header of the citizen's CPR number; it stands nowhere else in a request.
pub(super) const CITIZEN: &str = "x-civilregistrationidentifier";

/// Characters of an organisation's type and code.
const CODE_CHARACTERS_MAX: usize = 20;

/// Whom a service is told that a message comes from (`ActiveOrganisation`).
///
/// ```toml
/// star = { organisation_type = "5", organisation_codes = { 3f = "067" } }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// `OrganisationTypeIdentifier`: what an a-kasse is in the service's list. 1-20 letters and digits.
    pub organisation_type: String,
    /// `OrganisationCode` of each sender, by its code here. 1-20 letters and digits.
    pub organisation_codes: BTreeMap<String, String>,
}

impl Organisation {
    /// # Errors
    /// A sentence that names the setting that is wrong.
    pub(super) fn check(&self, profile: Option<Profile>) -> Result<(), String> {
        if profile != Some(Profile::Star) {
            return Err("star belongs to the profile star".into());
        }
        let fits = |text: &str| {
            (1..=CODE_CHARACTERS_MAX).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !fits(&self.organisation_type) {
            return Err("star.organisation_type is 1-20 letters, digits and hyphens".into());
        }
        match self.organisation_codes.iter().find(|(_, code)| !fits(code)) {
            Some((sender, _)) => {
                Err(format!("star.organisation_codes.{sender} is 1-20 letters, digits and hyphens"))
            }
            None => Ok(()),
        }
    }
}

/// Adds the citizen, and the sender's organisation where one is configured.
///
/// # Errors
/// The sender has no organisation code: nothing is sent in nobody's name.
pub(super) fn add_headers(
    organisation: Option<&Organisation>,
    consignment: &Consignment,
    headers: &mut HeaderMap,
) -> Result<(), Fault> {
    if let Some(citizen) = &consignment.parcel.citizen {
        let mut value = HeaderValue::from_str(citizen.digits()).expect("a CPR number is ten digits");
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(CITIZEN), value);
    }
    let Some(organisation) = organisation else { return Ok(()) };
    let sender = consignment.source.parse::<Party>().ok();
    let code = sender.as_ref().and_then(|sender| organisation.organisation_codes.get(sender.code()));
    let Some(code) = code else {
        let detail = format!(
            "nothing was sent: star.organisation_codes has none for the sender {}",
            consignment.source
        );
        return Err(Fault::new(FaultCode::ReceiverUnauthorised, detail));
    };
    for (name, value) in
        [("x-organisationtypeidentifier", &organisation.organisation_type), ("x-organisationcode", code)]
    {
        let value = HeaderValue::from_str(value).expect("letters, digits and hyphens are header text");
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(())
}
