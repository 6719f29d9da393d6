//! Clocks whatever happens to them, against the history.

use std::{path::Path, sync::Arc};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{
    Office, Open,
    clocks::{command, further, taken, terms},
    fault, hours, replies,
};
use crate::{
    domain::{
        FaultCode,
        calendar::{Calendar, Named},
        case::{CaseState, Said},
        sla::{Starts, Stops, Terms, Within},
    },
    store::{Command, Next},
};

#[derive(Debug, Clone, Copy)]
enum Step {
    Pass(i64),
    Advance,
    Attempt(bool),
    Reply(usize, bool),
    Confirm,
    Retry,
    Cancel,
    Waive,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1i64..600).prop_map(Step::Pass),
        3 => Just(Step::Advance),
        3 => any::<bool>().prop_map(Step::Attempt),
        5 => (0usize..CaseState::ALL.len(), proptest::bool::weighted(0.2)).prop_map(|(state, no)| Step::Reply(state, no)),
        1 => Just(Step::Confirm),
        2 => Just(Step::Retry),
        1 => Just(Step::Cancel),
        1 => Just(Step::Waive),
        1 => Just(Step::Crash),
    ]
}

/// Whatever happens, the rows are what the history says: [`Office::check`] reckons one from the other each time.
pub(super) fn the_clocks_are_what_their_history_says(open: fn(&Path) -> Open, cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest!(config, |(steps in proptest::collection::vec(step(), 1..40))| {
        let folder = tempfile::tempdir().unwrap();
        let mut office = Office::open(open(folder.path()));
        runtime.block_on(walk(&mut office, steps));
    });
}

async fn walk(office: &mut Office, steps: Vec<Step>) {
    let named =
        Arc::new(Named::new("office", Calendar::weekdays(&["08:00-16:00".parse().unwrap()]).unwrap()));
    let paused =
        |name: &str, within, starts, stops| Terms { pauses: true, ..terms(name, within, starts, stops) };
    let days =
        Terms { within: Within::Days(2), ..paused("closed", hours(0), Starts::Delivered, Stops::Closed) };
    let promises = vec![
        further(terms("receipted", hours(1), Starts::Delivered, Stops::Receipt), None, office.now),
        further(paused("answered", hours(9), Starts::Occurred, Stops::Answered), None, office.now - hours(6)),
        further(
            paused("decided", hours(6), Starts::Delivered, Stops::Decided),
            Some(Arc::clone(&named)),
            office.now,
        ),
        further(days, Some(named), office.now),
    ];
    let delivery = taken(office, "one", promises).await;
    for (place, step) in steps.into_iter().enumerate() {
        let reason = || "as the test wants it".to_owned();
        match step {
            Step::Pass(minutes) => office.pass(SignedDuration::from_mins(minutes)),
            Step::Advance => drop(office.advance().await),
            Step::Attempt(well) => {
                let next = if well { Next::Delivered } else { Next::Dead(fault(FaultCode::ReceiverRefused)) };
                if let Some(lease) = office.lease(1).await.pop() {
                    office.settle(lease, next).await;
                }
            }
            Step::Reply(state, refuses) => {
                let refusal = refuses.then(|| fault(FaultCode::ReceiverRefused));
                let said = Said { refusal, ..CaseState::ALL[state].into() };
                let mut message = replies::reply(office, &format!("r-{place}"), Some("one"), said);
                message.deliveries.clear();
                office.accept(message).await;
            }
            Step::Confirm => {
                let confirm = Command::Confirm { delivery, receipt: None, by: "0101".into() };
                command(office, confirm).await;
            }
            Step::Retry => drop(command(office, Command::Retry(delivery)).await),
            Step::Cancel => drop(command(office, Command::Cancel { delivery, reason: None }).await),
            Step::Waive => drop(command(office, Command::Waive { delivery, reason: reason() }).await),
            Step::Crash => office.crash(),
        }
        office.check().await;
    }
}
