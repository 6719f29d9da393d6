//! RabbitMQ's management interface, where the settings name one: it shows what AMQP does not.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Failure;
use crate::{
    amqp_uri::AmqpUri,
    config::Settings,
    http_client,
    intake::topology::{Difference, Topology},
};

mod members;

/// For one question, answer included.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the management interface is reached, and the virtual host that is asked about.
pub(super) struct Management {
    client: reqwest::Client,
    /// One for each host that the setting names.
    bases: Vec<Url>,
    /// Which of them answered last.
    first: AtomicUsize,
    vhost: String,
}

/// What the management interface shows of the queues.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) differences: Vec<Difference>,
    /// Queues that have lost the majority of their members: whoever asks them over AMQP waits.
    pub(super) silent: Vec<String>,
}

/// What a queue's policies come to, those of an operator included, and which nodes have it.
#[derive(Deserialize)]
struct Queue {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Where a classic queue lies.
    node: Option<String>,
    #[serde(default)]
    members: Vec<String>,
    online: Option<Vec<String>>,
    /// An object, or an empty list where there is none.
    #[serde(default)]
    effective_policy_definition: Value,
    policy: Option<String>,
    operator_policy: Option<String>,
}

/// What destroys, moves or refuses messages of a queue that is to keep them until they are acknowledged.
const HARMFUL: [(&str, &str); 6] = [
    (
        "delivery-limit",
        "a message is dropped or moved after so many deliveries: a crash loop would destroy it",
    ),
    ("dead-letter-exchange", "messages may leave the queue unread"),
    ("message-ttl", "messages that wait longer are dropped"),
    ("expires", "the queue is deleted with what is in it while the gateway is away"),
    ("max-length", "messages over that number are dropped or refused"),
    ("max-length-bytes", "messages over that size are dropped or refused"),
];

impl Management {
    /// `None`: the settings name none.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, Failure> {
        let amqp = &settings.amqp;
        if amqp.management_url.is_empty() {
            return Ok(None);
        }
        let wrong = |what: &str| Failure::configuration(format_args!("amqp.management_url: {what}"));
        let mut bases = Vec::new();
        for address in each(&amqp.management_url) {
            bases.push(Url::parse(&address).map_err(|_| wrong("it cannot be read"))?);
        }
        // The broker's address is read as a URL too: user and virtual host are written alike in both.
        let broker = AmqpUri::parse(&amqp.url).ok().and_then(|uri| Url::parse(&uri.reveal()).ok());
        let broker = broker.ok_or_else(|| wrong("amqp.url cannot be read"))?;
        let (own, file) = if bases[0].username().is_empty() {
            (broker.clone(), amqp.management_password_file.as_ref().or(amqp.password_file.as_ref()))
        } else {
            (bases[0].clone(), amqp.management_password_file.as_ref())
        };
        let password = secret(file, own.password())?;
        for base in &mut bases {
            base.set_username(own.username())
                .and_then(|()| base.set_password(password.as_deref()))
                .map_err(|()| wrong("it names no host"))?;
            if !base.path().ends_with('/') {
                base.set_path(&format!("{}/", base.path()));
            }
        }
        let client = http_client::build(&http_client::Settings {
            connect_timeout: amqp.connect_timeout,
            ca_file: amqp.ca_file.clone(),
            client_identity_file: None,
            allow_private_addresses: true,
        });
        let client = client.map_err(|error| wrong(&http_client::with_causes(&error)))?;
        let vhost = match broker.path() {
            "" => "%2f".to_owned(),
            path => path[1..].to_owned(),
        };
        Ok(Some(Self { client, bases, first: AtomicUsize::new(0), vhost }))
    }

    /// Its answer to a question that costs it little, with the time in its headers.
    ///
    /// # Errors
    /// A sentence: it is not reached, or does not let us in.
    pub(super) async fn overview(&self) -> Result<Response, String> {
        let answer = self.ask("api/overview").await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer.status())) }
    }

    /// What policies do to the queues in that they should not, which queues are held by fewer nodes than they should be,
    /// and which by too few to answer. A queue that is not there is none of it.
    ///
    /// # Errors
    /// A sentence: it is not reached, or does not let us in.
    pub(super) async fn queues(&self, topology: &Topology) -> Result<Seen, String> {
        let mut seen = Seen::default();
        let answer = self.ask("api/nodes").await?;
        if !answer.status().is_success() {
            return Err(refusal(answer.status()));
        }
        let nodes: Vec<members::Node> = answer.json().await.map_err(http_client::describe)?;
        for (_, queue_in, queue_out) in &topology.queues {
            for (queue, comes_in) in [(queue_in, true), (queue_out, false)] {
                let answer = self.ask(&format!("api/queues/{}/{}", self.vhost, encoded(queue))).await?;
                match answer.status() {
                    StatusCode::NOT_FOUND => continue,
                    status if !status.is_success() => return Err(refusal(status)),
                    _ => {}
                }
                // RabbitMQ 3.10 may name a field twice, which only a value bears.
                let told: Value = answer.json().await.map_err(http_client::describe)?;
                let told: Queue = serde_json::from_value(told).map_err(|error| error.to_string())?;
                if comes_in {
                    seen.differences.extend(harmful(queue, &told));
                }
                seen.differences.extend(members::judge(queue, &told, &nodes, topology.replicas));
                if !members::answers(&told, &nodes) {
                    seen.silent.push(queue.clone());
                }
            }
        }
        Ok(seen)
    }

    /// Asks the hosts in turn, from the last that answered on, until one does.
    async fn ask(&self, path: &str) -> Result<Response, String> {
        let (first, count) = (self.first.load(Ordering::Relaxed), self.bases.len());
        let mut silent = Vec::new();
        for host in (0..count).map(|step| (first + step) % count) {
            let base = &self.bases[host];
            let url = base.join(path).map_err(|error| error.to_string())?;
            match self.client.get(url).timeout(PATIENCE).send().await {
                Ok(answer) => {
                    self.first.store(host, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => silent.push((base, http_client::describe(error))),
            }
        }
        if let [(_, why)] = &silent[..] {
            return Err(why.clone());
        }
        let each = silent.iter().map(|(base, why)| format!("{}: {why}", place(base)));
        Err(each.collect::<Vec<_>>().join("; "))
    }
}

/// Host and port, without who we are there.
fn place(base: &Url) -> String {
    let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", base.host_str().unwrap_or_default())
}

/// The address of each host that one address names, parted by commas.
fn each(address: &str) -> Vec<String> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    let at = if user.is_empty() { "" } else { "@" };
    hosts.split(',').map(|host| format!("{scheme}://{user}{at}{host}{path}")).collect()
}

