//! KOMBIT's `StandardRetur`: a status code in the body, whatever HTTP or AMQP says besides.
//!
//! From the published samples of the Beskedfordeler (SF1461): 20 is OK, and 41 is a message that cannot be
//! parsed, returned with HTTP 200. Other codes are not published; they are taken for passing ones.

use super::{Judged, xml};
use crate::domain::FaultCode;

/// The message was taken.
const OK: u32 = 20;
/// The message cannot be parsed, and never will be.
const UNPARSEABLE: u32 = 41;

/// A `StandardRetur`, by its `StatusKode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::channels) struct Return(u32);

impl Return {
    /// What it means. The words do not repeat `FejlbeskedTekst`, which may say anything of anybody.
    pub(in crate::channels) fn judge(self) -> Judged {
        let code = match self.0 {
            OK => return Ok(()),
            UNPARSEABLE => FaultCode::ReceiverRefused,
            _ => FaultCode::ReceiverError,
        };
        Err((code, format!("answered with a StandardRetur of StatusKode {}", self.0)))
    }
}

/// The one that an answer holds. `None`: it holds none, or several that disagree.
pub(in crate::channels) fn read(body: &[u8]) -> Option<Return> {
    let leaves = xml::leaves(body)?;
    let mut codes =
        leaves.iter().filter(|leaf| leaf.name() == "StatusKode" && leaf.is_within("StandardRetur"));
    let first = codes.next()?;
    let agree = codes.all(|other| other.text == first.text);
    first.text.parse().ok().filter(|_| agree).map(Return)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(body: &str) -> Option<Result<(), FaultCode>> {
        read(body.as_bytes()).map(|found| found.judge().map_err(|(code, _)| code))
    }

    fn with(status: &str) -> String {
        format!(
            "<n:Svar xmlns:n=\"urn:x\"><n:StandardRetur><n:StatusKode>{status}</n:StatusKode>\
             <n:FejlbeskedTekst>om 070761-4285</n:FejlbeskedTekst></n:StandardRetur></n:Svar>"
        )
    }

    #[test]
    fn twenty_is_taken_forty_one_is_refused_and_the_rest_may_pass() {
        assert_eq!(judged(&with("20")), Some(Ok(())));
        assert_eq!(judged(&with("41")), Some(Err(FaultCode::ReceiverRefused)));
        for status in ["0", "21", "40", "42", "500"] {
            assert_eq!(judged(&with(status)), Some(Err(FaultCode::ReceiverError)), "{status}");
        }
        assert_eq!(judged("<StandardRetur><StatusKode>20</StatusKode></StandardRetur>"), Some(Ok(())));
    }

    #[test]
    fn an_answer_without_one_reads_as_nothing() {
        let both = "<a><StandardRetur><StatusKode>20</StatusKode></StandardRetur><StandardRetur><StatusKode>41</StatusKode></StandardRetur></a>";
        for body in ["", "OK", "<html>20</html>", "<StatusKode>20</StatusKode>", &with("OK"), &with(""), both]
        {
            assert_eq!(judged(body), None, "{body}");
        }
    }

    #[test]
    fn its_text_is_not_repeated() {
        let (_, says) = read(with("41").as_bytes()).unwrap().judge().unwrap_err();
        assert!(!says.contains("4285"), "{says}");
    }
}
