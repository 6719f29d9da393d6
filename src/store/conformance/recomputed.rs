//! The key figures can be made again from the stored messages, whatever was sent and however it came.

use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    Admission, Office, Open, PARTY,
    figures::{asked, figures, of},
};
use crate::{
    domain::{
        Party,
        figure::{Month, Timeliness},
    },
    store::{
        figures::{Asked, Counts, Interviews},
        views::MessageFilter,
    },
};

const TIMELINESS: [Timeliness; 3] = [Timeliness::InTime, Timeliness::Late, Timeliness::NotHeld];

/// A record as a sender may send it: who, what, and which of those before it corrects.
#[derive(Debug, Clone)]
struct Sent {
    party: usize,
    jobcenter: usize,
    own: bool,
    months: i32,
    kind: usize,
    timeliness: usize,
    corrects: Option<(usize, bool)>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let corrects = proptest::option::weighted(0.4, (0usize..24, any::<bool>()));
    (0usize..2, 0usize..2, any::<bool>(), 0i32..3, 0usize..2, 0usize..3, corrects).prop_map(
        |(party, jobcenter, own, months, kind, timeliness, corrects)| Sent {
            party,
            jobcenter,
            own,
            months,
            kind,
            timeliness,
            corrects,
        },
    )
}

/// Whatever is sent and however it is cut into batches, the figures can be made again from the stored messages.
pub(super) fn the_figures_are_what_the_stored_messages_say(open: fn(&Path) -> Open, cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let all = proptest::collection::vec((sent(), any::<bool>()), 0..24);
    proptest!(config, |(all in all)| {
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut office = Office::open(open(folder.path()));
            send(&mut office, all).await;
            let months = (Month::at(office.now), Month::at(office.now).plus(2));
            let stored = figures(&office, Asked { months, ..asked(&office) }).await.interviews;
            assert_eq!(stored.iter().collect::<Vec<_>>(), recomputed(&office).await);
        });
    });
}

async fn send(office: &mut Office, all: Vec<(Sent, bool)>) {
    let mut receipts: Vec<String> = Vec::new();
    let mut batch = Vec::new();
    for (place, (sent, last)) in all.into_iter().enumerate() {
        let (akasse, jobcenter) = ([PARTY, "krifa"][sent.party], ["0101", "0707"][sent.jobcenter]);
        let between = if sent.own { (jobcenter, akasse) } else { (akasse, jobcenter) };
        let what = (sent.months, sent.kind, TIMELINESS[sent.timeliness]);
        let mut message = of(office, &format!("r-{place}"), what, between);
        message.envelope.causation_id = sent.corrects.map(|(which, by_receipt)| match receipts.get(which) {
            Some(receipt) if by_receipt => receipt.clone(),
            _ => format!("r-{which}"),
        });
        receipts.push(message.arrived.receipt.to_string());
        batch.push(Admission::Accepted(Box::new(message)));
        if last {
            office.store().accept(std::mem::take(&mut batch)).await.unwrap();
        }
    }
    office.store().accept(batch).await.unwrap();
}

/// From the messages, in the order in which they were taken.
async fn recomputed(office: &Office) -> Vec<Interviews> {
    let filter = MessageFilter { most: 1_000, ..MessageFilter::default() };
    let lines = office.store().messages(filter).await.unwrap();
    // By sender and id, and by sender and receipt: the first record of that interview. By that: the one that counts.
    let mut first: BTreeMap<(String, String), Uuid> = BTreeMap::new();
    let mut counts: BTreeMap<Uuid, (Interviews, Timeliness)> = BTreeMap::new();
    for line in lines.into_iter().rev() {
        let receipt = line.receipt_id;
        let message = office.store().message(receipt.to_string(), None, office.now).await.unwrap().unwrap();
        let raw = office.store().raw(receipt).await.unwrap().unwrap().raw;
        let raw = String::from_utf8(raw.to_vec()).unwrap();
        let mut words = raw.split(' ');
        let month = Month::from_number(words.next().unwrap().parse().unwrap()).unwrap();
        let interview = words.next().unwrap().to_owned();
        let timeliness = Timeliness::from_number(words.next().unwrap().parse().unwrap()).unwrap();
        let (source, receiver) = (message.source.unwrap(), message.line.receiver.unwrap());
        let own = source.contains("jobcenter");
        let code = |urn: &str| urn.parse::<Party>().unwrap().code().to_owned();
        let (jobcenter, akasse) =
            if own { (code(&source), code(&receiver)) } else { (code(&receiver), code(&source)) };
        let cause = message.causation_id.map(|cause| (source.clone(), cause));
        let root = cause.and_then(|cause| first.get(&cause).copied()).unwrap_or(receipt.uuid());
        first.insert((source.clone(), message.line.message_id.unwrap()), root);
        first.insert((source, receipt.to_string()), root);
        let counts_now = Interviews { month, jobcenter, interview, akasse, own, counts: Counts::default() };
        counts.insert(root, (counts_now, timeliness));
    }
    let mut groups: BTreeMap<Interviews, Counts> = BTreeMap::new();
    for (group, timeliness) in counts.into_values() {
        groups.entry(group).or_default().add(timeliness, 1);
    }
    groups.into_iter().map(|(group, counts)| Interviews { counts, ..group }).collect()
}
