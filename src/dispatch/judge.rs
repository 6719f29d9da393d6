//! What follows an attempt: a pure function of the outcome, the lease and the receiver's profile.

use jiff::Timestamp;

use crate::{
    domain::{
        Fault, FaultCode, HoldReason, Outcome,
        fault::Follows,
        retry::{Failure, Retry, RetryPolicy},
    },
    store::{Lease, Next},
};

/// What a receiver's profile says of an attempt that was sent and not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// Send again under the same id: the receiver knows it by its idempotency key.
    #[default]
    Retry,
    /// A person decides.
    Hold,
}

/// Crashes of ours after which a delivery waits for a person.
const CRASHES_MAX: u32 = 2;

/// What follows. `jitter` is chance, in 0–1.
pub fn judge(
    lease: &Lease,
    outcome: &Outcome,
    policy: &RetryPolicy,
    profile: Ambiguous,
    now: Timestamp,
    jitter: f64,
) -> Next {
    let (fault, retry_after) = match outcome {
        Outcome::Delivered(_) => return Next::Delivered,
        Outcome::Deposited => return Next::Hold(HoldReason::Mailbox),
        Outcome::Fault { fault, retry_after, .. } => (fault, *retry_after),
    };
    let again = || {
        let failure = Failure {
            attempts: lease.attempts + 1,
            now,
            due: Some(lease.due),
            retry_after,
            expires: lease.expires,
            jitter,
        };
        match policy.after(&failure) {
            Retry::At(at) => Next::Retry { at },
            Retry::Expired => {
                let detail = format!("no attempt is left in the window; the last one came to {fault}");
                Next::Dead(Fault::new(FaultCode::WindowSpent, detail))
            }
        }
    };
    match fault.class().follows() {
        Follows::Dead | Follows::Invalid => Next::Dead(fault.clone()),
        Follows::Retry | Follows::HoldLane => again(),
        Follows::AskProfile if profile == Ambiguous::Hold => Next::Hold(HoldReason::Person),
        Follows::RetryThenPerson if lease.crashes + 1 >= CRASHES_MAX => Next::Hold(HoldReason::Person),
        Follows::AskProfile | Follows::RetryThenPerson => again(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Format, Parcel, ReceiptId, answer::Subscription, attempt::Proof};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn lease() -> Lease {
        Lease {
            delivery: ReceiptId::from_fresh(Uuid::from_bytes([7; 16])).delivery(1),
            number: 257,
            token: 1,
            until: NOW,
            parcel: Parcel {
                format: Format::Cloudevents,
                format_version: 1,
                content_type: "application/json".into(),
                body: Bytes::new(),
                citizen: None,
            },
            attempts: 0,
            rounds: 0,
            ordering_key: None,
            partner: None,
            party: "3f".into(),
            answers: Subscription::default(),
            clocks: 0,
            crashes: 0,
            due: NOW + SignedDuration::from_hours(24),
            expires: None,
            event_type: String::new(),
            source: String::new(),
            message_id: String::new(),
            correlation_id: None,
            traceparent: None,
            tracestate: None,
            occurred: NOW,
            received: NOW,
        }
    }

    fn after(lease: &Lease, code: FaultCode, profile: Ambiguous) -> Next {
        let outcome = Outcome::fault(Fault::new(code, "x"));
        judge(lease, &outcome, &RetryPolicy::default(), profile, NOW, 0.0)
    }

    #[test]
    fn each_class_has_its_consequence() {
        let retry = Next::Retry { at: NOW + SignedDuration::from_secs(30) };
        for (code, next) in [
            (FaultCode::ReceiverRefused, Next::Dead(Fault::new(FaultCode::ReceiverRefused, "x"))),
            (FaultCode::ReceiverUnauthorised, retry.clone()),
            (FaultCode::ConnectFailed, retry.clone()),
            (FaultCode::Throttled, retry.clone()),
            (FaultCode::NoAnswer, retry.clone()),
            (FaultCode::AttemptCrashed, retry),
        ] {
            assert_eq!(after(&lease(), code, Ambiguous::Retry), next, "{code}");
        }
    }

    #[test]
    fn an_ambiguous_outcome_waits_for_a_person_where_the_profile_says_so() {
        assert_eq!(after(&lease(), FaultCode::NoAnswer, Ambiguous::Hold), Next::Hold(HoldReason::Person));
    }

    #[test]
    fn a_second_crash_of_ours_waits_for_a_person() {
        let crashed = Lease { crashes: 1, ..lease() };
        assert_eq!(
            after(&crashed, FaultCode::AttemptCrashed, Ambiguous::Retry),
            Next::Hold(HoldReason::Person)
        );
    }

    #[test]
    fn the_end_of_the_window_is_a_death_that_says_why() {
        let spent = Lease { expires: Some(NOW), ..lease() };
        let Next::Dead(fault) = after(&spent, FaultCode::ConnectFailed, Ambiguous::Retry) else {
            unreachable!()
        };
        assert_eq!(fault.code, FaultCode::WindowSpent);
    }

    #[test]
    fn a_deposited_parcel_waits_in_the_mailbox() {
        let next = |outcome| judge(&lease(), &outcome, &RetryPolicy::default(), Ambiguous::Retry, NOW, 0.0);
        assert_eq!(next(Outcome::Deposited), Next::Hold(HoldReason::Mailbox));
        assert_eq!(next(Outcome::Delivered(Proof::default())), Next::Delivered);
    }
}
