//! Promises, volumes, senders and decisions can be counted again from the stored messages and their histories, whatever
//! happened to them.
//!
//! What is counted here knows neither the table of deadlines nor any query of the key figures. Of a promise to deliver
//! the deadline stands with the delivery, which keeps what was promised when the message was taken; everything else that
//! happens to a promise is an event.

use std::{collections::BTreeMap, path::Path};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

use super::{
    Admission, Office, Open, PARTY,
    clocks::{further, terms},
    delivery, fault,
    figures::{asked, figures},
    hours,
    replies::reply,
};
use crate::{
    domain::{
        DeliveryId, FaultCode, KindId, Party,
        case::CaseState,
        sla::{DELIVERED, Starts, Stops, Terms},
    },
    store::{
        Command, Next, Way,
        figures::{Asked, Decisions, KeyFigures, Outcomes, Sender, Volume},
        views::{EventView, MessageFilter, MessageView},
    },
};

const KINDS: [&str; 2] = ["complaint", "recommendation"];
const PARTIES: [&str; 2] = [PARTY, "krifa"];
const AGREEMENTS: [Option<&str>; 3] = [None, Some("kbh-3f"), Some("kbh-other")];

#[derive(Debug, Clone)]
enum Step {
    Accept(Sent),
    Refused,
    Attempt(Ends),
    Ask(usize, What),
    Reply(usize, usize),
    Pass(i64),
    Advance,
    Crash,
}

#[derive(Debug, Clone)]
struct Sent {
    party: usize,
    kind: usize,
    agreement: usize,
    by_broker: bool,
    /// Minutes from its business time to its arrival.
    waited: i64,
    within: i64,
    receivers: usize,
    decided: bool,
}

#[derive(Debug, Clone, Copy)]
enum Ends {
    Delivered,
    Dead,
    Later,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Waive,
    Cancel,
    Retry,
    Confirm,
}

fn step() -> impl Strategy<Value = Step> {
    let sent =
        (0usize..2, 0usize..2, 0usize..3, any::<bool>(), 0i64..3_000, 1i64..48, 1usize..3, any::<bool>());
    let sent = sent.prop_map(|(party, kind, agreement, by_broker, waited, within, receivers, decided)| {
        Step::Accept(Sent { party, kind, agreement, by_broker, waited, within, receivers, decided })
    });
    let ends = prop_oneof![4 => Just(Ends::Delivered), 1 => Just(Ends::Dead), 1 => Just(Ends::Later)];
    let what = prop_oneof![Just(What::Waive), Just(What::Cancel), Just(What::Retry), Just(What::Confirm)];
    prop_oneof![
        6 => sent,
        1 => Just(Step::Refused),
        6 => ends.prop_map(Step::Attempt),
        3 => (0usize..32, what).prop_map(|(which, what)| Step::Ask(which, what)),
        // Mostly what decides, and what decides again.
        8 => (0usize..3, 2usize..7).prop_map(|(which, says)| Step::Reply(which, says)),
        4 => (1i64..900).prop_map(Step::Pass),
        1 => Just(Step::Advance),
        1 => Just(Step::Crash),
    ]
}

pub(super) fn the_figures_are_what_the_histories_say(open: fn(&Path) -> Open, cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest!(config, |(steps in proptest::collection::vec(step(), 1..40), narrowed in 0usize..4)| {
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut office = Office::open(open(folder.path()));
            let begin = office.now;
            let mut taken = Vec::new();
            for (place, step) in steps.into_iter().enumerate() {
                walk(&mut office, &mut taken, place, step).await;
            }
            let all = Asked { from: begin, to: office.now + hours(1), ..asked(&office) };
            let asked = match narrowed {
                0 => Asked { agreement: Some("kbh-3f".into()), ..all },
                1 => Asked { kind: Some(KINDS[1].into()), akasse: Some(PARTY.into()), ..all },
                2 => Asked { from: begin + hours(6), to: begin + hours(30), ..all },
                _ => all,
            };
            compare(&figures(&office, asked.clone()).await, counted(&office, &asked).await);
        });
    });
}