/// A password as a URL has it.
fn secret(file: Option<&std::path::PathBuf>, written: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(written.map(str::to_owned)) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::configuration(format_args!("reading {}: {error}", file.display())))?;
    Ok(Some(encoded(text.trim_end_matches(['\r', '\n']))))
}

fn refusal(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!(
                "it answers {status}: the user needs the tag \"monitoring\" and rights in the virtual host"
            )
        }
        _ => format!("it answers {status}"),
    }
}

/// A text as one part of a URL.
fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}

fn harmful(queue: &str, told: &Queue) -> Vec<Difference> {
    let nothing = Map::new();
    let definition = told.effective_policy_definition.as_object().unwrap_or(&nothing);
    let policies: Vec<&str> =
        [&told.policy, &told.operator_policy].into_iter().flatten().map(String::as_str).collect();
    HARMFUL
        .iter()
        .filter_map(|(key, why)| definition.get(*key).map(|value| (key, value, why)))
        // A negative delivery limit is none.
        .filter(|(_, value, _)| value.as_i64().is_none_or(|number| number >= 0))
        .map(|(key, value, why)| {
            let problem = format!("policy {} sets {key} = {value}: {why}", policies.join(" with "));
            Difference::new(format!("queue {queue}"), problem)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_policy_does_to_a_queue_is_told_and_what_is_harmless_is_not() {
        let told = |definition: Value| {
            let queue = serde_json::json!({ "policy": "p", "operator_policy": null, "effective_policy_definition": definition });
            harmful("in.3f", &serde_json::from_value(queue).unwrap())
        };
        for (key, _) in HARMFUL {
            let value = if key == "dead-letter-exchange" { Value::from("dlx") } else { Value::from(3) };
            let found = told(serde_json::json!({ key: value, "queue-version": 2 }));
            assert_eq!(found.len(), 1, "{key}: {found:?}");
            assert_eq!(found[0].what, "queue in.3f");
            assert!(found[0].problem.starts_with(&format!("policy p sets {key} = ")), "{found:?}");
        }
        assert_eq!(told(serde_json::json!({ "delivery-limit": -1, "queue-mode": "lazy" })), []);
        assert_eq!(told(serde_json::json!([])), []);
    }

    #[test]
    fn an_address_may_name_several_hosts() {
        assert_eq!(each("http://one:15672"), ["http://one:15672"]);
        let each = each("https://watch:p,w@one:15671,two/under/it");
        assert_eq!(each, ["https://watch:p,w@one:15671/under/it", "https://watch:p,w@two/under/it"]);
    }

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        assert_eq!(encoded("kassebro.in.3f"), "kassebro.in.3f");
        assert_eq!(encoded("a/b?ø"), "a%2Fb%3F%C3%B8");
    }
}
