//! How the answers of systems with rules of their own are read: pure, and one file for each of their languages.
//!
//! An answer is hostile text: bounded before it comes here, read for a code, and never repeated.

pub(super) mod kombit;
pub(super) mod sf2900;
pub(super) mod star;
mod xml;

use super::http::answer::Verdict;
use crate::domain::{Fault, FaultCode, Parcel, Profile};

/// Is the parcel in a format of that profile? One that was stored before its receiver got the profile need not
/// be: it may hold what must not stand in a body there, so it is not sent.
///
/// # Errors
/// A fault of our own, after which a person decides.
pub(super) fn fits(profile: Profile, parcel: &Parcel) -> Result<(), Fault> {
    let format = parcel.format;
    if profile.formats().contains(&format) {
        return Ok(());
    }
    let detail = format!(
        "nothing was sent: the parcel was made in the format {format} before its receiver had the profile {profile}; \
         `kassebro messages replay` makes it anew"
    );
    Err(Fault::new(FaultCode::AttemptCrashed, detail))
}

/// What an answer over HTTP means in that profile. `by_status` is what it would mean without one; `body` is
/// `None` where it broke off or was too long to be read.
pub(super) fn judge(profile: Profile, status: u16, by_status: Verdict, body: Option<&[u8]>) -> Verdict {
    match profile {
        Profile::Star => star::judge(status, by_status, body.unwrap_or_default()),
        Profile::Kombit => decided_by(by_status, body, |body| kombit::read(body).map(kombit::Return::judge)),
        Profile::Sf2900 => {
            decided_by(by_status, body, |body| sf2900::read(body).map(|receipt| receipt.judge()))
        }
    }
}

/// What a receipt means: taken, or the fault and what was answered.
pub(super) type Judged = Result<(), (FaultCode, String)>;

/// Where the status says that it was taken, the receipt in the body decides: `None` where it holds none, and
/// in it the fault where the receipt tells of one.
fn decided_by(by_status: Verdict, body: Option<&[u8]>, read: impl Fn(&[u8]) -> Option<Judged>) -> Verdict {
    if !matches!(by_status, Verdict::Has { already: false }) {
        return by_status;
    }
    let Some(body) = body else {
        return Verdict::not(FaultCode::AnswerUnreadable, "broke its receipt off, or made it too long");
    };
    match read(body) {
        Some(Ok(())) => by_status,
        Some(Err((code, says))) => Verdict::not(code, says),
        // A page that says 200 to everything sits at this address, or a system of another kind.
        None => Verdict::not(FaultCode::ReceiverMisplaced, "answered without the receipt that it owes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FaultClass, Format};

    fn parcel(format: Format) -> Parcel {
        Parcel {
            format,
            format_version: 1,
            content_type: "application/xml".into(),
            body: bytes::Bytes::new(),
            citizen: None,
        }
    }

    #[test]
    fn what_was_made_for_another_receiver_is_not_sent_and_a_person_decides() {
        assert!(fits(Profile::Star, &parcel(Format::Star)).is_ok());
        for (profile, format) in [
            (Profile::Star, Format::Beskedmodul),
            (Profile::Star, Format::Kombit),
            (Profile::Kombit, Format::Star),
            (Profile::Sf2900, Format::Jobag),
        ] {
            let fault = fits(profile, &parcel(format)).unwrap_err();
            assert_eq!(fault.class(), FaultClass::Internal, "{fault}");
        }
    }

    #[test]
    fn a_receipt_decides_where_the_status_says_taken_and_nowhere_else() {
        let taken = || Verdict::Has { already: false };
        let refused = || Verdict::not(FaultCode::ReceiverRefused, "x");
        let ok: &[u8] = b"<StandardRetur><StatusKode>20</StatusKode></StandardRetur>";
        let says = |verdict, body| match judge(Profile::Kombit, 200, verdict, body) {
            Verdict::Has { .. } => None,
            Verdict::Not { code, .. } => Some(code),
        };
        assert_eq!(says(taken(), Some(ok)), None);
        assert_eq!(says(taken(), Some(b"")), Some(FaultCode::ReceiverMisplaced));
        assert_eq!(says(taken(), None), Some(FaultCode::AnswerUnreadable));
        assert_eq!(says(refused(), Some(ok)), Some(FaultCode::ReceiverRefused));
    }
}
