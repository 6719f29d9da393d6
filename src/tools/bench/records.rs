//! How long the key figures take over many interview records, and how much memory.
//!
//! The records are laid by the store's own operations, with bodies and promises as messages have them, spread over a
//! year, every jobcentre, two a-kasser and twelve kinds of interview; one in fifty corrects the one before it.

use std::{path::Path, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    deployment::{Deployment, FUNDS, head},
    stock, usage,
};
use crate::{
    clock::Clock,
    config::{self, Settings},
    domain::{
        KindId, Party,
        figure::{Figure, Interview, Month, Timeliness},
        identifiers::municipalities,
        sla::Course,
    },
    gateway,
    store::{
        Accepted, Admission, Mode, Store,
        figures::{Asked, KeyFigures},
    },
};

const INTERVIEWS: u32 = 12;
const CORRECTS_EVERY: u32 = 50;
/// They came over so long a time.
const SPREAD: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    pub records: u32,
    /// Records that were counted: those that were not corrected.
    pub interviews: u64,
    /// Messages that were counted.
    pub messages: u64,
    /// Groups of month, parties and kind.
    pub groups: usize,
    /// Of the first report after opening the store.
    pub seconds: f64,
    /// What the process had at the peak of the report beyond what it had before.
    pub grew_mebibytes: f64,
    /// Of a SQLite file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_mebibytes: Option<f64>,
}

/// Lays so many records into the empty store at `address`, or into a SQLite file of its own, and counts them all in
/// one report.
///
/// # Errors
/// The store cannot be written.
pub async fn measure(records: u32, address: Option<&str>, clock: Arc<dyn Clock>) -> anyhow::Result<Counted> {
    let folder = std::env::temp_dir().join(format!("kassebro-records-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("records.db");
    let own = format!("sqlite:{}", file.display());
    let measured = measure_in(address.unwrap_or(&own), &file, records, &*clock).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure_in(address: &str, file: &Path, records: u32, clock: &dyn Clock) -> anyhow::Result<Counted> {
    let now = clock.now();
    lay(address, records, now).await?;
    let store = open(address, Mode::Tool).await?;
    usage::forget_peak();
    let before = usage::memory_of(std::process::id())?.resident;
    let begin = clock.monotonic();
    let found = store.key_figures(everything(now)).await?;
    let seconds = clock.monotonic().saturating_sub(begin).as_secs_f64();
    let peak = usage::memory_of(std::process::id())?.peak;
    let interviews = found.interviews.iter().map(|group| group.counts.held() + group.counts.not_held).sum();
    Ok(Counted {
        records,
        interviews,
        messages: messages(&found),
        groups: found.interviews.len(),
        seconds,
        grew_mebibytes: (peak - before).max(0.0),
        store_mebibytes: std::fs::metadata(file).ok().map(|file| super::mebibytes(file.len())),
    })
}

fn messages(found: &KeyFigures) -> u64 {
    found.volumes.iter().map(|volume| volume.accepted).sum()
}

/// Two years, so that nothing is left out.
fn everything(now: Timestamp) -> Asked {
    Asked {
        months: (Month::at(now).plus(-24), Month::at(now).plus(1)),
        from: now - SPREAD * 2,
        to: now + SPREAD,
        akasse: None,
        jobcenter: None,
        agreement: None,
        kind: None,
        interview: None,
        now,
    }
}

fn settings(address: &str) -> anyhow::Result<(Settings, String)> {
    let funds = FUNDS.map(str::to_owned);
    let deployment = Deployment { funds: &funds, receivers: 1, agreements: 0 };
    let toml = deployment.toml(|_| "http://127.0.0.1:9/".into(), "", "");
    Ok((config::from_text("records.toml", &(head(address, "") + &toml))?, deployment.jobcentres()[0].clone()))
}

async fn open(address: &str, mode: Mode) -> anyhow::Result<Arc<dyn Store>> {
    let place = gateway::store_place(&settings(address)?.0)?;
    Ok(tokio::task::spawn_blocking(move || place.open(mode)).await??)
}

async fn lay(address: &str, records: u32, now: Timestamp) -> anyhow::Result<()> {
    let (settings, jobcentre) = settings(address)?;
    let rules = config::rules(&settings, 1).map_err(|problem| anyhow::anyhow!(problem))?;
    let models = stock::models(&rules, &jobcentre, now)?;
    let store = open(address, Mode::Daemon).await?;
    let mut before = None;
    for first in (0..records).step_by(stock::BATCH as usize) {
        let numbers = first..records.min(first.saturating_add(stock::BATCH));
        let batch = numbers.map(|number| {
            let mut message = stock::copy(&models, number, true, now);
            become_record(&mut message, number, records, now);
            let cause = before.replace(message.envelope.id.to_string());
            message.envelope.causation_id = cause.filter(|_| number % CORRECTS_EVERY == CORRECTS_EVERY - 1);
            // Who corrects it is who sent it.
            Admission::Accepted(Box::new(message))
        });
        stock::accept(&*store, batch.collect()).await?;
    }
    Ok(())
}

/// Spreads records over time, parties and kinds. A record that corrects has the sender of the one before it.
fn become_record(message: &mut Accepted, number: u32, records: u32, now: Timestamp) {
    let pair = number - u32::from(number % CORRECTS_EVERY == CORRECTS_EVERY - 1);
    let age = SPREAD * i32::try_from(records - number).unwrap_or(i32::MAX)
        / i32::try_from(records).unwrap_or(i32::MAX);
    let came = now - age;
    let code = |name: &str| Party::from_code(name).expect("a code of the program's own");
    let jobcentres = u32::try_from(municipalities().count()).unwrap_or(1);
    let place = usize::try_from(pair / 3 % jobcentres).unwrap_or_default();
    let jobcentre = municipalities().nth(place).map_or("0101", |(code, _)| code);
    let fund = FUNDS[usize::from(pair % 2 == 1)];
    // Every seventh is the jobcentre's own.
    let (source, receiver) = if pair.is_multiple_of(7) { (jobcentre, fund) } else { (fund, jobcentre) };
    message.envelope.source = code(source);
    message.envelope.receiver = code(receiver);
    message.envelope.kind = KindId::new("interview_record", 1);
    message.arrived.received = came;
    message.envelope.time = came - SignedDuration::from_secs(i64::from(number % 5000) * 60);
    for delivery in &mut message.deliveries {
        let starts = message.envelope.time;
        delivery.promise.course = Course::between(starts, starts + SignedDuration::from_hours(24));
    }
    let timeliness = match number % 17 {
        0 => Timeliness::Late,
        1 => Timeliness::NotHeld,
        _ => Timeliness::InTime,
    };
    let interview = Interview::new(&format!("kind-{}", number / 11 % INTERVIEWS)).expect("it is a code");
    message.figure = Some(Figure { month: Month::at(came), interview, timeliness });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_record_that_is_laid_is_counted_and_no_corrected_one() {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("records.db").display());
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        lay(&address, 300, now).await.unwrap();
        let store = open(&address, Mode::Tool).await.unwrap();
        let found = store.key_figures(everything(now)).await.unwrap();
        let counted: u64 =
            found.interviews.iter().map(|group| group.counts.held() + group.counts.not_held).sum();
        assert_eq!((messages(&found), counted), (300, 294));
        assert!(found.interviews.iter().any(|group| group.own));
    }
}
