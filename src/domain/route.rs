//! Which receivers are owed which kind, and why (Recipient List).

use super::{Format, Party, distribution::Distribution};

/// A named destination of one party, as routing sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    /// The name in configuration: 1–60 of `[a-z0-9._-]`.
    pub name: String,
    pub party: Party,
    /// The kinds it takes; empty: every kind that no other receiver of the party names.
    pub kinds: Vec<String>,
    /// The format instead of the kind's own.
    pub format: Option<Format>,
    /// What a distributor on the way must be told.
    pub distribution: Option<Distribution>,
    /// It takes nothing but what an agreement sends it as a second way.
    pub fallback_only: bool,
}

/// One line of the explanation: a receiver, and why it was chosen or not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    pub receiver: String,
    pub chosen: bool,
    pub because: String,
}

/// The receivers a message is owed to, with the reasons of all.
#[derive(Debug, PartialEq)]
pub struct Routed<'a> {
    pub receivers: Vec<&'a Receiver>,
    pub reasons: Vec<Reason>,
}

/// Routes a kind to a party: the receivers of the party that name the kind, else those that take every kind.
pub fn route<'a>(receivers: &'a [Receiver], party: &Party, kind: &str) -> Routed<'a> {
    let named = |r: &Receiver| r.kinds.iter().any(|k| k == kind);
    let someone_named = receivers.iter().any(|r| &r.party == party && named(r));
    let mut routed = Routed { receivers: Vec::new(), reasons: Vec::new() };
    for receiver in receivers {
        let (chosen, because) = if &receiver.party != party {
            (false, format!("it belongs to {}, not to {party}", receiver.party))
        } else if receiver.fallback_only {
            (false, "it is a second way only: an agreement's fallback".to_owned())
        } else if named(receiver) {
            (true, format!("it takes {kind} by name"))
        } else if !receiver.kinds.is_empty() {
            (false, format!("it takes only {}", receiver.kinds.join(", ")))
        } else if someone_named {
            (false, format!("another receiver of {party} takes {kind} by name"))
        } else {
            (true, "it takes every kind".to_owned())
        };
        if chosen {
            routed.receivers.push(receiver);
        }
        routed.reasons.push(Reason { receiver: receiver.name.clone(), chosen, because });
    }
    routed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: &str, party: &str, kinds: &[&str]) -> Receiver {
        Receiver {
            name: name.into(),
            party: Party::from_code(party).unwrap(),
            kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
            format: None,
            distribution: None,
            fallback_only: false,
        }
    }

    #[test]
    fn a_named_kind_goes_to_its_receiver_and_the_rest_to_the_general_one() {
        let all = [
            receiver("kbh", "0101", &[]),
            receiver("kbh-jobag", "0101", &["job_order"]),
            receiver("norddjurs", "0707", &[]),
        ];
        let chosen = |kind| {
            let routed = route(&all, &Party::from_code("0101").unwrap(), kind);
            assert_eq!(routed.reasons.len(), all.len());
            routed.receivers.iter().map(|r| r.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(chosen("job_order"), ["kbh-jobag"]);
        assert_eq!(chosen("complaint"), ["kbh"]);
    }

    #[test]
    fn a_second_way_is_nobodys_first() {
        let mut all = [receiver("kbh", "0101", &[]), receiver("kbh-mail", "0101", &[])];
        all[1].fallback_only = true;
        let routed = route(&all, &Party::from_code("0101").unwrap(), "complaint");
        assert_eq!(routed.receivers.iter().map(|r| &*r.name).collect::<Vec<_>>(), ["kbh"]);
        assert_eq!(routed.reasons[1].because, "it is a second way only: an agreement's fallback");
    }

    #[test]
    fn a_party_without_receivers_gets_nothing_and_every_receiver_says_why() {
        let all = [receiver("kbh", "0101", &[])];
        let routed = route(&all, &Party::from_code("0707").unwrap(), "complaint");
        assert!(routed.receivers.is_empty());
        assert_eq!(
            routed.reasons[0].because,
            "it belongs to urn:dk:jobcenter:0101, not to urn:dk:jobcenter:0707"
        );
    }
}
