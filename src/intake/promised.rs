//! What was promised, compared with what a configuration promises now.

use super::{clocks, rules::Rules};
use crate::{
    domain::KindId,
    store::generations::{Move, OpenPromise},
};

/// What these rules make of a promise that is open: `None` where they say the same, or nothing: the agreement that it
/// was given under is configured no more, or the kind has no promise of that name.
pub fn moved(rules: &Rules, open: &OpenPromise) -> Option<Move> {
    let kind: KindId = open.kind.parse().ok()?;
    let agreement = match &open.agreement {
        Some(id) => Some(rules.agreements.iter().find(|agreement| agreement.id == *id)?),
        None => None,
    };
    let (to, expires) = clocks::delivered(rules, &kind.name, agreement, open.occurred, open.received);
    let differs = to.course.due != open.due || to.course.starts != open.starts;
    let is_moved = to.promise.name() == open.promise && differs;
    is_moved.then_some(Move { number: open.number, to, old_due: open.due, expires })
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::{config, domain::ReceiptId};

    const SITE: &str = "[[party]]\ncode = \"3f\"\n[[receiver]]\nparty = \"0101\"\nchannel = \"mailbox\"\n\
        [[agreement]]\nid = \"a\"\nakasse = \"3f\"\njobcenter = \"0101\"\nvalid_from = \"2020-01-01\"\n";

    fn rules(more: &str) -> Rules {
        config::rules(&config::from_text("site.toml", &format!("{SITE}{more}")).unwrap(), 2).unwrap()
    }

    fn open(agreement: Option<&str>) -> OpenPromise {
        let occurred: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        OpenPromise {
            number: 1,
            place: (0, 0),
            receipt: ReceiptId::from_fresh(Uuid::from_u128(1 << 8)),
            message_id: "m".into(),
            kind: "complaint.v1".into(),
            agreement: agreement.map(str::to_owned),
            receiver: "0101".into(),
            promise: "delivered".into(),
            starts: occurred,
            due: occurred + SignedDuration::from_hours(24),
            occurred,
            received: occurred + SignedDuration::from_mins(1),
            second_held: false,
        }
    }

    #[test]
    fn only_what_comes_to_another_deadline_is_moved() {
        assert_eq!(moved(&rules(""), &open(Some("a"))), None, "the same promise");
        let shorter = rules("promises = { complaint = \"12h\" }\n");
        let found = moved(&shorter, &open(Some("a"))).expect("the agreement promises another time now");
        assert_eq!(
            (found.to.course.starts, found.to.course.due),
            (open(None).starts, open(None).starts + SignedDuration::from_hours(12))
        );
        assert_eq!(moved(&shorter, &open(None)), None, "it was given under no agreement");
        let kind = rules("[promise.complaint]\nwithin = \"48h\"\nretry_window = \"1d\"\n");
        let found = moved(&kind, &open(None)).unwrap();
        assert_eq!(found.expires, Some(found.to.course.due + SignedDuration::from_hours(24)));
    }

    #[test]
    fn what_was_promised_under_an_agreement_that_is_gone_stays() {
        let kind = rules("[promise.complaint]\nwithin = \"48h\"\nretry_window = \"never\"\n");
        assert_eq!(moved(&kind, &open(Some("gone"))), None);
        assert!(moved(&kind, &open(Some("a"))).is_some());
    }
}
