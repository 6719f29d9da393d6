//! What is promised beside being delivered: clocks that wait, stop, stand still and go on.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Accepted, Admission, Office, PARTY, fault, hours, replies};
use crate::{
    domain::{
        Cpr, DeliveryId, FaultCode, KindId, Outcome, Party,
        attempt::Proof,
        calendar::{Calendar, Named},
        case::{CaseState, Said},
        ladder::Reach,
        placement::{Bearing, Placed},
        sla::{AT_RISK, Further, Promise, Starts, Stops, Terms, Within},
    },
    store::{Beat, Command, Commanded, Meets, Next, Verdict, views::PromiseView},
};

/// What has a step recorded from which it is at risk.
fn recorded() -> Reach {
    Reach { share: AT_RISK, due: vec![] }
}

pub(super) fn terms(name: &str, within: SignedDuration, starts: Starts, stops: Stops) -> Terms {
    let basis = "setting promise.complaint".into();
    Terms { starts, stops, basis, ..Promise::elapsed(name, within).terms }
}

/// Something else that a message is promised, from its `time` or from its delivery on.
pub(super) fn further(terms: Terms, calendar: Option<Arc<Named>>, time: Timestamp) -> Further {
    let starts = (terms.starts != Starts::Delivered).then_some(time);
    Further { promise: Arc::new(Promise::new(terms, calendar)), starts, about: None }
}

/// A decision within 24 hours of the delivery; the clock stands still while information is missing.
fn decided(time: Timestamp) -> Further {
    let terms = Terms { pauses: true, ..terms("decided", hours(24), Starts::Delivered, Stops::Decided) };
    further(terms, None, time)
}

pub(super) async fn taken(office: &mut Office, id: &str, promises: Vec<Further>) -> DeliveryId {
    let mut message = office.message(id);
    message.deliveries[0].further = promises;
    office.accept(message).await.answer().receipt_id.delivery(1)
}

/// A return message that is owed to nobody itself.
async fn reply(office: &mut Office, id: &str, to: &str, said: impl Into<Said>) {
    let mut message = replies::reply(office, id, Some(to), said.into());
    message.deliveries.clear();
    assert!(matches!(office.accept(message).await, Verdict::Accepted(_)));
}

async fn promise(office: &Office, id: &str, name: &str) -> PromiseView {
    let promises = office.view(id).await.promises;
    promises.into_iter().find(|p| p.promise == name).unwrap_or_else(|| panic!("{name} has begun"))
}

async fn standing(office: &Office, id: &str, name: &str) -> String {
    promise(office, id, name).await.standing
}

/// What the history tells of a promise, in order.
async fn events(office: &Office, id: &str, name: &str) -> Vec<String> {
    let history = office.view(id).await.history.into_iter();
    let of_it = history.filter(|event| event.data["promise"] == name);
    of_it.filter_map(|event| event.what.strip_prefix("sla_").map(str::to_owned)).collect()
}

pub(super) async fn command(office: &Office, command: Command) -> Commanded {
    let commanded = office.store().command(command, "cli:anna".into(), office.now).await.unwrap();
    office.check().await;
    commanded
}

