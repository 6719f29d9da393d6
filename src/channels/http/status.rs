//! What an attempt over HTTP comes to where only a status is known, or not even that: for receivers that follow a
//! script. It is judged as the channel judges what it hears over the wire.

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::{answer, failure};
use crate::domain::{Fault, FaultCode, Outcome};

/// What a receiver of HTTP is known to mean.
#[derive(Debug, Clone, Default)]
pub struct Meaning {
    /// Host and port, for texts.
    pub origin: String,
    /// Statuses by which it says that it has the message.
    pub already_have: Vec<u16>,
    /// A success is only the word of somebody on the way.
    pub receipt_follows: bool,
}

impl Meaning {
    /// It answered that status, with no body.
    pub fn of_status(&self, status: u16, retry_after: Option<SignedDuration>, now: Timestamp) -> Outcome {
        let asked = retry_after.map(|wait| (RETRY_AFTER, wait.as_secs().into()));
        let headers = HeaderMap::from_iter(asked);
        match answer::verdict(status, &headers, &self.already_have, now) {
            answer::Verdict::Has { already } => {
                Outcome::Delivered(answer::proof(status, already, self.receipt_follows, None))
            }
            answer::Verdict::Not { code, says, retry_after, star_code } => Outcome::Fault {
                fault: Fault::new(code, format!("{} {says}", self.origin)).star(star_code),
                status: Some(status),
                retry_after,
            },
        }
    }

    /// It refused the connection.
    pub fn refused(&self) -> Outcome {
        let text = format!("{} was not reached, nothing was sent: connection refused", self.origin);
        Outcome::fault(Fault::new(FaultCode::ConnectFailed, text))
    }

    /// It took the message and did not answer in time.
    pub fn silent(&self) -> Outcome {
        Outcome::fault(failure::too_late(&self.origin, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_alone_means_what_it_means_over_the_wire() {
        let now = "2026-03-02T11:00:00Z".parse().unwrap();
        let kbh = Meaning { already_have: vec![409], receipt_follows: true, ..Meaning::default() };
        let code = |status, retry_after| match kbh.of_status(status, retry_after, now) {
            Outcome::Fault { fault, retry_after, .. } => Some((fault.code, retry_after)),
            Outcome::Delivered(proof) => {
                assert!(proof.receipt_follows && proof.in_transit);
                None
            }
            Outcome::Deposited => unreachable!("nothing is deposited over HTTP"),
        };
        let wish = SignedDuration::from_secs(120);
        assert_eq!(code(503, None), Some((FaultCode::ReceiverError, None)));
        assert_eq!(code(503, Some(wish)), Some((FaultCode::Throttled, Some(wish))));
        assert_eq!(code(422, None), Some((FaultCode::ReceiverRefused, None)));
        assert_eq!((code(200, None), code(409, None)), (None, None));
    }
}
