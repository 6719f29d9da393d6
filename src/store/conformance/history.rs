//! The history is the record and the deadlines its index: one is reckoned from the other and compared.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Office, recorded};
use crate::{
    domain::sla::{AT_RISK, STEPS, Standing, Unmet, step_instant},
    store::views::{EventView, MessageFilter, MessageView, PromiseView},
};

/// A promise as its history tells it.
#[derive(Debug, Default, PartialEq)]
struct Told {
    steps: Vec<u8>,
    met: Option<Timestamp>,
    ended: bool,
    waived: bool,
}

impl Told {
    fn unmet(&self) -> Option<Unmet> {
        if self.waived { Some(Unmet::Waived) } else { self.ended.then_some(Unmet::Ended) }
    }
}

pub(super) async fn agrees_with_the_promises(office: &Office) {
    let filter = MessageFilter { most: 10_000, ..MessageFilter::default() };
    let mut endangered: BTreeMap<u8, i64> = BTreeMap::new();
    for line in office.store().messages(filter).await.unwrap() {
        let id = line.receipt_id.to_string();
        let message = office.store().message(id, None, office.now).await.unwrap().expect("it is listed");
        for (delivery, promise) in message.deliveries.iter().zip(&message.promises) {
            let of_it = message.history.iter().filter(|e| e.delivery_id == Some(delivery.delivery_id));
            let told = reckon(of_it, promise);
            compare(&told, promise, office.now, &message);
            if let (None, None, Some(step)) = (told.met, told.unmet(), told.steps.last())
                && *step >= AT_RISK
            {
                *endangered.entry(*step).or_default() += 1;
            }
        }
    }
    let mut counted: BTreeMap<u8, i64> = BTreeMap::new();
    for group in office.store().endangered(recorded()).await.unwrap() {
        *counted.entry(group.step).or_default() += group.count;
    }
    assert_eq!(counted, endangered, "the steps in the index are those in the history");
}

fn reckon<'a>(events: impl Iterator<Item = &'a EventView>, promise: &PromiseView) -> Told {
    let mut told = Told::default();
    for event in events {
        match (event.what.as_str(), event.data["promise"].as_str()) {
            ("sla_step", _) => {
                let step = u8::try_from(event.data["step"].as_u64().unwrap()).unwrap();
                let due_at: Timestamp = event.data["dueAt"].as_str().unwrap().parse().unwrap();
                assert_eq!(due_at, step_instant(promise.starts, promise.due, step), "its true instant");
                assert!(due_at <= event.at, "no step is recorded before it is due");
                told.steps.push(step);
            }
            (_, Some("met" | "met_late")) => told.met = Some(event.at),
            (_, Some("ended")) | ("cancelled", _) => told.ended = told.met.is_none(),
            ("retried", _) => told.ended = false,
            ("waived", _) => told.waived = true,
            _ => {}
        }
    }
    told
}

fn compare(told: &Told, promise: &PromiseView, now: Timestamp, message: &MessageView) {
    let history = &message.history;
    assert_eq!(told.met, promise.met, "{history:#?}");
    let standing = Standing::of(promise.starts, promise.due, told.met, told.unmet(), now).name();
    assert_eq!(standing, promise.standing, "{history:#?}");
    assert_eq!(told.steps, STEPS[..told.steps.len()], "each step once and in order: {history:#?}");
    let late = told.met.is_some_and(|met| met > promise.due);
    let breached = told.steps.last() == Some(&100);
    let at_the_instant = told.met == Some(promise.due);
    assert!(
        told.met.is_none() || late == breached || at_the_instant,
        "a breach is recorded when it was one: {history:#?}"
    );
}