pub(super) async fn a_clock_that_waits_for_the_delivery_begins_with_it(mut office: Office) {
    let promises = vec![decided(office.now)];
    let id = taken(&mut office, "one", promises).await;
    assert_eq!(office.view("one").await.promises.len(), 1, "it has not begun");
    let clocks = office.store().clocks(id.receipt()).await.unwrap();
    assert_eq!((clocks[0].state, clocks[0].promise.name()), ("waiting", "decided"));
    office.pass(hours(30));
    office.advance().await;
    assert!(events(&office, "one", "decided").await.is_empty(), "what has not begun warns of nothing");
    office.attempt(Next::Delivered).await;
    let begun = promise(&office, "one", "decided").await;
    assert_eq!((begun.starts, begun.due), (office.now, office.now + hours(24)));
    assert_eq!(begun.basis.as_deref(), Some("setting promise.complaint"));
    office.crash();
    office.pass(hours(19));
    let passed: Vec<_> = office.advance().await.into_iter().map(|p| (p.promise, p.step)).collect();
    assert_eq!(passed, [("decided".into(), 50), ("decided".into(), 75)]);
    let endangered = office.store().endangered(recorded()).await.unwrap();
    assert_eq!((endangered[0].promise.as_str(), endangered[0].step), ("decided", 75));
    reply(&mut office, "r-1", "one", CaseState::InProcess).await;
    assert_eq!(standing(&office, "one", "decided").await, "at_risk", "that decides nothing");
    reply(&mut office, "r-2", "one", CaseState::Granted).await;
    assert_eq!(standing(&office, "one", "decided").await, "met");
    assert_eq!(events(&office, "one", "decided").await, ["started", "step", "step", "met"]);
    assert_eq!(
        office.told("one").await,
        ["accepted", "late", "delivered"],
        "who sent it is told of its delivery"
    );
    reply(&mut office, "r-3", "one", CaseState::Published).await;
    assert_eq!(events(&office, "one", "decided").await.len(), 4, "it is over");
}

pub(super) async fn what_is_promised_from_the_first_is_met_late_with_every_step(mut office: Office) {
    let answered = terms("answered", hours(10), Starts::Occurred, Stops::Answered);
    let promises = vec![further(answered, None, office.now - hours(6))];
    taken(&mut office, "one", promises).await;
    assert_eq!(events(&office, "one", "answered").await, ["started", "step"], "half was used on arrival");
    office.attempt(Next::Delivered).await;
    assert_eq!(standing(&office, "one", "delivered").await, "met");
    assert_eq!(standing(&office, "one", "answered").await, "on_track", "a delivery is no answer");
    office.pass(hours(5));
    reply(&mut office, "r-1", "one", CaseState::InProcess).await;
    let met = promise(&office, "one", "answered").await;
    assert_eq!((met.standing.as_str(), met.met), ("met_late", Some(office.now)));
    assert_eq!(events(&office, "one", "answered").await, ["started", "step", "step", "step", "step", "met"]);
}

pub(super) async fn the_receivers_own_word_stops_what_waits_for_a_receipt(mut office: Office) {
    let receipted = || terms("receipted", hours(1), Starts::Delivered, Stops::Receipt);
    let promises = vec![further(receipted(), None, office.now)];
    let delivery = taken(&mut office, "one", promises).await;
    let lease = office.lease(1).await.pop().unwrap();
    let on_the_way = Proof { in_transit: true, ..Proof::default() };
    office.settle_as(lease, Outcome::Delivered(on_the_way), Next::Delivered).await;
    office.pass(hours(2));
    assert_eq!(standing(&office, "one", "receipted").await, "breached", "it lies in the queue");
    let receipt = |delivery| Command::Confirm { delivery, receipt: Some("R-1".into()), by: "0101".into() };
    assert_eq!(command(&office, receipt(delivery)).await, Commanded::Done);
    assert_eq!(standing(&office, "one", "receipted").await, "met_late");
    assert_eq!(standing(&office, "one", "delivered").await, "met");
    assert_eq!(command(&office, receipt(delivery)).await, Commanded::Already);
    // An acknowledgement is delivery and receipt in one.
    let promises = vec![further(receipted(), None, office.now)];
    let delivery = taken(&mut office, "two", promises).await;
    command(&office, receipt(delivery)).await;
    let met = promise(&office, "two", "receipted").await;
    assert_eq!((met.starts, met.met), (office.now, Some(office.now)));
}

