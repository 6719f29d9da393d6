//! The short way from the commit to the lane.

use jiff::SignedDuration;

use super::{Office, RECEIVER, delivery, hours};
use crate::{
    domain::HoldReason,
    store::{Admission, HandOver, Lease, Next, Settled},
};

/// Enters the lane and lets it ask the table once, as a lane does when it starts.
pub(in crate::store) async fn enter(office: &Office, places: usize) -> HandOver {
    let handed =
        office.store().hand_over(RECEIVER.into(), SignedDuration::from_mins(10)).expect("it hands over");
    handed.allow(places);
    office.store().release(office.lease(100).await).await.unwrap();
    handed
}

pub(in crate::store) fn all(handed: &mut HandOver) -> Vec<Lease> {
    std::iter::from_fn(|| handed.try_next()).collect()
}

pub(super) fn ids(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|l| l.message_id.as_str()).collect()
}

pub(super) async fn what_is_stored_is_leased_and_handed_over_at_once(mut office: Office) {
    let mut handed = enter(&office, 10).await;
    let id = office.taken("one").await;
    let lease = all(&mut handed).pop().expect("it was handed over");
    assert_eq!((lease.delivery, lease.attempts, lease.message_id.as_str()), (id, 0, "one"));
    assert!(office.due().await.is_empty(), "nobody else gets it");
    office.pass(SignedDuration::from_mins(10));
    let table = office.lease(1).await.pop().expect("it has run out");
    assert_eq!(
        (
            lease.parcel,
            lease.due,
            lease.event_type,
            lease.source,
            lease.party,
            lease.expires,
            lease.ordering_key
        ),
        (
            table.parcel,
            table.due,
            table.event_type,
            table.source,
            table.party,
            table.expires,
            table.ordering_key
        ),
        "as the table would have leased it"
    );
}

pub(super) async fn a_handed_lease_is_settled_like_any_other_and_runs_out_like_any_other(mut office: Office) {
    let mut handed = enter(&office, 10).await;
    for id in ["sent", "forgotten"] {
        office.taken(id).await;
    }
    let mut leases = all(&mut handed);
    let (forgotten, sent) = (leases.pop().unwrap(), leases.pop().unwrap());
    assert_eq!(office.settle(sent, Next::Delivered).await, Settled::Done);
    assert_eq!(office.view("sent").await.line.state, "delivered");
    office.pass(SignedDuration::from_mins(10));
    assert_eq!(office.due().await, ["forgotten"]);
    office.crash();
    assert_eq!(office.settle(forgotten, Next::Delivered).await, Settled::LeaseLost);
    assert_eq!(office.due().await, ["forgotten"]);
}

pub(super) async fn what_finds_no_place_waits_and_nothing_newer_passes_it_by(mut office: Office) {
    let mut handed = enter(&office, 2).await;
    for id in ["one", "two", "three"] {
        office.taken(id).await;
    }
    assert_eq!(ids(&all(&mut handed)), ["one", "two"]);
    office.taken("four").await;
    assert!(all(&mut handed).is_empty(), "three waits in the table, so four does too");
    let some = office.lease(1).await;
    assert_eq!(ids(&some), ["three"]);
    office.taken("five").await;
    assert!(all(&mut handed).is_empty(), "the lane has not got all there was");
    assert_eq!(ids(&office.lease(10).await), ["four", "five"]);
    office.taken("six").await;
    assert_eq!(ids(&all(&mut handed)), ["six"], "it has caught up");
}

pub(super) async fn a_lane_that_stands_still_is_handed_nothing(mut office: Office) {
    let mut handed = enter(&office, 10).await;
    handed.allow(0);
    office.taken("one").await;
    assert!(all(&mut handed).is_empty());
    assert_eq!(office.due().await, ["one"]);
}

pub(super) async fn what_waits_for_its_turn_or_a_person_is_not_handed_over(mut office: Office) {
    let mut handed = enter(&office, 10).await;
    for id in ["first", "second"] {
        let mut message = office.message(id);
        message.deliveries[0].ordering_key = Some(7);
        office.accept(message).await;
    }
    let mut message = office.message("held");
    message.deliveries[0].hold = Some((HoldReason::Person, super::fault(crate::domain::FaultCode::NoAnswer)));
    office.accept(message).await;
    let leases = all(&mut handed);
    assert_eq!(ids(&leases), ["first"]);
    for lease in leases {
        office.settle(lease, Next::Delivered).await;
    }
    assert_eq!(office.due().await, ["second"]);
}

pub(super) async fn a_batch_shares_the_places_and_a_large_parcel_has_one_to_itself(mut office: Office) {
    let mut handed = enter(&office, 10).await;
    let batch = ["a", "b", "c"].map(|id| {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(office.now, hours(24))];
        message.deliveries[0].parcel.body = vec![b' '; crate::store::handover::BYTES_MAX].into();
        Admission::Accepted(Box::new(message))
    });
    office.accept_all(batch.into()).await;
    assert_eq!(ids(&all(&mut handed)), ["a"]);
    assert_eq!(office.due().await, ["b", "c"]);
}
