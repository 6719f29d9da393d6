//! What monitoring counts of open promises, of waivers, and of what lies behind deliveries.

use super::{
    Office, RECEIVER,
    clocks::{command, further, taken, terms},
    delivery, fault, hours,
    replies::reply,
};
use crate::{
    domain::{
        FaultCode,
        case::CaseState,
        sla::{Starts, Stops, Terms},
    },
    store::{
        Command, Next,
        ahead::BehindAsk,
        standing::{OpenPromises, Paused},
    },
};

pub(super) async fn open_promises_are_counted_by_how_they_stand(mut office: Office) {
    assert_eq!(office.store().standing().await.unwrap(), OpenPromises::default());
    let pausing = Terms { pauses: true, ..terms("decided", hours(24), Starts::Delivered, Stops::Decided) };
    for id in ["one", "two"] {
        let promises = vec![further(pausing.clone(), None, office.now)];
        taken(&mut office, id, promises).await;
        office.attempt(Next::Delivered).await;
    }
    office.taken("three").await;
    let standing = async |office: &Office| {
        let open = office.store().standing().await.unwrap();
        (open.on_track, open.paused.iter().map(|paused| paused.count).sum::<i64>())
    };
    assert_eq!(standing(&office).await, (3, 0), "two decisions and a delivery");
    let mut message = reply(&mut office, "r-1", Some("one"), CaseState::Incomplete.into());
    message.deliveries.clear();
    office.accept(message).await;
    assert_eq!(standing(&office).await, (2, 1));
    let paused = office.store().standing().await.unwrap().paused;
    assert_eq!(paused, [Paused { kind: "complaint.v1".into(), receiver: RECEIVER.into(), count: 1 }]);
    office.crash();
    office.pass(hours(19));
    office.advance().await;
    assert_eq!(standing(&office).await, (0, 1), "the others are at risk, and are counted there");
}

pub(super) async fn each_waiver_is_told_once_from_a_place_on(mut office: Office) {
    let answered = terms("answered", hours(10), Starts::Occurred, Stops::Answered);
    let promises = vec![further(answered, None, office.now)];
    let both = taken(&mut office, "both", promises).await;
    let one = office.taken("one").await;
    let pause = office.store().pause(RECEIVER.into(), Some("flytter".into()), "op".into(), office.now);
    pause.await.unwrap();
    let told = async |office: &Office, after, most| {
        let (waived, all) = office.store().waived(after, most).await.unwrap();
        (waived.iter().map(|w| (w.kind.clone(), w.receiver.clone(), w.count)).collect::<Vec<_>>(), all)
    };
    let (none, before) = told(&office, 0, 9).await;
    assert!(none.is_empty() && before > 0, "what else people did is passed over");
    for delivery in [both, one] {
        command(&office, Command::Waive { delivery, reason: "agreed".into() }).await;
        office.pass(hours(1));
    }
    let line = |count| ("complaint.v1".to_owned(), RECEIVER.to_owned(), count);
    let (first, place) = told(&office, before, 1).await;
    assert_eq!(first, [line(2)], "both of its promises");
    let (second, place) = told(&office, place, 9).await;
    assert_eq!(second, [line(1)]);
    assert_eq!(told(&office, place, 9).await, (vec![], place));
}

/// What a lane delivers it counts itself; what a clock of it then waits for it does not see.
pub(super) async fn what_receipts_and_answers_bring_about_is_told_once(mut office: Office) {
    let decided = terms("decided", hours(24), Starts::Delivered, Stops::Decided);
    let promises = vec![further(decided, None, office.now)];
    taken(&mut office, "sent", promises).await;
    office.attempt(Next::Delivered).await;
    let lies = office.taken("lies").await;
    let told = async |office: &Office| {
        let brought = office.store().brought().await.unwrap();
        assert!(!brought.is_more);
        let delivered = brought.delivered.into_iter().map(|taken| taken.lead_time.as_secs() / 3_600);
        let met = brought.met.into_iter().map(|met| (met.receiver, met.is_late, met.came_late));
        (delivered.collect::<Vec<_>>(), met.collect::<Vec<_>>())
    };
    assert_eq!(told(&office).await, (vec![], vec![]), "the lane knows");
    office.pass(hours(25));
    office.advance().await;
    let confirm = || Command::Confirm { delivery: lies, receipt: None, by: "urn:dk:jobcenter:0101".into() };
    command(&office, confirm()).await;
    let (delivered, met) = told(&office).await;
    assert_eq!(met, [(RECEIVER.to_owned(), true, false)], "and nobody who sent it too late");
    assert!(delivered.len() == 1 && delivered[0] >= 25, "{delivered:?}");
    command(&office, confirm()).await;
    assert_eq!(told(&office).await, (vec![], vec![]), "a second receipt brings nothing about");
    let mut message = reply(&mut office, "r-1", Some("sent"), CaseState::Granted.into());
    message.deliveries.clear();
    office.accept(message).await;
    assert_eq!(told(&office).await, (vec![], vec![(RECEIVER.to_owned(), true, false)]), "the decision");
    assert_eq!(told(&office).await, (vec![], vec![]));
}

pub(super) async fn what_can_only_be_met_after_the_delivery_lies_behind_it(mut office: Office) {
    let now = office.now;
    let promised = |name: &str, within: i64, stops| {
        further(terms(name, hours(within), Starts::Occurred, stops), None, now)
    };
    let mut message = office.message("far");
    message.deliveries = vec![delivery(now, hours(50))];
    message.deliveries[0].further = vec![
        promised("answered", 3, Stops::Answered),
        promised("decided", 30, Stops::Decided),
        promised("interviewed", 2, Stops::Kind("interview_record".into())),
        further(terms("later", hours(1), Starts::Delivered, Stops::Decided), None, now),
    ];
    office.accept(message).await;
    let near = vec![promised("answered", 4, Stops::Answered)];
    taken(&mut office, "near", near).await;
    for (id, next) in [("gone", Next::Delivered), ("dead", Next::Dead(fault(FaultCode::ReceiverRefused)))] {
        let mut message = office.message(id);
        message.deliveries = vec![delivery(now, hours(1))];
        message.deliveries[0].further = vec![promised("answered", 4, Stops::Answered)];
        office.accept(message).await;
        office.attempt(next).await;
    }
    let behind = async |office: &Office, until: Option<i64>, most| {
        let until = until.map(|until| now + hours(until));
        let ask = BehindAsk { receiver: RECEIVER.into(), now: office.now, until, most };
        let behind = office.store().behind(ask).await.unwrap();
        let lines = behind.into_iter().map(|b| {
            let after = |at: jiff::Timestamp| at.duration_since(now).as_hours();
            (b.ahead.message_id, b.ahead.promise, after(b.ahead.due), after(b.goes_by))
        });
        lines.collect::<Vec<_>>()
    };
    let line = |id: &str, promise: &str, due, goes_by| (id.to_owned(), promise.to_owned(), due, goes_by);
    let all =
        [line("far", "answered", 3, 50), line("near", "answered", 4, 24), line("far", "decided", 30, 50)];
    assert_eq!(behind(&office, None, 9).await, all);
    assert_eq!(behind(&office, Some(4), 9).await, all[..2], "until then");
    assert_eq!(behind(&office, None, 1).await, all[1..2], "the first in the lane's order");
    office.pass(hours(3));
    assert_eq!(behind(&office, Some(4), 9).await, all[1..2], "what is late is late already");
}
