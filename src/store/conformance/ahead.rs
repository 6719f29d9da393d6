//! What lies ahead of receivers: paces, maintenance, and backlogs in deadline order.

use jiff::{SignedDuration, Timestamp};

use super::{Office, RECEIVER, delivery, fault, hours};
use crate::{
    domain::{
        DeliveryId, FaultCode, HoldReason,
        forecast::Slice,
        maintenance::{HOLD, Maintenance},
        pace::{Pace, Paced},
    },
    store::{
        Command, Commanded, LeaseAsk, Next,
        ahead::{Maintain, Sliced, SlicesAsk, WINDOWS_MAX},
    },
};

fn pace(able: f64) -> Pace {
    Pace { per_second: able / 2.0, busy: 0.25, able, took: 0.125 }
}

fn window(office: &Office, receiver: &str, from: i64, until: i64) -> Maintenance {
    Maintenance {
        receiver: receiver.into(),
        from: office.now + hours(from),
        until: office.now + hours(until),
        reason: "ny server".into(),
        by: "cli:op".into(),
    }
}

async fn plan(office: &Office, window: &Maintenance) -> Commanded {
    office.store().maintain(Maintain::Plan(window.clone()), office.now).await.unwrap()
}

async fn taken_due(office: &mut Office, id: &str, within: i64, key: Option<i64>) -> DeliveryId {
    let mut message = office.message(id);
    // The clock of what is overdue started long ago.
    let starts = office.now + hours(within) - hours(100);
    message.deliveries = vec![delivery(starts, hours(100))];
    message.deliveries[0].ordering_key = key;
    office.accept(message).await.answer().receipt_id.delivery(1)
}

async fn slices(office: &Office, until: Option<Timestamp>, width: SignedDuration) -> Sliced {
    let width = i64::try_from(width.as_micros()).unwrap();
    let ask = SlicesAsk { receiver: RECEIVER.into(), now: office.now, until, width };
    office.store().slices(ask).await.unwrap()
}

pub(super) async fn a_backlog_is_told_by_due_time_in_order(mut office: Office) {
    taken_due(&mut office, "overdue", -1, None).await;
    let waits = taken_due(&mut office, "waits", 1, None).await;
    let lease = office.lease(9).await.into_iter().find(|lease| lease.delivery == waits).unwrap();
    office.settle(lease, Next::Retry { at: office.now + hours(1) }).await;
    office.crash();
    let waived = taken_due(&mut office, "waived", 2, None).await;
    taken_due(&mut office, "head", 2, Some(7)).await;
    taken_due(&mut office, "behind", 3, Some(7)).await;
    for (id, next) in [("person", HoldReason::Person), ("mailbox", HoldReason::Mailbox)] {
        let held = taken_due(&mut office, id, 2, None).await;
        let lease = office.lease(9).await.into_iter().find(|lease| lease.delivery == held).unwrap();
        office.settle(lease, Next::Hold(next)).await;
        office.crash();
    }
    taken_due(&mut office, "far", 50, None).await;
    let command = Command::Waive { delivery: waived, reason: "aftalt".into() };
    office.store().command(command, "op".into(), office.now).await.unwrap();

    let at = |hour: i64| office.now + hours(hour);
    let slice = |first, last, count| Slice { first: at(first), last: at(last), count };
    let micro = SignedDuration::from_micros(1);
    let exact = slices(&office, None, micro).await;
    assert_eq!(exact.overdue, 1);
    assert_eq!(exact.slices, [slice(1, 1, 1), slice(2, 2, 2), slice(3, 3, 1), slice(50, 50, 1)]);
    assert_eq!(
        slices(&office, Some(at(2)), micro).await.slices,
        [slice(1, 1, 1), slice(2, 2, 2)],
        "until then"
    );
    let coarse = slices(&office, Some(at(49)), SignedDuration::from_hours(1_000_000)).await;
    assert_eq!(coarse, Sliced { overdue: 1, slices: vec![slice(1, 3, 4)] });
    let ask = SlicesAsk { receiver: "nobody".into(), now: office.now, until: None, width: i64::MAX };
    assert_eq!(office.store().slices(ask).await.unwrap(), Sliced::default());

    let ahead = async |from, until, most| {
        let ahead = office.store().ahead(RECEIVER.into(), at(from), at(until), most).await.unwrap();
        ahead.into_iter().map(|a| (a.message_id, a.due == at(50), a.promised)).collect::<Vec<_>>()
    };
    let line = |id: &str, promised| (id.to_owned(), id == "far", promised);
    let all = [
        line("waits", true),
        line("waived", false),
        line("head", true),
        line("behind", true),
        line("far", true),
    ];
    assert_eq!(ahead(1, 50, 9).await, all);
    assert_eq!(ahead(2, 3, 2).await, all[1..3]);
    let one = office.store().ahead(RECEIVER.into(), at(1), at(1), 9).await.unwrap().remove(0);
    assert_eq!((one.delivery, one.kind.as_str(), one.due), (waits, "complaint.v1", at(1)));
}

