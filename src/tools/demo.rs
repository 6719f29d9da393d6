//! The main job with no server at all: an embedded store, generated messages of every kind by HTTP and by folder, in
//! both directions, the reference inbox, and a count of what went where.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{generate, inbox};
use crate::{
    clock::Clock,
    config,
    gateway::{self, Gateway},
    http_client,
    kinds::{Direction, KINDS, Kind},
    lifecycle::Tasks,
    store::Conservation,
    units,
};

/// The demonstration's a-kasser: code, and the API key it uses. Everything is on loopback and thrown away.
pub const FUNDS: [(&str, &str); 2] = [("3f", "demo-key-3f"), ("krifa", "demo-key-krifa")];
/// The demonstration's jobcentres: code, name, and API key.
const JOBCENTRES: [(&str, &str, &str); 2] =
    [("0101", "koebenhavn", "demo-key-0101"), ("0707", "norddjurs", "demo-key-0707")];

/// How long an answer waits for what it answers.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);

/// The file in the demonstration's folder that holds its configuration.
pub const CONFIGURATION: &str = "kassebro.toml";

/// The agreement between the demonstration's a-kasser and jobcentres.
const AGREEMENT: &str = include_str!("../../config/agreements/example-2025.toml");

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    pub messages: u32,
    /// The same seed makes the same messages.
    pub seed: u64,
    /// Where HTTP is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further settings in TOML, such as a broker's.
    pub more: String,
}

/// What went where, counted in messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub sent: u32,
    pub accepted: i64,
    pub rejected: i64,
    pub delivered: i64,
    pub duplicates: i64,
    pub pending: i64,
    pub dead: i64,
    pub sla: SlaSummary,
}

/// How promises stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlaSummary {
    pub met: i64,
    pub met_late: i64,
    pub breached: i64,
    pub open: i64,
}

/// A demonstration that runs.
pub struct Demo {
    pub gateway: Gateway,
    pub inbox: inbox::Handle,
    pub inbox_url: String,
    pub address: SocketAddr,
    clock: Arc<dyn Clock>,
    client: reqwest::Client,
    duplicates: i64,
    /// How many were sent of each kind.
    pub kinds: BTreeMap<&'static str, u32>,
    /// The last message of each kind to a jobcentre: what is said back answers it.
    last: BTreeMap<&'static str, Sent>,
}

/// A message that was sent, and between whom.
struct Sent {
    id: String,
    fund: usize,
    jobcenter: usize,
}

/// The demonstration's configuration, as a person would write it.
pub fn configuration(folder: &Path, listen: SocketAddr, inbox: &str, more: &str) -> String {
    let store = folder.join("kassebro.db");
    let head = format!(
        "[store]\nurl = \"sqlite:{}\"\n\n[http]\nlisten = \"{listen}\"\n\n[log]\nlevel = \"warn\"\n{more}",
        store.display()
    );
    let funds = FUNDS.iter().map(|(code, key)| fund(folder, code, key));
    let receivers = JOBCENTRES.iter().flat_map(|(jobcenter, name, _)| generate::KINDS.map(|kind| {
        let at = kind.replace('_', "-");
        format!("\n[[receiver]]\nname = \"{name}-{at}\"\nparty = \"{jobcenter}\"\nkinds = [\"{kind}\"]\nchannel = \"http\"\nurl = \"{inbox}/{name}/{at}\"\n")
    }));
    let jobcentres =
        JOBCENTRES.iter().map(|(code, name, key)| party(code, key) + &receiver(name, code, inbox));
    let back = FUNDS.iter().map(|(code, _)| receiver(code, code, inbox));
    std::iter::once(head)
        .chain(funds)
        .chain(jobcentres)
        .chain([format!("\n{AGREEMENT}")])
        .chain(receivers)
        .chain(back)
        .collect()
}

/// Who sends over HTTP.
fn party(code: &str, key: &str) -> String {
    let hash = units::hex(&Sha256::digest(key.as_bytes()));
    format!("\n[[party]]\ncode = \"{code}\"\napi_key_sha256 = [\"{hash}\"]\n")
}

/// Whatever else is addressed to a party.
fn receiver(name: &str, party: &str, inbox: &str) -> String {
    format!(
        "\n[[receiver]]\nname = \"{name}\"\nparty = \"{party}\"\nchannel = \"http\"\nurl = \"{inbox}/{name}\"\n"
    )
}

/// One a-kasse with its key and its spool folder.
fn fund(folder: &Path, code: &str, key: &str) -> String {
    let spool = folder.join("spool").join(code);
    let spool = format!("\n[[spool]]\nparty = \"{code}\"\nfolder = \"{}\"\n", spool.display());
    format!("{}amqp_user = \"{code}\"\n{spool}", party(code, key))
}

