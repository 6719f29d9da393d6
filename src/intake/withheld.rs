//! What is taken and waits for a person from the start, because the receiver's format has no room for it as it is. Pure.

use crate::{
    domain::{Cpr, Event, Fault, FaultCode, Format, HoldReason, Parcel, Severity, Text, Violation},
    formats::{self, star},
    kinds::{Kind, complaint},
};

/// Why a delivery waits for a person.
pub(super) type Withheld = (HoldReason, Fault);

/// The parcel for a receiver of that format. A complaint in which the citizen's number stands where the receiver does
/// not take it is not refused, for it must arrive in time and its words are the citizen's own: it waits for a person,
/// as a parcel with the number crossed out, and each place becomes a warning.
///
/// # Errors
/// What the format cannot carry.
pub(super) fn render(
    kind: &Kind,
    event: &Event,
    format: Format,
    violations: &mut Vec<Violation>,
) -> Result<(Parcel, Option<Withheld>), Vec<Violation>> {
    let cannot = match kind.render(event, format) {
        Ok(parcel) => return Ok((parcel, None)),
        Err(cannot) => cannot,
    };
    let only_tells =
        format == Format::Star && cannot.iter().all(|violation| violation.rule == star::TELLS_IT);
    if kind.name != complaint::KIND.name || !only_tells {
        return Err(cannot);
    }
    let Some(parcel) = star::crossed_out(event) else { return Err(cannot) };
    violations.extend(cannot.into_iter().map(|violation| Violation {
        severity: Severity::Warning,
        message: Text::new(
            "Teksten rummer borgerens CPR-nummer, som hos modtageren kun må stå i en header. Klagen er modtaget, og en \
             medarbejder afgør, hvordan den når frem.",
            "The text holds the citizen's CPR number, which may stand in a header only at the receiver. The complaint is \
             taken, and a person decides how it gets there.",
        ),
        ..violation
    }));
    let detail = "the text holds the citizen's CPR number, which the receiver takes in a header only; `kassebro deliveries \
                  retry` sends it with the number crossed out";
    Ok((parcel, Some((HoldReason::Person, Fault::new(FaultCode::NumberInText, detail)))))
}

/// A replacement number (day + 60) does not fit the pattern of STAR's interfaces: a person decides. Nothing is
/// taken off the number, and the citizen is not turned away.
pub(super) fn replacement(format: Format, citizen: Option<&Cpr>) -> Option<Withheld> {
    let excluded = formats::refuses_replacement_cpr(format);
    let replacement = citizen.is_some_and(Cpr::is_replacement);
    (excluded && replacement).then(|| {
        let detail = "the receiver's format has no room for a replacement CPR number; deliver it another way, or retry";
        (HoldReason::Person, Fault::new(FaultCode::IdentifierWrong, detail))
    })
}