/// `taken` are the ids of the messages, each with its sender.
async fn walk(office: &mut Office, taken: &mut Vec<(String, &'static str)>, place: usize, step: Step) {
    match step {
        Step::Accept(sent) => {
            taken.push((format!("m-{place}"), PARTIES[sent.party]));
            accept(office, place, &sent).await;
        }
        Step::Refused => {
            let refused = office.invalid(None);
            office.accept_all(vec![Admission::Invalid(Box::new(refused))]).await;
        }
        Step::Attempt(ends) => {
            let next = match ends {
                Ends::Delivered => Next::Delivered,
                Ends::Dead => Next::Dead(fault(FaultCode::ReceiverRefused)),
                Ends::Later => Next::Retry { at: office.now + hours(1) },
            };
            if let Some(lease) = office.lease(1).await.pop() {
                office.settle(lease, next).await;
            }
        }
        Step::Ask(which, what) => {
            let ids = deliveries(office).await;
            let Some(delivery) = ids.get(which % ids.len().max(1)).copied() else { return };
            let command = match what {
                What::Waive => Command::Waive { delivery, reason: "agreed".into() },
                What::Cancel => Command::Cancel { delivery, reason: None },
                What::Retry => Command::Retry(delivery),
                What::Confirm => Command::Confirm { delivery, receipt: None, by: "0101".into() },
            };
            office.store().command(command, "op".into(), office.now).await.unwrap();
        }
        Step::Reply(which, says) => {
            let Some((id, party)) = taken.get(which % taken.len().max(1)) else { return };
            let mut message = reply(office, &format!("r-{place}"), Some(id), CaseState::ALL[says].into());
            message.envelope.receiver = Party::from_code(party).unwrap();
            message.deliveries.clear();
            office.accept(message).await;
        }
        Step::Pass(minutes) => office.pass(SignedDuration::from_mins(minutes)),
        Step::Advance => drop(office.advance().await),
        Step::Crash => office.crash(),
    }
}

async fn accept(office: &mut Office, place: usize, sent: &Sent) {
    let mut message = office.message(&format!("m-{place}"));
    let time = office.now - SignedDuration::from_mins(sent.waited);
    message.envelope.time = time;
    message.envelope.source = Party::from_code(PARTIES[sent.party]).unwrap();
    message.envelope.kind = KindId::new(KINDS[sent.kind], 1);
    message.agreement = AGREEMENTS[sent.agreement].map(str::to_owned);
    message.arrived.party = PARTIES[sent.party].into();
    message.arrived.way = if sent.by_broker { Way::Amqp } else { Way::Http };
    let mut owed = delivery(time, hours(sent.within));
    if sent.decided {
        let terms = Terms { pauses: true, ..terms("decided", hours(10), Starts::Delivered, Stops::Decided) };
        owed.further = vec![further(terms, None, time)];
    }
    message.deliveries = vec![owed];
    if sent.receivers == 2 {
        message.deliveries.push(delivery(time, hours(sent.within + 1)));
    }
    office.accept(message).await;
}

async fn messages(office: &Office) -> Vec<MessageView> {
    let filter = MessageFilter { most: 1_000, ..MessageFilter::default() };
    let mut all = Vec::new();
    for line in office.store().messages(filter).await.unwrap() {
        let id = line.receipt_id.to_string();
        all.push(office.store().message(id, None, office.now).await.unwrap().unwrap());
    }
    all
}

async fn deliveries(office: &Office) -> Vec<DeliveryId> {
    messages(office)
        .await
        .iter()
        .flat_map(|message| message.deliveries.iter().map(|d| d.delivery_id))
        .collect()
}

/// Seconds, and what else is counted of a sender or of one who decides.
#[derive(Default)]
struct Took {
    seconds: Vec<i64>,
    messages: u64,
    /// More than half of the time was used; or granted.
    one: u64,
    /// Refused.
    other: u64,
}

#[derive(Default)]
struct Counted {
    outcomes: BTreeMap<(String, String, String), Outcomes>,
    volumes: BTreeMap<(Option<String>, String), (u64, u64)>,
    senders: BTreeMap<(String, String), Took>,
    decisions: BTreeMap<(String, String), Took>,
}

async fn counted(office: &Office, asked: &Asked) -> Counted {
    let mut counted = Counted::default();
    for message in messages(office).await.iter().filter(|message| is_asked(message, asked)) {
        if message.line.state == "invalid" {
            counted.volumes.entry((None, message.way.clone())).or_default().1 += 1;
            continue;
        }
        let kind = message.line.kind.clone().unwrap();
        counted.volumes.entry((Some(kind.clone()), message.way.clone())).or_default().0 += 1;
        sender(&mut counted, message, &kind);
        decision(&mut counted, message, &kind);
        for delivery in &message.deliveries {
            let of_it: Vec<&EventView> = message
                .history
                .iter()
                .filter(|event| event.delivery_id == Some(delivery.delivery_id))
                .collect();
            let mut promises = vec![(DELIVERED.to_owned(), delivery.due)];
            promises.extend(of_it.iter().filter(|event| event.what == "sla_started").map(|event| {
                (event.data["promise"].as_str().unwrap().to_owned(), instant(&event.data["due"]))
            }));
            for (promise, due) in promises {
                let key = (message.agreement.clone().unwrap_or_default(), kind.clone(), promise.clone());
                *standing(counted.outcomes.entry(key).or_default(), &of_it, &promise, (due, office.now)) += 1;
            }
        }
    }
    counted
}

fn is_asked(message: &MessageView, asked: &Asked) -> bool {
    let received = message.line.received;
    let kind = message.line.kind.as_deref().unwrap_or_default();
    let is_party = |code: &String| {
        let urn = Party::from_code(code).unwrap().to_string();
        message.source.as_ref() == Some(&urn) || message.line.receiver.as_ref() == Some(&urn)
    };
    asked.from <= received
        && received < asked.to
        && asked.kind.as_ref().is_none_or(|asked| kind.split('.').next() == Some(asked))
        && asked.akasse.as_ref().is_none_or(is_party)
        && (asked.agreement.is_none() || asked.agreement == message.agreement)
}

fn code(urn: Option<&String>) -> String {
    urn.unwrap().parse::<Party>().unwrap().code().to_owned()
}

fn instant(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn sender(counted: &mut Counted, message: &MessageView, kind: &str) {
    let (occurred, received) = (message.occurred.unwrap(), message.line.received);
    let took = counted.senders.entry((code(message.source.as_ref()), kind.to_owned())).or_default();
    took.messages += 1;
    took.seconds.push(received.duration_since(occurred).as_secs().max(0));
    // The first of them is what the sender is measured by; it is promised from the business time on.
    if let Some(first) = message.deliveries.iter().min_by_key(|delivery| delivery.delivery_id.ordinal()) {
        let half = first.due.duration_since(occurred) / 2;
        took.one += u64::from(received >= occurred + half);
    }
}

fn decision(counted: &mut Counted, message: &MessageView, kind: &str) {
    let took = counted.decisions.entry((code(message.line.receiver.as_ref()), kind.to_owned())).or_default();
    took.messages += 1;
    let moved = message.history.iter().filter(|e| e.what == "reply" && e.data["step"] == "moved");
    let decided = moved.filter_map(|event| match event.data["says"].as_str().unwrap() {
        "granted" | "activity_created" | "published" => Some((event, true)),
        "refused" => Some((event, false)),
        _ => None,
    });
    if let Some((event, granted)) = decided.min_by_key(|(event, _)| event.at) {
        *if granted { &mut took.one } else { &mut took.other } += 1;
        took.seconds.push(event.at.duration_since(message.line.received).as_secs());
    }
}

/// Where a promise is counted, by what its delivery's events say.
fn standing<'o>(
    outcomes: &'o mut Outcomes,
    events: &[&EventView],
    promise: &str,
    (due, now): (Timestamp, Timestamp),
) -> &'o mut u64 {
    let (mut met, mut ended, mut waived, mut paused) = (None, false, false, false);
    let is_delivered = promise == DELIVERED;
    for event in events {
        let told = event.data["promise"].as_str();
        match event.what.as_str() {
            _ if is_delivered && matches!(told, Some("met" | "met_late")) => met = Some(event.at),
            _ if is_delivered && told == Some("ended") => ended = met.is_none(),
            "cancelled" if is_delivered => ended = met.is_none(),
            "retried" if is_delivered => ended = false,
            "waived" if is_delivered => waived = met.is_none() && !ended,
            _ if told != Some(promise) => {}
            "sla_met" => {
                met = Some(event.data["at"].as_str().map_or(event.at, |at| at.parse().unwrap()));
            }
            "sla_ended" => ended = true,
            "sla_waived" => (waived, paused) = (true, false),
            "sla_paused" => paused = true,
            "sla_resumed" => (paused, ended) = (false, false),
            _ => {}
        }
    }
    // A clock that stood still has a later deadline.
    let moved = events.iter().rev().find(|e| e.what == "sla_moved" && e.data["promise"] == *promise);
    let due = moved.map_or(due, |event| instant(&event.data["due"]));
    match met {
        Some(at) if at <= due => &mut outcomes.met,
        Some(_) => &mut outcomes.met_late,
        None if waived => &mut outcomes.waived,
        None if ended => &mut outcomes.ended,
        None if due <= now && !paused => &mut outcomes.breached,
        None => &mut outcomes.open,
    }
}