pub(super) async fn a_pace_is_kept_until_the_next(mut office: Office) {
    assert_eq!(office.store().paces().await.unwrap(), []);
    let (first, then) = (office.now, office.now + hours(1));
    let paces = vec![("archive".to_owned(), pace(4.0)), (RECEIVER.to_owned(), pace(8.0))];
    office.store().save_paces(paces, first).await.unwrap();
    office.store().save_paces(vec![(RECEIVER.to_owned(), pace(16.0))], then).await.unwrap();
    office.crash();
    let kept = |receiver: &str, able, at| Paced { receiver: receiver.into(), pace: pace(able), at };
    assert_eq!(
        office.store().paces().await.unwrap(),
        [kept("archive", 4.0, first), kept(RECEIVER, 16.0, then)]
    );
}

pub(super) async fn maintenance_is_planned_once_cancelled_and_forgotten_when_it_is_over(mut office: Office) {
    let soon = window(&office, RECEIVER, 1, 3);
    let later = window(&office, RECEIVER, 24, 26);
    let others = window(&office, "archive", 1, 2);
    for window in [&later, &soon, &others] {
        assert_eq!(plan(&office, window).await, Commanded::Done);
    }
    assert_eq!(plan(&office, &soon).await, Commanded::Already);
    office.crash();
    assert_eq!(office.store().maintenance().await.unwrap(), [others.clone(), soon.clone(), later.clone()]);
    assert_eq!(
        plan(&office, &window(&office, RECEIVER, -2, 0)).await,
        Commanded::NotNow,
        "it is over already"
    );
    assert_eq!(plan(&office, &window(&office, RECEIVER, 4, 4)).await, Commanded::NotNow, "it never begins");
    office.pass(hours(3));
    let cancel = |receiver: &str| Maintain::Cancel { receiver: receiver.into(), by: "cli:op".into() };
    assert_eq!(office.store().maintain(cancel("archive"), office.now).await.unwrap(), Commanded::Already);
    assert_eq!(
        office.store().maintenance().await.unwrap(),
        std::slice::from_ref(&later),
        "the others are over"
    );
    assert_eq!(office.store().maintain(cancel(RECEIVER), office.now).await.unwrap(), Commanded::Done);
    assert_eq!(office.store().maintenance().await.unwrap(), []);
    for number in 0..WINDOWS_MAX {
        assert_eq!(plan(&office, &window(&office, RECEIVER, number, number + 1)).await, Commanded::Done);
    }
    let one_more = window(&office, RECEIVER, WINDOWS_MAX, WINDOWS_MAX + 1);
    assert_eq!(plan(&office, &one_more).await, Commanded::NotNow);
}

pub(super) async fn what_would_go_is_shown_as_waiting_for_the_end_of_maintenance(mut office: Office) {
    office.taken("one").await;
    plan(&office, &window(&office, RECEIVER, 1, 3)).await;
    plan(&office, &window(&office, "archive", 0, 3)).await;
    let hold = async |office: &Office| office.view("one").await.deliveries[0].hold.clone();
    assert_eq!(hold(&office).await, None, "it has not begun, and the other is another's");
    office.pass(hours(1));
    assert_eq!(hold(&office).await.as_deref(), Some(HOLD));
    let lease = office.lease(1).await.pop().unwrap();
    office.settle(lease, Next::Retry { at: office.now + hours(1) }).await;
    assert_eq!(hold(&office).await.as_deref(), Some(HOLD));
    office.pass(hours(2));
    assert_eq!(hold(&office).await, None, "it is over");
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    office.pass(hours(-2));
    assert_eq!(hold(&office).await, None, "nothing is waiting any more");
}

pub(super) async fn of_what_is_late_nothing_is_leased_where_it_should_not_be(mut office: Office) {
    for (id, within) in [("overdue", -1), ("now", 0), ("soon", 1), ("far", 9)] {
        taken_due(&mut office, id, within, None).await;
    }
    let ask = LeaseAsk {
        receiver: RECEIVER.into(),
        most: 9,
        now: office.now,
        until: office.now + hours(1),
        due_by: Some(office.now + hours(2)),
        due_after: Some(office.now),
        wake_all: false,
        probe: false,
    };
    let leased = office.store().lease_due(ask).await.unwrap();
    let ids: Vec<_> = leased.leases.iter().map(|lease| lease.message_id.as_str()).collect();
    assert_eq!(ids, ["soon"]);
}
