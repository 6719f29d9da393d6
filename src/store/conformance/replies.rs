//! Return messages, and the messages they answer.

use super::{Accepted, Admission, Office, PARTY, SignedDuration, delivery, hours};
use crate::{
    domain::{
        Fault, FaultCode, KindId, Outcome, Party,
        attempt::Proof,
        case::{CaseState, Said},
    },
    store::{Next, Verdict},
};

/// A message from the jobcenter to the a-kasse that says so of one of its messages.
pub(super) fn reply(office: &mut Office, id: &str, to: Option<&str>, said: Said) -> Accepted {
    let mut message = office.message(id);
    message.envelope.source = Party::from_code("0101").unwrap();
    message.envelope.receiver = Party::from_code(PARTY).unwrap();
    message.envelope.kind = KindId::new("decision", 1);
    message.envelope.correlation_id = to.map(str::to_owned);
    message.arrived.party = "0101".into();
    message.deliveries[0].receiver = "3f-out".into();
    message.reply = Some(said);
    message
}

async fn answer(office: &mut Office, id: &str, to: &str, said: impl Into<Said>) {
    let message = reply(office, id, Some(to), said.into());
    assert!(
        matches!(office.accept(message).await, Verdict::Accepted(_)),
        "a reply is taken whatever it says"
    );
}

fn refusal(state: CaseState) -> Said {
    let fault = Fault::new(FaultCode::ReceiverRefused, "mangler bilag");
    Said { refusal: Some(fault), ..state.into() }
}

async fn events(office: &Office, id: &str) -> Vec<String> {
    office.view(id).await.history.into_iter().map(|event| event.what).collect()
}

/// What each reply did, in order.
async fn steps(office: &Office, id: &str) -> Vec<String> {
    let history = office.view(id).await.history.into_iter();
    history.filter(|e| e.what == "reply").map(|e| e.data["step"].as_str().unwrap().to_owned()).collect()
}

pub(super) async fn a_reply_moves_the_state_of_what_it_answers(mut office: Office) {
    office.taken("one").await;
    assert_eq!(office.view("one").await.case, None);
    for (id, state) in
        [("r-1", CaseState::InProcess), ("r-2", CaseState::Granted), ("r-3", CaseState::ActivityCreated)]
    {
        answer(&mut office, id, "one", state).await;
        assert_eq!(office.view("one").await.case, Some(state));
        assert!(events(&office, id).await.contains(&"reply_to".to_owned()));
    }
    assert_eq!(steps(&office, "one").await, ["moved", "moved", "moved"]);
    office.crash();
    assert_eq!(office.view("one").await.case, Some(CaseState::ActivityCreated));
}

pub(super) async fn a_late_or_contradictory_reply_is_kept_and_changes_nothing(mut office: Office) {
    office.taken("one").await;
    for (id, said) in [
        ("r-1", CaseState::Refused.into()),
        ("r-2", CaseState::Granted.into()),
        ("r-3", CaseState::Received.into()),
        ("r-4", refusal(CaseState::Incomplete)),
        ("r-5", CaseState::Refused.into()),
    ] {
        answer(&mut office, id, "one", said).await;
    }
    assert_eq!(steps(&office, "one").await, ["moved", "contradicts", "late", "late", "repeated"]);
    let view = office.view("one").await;
    assert_eq!((view.case, view.line.state.as_str()), (Some(CaseState::Refused), "delivered"));
}

pub(super) async fn only_the_receiver_of_a_message_answers_it(mut office: Office) {
    office.taken("one").await;
    let mut stranger = reply(&mut office, "r-1", Some("one"), CaseState::Granted.into());
    stranger.envelope.source = Party::from_code("0707").unwrap();
    stranger.arrived.party = "0707".into();
    office.accept(stranger).await;
    answer(&mut office, "r-2", "never-sent", CaseState::Granted).await;
    let view = office.view("one").await;
    assert_eq!((view.case, view.line.state.as_str()), (None, "pending"));
    for id in ["r-1", "r-2"] {
        assert!(events(&office, id).await.contains(&"unmatched".to_owned()), "{id}");
        assert_eq!(office.view(id).await.line.state, "pending", "it is owed all the same");
    }
}

pub(super) async fn a_reply_is_a_receipt_of_the_delivery(mut office: Office) {
    office.taken("one").await;
    let lease = office.lease(1).await.pop().unwrap();
    let on_the_way = Proof { in_transit: true, ..Proof::default() };
    office.settle_as(lease, Outcome::Delivered(on_the_way), Next::Delivered).await;
    assert_eq!(office.promise("one").await.standing, "on_track", "a queue is not the jobcenter");
    office.pass(hours(3));
    let said = Said { receipt: Some("R-7".into()), ..CaseState::Received.into() };
    answer(&mut office, "r-1", "one", said).await;
    let promise = office.promise("one").await;
    assert_eq!((promise.standing.as_str(), promise.met), ("met", Some(office.now)));
}

pub(super) async fn a_refusal_ends_the_delivery_and_lets_the_next_go(mut office: Office) {
    for id in ["one", "two"] {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(office.now, hours(24))];
        message.deliveries[0].ordering_key = Some(9);
        office.accept(message).await;
    }
    assert_eq!(office.due().await, ["one"]);
    answer(&mut office, "r-1", "one", refusal(CaseState::Incomplete)).await;
    let view = office.view("one").await;
    assert_eq!(view.line.state, "dead");
    assert!(view.deliveries[0].fault.as_ref().unwrap().detail.contains("mangler bilag"));
    assert_eq!(office.told("one").await, ["accepted", "failed"]);
    assert_eq!(office.due().await, ["two"]);
}

pub(super) async fn a_reply_finds_the_delivery_it_names_and_no_other(mut office: Office) {
    let mut message = office.message("one");
    message.deliveries.push(delivery(office.now, hours(24)));
    let receipt = office.accept(message).await.answer().receipt_id;
    let other = office.taken("two").await;
    answer(&mut office, "r-1", "one", CaseState::Received).await;
    assert_eq!(office.due().await.len(), 3, "one of two: nobody knows which");
    let named = Said { delivery: Some(receipt.delivery(2)), ..CaseState::Received.into() };
    let unsaid = reply(&mut office, "r-2", None, named);
    office.accept(unsaid).await;
    let states: Vec<String> = office.view("one").await.deliveries.into_iter().map(|d| d.state).collect();
    assert_eq!(states, ["pending", "delivered"]);
    let of_another = Said { delivery: Some(other), ..CaseState::InProcess.into() };
    answer(&mut office, "r-3", "one", of_another).await;
    assert_eq!(office.view("two").await.line.state, "pending");
}

pub(super) async fn a_reply_is_answered_in_the_batch_of_what_it_answers(mut office: Office) {
    let first = office.message("one");
    let second = reply(&mut office, "r-1", Some("one"), CaseState::Granted.into());
    let batch = [first, second].map(|message| Admission::Accepted(Box::new(message)));
    office.accept_all(batch.into()).await;
    assert_eq!(office.view("one").await.case, Some(CaseState::Granted));
    office.pass(SignedDuration::from_mins(1));
}
