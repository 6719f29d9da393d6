//! What comes in: identities, batches, answers, cursors, marks and lanes.

use jiff::SignedDuration;

use super::{Office, PARTY, RECEIVER, delivery, fault, hours};
use crate::{
    domain::{Answer, FaultCode, KindId, Party, circuit::Circuit},
    store::{Admission, Forget, InHand, LaneState, Next, Stage, Verdict, Way, views::MessageFilter},
};

pub(super) async fn an_accepted_message_owes_its_deliveries(mut office: Office) {
    let mut message = office.message("one");
    let mut second = delivery(office.now, hours(2));
    second.receiver = "archive".into();
    message.deliveries.push(second);
    let verdict = office.accept(message).await;
    let Verdict::Accepted(answer) = &verdict else { panic!("{verdict:?}") };
    assert_eq!(answer.deadline, Some(office.now + hours(2)), "the nearest deadline is told");
    let view = office.view("one").await;
    assert_eq!(view.line.state, "pending");
    let owed: Vec<_> = view.deliveries.iter().map(|d| (d.receiver.as_str(), d.state.as_str())).collect();
    assert_eq!(owed, [(RECEIVER, "pending"), ("archive", "pending")]);
    assert_eq!(office.due().await, ["one"], "each receiver's lane gets its own");
    assert_eq!(office.told("one").await, ["accepted"]);
}

pub(super) async fn a_duplicate_gets_the_first_answer_and_leaves_a_trace(mut office: Office) {
    let message = office.message("one");
    let first = office.accept(message).await;
    office.attempt(Next::Delivered).await;
    office.pass(hours(30));
    let again = office.message("one");
    let receipt = again.arrived.receipt;
    let verdict = office.accept(again).await;
    let Verdict::Duplicate(answer) = &verdict else { panic!("{verdict:?}") };
    assert_eq!(answer, first.answer());
    assert_ne!(answer.receipt_id, receipt);
    let history = office.view("one").await.history;
    assert_eq!(history.iter().filter(|e| e.what == "duplicate").count(), 1);
    assert!(office.due().await.is_empty(), "nothing is owed twice");
    assert_eq!(office.store().conservation().await.unwrap().taken, 1);
}

pub(super) async fn the_same_id_with_another_body_is_a_conflict_and_changes_nothing(mut office: Office) {
    office.taken("one").await;
    let mut other = office.message("one");
    other.hash = [8; 32];
    let receipt = other.arrived.receipt;
    let verdict = office.accept(other).await;
    let Verdict::Conflict(answer) = &verdict else { panic!("{verdict:?}") };
    assert_eq!(answer.receipt_id, receipt, "what conflicts is kept under its own receipt");
    assert_eq!(answer.errors[0].code, FaultCode::IdentityReused);
    assert_eq!(office.view(&receipt.to_string()).await.line.state, "invalid");
    assert_eq!(office.view("one").await.line.state, "pending", "the name stays the first one's");
    assert_eq!(office.due().await, ["one"]);
}

pub(super) async fn the_same_id_from_two_senders_is_two_messages(mut office: Office) {
    const ID: &str = "0b9ad7f2-6a0b-4c38-8c5f-5b1f7f3e9a01";
    let from = |office: &mut Office, code: &str| {
        let mut message = office.message(ID);
        message.envelope.source = Party::from_code(code).unwrap();
        message
    };
    let mut receipts = Vec::new();
    for code in ["3f", "krifa", "hk"] {
        let message = from(&mut office, code);
        receipts.push(message.arrived.receipt);
        assert!(matches!(office.accept(message).await, Verdict::Accepted(_)), "{code}");
    }
    office.crash();
    for (code, receipt) in ["3f", "krifa", "hk"].into_iter().zip(&receipts) {
        let message = from(&mut office, code);
        let verdict = office.accept(message).await;
        let Verdict::Duplicate(answer) = verdict else { panic!("{code}: {verdict:?}") };
        assert_eq!(answer.receipt_id, *receipt, "{code}");
    }
    let named = MessageFilter { id: Some(ID.into()), most: 10, ..MessageFilter::default() };
    let mut found = office.store().messages(named).await.unwrap();
    found.sort_by_key(|line| line.receipt_id);
    assert_eq!(found.iter().map(|line| line.receipt_id).collect::<Vec<_>>(), receipts, "all are found by it");
    // When the first is forgotten, the others are known as before, and its id is free.
    let first = office.lease(100).await.into_iter().find(|l| l.delivery.receipt() == receipts[0]);
    office.settle(first.expect("it is due"), Next::Delivered).await;
    let slice = Forget { what: Stage::Messages, before: office.now + hours(1), most: 10 };
    assert_eq!(office.store().forget(slice).await.unwrap().count, 1);
    let again = from(&mut office, "krifa");
    assert!(matches!(office.accept(again).await, Verdict::Duplicate(_)));
    let again = from(&mut office, "3f");
    assert!(matches!(office.accept(again).await, Verdict::Accepted(_)));
    let again = from(&mut office, "3f");
    assert!(matches!(office.accept(again).await, Verdict::Duplicate(_)));
}

