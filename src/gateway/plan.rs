//! The parts that one configuration wants, by the roles of this process.

use std::sync::Arc;

use super::{Alerting, Live, Role, parts::Planned, publishing, start_watch, watch_queues};
use crate::{
    channels::amqp_publisher::Publisher,
    config::{Built, Loaded, Settings},
    dispatch::{self, answers},
    domain::Party,
    intake,
};

/// Nothing beside what it is made of.
const NO_FILES: [u8; 32] = [0; 32];

/// Ways in, ways out, and watchers.
pub(super) fn plan(
    live: &Live,
    loaded: &Arc<Loaded>,
    (built, alerting): (&mut Built, Alerting),
    desk: &dispatch::Desk,
    generation: u64,
) -> (Vec<Planned>, Vec<Planned>, Vec<Planned>) {
    let inward =
        if live.roles.has(Role::Intake) { inward(live, loaded, built, desk, generation) } else { vec![] };
    let outward = if live.roles.has(Role::Dispatch) { outward(live, loaded, built, desk) } else { vec![] };
    let watching = if live.roles.has(Role::Watch) {
        watching(loaded, built, alerting, desk, generation)
    } else {
        vec![]
    };
    (inward, outward, watching)
}

/// A consumer for each queue, a reader for each folder of messages or receipts, and a look at what waits for an
/// agreement.
fn inward(
    live: &Live,
    loaded: &Loaded,
    built: &Built,
    desk: &dispatch::Desk,
    generation: u64,
) -> Vec<Planned> {
    let mut planned = Vec::new();
    if let Some(broker) = &built.broker {
        let reached = loaded.fingerprint(&["amqp."]);
        for queue in &built.queues {
            let (intake, broker, queue) = (live.intake.clone(), broker.clone(), queue.clone());
            let name = format!("queue {}", queue.name);
            planned.push(Planned::new(name, &queue.clone(), reached, move |tasks| {
                tasks.spawn("queue", intake::broker::run(intake, broker, queue, tasks.stop().clone()));
            }));
        }
        let (queues, desk, health) = (built.queues.clone(), desk.clone(), Arc::clone(&live.health));
        planned.push(Planned::new("health", &queues.clone(), NO_FILES, move |tasks| {
            tasks.spawn("health", watch_queues(queues, desk, health, tasks.stop().clone()));
        }));
    }
    for folder in &built.folders {
        let (intake, folder) = (live.intake.clone(), folder.clone());
        let name = format!("spool {} {}", folder.path.display(), folder.party);
        planned.push(Planned::new(name, &folder.clone(), NO_FILES, move |tasks| {
            tasks.spawn("spool", intake::spool::run(intake, folder, tasks.stop().clone()));
        }));
    }
    for folder in &built.receipts {
        let (intake, folder) = (live.intake.clone(), folder.clone());
        let name = format!("receipts {}", folder.path.display());
        planned.push(Planned::new(name, &folder.clone(), NO_FILES, move |tasks| {
            tasks.spawn("receipts", intake::receipts::run(intake, folder, tasks.stop().clone()));
        }));
    }
    let intake = live.intake.clone();
    planned.push(Planned::new("held", &generation, NO_FILES, move |tasks| {
        tasks.spawn("held", intake::held::release(intake, tasks.stop().clone()));
    }));
    planned
}

/// A lane for each receiver, and a publisher of answers for the parties that have a queue for them.
fn outward(live: &Live, loaded: &Loaded, built: &mut Built, desk: &dispatch::Desk) -> Vec<Planned> {
    let mut planned: Vec<Planned> = answers(&loaded.settings, loaded, built, desk).into_iter().collect();
    let Some(lanes) = &live.lanes else { return planned };
    for (config, channel) in std::mem::take(&mut built.lanes) {
        let of = loaded.settings.receiver.iter().find(|r| r.common.name() == config.receiver);
        // A queue of the broker's own stands in no receiver's settings.
        let over_broker = of.is_some_and(|receiver| receiver.channel.name() == "amqp");
        let own = format!("receiver[{}].", config.receiver);
        let made_of = loaded.fingerprint(&[&own, if over_broker { "amqp." } else { &own }]);
        let name = format!("lane {}", config.receiver);
        let (desk, lanes) = (desk.clone(), lanes.clone());
        planned.push(Planned::new(name, &config.clone(), made_of, move |tasks| {
            dispatch::start(&desk, (config, channel), &lanes, tasks);
        }));
    }
    planned
}

fn answers(settings: &Settings, loaded: &Loaded, built: &Built, desk: &dispatch::Desk) -> Option<Planned> {
    let broker = built.broker.clone()?;
    let to_queue = |party: &str| settings.party.iter().any(|p| p.code == party && p.publish_answers);
    let outboxes: Vec<answers::Outbox> = built
        .queues
        .iter()
        .filter(|queue| to_queue(&queue.party))
        .filter_map(|queue| Party::from_code(&queue.party).ok())
        .map(|party| answers::Outbox { party, exchange: settings.amqp.exchange_answers.clone() })
        .collect();
    let publishing = publishing(settings, &broker);
    let desk = desk.clone();
    let made_of = loaded.fingerprint(&["amqp."]);
    Some(Planned::new("answers", &outboxes.clone(), made_of, move |tasks| {
        let publisher = Arc::new(Publisher::new("kassebro answers", &publishing));
        for outbox in outboxes {
            let run = answers::run(desk.clone(), Arc::clone(&publisher), outbox, tasks.stop().clone());
            tasks.spawn("answers", run);
        }
    }))
}

/// Whatever watches: everything it looks at may have changed with the configuration.
fn watching(
    loaded: &Arc<Loaded>,
    built: &Built,
    alerting: Alerting,
    desk: &dispatch::Desk,
    generation: u64,
) -> Vec<Planned> {
    let (rules, desk, configured) = (Arc::clone(&built.rules), desk.clone(), Arc::clone(loaded));
    vec![Planned::new("watch", &generation, loaded.fingerprint(&[""]), move |tasks| {
        start_watch(&configured.settings, &rules, alerting, &desk, generation, tasks);
    })]
}
