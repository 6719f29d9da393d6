//! What becomes of one message of a queue: whose it is by the broker's word, and what can be said of it unread.

use tracing::warn;

use super::Queue;
use crate::{
    domain::{EventId, FaultCode, Text, Violation, answer::Subscription},
    intake::{Rules, admit_timed, measured::Lap},
    lifecycle::crash,
    store::{Admission, Arrived, Invalid},
};

/// A message as the broker brought it.
pub(super) struct Brought {
    pub(super) arrived: Arrived,
    /// The AMQP user that sent it, by the broker's word.
    pub(super) user: Option<String>,
    /// Its id outside the body.
    pub(super) named: Option<EventId>,
}

/// Admits a message whose AMQP user is the queue's. Any other is invalid.
pub(super) fn judge(rules: &Rules, queue: &Queue, brought: Brought, lap: &Lap<'_>) -> Admission {
    crash::poison(&brought.arrived.raw);
    match stranger(queue, &brought) {
        None => admit_timed(rules, brought.arrived, lap),
        Some(violation) => astray(rules, queue, brought, vec![violation]),
    }
}

/// What is wrong with the user that sent it, if anything.
fn stranger(queue: &Queue, brought: &Brought) -> Option<Violation> {
    let (owner, user) = (queue.user.as_deref()?, brought.user.as_deref());
    if user == Some(owner) {
        return None;
    }
    let text = Text::new(
        "Beskeden ligger i en anden parts kø eller mangler sit user-id.",
        "The message is in another party's queue, or carries no user-id.",
    );
    let violation = Violation::error("", "party.amqp-user", FaultCode::NotYourSource, text);
    Some(violation.expected(format!("user-id {owner}")).actual(user.unwrap_or("(none)")))
}

/// Files it under the party of the user that sent it: never answered into the queue's party's queue, and alerted.
fn astray(rules: &Rules, queue: &Queue, mut brought: Brought, violations: Vec<Violation>) -> Admission {
    let (arrived, user) = (&mut brought.arrived, brought.user.as_deref());
    let intruder = user.and_then(|user| rules.sender_of_user(user));
    arrived.party = intruder.map_or_else(|| "unknown".to_owned(), |s| s.party.code().to_owned());
    warn!(queue = %queue.name, user = user.unwrap_or("(none)"), receipt = %arrived.receipt,
        "A message in {} is not from its owner; it is filed under {} and not answered there",
        queue.name, arrived.party);
    Admission::Invalid(Box::new(Invalid {
        astray_in: Some(queue.party.clone()),
        ..refused(brought, violations, Subscription(0))
    }))
}

fn refused(brought: Brought, violations: Vec<Violation>, answers: Subscription) -> Invalid {
    Invalid {
        arrived: brought.arrived,
        message_id: brought.named.map(|id| id.to_string()),
        source: None,
        kind: None,
        receiver: None,
        violations,
        answers,
        astray_in: None,
    }
}

/// Keeps it without reading its body. Whose it is is known without that, too.
pub(super) fn set_aside(rules: &Rules, queue: &Queue, brought: Brought, crashes: u32) -> Admission {
    let receipt = brought.arrived.receipt;
    warn!(receipt = %receipt, crashes, "Message {receipt} was in hand at {crashes} crashes and is set aside");
    let text = Text::new(
        "Beskeden standsede den proces, der læste den, to gange og er lagt til side.",
        "The message stopped the process that read it twice, and was set aside.",
    );
    let violation = Violation::error("", "message.set-aside", FaultCode::SetAside, text);
    let violation = violation.actual(format!("{crashes} crashes"));
    match stranger(queue, &brought) {
        None => Admission::Invalid(Box::new(refused(brought, vec![violation], Subscription::default()))),
        Some(stranger) => astray(rules, queue, brought, vec![violation, stranger]),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{config, domain::ReceiptId, store::Way};

    const SITE: &str =
        "[[party]]\ncode = \"3f\"\namqp_user = \"fund\"\n[[party]]\ncode = \"foa\"\namqp_user = \"foa\"\n";

    fn aside(user: Option<&str>) -> Invalid {
        let settings = config::from_text("site.toml", SITE).unwrap();
        let rules = config::rules(&settings, 1).unwrap();
        let queue = Queue {
            name: "kassebro.in.3f".into(),
            party: "3f".into(),
            user: Some("fund".into()),
            batch_max: 1,
            server: None,
        };
        let arrived = Arrived {
            receipt: ReceiptId::from_fresh(Uuid::now_v7()),
            party: "3f".into(),
            way: Way::Amqp,
            received: jiff::Timestamp::UNIX_EPOCH,
            sent: None,
            content_type: None,
            headers: vec![],
            raw: "hemlock".into(),
            generation: 1,
            in_hand: None,
        };
        let named = Some("m-1".parse().unwrap());
        match set_aside(&rules, &queue, Brought { arrived, user: user.map(str::to_owned), named }, 2) {
            Admission::Invalid(invalid) => *invalid,
            Admission::Accepted(_) => panic!("it is not read"),
        }
    }

    #[test]
    fn a_message_set_aside_is_named_and_answered_to_its_owner_only() {
        let own = aside(Some("fund"));
        assert_eq!((own.message_id.as_deref(), own.arrived.party.as_str()), (Some("m-1"), "3f"));
        assert_eq!((own.astray_in, own.answers), (None, Subscription::default()));
        for (user, party) in [(Some("foa"), "foa"), (Some("nobody"), "unknown"), (None, "unknown")] {
            let strange = aside(user);
            assert_eq!((strange.arrived.party.as_str(), strange.answers), (party, Subscription(0)));
            assert_eq!(strange.astray_in.as_deref(), Some("3f"), "it is alerted");
            let rules: Vec<_> = strange.violations.iter().map(|v| v.rule.as_str()).collect();
            assert_eq!(rules, ["message.set-aside", "party.amqp-user"]);
        }
    }
}