pub(super) async fn a_refused_message_claims_no_identity(mut office: Office) {
    let invalid = office.invalid(Some("one"));
    let verdicts = office.accept_all(vec![Admission::Invalid(Box::new(invalid))]).await;
    assert!(matches!(verdicts[0], Verdict::Rejected(_)), "{verdicts:?}");
    assert_eq!(office.told("one").await, ["rejected"]);
    let corrected = office.message("one");
    let verdict = office.accept(corrected).await;
    assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    let unreadable = office.invalid(None);
    let receipt = unreadable.arrived.receipt;
    office.accept_all(vec![Admission::Invalid(Box::new(unreadable))]).await;
    assert_eq!(office.view(&receipt.to_string()).await.findings.len(), 1, "it is found by its receipt");
}

pub(super) async fn a_batch_is_judged_in_order_even_within_itself(mut office: Office) {
    let (first, same, mut other) = (office.message("one"), office.message("one"), office.message("one"));
    other.hash = [8; 32];
    let (invalid, last) = (office.invalid(Some("two")), office.message("two"));
    let batch = vec![
        Admission::Accepted(Box::new(first)),
        Admission::Accepted(Box::new(same)),
        Admission::Accepted(Box::new(other)),
        Admission::Invalid(Box::new(invalid)),
        Admission::Accepted(Box::new(last)),
    ];
    let verdicts = office.accept_all(batch).await;
    let names: Vec<_> = verdicts.iter().map(Verdict::name).collect();
    assert_eq!(names, ["accepted", "duplicate", "conflict", "rejected", "accepted"]);
    assert!(office.accept_all(vec![]).await.is_empty());
    assert_eq!(office.due().await, ["one", "two"]);
}

pub(super) async fn answers_stand_in_order_and_keep_their_ids(mut office: Office) {
    for id in ["one", "two", "three"] {
        office.taken(id).await;
    }
    office.attempt(Next::Delivered).await;
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    let log = office.store().answers(PARTY.into(), 0, 100).await.unwrap();
    assert!(log.is_sorted_by(|a, b| a.seq < b.seq));
    let ids = |log: &[crate::store::LoggedAnswer]| log.iter().map(|l| l.answer.id()).collect::<Vec<_>>();
    let all: Vec<Answer> = log.iter().map(|l| l.answer.clone()).collect();
    assert_eq!(all.iter().map(|a| a.outcome.name()).collect::<Vec<_>>()[3..], ["delivered", "failed"]);
    let unique: std::collections::BTreeSet<_> = ids(&log).into_iter().collect();
    assert_eq!(unique.len(), log.len(), "no two answers share an id");
    office.crash();
    let again = office.store().answers(PARTY.into(), 0, 100).await.unwrap();
    assert_eq!(again.iter().map(|l| l.answer.clone()).collect::<Vec<_>>(), all);
    let page = office.store().answers(PARTY.into(), log[1].seq, 2).await.unwrap();
    assert_eq!(ids(&page), ids(&log)[2..4], "a page begins after its cursor");
    assert!(office.store().answers("krifa".into(), 0, 100).await.unwrap().is_empty());
}

pub(super) async fn a_cursor_never_goes_back(mut office: Office) {
    assert_eq!(office.store().cursor("reader".into()).await.unwrap(), 0);
    for (set, stands) in [(5, 5), (9, 9), (3, 9), (0, 9)] {
        office.store().set_cursor("reader".into(), set).await.unwrap();
        assert_eq!(office.store().cursor("reader".into()).await.unwrap(), stands);
    }
    office.crash();
    assert_eq!(office.store().cursor("reader".into()).await.unwrap(), 9);
    assert_eq!(office.store().cursor("another".into()).await.unwrap(), 0);
}