fn compare(stored: &KeyFigures, counted: Counted) {
    let outcomes = counted.outcomes.into_iter().map(|((agreement, kind, promise), outcomes)| Outcomes {
        agreement: Some(agreement).filter(|id| !id.is_empty()),
        kind,
        promise,
        ..outcomes
    });
    assert_eq!(stored.outcomes, outcomes.collect::<Vec<_>>());
    let mut volumes: Vec<Volume> = counted
        .volumes
        .into_iter()
        .map(|((kind, way), (accepted, refused))| Volume { kind, way, accepted, refused })
        .collect();
    // What was refused comes last.
    volumes.sort_by_key(|volume| volume.kind.is_none());
    assert_eq!(stored.volumes, volumes);
    assert_eq!(stored.senders.len(), counted.senders.len());
    for (stored, ((party, kind), took)) in stored.senders.iter().zip(counted.senders) {
        let Sender { median_seconds, p95_seconds, .. } = *stored;
        let expected =
            Sender { party, kind, messages: took.messages, half_used: took.one, median_seconds, p95_seconds };
        assert_eq!(*stored, expected);
        about(took.seconds, median_seconds, p95_seconds);
    }
    let decided: Vec<_> =
        counted.decisions.into_iter().filter(|(_, took)| !took.seconds.is_empty()).collect();
    assert_eq!(stored.decisions.len(), decided.len());
    for (stored, ((party, kind), took)) in stored.decisions.iter().zip(decided) {
        let Decisions { median_seconds, p95_seconds, .. } = *stored;
        let expected = Decisions {
            party,
            kind,
            messages: took.messages,
            granted: took.one,
            refused: took.other,
            median_seconds,
            p95_seconds,
        };
        assert_eq!(*stored, expected);
        about(took.seconds, median_seconds, p95_seconds);
    }
}

/// What is told is never too little, and at most a tenth too much.
fn about(mut seconds: Vec<i64>, median: Option<i64>, p95: Option<i64>) {
    seconds.sort_unstable();
    for (percent, told) in [(50, median), (95, p95)] {
        let exact = seconds[(seconds.len() * percent).div_ceil(100).max(1) - 1];
        let told = told.expect("nothing here took a year");
        assert!((exact..=exact + exact / 10 + 1).contains(&told), "{percent}: {told} of {seconds:?}");
    }
}
