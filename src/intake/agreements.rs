//! Which agreement a message goes under, and what follows where none is in force.

use super::rules::Rules;
use crate::domain::{
    Agreement, Envelope, Fault, FaultCode, HoldReason, Text, Violation,
    agreement::{Found, OutsideValidity, find},
};

/// What a message goes under.
#[derive(Debug, Clone, Copy)]
pub(super) enum Under<'a> {
    InForce(&'a Agreement),
    /// Under none; it is refused, or carried all the same.
    Nothing,
    /// Under none; it is taken and held until one is in force.
    Awaited,
}

impl<'a> Under<'a> {
    pub(super) fn agreement(self) -> Option<&'a Agreement> {
        match self {
            Self::InForce(agreement) => Some(agreement),
            Self::Nothing | Self::Awaited => None,
        }
    }

    /// Why its deliveries wait, if they do.
    pub(super) fn hold(self) -> Option<(HoldReason, Fault)> {
        match self {
            Self::InForce(_) | Self::Nothing => None,
            Self::Awaited => {
                let detail =
                    "no agreement is in force; it goes with one that is, or by `kassebro deliveries retry`";
                Some((HoldReason::Agreement, Fault::new(FaultCode::AgreementRefuses, detail)))
            }
        }
    }
}

/// The agreement in force at the business time decides. A complaint is carried without one, with a warning.
pub(super) fn check<'a>(rules: &'a Rules, envelope: &Envelope, violations: &mut Vec<Violation>) -> Under<'a> {
    let named = envelope.agreement.as_deref();
    let found = find(&rules.agreements, &envelope.source, &envelope.receiver, named, envelope.time);
    let is_outside = matches!(found, Found::Outside(_));
    let (rule, expected, text) = match found {
        Found::InForce(agreement) if agreement.takes(&envelope.kind.name) => {
            return Under::InForce(agreement);
        }
        Found::InForce(agreement) => (
            "agreement.kind",
            agreement.kinds.join(", "),
            Text::new(
                format!("Aftalen {} omfatter ikke denne beskedtype.", agreement.id),
                format!("Agreement {} does not take this kind.", agreement.id),
            ),
        ),
        Found::NotTheirs => (
            "agreement.unknown",
            "an agreement between these two parties".to_owned(),
            Text::new(
                "Den nævnte aftale findes ikke mellem disse parter.",
                "The agreement named is not one between these parties.",
            ),
        ),
        Found::Several(ids) => (
            "agreement.ambiguous",
            ids.join(" or "),
            Text::new(
                "Flere aftaler gælder; beskeden skal nævne, hvilken den sendes under.",
                "Several agreements are in force; the message must name the one it is sent under.",
            ),
        ),
        Found::Outside(nearest) => (
            "agreement.validity",
            nearest.map_or_else(String::new, |a| {
                let last = a.valid_to.map_or_else(|| "on".to_owned(), |d| d.to_string());
                format!("{}: {} to {last}", a.id, a.valid_from)
            }),
            Text::new(
                "Ingen aftale mellem parterne gælder på hændelsestidspunktet.",
                "No agreement between the parties is in force at the business time.",
            ),
        ),
    };
    let is_complaint = envelope.kind.name == "complaint";
    let (carried, under) = match rules.outside_validity {
        _ if is_complaint => (true, Under::Nothing),
        OutsideValidity::Flag if is_outside => (true, Under::Nothing),
        OutsideValidity::Hold if is_outside => (true, Under::Awaited),
        OutsideValidity::Refuse | OutsideValidity::Flag | OutsideValidity::Hold => (false, Under::Nothing),
    };
    let violation = if carried {
        Violation::warning("/agreement", rule, FaultCode::AgreementRefuses, text)
    } else {
        Violation::error("/agreement", rule, FaultCode::AgreementRefuses, text)
    };
    violations.push(violation.expected(expected));
    under
}