pub(super) async fn a_message_left_in_hand_is_remembered_over_a_crash(mut office: Office) {
    let now = office.now;
    let mark = |key: u8| InHand { key: [key; 32], now, way: Way::Amqp, party: PARTY.into() };
    assert_eq!(office.store().take_in_hand(mark(1)).await.unwrap(), 0);
    office.crash();
    assert_eq!(office.store().take_in_hand(mark(1)).await.unwrap(), 1, "it was in hand at the crash");
    assert_eq!(office.store().take_in_hand(mark(2)).await.unwrap(), 0, "its neighbour was not");
    office.store().put_down([1; 32]).await.unwrap();
    office.crash();
    assert_eq!(office.store().take_in_hand(mark(1)).await.unwrap(), 0, "it left the hand in good order");
    assert_eq!(office.store().take_in_hand(mark(2)).await.unwrap(), 1);
}

pub(super) async fn what_is_stored_is_in_hand_no_more(mut office: Office) {
    let now = office.now;
    let mark = || InHand { key: [1; 32], now, way: Way::Amqp, party: PARTY.into() };
    let (mut taken, mut other) = (office.message("one"), office.message("one"));
    (taken.arrived.in_hand, other.arrived.in_hand) = (Some([1; 32]), Some([1; 32]));
    other.hash = [9; 32];
    let mut refused = office.invalid(Some("two"));
    refused.arrived.in_hand = Some([1; 32]);
    let taken = Admission::Accepted(Box::new(taken));
    for (admission, expected) in [
        (taken.clone(), "accepted"),
        (taken, "duplicate"),
        (Admission::Accepted(Box::new(other)), "conflict"),
        (Admission::Invalid(Box::new(refused)), "rejected"),
    ] {
        assert_eq!(office.store().take_in_hand(mark()).await.unwrap(), 0, "before it was {expected}");
        let verdicts = office.store().accept(vec![admission]).await.unwrap();
        assert_eq!(verdicts[0].name(), expected);
        office.crash();
    }
    assert_eq!(office.store().take_in_hand(mark()).await.unwrap(), 0);
    office.taken("neighbour").await;
    office.crash();
    assert_eq!(office.store().take_in_hand(mark()).await.unwrap(), 1, "another takes no mark away");
}

pub(super) async fn what_was_taken_is_known_by_its_bytes_and_headers(mut office: Office) {
    let mut message = office.message("one");
    message.arrived.headers = vec![("ce-id".into(), "one".into())];
    let arrived = message.arrived.clone();
    assert!(!office.store().has_taken(arrived.clone()).await.unwrap());
    office.accept(message).await;
    office.taken("two").await;
    let refused = office.invalid(Some("refused"));
    let bytes = refused.arrived.clone();
    office.accept_all(vec![Admission::Invalid(Box::new(refused))]).await;
    office.crash();
    assert!(office.store().has_taken(arrived.clone()).await.unwrap());
    let other = |change: fn(&mut super::Arrived)| {
        let mut other = arrived.clone();
        change(&mut other);
        other
    };
    let counted = other(|a| a.headers.push(("x-delivery-count".into(), "2".into())));
    assert!(office.store().has_taken(counted).await.unwrap(), "what the broker counts is not the sender's");
    for unknown in [
        other(|a| a.headers.push(("x-other".into(), "2".into()))),
        other(|a| a.party = "krifa".into()),
        other(|a| a.raw = "another".into()),
        other(|a| a.headers[0].1 = "two".into()),
        other(|a| a.headers.clear()),
        other(|a| a.content_type = None),
        bytes,
    ] {
        assert!(!office.store().has_taken(unknown.clone()).await.unwrap(), "{unknown:?}");
    }
}

pub(super) async fn lanes_and_pauses_outlive_the_process(mut office: Office) {
    let circuit = Circuit::Open {
        since: office.now,
        probe_at: office.now + SignedDuration::from_secs(5),
        probes: 3,
        fault: fault(FaultCode::ConnectFailed),
    };
    let lane = |circuit: &Circuit, paused: Option<&str>| LaneState {
        receiver: RECEIVER.into(),
        circuit: circuit.clone(),
        paused: paused.map(str::to_owned),
    };
    office.store().save_lane(lane(&circuit, None), office.now).await.unwrap();
    office.store().pause(RECEIVER.into(), Some("flytter".into()), "op".into(), office.now).await.unwrap();
    office.crash();
    assert_eq!(office.store().lanes().await.unwrap(), [lane(&circuit, Some("flytter"))]);
    let closed = Circuit::default();
    office.store().pause(RECEIVER.into(), None, "op".into(), office.now).await.unwrap();
    let mut probed = circuit.clone();
    probed.probe_now(office.now);
    assert_ne!(probed, circuit);
    assert_eq!(
        office.store().lanes().await.unwrap(),
        [lane(&probed, None)],
        "who resumes it knows it is back"
    );
    office.store().pause(RECEIVER.into(), Some("flytter".into()), "op".into(), office.now).await.unwrap();
    office.store().save_lane(lane(&closed, None), office.now).await.unwrap();
    assert_eq!(
        office.store().lanes().await.unwrap(),
        [lane(&closed, Some("flytter"))],
        "a pause is a person's"
    );
    office.store().pause(RECEIVER.into(), None, "op".into(), office.now).await.unwrap();
    assert_eq!(office.store().lanes().await.unwrap(), [lane(&closed, None)]);
}