/// Starts the inbox and the gateway in `folder`.
///
/// # Errors
/// Something does not start; said in words.
pub async fn start(folder: &Path, plan: &Plan, clock: Arc<dyn Clock>, tasks: &Tasks) -> anyhow::Result<Demo> {
    let inbox = inbox::Inbox::bind(SocketAddr::from(([127, 0, 0, 1], 0)), vec![]).await?;
    let (inbox_url, handle) = (inbox.url(), inbox.handle());
    let stop = tasks.stop().clone();
    tasks.spawn("inbox", async move { inbox.serve(async move { stop.soft().await }).await });
    for (code, _) in FUNDS {
        std::fs::create_dir_all(folder.join("spool").join(code))?;
    }
    let text = configuration(folder, plan.listen, inbox_url.trim_end_matches('/'), &plan.more);
    // So that commands beside the demonstration know what it knows.
    std::fs::write(folder.join(CONFIGURATION), &text)?;
    let loaded = config::read_text(CONFIGURATION, &text)?;
    let gateway = gateway::start(loaded, &gateway::Roles::default(), Arc::clone(&clock), tasks).await?;
    let address = gateway.address.ok_or_else(|| anyhow::anyhow!("HTTP is not served"))?;
    let client = http_client::build(&http_client::Settings {
        connect_timeout: Duration::from_secs(5),
        ca_file: None,
        client_identity_file: None,
        allow_private_addresses: true,
    })?;
    let (kinds, last) = Default::default();
    Ok(Demo { gateway, inbox: handle, inbox_url, address, clock, client, duplicates: 0, kinds, last })
}

impl Demo {
    /// Sends the plan's messages. Every tenth comes by folder; every twentieth is wrong; every fiftieth is sent
    /// twice; every fifteenth has waited at the a-kasse already. `told` is called after each with how many are
    /// through.
    ///
    /// # Errors
    /// The gateway cannot be reached.
    pub async fn send(&mut self, folder: &Path, plan: &Plan, told: impl Fn(u32)) -> anyhow::Result<()> {
        for number in 0..plan.messages {
            let (event, code, key) = self.event(plan, number);
            if let Some(answered) = event["correlationid"].as_str() {
                self.has_arrived(answered).await?;
            }
            if number % 10 == 9 && FUNDS.iter().any(|(fund, _)| *fund == code) {
                drop_file(&folder.join("spool").join(code), number, &event)?;
            } else {
                self.post(&event, key).await?;
                if number % 50 == 25 {
                    let again = self.post(&event, key).await?;
                    self.duplicates += i64::from(again == 200);
                }
            }
            told(number + 1);
        }
        Ok(())
    }

    /// Waits a while until a message is delivered: nobody answers what has not come.
    async fn has_arrived(&self, id: &str) -> anyhow::Result<()> {
        let until = self.clock.monotonic() + ARRIVAL_MAX;
        loop {
            let found = self.gateway.store.message(id.to_owned(), None, self.clock.now()).await?;
            if found.is_none_or(|message| message.line.state != "pending") || self.clock.monotonic() > until {
                return Ok(());
            }
            self.clock.sleep(Duration::from_millis(10)).await;
        }
    }

    /// The message of that number, with its sender and the sender's key.
    fn event(&mut self, plan: &Plan, number: u32) -> (Value, &'static str, &'static str) {
        let kind = kind(number);
        let answered = answered_by(kind.name).and_then(|of| self.last.get(of));
        let (fund, jobcenter) = answered
            .map_or((number as usize / 4 % FUNDS.len(), number as usize / 2 % JOBCENTRES.len()), |sent| {
                (sent.fund, sent.jobcenter)
            });
        let answered = answered.map(|sent| sent.id.clone());
        let waited =
            if number % 15 == 4 { SignedDuration::from_hours(5) } else { SignedDuration::from_secs(2) };
        let time: Timestamp = self.clock.now() - waited;
        let id = format!("demo-{}-{number}", plan.seed);
        let ((fund_code, fund_key), (jobcenter_code, _, jobcenter_key)) =
            (FUNDS[fund], JOBCENTRES[jobcenter]);
        let (fund_urn, jobcenter_urn) =
            (format!("urn:dk:akasse:{fund_code}"), format!("urn:dk:jobcenter:{jobcenter_code}"));
        let back = kind.direction == Direction::ToAkasse;
        let (source, receiver) = if back { (jobcenter_urn, fund_urn) } else { (fund_urn, jobcenter_urn) };
        let mut event =
            generate::event(kind.name, plan.seed + u64::from(number), &id, &source, &receiver, time);
        *self.kinds.entry(kind.name).or_default() += 1;
        if let Some(answered) = answered {
            event["correlationid"] = json!(answered);
        }
        if is_wrong(number) {
            // Wrong in three ways, so that the answer has something to say.
            event["data"]["surprise"] = json!(true);
            event["data"]["citizen"]["cpr"] = json!("3002000000");
            event["time"] = json!(time + SignedDuration::from_hours(48));
        }
        if back {
            return (event, jobcenter_code, jobcenter_key);
        }
        if !is_wrong(number) {
            self.last.insert(kind.name, Sent { id, fund, jobcenter });
        }
        (event, fund_code, fund_key)
    }

