//! Which agreement a message goes under, what it says of the message, and what follows where none is in force.

use std::fmt::Write;

use super::rules::Rules;
use crate::{
    domain::{
        Agreement, Envelope, Fault, FaultCode, HoldReason, Text, Violation,
        agreement::{Found, OutsideValidity, Refused, danish_day, find, refused},
    },
    kinds,
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
    let kind = envelope.kind.name.as_str();
    let found = find(&rules.agreements, (&envelope.source, &envelope.receiver), kind, named, envelope.time);
    match found {
        Found::InForce(agreement) => match not_taken(agreement, envelope) {
            None => Under::InForce(agreement),
            Some(violation) => {
                violations.push(violation);
                Under::Nothing
            }
        },
        Found::Outside(nearest) => outside(rules, nearest, envelope, violations),
        Found::NotTheirs => {
            let text = Text::new(
                "Den nævnte aftale findes ikke mellem disse parter.",
                "The agreement named is not one between these parties.",
            );
            let violation = violation("agreement.unknown", text, kind == "complaint");
            violations.push(violation.expected("an agreement between these two parties"));
            Under::Nothing
        }
        Found::Several(ids) => {
            let text = Text::new(
                "Flere aftaler gælder; beskeden skal nævne, hvilken den sendes under.",
                "Several agreements are in force; the message must name the one it is sent under.",
            );
            let violation = violation("agreement.ambiguous", text, kind == "complaint");
            violations.push(violation.expected(ids.join(" or ")));
            Under::Nothing
        }
    }
}

fn violation(rule: &str, text: Text, carried: bool) -> Violation {
    let make = if carried { Violation::warning } else { Violation::error };
    make("/agreement".to_owned(), rule.to_owned(), FaultCode::AgreementRefuses, text)
}

/// What an agreement in force says against the kind as such.
fn not_taken(agreement: &Agreement, envelope: &Envelope) -> Option<Violation> {
    let kind = envelope.kind.name.as_str();
    if !agreement.takes(kind) {
        let found = Refused {
            pointer: "/type",
            rule: "agreement.kind",
            da: "Aftalen omfatter ikke denne beskedtype.",
            en: "The agreement does not take this kind.",
        };
        let violation = refused(agreement, &agreement.clauses.kinds, kind, found);
        return Some(violation.expected(agreement.kinds.join(", ")));
    }
    let phase = agreement.awaited_phase(kind, danish_day(envelope.time))?;
    let found = Refused {
        pointer: "/type",
        rule: "agreement.phase",
        da: "Beskedtypen omfattes først fra en senere fase.",
        en: "The kind is taken only from a later phase on.",
    };
    let violation = refused(agreement, &phase.clause, kind, found);
    Some(violation.expected(format!("{}: from {}", phase.name, phase.from)))
}

/// No agreement is in force. The nearest says what follows, or the general setting does.
fn outside<'a>(
    rules: &Rules,
    nearest: Option<&Agreement>,
    envelope: &Envelope,
    violations: &mut Vec<Violation>,
) -> Under<'a> {
    let is_complaint = envelope.kind.name == "complaint";
    let policy = nearest.and_then(|a| a.outside_validity).unwrap_or(rules.outside_validity);
    let (carried, under) = match policy {
        _ if is_complaint => (true, Under::Nothing),
        OutsideValidity::Flag => (true, Under::Nothing),
        OutsideValidity::Hold => (true, Under::Awaited),
        OutsideValidity::Refuse => (false, Under::Nothing),
    };
    let mut text = Text::new(
        "Ingen aftale mellem parterne gælder på hændelsestidspunktet.",
        "No agreement between the parties is in force at the business time.",
    );
    let mut expected = String::new();
    if let Some(agreement) = nearest {
        let Agreement { id, valid_from, valid_to, clauses, .. } = agreement;
        let clause =
            if clauses.validity.is_empty() { String::new() } else { format!(" ({})", clauses.validity) };
        let _ = write!(text.da, " Nærmest er aftalen {id}{clause}.");
        let _ = write!(text.en, " The nearest is agreement {id}{clause}.");
        let last = valid_to.map_or_else(|| "on".to_owned(), |day| day.to_string());
        expected = format!("{id}: {valid_from} to {last}");
    }
    violations.push(violation("agreement.validity", text, carried).expected(expected));
    under
}

/// Under which agreement a message would go, and everything that agreements say against it: for people who ask
/// beforehand. The event has passed its kind's own rules.
pub fn consult<'a>(
    rules: &'a Rules,
    event: &crate::domain::Event,
) -> (Option<&'a Agreement>, Vec<Violation>) {
    let mut violations = Vec::new();
    let under = check(rules, &event.envelope, &mut violations);
    if let (Some(agreement), Some(compiled)) = (under.agreement(), rules.kinds.get(&event.envelope.kind)) {
        let citizen = kinds::rules::citizen(event);
        agreement.rules_for(compiled.kind.name).check(event, citizen.as_ref(), &mut violations);
    }
    (under.agreement(), violations)
}