pub(super) async fn what_came_astray_is_told_by_queue_and_party(mut office: Office) {
    let began = office.now;
    for (queue_of, party) in [("krifa", "3f"), ("krifa", "3f"), ("krifa", "unknown"), ("foa", "3f")] {
        let mut message = office.invalid(None);
        message.arrived.party = party.into();
        message.astray_in = Some(queue_of.into());
        office.accept_all(vec![Admission::Invalid(Box::new(message))]).await;
        office.pass(SignedDuration::from_mins(10));
    }
    // Refused, but in its own queue.
    let own = office.invalid(None);
    office.accept_all(vec![Admission::Invalid(Box::new(own))]).await;
    office.crash();
    let told = async |office: &Office, since| {
        let groups = office.store().astray(since).await.unwrap();
        groups.into_iter().map(|g| (g.queue_of, g.party, g.count, g.first)).collect::<Vec<_>>()
    };
    let group = |queue: &str, party: &str, count, minutes| {
        (queue.to_owned(), party.to_owned(), count, began + SignedDuration::from_mins(minutes))
    };
    let all = [group("foa", "3f", 1, 30), group("krifa", "3f", 2, 0), group("krifa", "unknown", 1, 20)];
    assert_eq!(told(&office, began - SignedDuration::from_mins(1)).await, all);
    let since = began + SignedDuration::from_mins(10);
    assert_eq!(told(&office, since).await, [group("foa", "3f", 1, 30), group("krifa", "unknown", 1, 20)]);
    let latest = office.store().astray(began - SignedDuration::from_mins(1)).await.unwrap();
    let receipts: Vec<u128> = latest.iter().map(|g| g.example.uuid().as_u128() >> 8).collect();
    assert_eq!(receipts, [4, 2, 3], "the latest of each");
}

pub(super) async fn a_complaint_under_no_agreement_is_told_by_sender_and_receiver(mut office: Office) {
    let began = office.now;
    for (id, receiver, kind, agreement) in [
        ("one", "0101", "complaint", None),
        ("covered", "0101", "complaint", Some("kbh-3f")),
        ("two", "0101", "complaint", None),
        ("flagged", "0101", "complaint_outcome", None),
        ("other", "0707", "complaint", None),
    ] {
        let mut message = office.message(id);
        message.envelope.receiver = Party::from_code(receiver).unwrap();
        message.envelope.kind = KindId::new(kind, 1);
        message.agreement = agreement.map(str::to_owned);
        office.accept_all(vec![Admission::Accepted(Box::new(message))]).await;
        office.pass(SignedDuration::from_mins(10));
    }
    let refused = office.invalid(Some("refused"));
    office.accept_all(vec![Admission::Invalid(Box::new(refused))]).await;
    office.crash();
    let told = async |office: &Office, since| {
        let groups = office.store().uncovered(since).await.unwrap();
        groups.into_iter().map(|g| (g.party, g.receiver, g.count, g.first)).collect::<Vec<_>>()
    };
    let group = |jobcenter: &str, count, minutes| {
        let first = began + SignedDuration::from_mins(minutes);
        (PARTY.to_owned(), format!("urn:dk:jobcenter:{jobcenter}"), count, first)
    };
    let before = began - SignedDuration::from_mins(1);
    assert_eq!(told(&office, before).await, [group("0101", 2, 0), group("0707", 1, 40)]);
    assert_eq!(told(&office, began).await, [group("0101", 1, 20), group("0707", 1, 40)]);
    let latest = office.store().uncovered(before).await.unwrap().remove(0).example;
    assert_eq!(latest, office.view("two").await.line.receipt_id, "the latest of them");
}