pub(super) async fn missing_information_stops_the_clock_and_moves_the_deadline(mut office: Office) {
    let promises = vec![decided(office.now)];
    taken(&mut office, "one", promises).await;
    office.attempt(Next::Delivered).await;
    let due = office.now + hours(24);
    office.pass(hours(13));
    reply(&mut office, "r-1", "one", CaseState::Incomplete).await;
    let still = promise(&office, "one", "decided").await;
    assert_eq!((still.standing.as_str(), still.paused), ("paused", Some(office.now)));
    office.crash();
    office.pass(hours(100));
    assert!(office.advance().await.is_empty(), "a clock that stands still warns of nothing");
    assert_eq!(standing(&office, "one", "decided").await, "paused");
    assert!(office.store().endangered(recorded()).await.unwrap().is_empty());
    assert_eq!(office.store().sla_totals(office.now).await.unwrap().get("open"), Some(&1));
    reply(&mut office, "r-2", "one", CaseState::InProcess).await;
    let resumed = promise(&office, "one", "decided").await;
    assert_eq!((resumed.standing.as_str(), resumed.due), ("on_track", due + hours(100)));
    let view = office.view("one").await;
    let moved = view.history.iter().find(|event| event.what == "sla_moved").unwrap();
    let instant = |name: &str| moved.data[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!((instant("from"), instant("due")), (due, due + hours(100)), "the record shows both");
    office.pass(hours(5));
    let passed: Vec<_> = office.advance().await.into_iter().filter(|p| p.promise == "decided").collect();
    assert_eq!(passed.iter().map(|p| (p.step, p.due_at)).collect::<Vec<_>>(), [(75, due + hours(94))]);
    let groups = office.store().endangered(recorded()).await.unwrap();
    let group = groups.iter().find(|group| group.promise == "decided").unwrap();
    assert_eq!(group.course.step_instant(group.step), due + hours(94), "by the clock that stood still");
    office.pass(hours(7));
    office.advance().await;
    // What is breached is breached: nothing moves it any more.
    reply(&mut office, "r-3", "one", CaseState::Incomplete).await;
    assert_eq!(standing(&office, "one", "decided").await, "breached");
    reply(&mut office, "r-4", "one", CaseState::Refused).await;
    assert_eq!(standing(&office, "one", "decided").await, "met_late");
    let told = ["started", "step", "paused", "resumed", "moved", "step", "step", "step", "met"];
    assert_eq!(events(&office, "one", "decided").await, told);
}

pub(super) async fn a_paused_clock_that_is_decided_is_met_by_what_was_left(mut office: Office) {
    let promises = vec![decided(office.now)];
    taken(&mut office, "one", promises).await;
    office.attempt(Next::Delivered).await;
    office.pass(hours(10));
    reply(&mut office, "r-1", "one", CaseState::Incomplete).await;
    office.pass(hours(300));
    reply(&mut office, "r-2", "one", CaseState::Granted).await;
    let met = promise(&office, "one", "decided").await;
    assert_eq!((met.standing.as_str(), met.paused), ("met", None));
    assert_eq!(events(&office, "one", "decided").await, ["started", "paused", "resumed", "moved", "met"]);
}

pub(super) async fn business_time_warns_by_its_calendar(mut office: Office) {
    let calendar = Calendar::weekdays(&["08:00-16:00".parse().unwrap()]).unwrap();
    let named = Arc::new(Named::new("office", calendar));
    let eight = terms("decided", hours(8), Starts::Delivered, Stops::Decided);
    // Friday at 14:00 in Denmark: two hours that day, six on Monday.
    office.now = "2026-03-06T13:00:00Z".parse().unwrap();
    let promises = vec![further(eight, Some(Arc::clone(&named)), office.now)];
    let mut message = office.message("one");
    message.deliveries[0].further = promises;
    // That it is delivered is in business time too: within a business day.
    let day = Terms {
        within: Within::Days(1),
        basis: "agreement a".into(),
        ..Promise::elapsed("delivered", hours(0)).terms
    };
    message.deliveries[0].promise = Arc::new(Promise::new(day, Some(named))).clocked(office.now);
    let receipt = office.accept(message).await.answer().receipt_id;
    assert_eq!(office.view("one").await.line.due, Some("2026-03-09T15:00:00Z".parse().unwrap()));
    let clocks = office.store().clocks(receipt).await.unwrap();
    assert_eq!(clocks.iter().map(|c| c.state).collect::<Vec<_>>(), ["over", "waiting"]);
    office.attempt(Next::Delivered).await;
    office.crash();
    office.now = "2026-03-09T08:59:59Z".parse().unwrap();
    assert!(office.advance().await.is_empty(), "a weekend uses nothing");
    for (at, step) in [("09:00", 50), ("11:00", 75), ("12:12", 90), ("13:00", 100)] {
        office.now = format!("2026-03-09T{at}:00Z").parse().unwrap();
        let passed: Vec<_> = office.advance().await.into_iter().map(|p| (p.step, p.due_at)).collect();
        assert_eq!(passed, [(step, office.now)]);
    }
}

pub(super) fn citizen(office: &mut Office, id: &str, kind: &str, cpr: &str) -> (Accepted, Placed) {
    let mut message = office.message(id);
    message.envelope.kind = KindId::new(kind, 1);
    let (akasse, jobcenter) = (Party::from_code(PARTY).unwrap(), Party::from_code("0101").unwrap());
    (message, Placed::of(&akasse, &jobcenter, &Cpr::parse(cpr).unwrap()))
}

pub(super) const ANNA: &str = "0707614285";
const BENT: &str = "0103922852";

/// A placement with its first interview within two weeks.
async fn placed(office: &mut Office, id: &str, cpr: &str) {
    let (mut message, about) = citizen(office, id, "placement", cpr);
    let interview = Stops::Kind("interview_record".into());
    let first = terms("first_interview", hours(14 * 24), Starts::Registration, interview);
    message.deliveries[0].further = vec![Further { about: Some(about), ..further(first, None, office.now) }];
    office.accept(message).await;
}

pub(super) async fn a_message_about_the_same_citizen_stops_the_clock_of_an_earlier_one(mut office: Office) {
    placed(&mut office, "p-anna", ANNA).await;
    placed(&mut office, "p-bent", BENT).await;
    office.pass(hours(24 * 11));
    office.advance().await;
    assert_eq!(standing(&office, "p-anna", "first_interview").await, "at_risk");
    // Of another kind, and of the kind.
    for (id, kind, expected) in [("a-1", "appointment", "at_risk"), ("i-1", "interview_record", "met")] {
        let (mut message, about) = citizen(&mut office, id, kind, ANNA);
        message.meets = Some(Meets { about, happened: Some(message.envelope.time) });
        office.accept(message).await;
        assert_eq!(standing(&office, "p-anna", "first_interview").await, expected);
    }
    assert_eq!(standing(&office, "p-bent", "first_interview").await, "at_risk", "that is another citizen");
    let view = office.view("p-anna").await;
    let met = view.history.iter().find(|event| event.what == "sla_met").unwrap();
    assert_eq!(met.data["by"], office.view("i-1").await.line.receipt_id.to_string());
    let endangered = office.store().endangered(recorded()).await.unwrap();
    let interviews: Vec<i64> =
        endangered.iter().filter(|e| e.promise == "first_interview").map(|e| e.count).collect();
    assert_eq!(interviews, [1]);
    // Who is not placed any more is not waited for.
    let (mut message, about) = citizen(&mut office, "o-1", "opt_out", BENT);
    message.ends_placement = Some(about);
    message.bearing = Some((about, Bearing::OptsOut(office.now)));
    office.accept(message).await;
    assert_eq!(standing(&office, "p-bent", "first_interview").await, "ended");
    office.pass(hours(24 * 11));
    let late: Vec<_> =
        office.advance().await.into_iter().filter(|p| p.promise == "first_interview").collect();
    assert!(late.is_empty(), "{late:?}");
}

pub(super) async fn what_is_in_one_batch_starts_and_stops_in_its_order(mut office: Office) {
    let (mut first, about) = citizen(&mut office, "p-anna", "placement", ANNA);
    let interview = Stops::Kind("interview_record".into());
    let terms = terms("first_interview", hours(24), Starts::Occurred, interview);
    first.deliveries[0].further =
        vec![Further { about: Some(about), ..further(terms, None, office.now) }, decided(office.now)];
    let (mut second, _) = citizen(&mut office, "i-1", "interview_record", ANNA);
    second.meets = Some(Meets { about, happened: Some(second.envelope.time) });
    let third = replies::reply(&mut office, "r-1", Some("p-anna"), CaseState::Granted.into());
    let batch = [first, second, third].map(|message| Admission::Accepted(Box::new(message)));
    office.accept_all(batch.into()).await;
    assert_eq!(standing(&office, "p-anna", "first_interview").await, "met");
    assert_eq!(standing(&office, "p-anna", "decided").await, "met", "its receiver had it when it answered");
}

pub(super) async fn a_death_ends_what_has_begun_and_a_retry_lets_it_go_on(mut office: Office) {
    let answered = terms("answered", hours(10), Starts::Occurred, Stops::Answered);
    let promises = vec![further(answered, None, office.now), decided(office.now)];
    let delivery = taken(&mut office, "one", promises).await;
    let starts = office.now;
    office.pass(hours(1));
    office.attempt(Next::Dead(fault(FaultCode::ReceiverRefused))).await;
    assert_eq!(standing(&office, "one", "answered").await, "ended");
    office.pass(hours(1));
    command(&office, Command::Retry(delivery)).await;
    let again = promise(&office, "one", "answered").await;
    assert_eq!((again.standing.as_str(), again.due), ("on_track", starts + hours(10)));
    office.attempt(Next::Delivered).await;
    assert_eq!(
        standing(&office, "one", "decided").await,
        "on_track",
        "what waited for the delivery has begun"
    );
    // Waived: what runs, and what has not begun.
    let promises = vec![decided(office.now)];
    let other = taken(&mut office, "two", promises).await;
    for delivery in [delivery, other] {
        let waive = Command::Waive { delivery, reason: "agreed by telephone".into() };
        assert_eq!(command(&office, waive.clone()).await, Commanded::Done);
        assert_eq!(command(&office, waive).await, Commanded::Already);
    }
    assert_eq!(standing(&office, "one", "answered").await, "waived");
    office.attempt(Next::Delivered).await;
    assert_eq!(office.view("two").await.promises.len(), 1, "what was waived does not begin");
    office.pass(hours(100));
    assert!(office.advance().await.iter().all(|p| p.promise == "delivered"));
}

pub(super) async fn a_refusal_answers_and_decides_and_ends_the_rest(mut office: Office) {
    let closed = terms("closed", hours(10), Starts::Occurred, Stops::Kind("interview_record".into()));
    let answered = terms("answered", hours(10), Starts::Occurred, Stops::Answered);
    let promises = vec![further(answered, None, office.now), further(closed, None, office.now)];
    taken(&mut office, "one", promises).await;
    let fault = fault(FaultCode::ReceiverRefused);
    reply(&mut office, "r-1", "one", Said { refusal: Some(fault), ..CaseState::Refused.into() }).await;
    assert_eq!(office.view("one").await.line.state, "dead");
    for (name, expected) in [("delivered", "ended"), ("answered", "met"), ("closed", "ended")] {
        assert_eq!(standing(&office, "one", name).await, expected, "{name}");
    }
}

pub(super) async fn the_times_in_which_a_gateway_was_up_are_remembered(mut office: Office) {
    let run = uuid::Uuid::from_u128(7);
    let started = office.now;
    let beat = |run, started, now, ends| Beat { run, node: "process 1".into(), started, now, ends };
    assert!(office.store().runs(started).await.unwrap().is_empty());
    office.store().beat(beat(run, started, started, false)).await.unwrap();
    office.crash();
    office.store().beat(beat(run, started, started + hours(1), false)).await.unwrap();
    let other = uuid::Uuid::from_u128(8);
    let later = started + hours(3);
    office.store().beat(beat(other, later, later, false)).await.unwrap();
    office.store().beat(beat(other, later, later + hours(1), true)).await.unwrap();
    let runs = office.store().runs(later).await.unwrap();
    let told: Vec<_> = runs.iter().map(|r| (r.started, r.seen, r.in_order)).collect();
    let first = (started, started + hours(1), false);
    assert_eq!(told, [first, (later, later + hours(1), true)], "the first of all tells since when is known");
    let much_later = started + hours(24 * 900);
    // The store was away when it started: its first word comes later.
    let heard = much_later + hours(1);
    office.store().beat(beat(uuid::Uuid::from_u128(9), much_later, heard, false)).await.unwrap();
    assert_eq!(office.store().runs(started).await.unwrap().len(), 1, "nobody asks for the others any more");
}
