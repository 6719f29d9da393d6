//! Second ways that go before their time because the forecast says that the first will be late.

use jiff::{SignedDuration, Timestamp};

use super::{
    Office, RECEIVER,
    fallbacks::{SECOND, lease, standing, states, taken},
    fault,
    generations::{recompute, to},
    hours,
};
use crate::{
    domain::{FaultCode, forecast::Cause},
    store::{
        Command, Commanded, Foreseen, Next, Release, Released,
        ahead::{Standby, StandbyAsk},
    },
};

fn ask(office: &Office) -> StandbyAsk {
    let (from, until) = (Timestamp::UNIX_EPOCH, office.now + hours(1_000));
    StandbyAsk { first: RECEIVER.into(), now: office.now, from, until, most: 10 }
}

async fn standbys(office: &Office) -> Vec<Standby> {
    office.store().standbys(ask(office)).await.unwrap()
}

async fn foresee(office: &Office, standbys: &[Standby]) -> Vec<Released> {
    let said = |standby: &Standby| Foreseen {
        number: standby.number,
        due: standby.due,
        cause: Cause::Backlog,
        why: "more waits than it settles".into(),
        done: Some(standby.due + hours(1)),
    };
    let which = Release::Foreseen(standbys.iter().map(said).collect());
    let released = office.store().release_fallbacks(which, office.now).await.unwrap();
    office.check().await;
    released
}

pub(super) async fn a_second_way_goes_by_the_forecast_from_its_share_of_the_time_on(mut office: Office) {
    let due = office.now + hours(24);
    let early = office.now + hours(12);
    let (first, second) = taken(&mut office, "one").await;
    assert_eq!(office.view("one").await.deliveries[1].early, Some(early));
    office.now = early - SignedDuration::from_secs(1);
    assert!(standbys(&office).await.is_empty(), "not early");
    office.now = early;
    office.crash();
    let found = standbys(&office).await;
    assert_eq!((found.len(), found[0].first, found[0].due), (1, first, due));
    assert_eq!(office.due().await, ["one"], "to ask lets nothing go");
    let released = foresee(&office, &found).await;
    assert_eq!(released.len(), 1);
    let one = &released[0];
    assert_eq!((one.delivery, one.reason.name(), one.due_at), (second, "predicted", office.now));
    assert_eq!((&*one.first, &*one.receiver, &*one.kind), (RECEIVER, SECOND, "complaint.v1"));
    assert_eq!(one.foreseen.as_ref().and_then(|said| said.done), Some(due + hours(1)));
    assert!(foresee(&office, &found).await.is_empty(), "once");
    office.crash();
    assert!(standbys(&office).await.is_empty());
    let view = office.view("one").await;
    assert_eq!(view.deliveries[1].released, Some(office.now));
    let told = view.history.iter().find(|event| event.what == "fallback_released").expect("it is told");
    assert_eq!((told.delivery_id, &told.data["reason"]), (Some(second), &"predicted".into()));
    let forecast = &told.data["forecast"];
    assert_eq!(
        (&forecast["cause"], &forecast["why"]),
        (&"backlog".into(), &"more waits than it settles".into())
    );
    assert_eq!(forecast["done"].as_str().and_then(|at| at.parse().ok()), Some(due + hours(1)));
    assert_eq!(forecast["due"].as_str().and_then(|at| at.parse().ok()), Some(due));
    let lease = lease(&office).await.pop().expect("it can be sent at once");
    office.settle(lease, Next::Delivered).await;
    assert_eq!(states(&office, "one").await, ["delivered", "cancelled", "delivered"]);
    assert_eq!(standing(&office, "one").await, ("met".into(), Some(office.now)));
}

pub(super) async fn a_forecast_is_asked_for_what_it_is_about_and_for_nothing_else(mut office: Office) {
    let due = office.now + hours(24);
    let (person, _) = taken(&mut office, "person").await;
    let lease = office.lease(1).await.pop().expect("it is due");
    assert_eq!(lease.delivery, person);
    office.settle(lease, Next::Hold(crate::domain::HoldReason::Person)).await;
    taken(&mut office, "first").await;
    office.pass(SignedDuration::from_mins(1));
    taken(&mut office, "second").await;
    office.pass(hours(13));
    let found = standbys(&office).await;
    let dues: Vec<Timestamp> = found.iter().map(|standby| standby.due).collect();
    assert_eq!(dues, [due, due + SignedDuration::from_mins(1)], "no lane's backlog waits for a person");
    let count = async |ask| office.store().standbys(ask).await.unwrap().len();
    assert_eq!(count(StandbyAsk { most: 1, ..ask(&office) }).await, 1);
    assert_eq!(count(StandbyAsk { first: SECOND.into(), ..ask(&office) }).await, 0, "another receiver");
    assert_eq!(count(StandbyAsk { from: due, until: due, ..ask(&office) }).await, 1, "both included");
    assert_eq!(count(StandbyAsk { until: due - hours(1), ..ask(&office) }).await, 0);
    // With the deadline moves the time from which on a forecast counts.
    let open = office.store().open_promises((0, 0), 10).await.unwrap();
    let last = open.iter().max_by_key(|promise| promise.number).expect("three are open");
    assert_eq!(recompute(&office, vec![to(last, due + hours(4))]).await, 1);
    assert_eq!(standbys(&office).await.len(), 1);
}

/// Between what a forecast was made of and what it lets go anything may have happened.
pub(super) async fn what_a_forecast_says_too_late_lets_nothing_go(mut office: Office) {
    for id in ["delivered", "waived", "retried", "dead"] {
        taken(&mut office, id).await;
    }
    office.pass(hours(13));
    let found = standbys(&office).await;
    assert_eq!(found.len(), 4);
    let command = async |office: &Office, command| {
        let commanded = office.store().command(command, "cli:anna".into(), office.now).await.unwrap();
        assert_eq!(commanded, Commanded::Done);
    };
    let mut leases = office.lease(4).await;
    let mut of = |number: usize| {
        let first = found[number].first;
        let place = leases.iter().position(|lease| lease.delivery == first).expect("each is leased");
        leases.remove(place)
    };
    let (delivered, dead) = (of(0), of(3));
    office.settle(delivered, Next::Delivered).await;
    office.settle(dead, Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    let waive = Command::Waive { delivery: found[1].first, reason: "aftalt".into() };
    command(&office, waive).await;
    let second = office.view("retried").await.deliveries[1].delivery_id;
    command(&office, Command::Retry(second)).await;
    let released = foresee(&office, &found).await;
    assert_eq!(released.len(), 1, "{released:?}");
    assert_eq!(released[0].reason.name(), "failed", "its first has died meanwhile, and that is why");
    assert_eq!(states(&office, "waived").await[2], "cancelled");
}