    async fn post(&self, event: &Value, key: &str) -> anyhow::Result<u16> {
        let sent = self
            .client
            .post(format!("http://{}/v1/messages", self.address))
            .bearer_auth(key)
            .header("content-type", "application/cloudevents+json")
            .body(event.to_string())
            .send()
            .await?;
        Ok(sent.status().as_u16())
    }

    /// What went where so far.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn summary(&self, sent: u32) -> anyhow::Result<Summary> {
        let Conservation { taken, delivered, dead, pending, invalid, .. } =
            self.gateway.store.conservation().await?;
        let sla: BTreeMap<String, i64> = self.gateway.store.sla_totals(self.clock.now()).await?;
        let count = |name: &str| sla.get(name).copied().unwrap_or(0);
        Ok(Summary {
            sent,
            accepted: taken - invalid,
            rejected: invalid,
            delivered,
            duplicates: self.duplicates,
            pending,
            dead,
            sla: SlaSummary {
                met: count("met"),
                met_late: count("met_late"),
                breached: count("breached"),
                open: count("open"),
            },
        })
    }

    /// Waits until every message is where it ends, and every one that was delivered is answered.
    ///
    /// # Errors
    /// The store cannot be read, or `within` passes first: what was missing is said.
    pub async fn settled(&self, sent: u32, within: Duration) -> anyhow::Result<Summary> {
        let until = self.clock.monotonic() + within;
        loop {
            let summary = self.summary(sent).await?;
            let arrived = summary.accepted + summary.rejected == i64::from(sent);
            if arrived
                && summary.pending == 0
                && self.answered().await? == summary.delivered + summary.rejected
            {
                return Ok(summary);
            }
            anyhow::ensure!(
                self.clock.monotonic() < until,
                "not everything was settled in time: {summary:?}"
            );
            self.clock.sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets time pass.
    pub async fn wait(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// Answers that say delivered or rejected, over all parties.
    async fn answered(&self) -> anyhow::Result<i64> {
        let mut answered = 0;
        for code in FUNDS.map(|(code, _)| code).into_iter().chain(JOBCENTRES.map(|(code, _, _)| code)) {
            let mut after = 0;
            loop {
                let page = self.gateway.store.answers(code.to_owned(), after, 500).await?;
                let Some(last) = page.last() else { break };
                after = last.seq;
                let ends =
                    page.iter().filter(|a| matches!(a.answer.outcome.name(), "delivered" | "rejected"));
                answered += i64::try_from(ends.count())?;
            }
        }
        Ok(answered)
    }
}

/// Every twentieth, and one of the main kinds: each other kind is to be seen going through too.
fn is_wrong(number: u32) -> bool {
    number % 20 == 14
}

/// Every other message is of one of the three main kinds, and between them comes every kind in turn.
fn kind(number: u32) -> &'static Kind {
    let half = number as usize / 2;
    if number % 2 == 1 {
        return KINDS[half % KINDS.len()];
    }
    let name = generate::KINDS[half % generate::KINDS.len()];
    KINDS.iter().copied().find(|kind| kind.name == name).expect("what is generated is a kind")
}

/// The kind of message that a return message answers.
fn answered_by(kind: &str) -> Option<&'static str> {
    match kind {
        "decision" | "company_offer_status" | "receipt" => Some("recommendation"),
        "job_order_status" => Some("job_order"),
        "complaint_outcome" => Some("complaint"),
        "joint_interview_invitation" => Some("joint_interview_wish"),
        _ => None,
    }
}

/// Drops a file as a spool sender must: under another name first.
fn drop_file(folder: &Path, number: u32, event: &Value) -> std::io::Result<()> {
    let (temporary, name) = (folder.join(format!("{number}.tmp")), folder.join(format!("{number}.json")));
    std::fs::write(&temporary, event.to_string())?;
    std::fs::rename(temporary, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_goes_through_within_sixty_messages() {
        for known in KINDS {
            assert!(
                (0..60).any(|number| kind(number).name == known.name && !is_wrong(number)),
                "{}",
                known.name
            );
        }
    }
}
