//! What monitoring needs of the store.

use super::{Office, PARTY, SignedDuration};
use crate::{
    domain::ReceiptId,
    store::{Next, Verdict, views::TraceOf},
};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const STATE: &str = "rojo=00f067aa0ba902b7";

pub(super) async fn where_a_message_was_created_comes_with_its_lease_and_its_answers_and_is_found(
    mut office: Office,
) {
    let mut message = office.message("traced");
    message.envelope.traceparent = Some(TRACE.into());
    message.envelope.tracestate = Some(STATE.into());
    message.envelope.time -= SignedDuration::from_hours(3);
    let (happened, came) = (message.envelope.time, office.now);
    let Verdict::Accepted(answer) = office.accept(message).await else { panic!("it is taken") };
    office.taken("untraced").await;
    for (source, id, found) in [
        ("urn:dk:akasse:3f", "traced", Some(TRACE)),
        ("urn:dk:akasse:3f", "untraced", None),
        ("urn:dk:akasse:3f", "nobody's", None),
        ("urn:dk:akasse:hk", "traced", None),
    ] {
        let of = TraceOf::Message { source: source.into(), id: id.into() };
        assert_eq!(office.store().traceparent(of).await.unwrap().as_deref(), found, "{id} of {source}");
    }
    let of = TraceOf::Receipt(answer.receipt_id);
    assert_eq!(office.store().traceparent(of).await.unwrap().as_deref(), Some(TRACE));
    let nobody = TraceOf::Receipt(ReceiptId::from_fresh(uuid::Uuid::from_u128(77 << 8)));
    assert_eq!(office.store().traceparent(nobody).await.unwrap(), None);
    office.pass(SignedDuration::from_mins(5));
    office.crash();
    let mut leases = office.lease(2).await;
    leases.sort_by(|a, b| b.traceparent.cmp(&a.traceparent));
    let lease = leases.swap_remove(0);
    assert_eq!(lease.traceparent.as_deref(), Some(TRACE));
    assert_eq!(lease.tracestate.as_deref(), Some(STATE));
    assert_eq!((lease.occurred, lease.received), (happened, came));
    office.settle(lease, Next::Delivered).await;
    let answers = office.store().answers(PARTY.into(), 0, 10).await.unwrap();
    let traced = answers.iter().filter(|told| told.traceparent.as_deref() == Some(TRACE));
    let outcomes: Vec<_> = traced.map(|told| told.answer.outcome.name()).collect();
    assert_eq!(outcomes, ["accepted", "delivered"]);
}

pub(super) async fn a_store_says_how_large_it_is(mut office: Office) {
    office.taken("one").await;
    let size = office.store().size().await.unwrap();
    assert!(size.bytes > 10_000, "{size:?}");
    assert!(size.free.is_none_or(|free| free > 0), "{size:?}");
}
