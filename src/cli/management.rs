//! RabbitMQ's management interface, where the settings name one: it shows what AMQP does not.

use std::time::Duration;

use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Failure;
use crate::{config::Settings, http_client, intake::topology::Difference};

/// For one question, answer included.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the management interface is reached, and the virtual host that is asked about.
pub(super) struct Management {
    client: reqwest::Client,
    base: Url,
    vhost: String,
}

/// What a queue's policies come to, those of an operator included.
#[derive(Deserialize)]
struct Queue {
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
        let mut base = Url::parse(&amqp.management_url).map_err(|_| wrong("it cannot be read"))?;
        // The broker's address is read as a URL too: user and virtual host are written alike in both.
        let broker = Url::parse(&amqp.url).map_err(|_| wrong("amqp.url cannot be read"))?;
        let (own, file) = if base.username().is_empty() {
            (broker.clone(), amqp.management_password_file.as_ref().or(amqp.password_file.as_ref()))
        } else {
            (base.clone(), amqp.management_password_file.as_ref())
        };
        let password = secret(file, own.password())?;
        base.set_username(own.username())
            .and_then(|()| base.set_password(password.as_deref()))
            .map_err(|()| wrong("it names no host"))?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
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
        Ok(Some(Self { client, base, vhost }))
    }

    /// Its answer to a question that costs it little, with the time in its headers.
    ///
    /// # Errors
    /// A sentence: it is not reached, or does not let us in.
    pub(super) async fn overview(&self) -> Result<Response, String> {
        let answer = self.ask("api/overview").await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer.status())) }
    }

    /// What policies do to these queues that they should not. A queue that is not there has none.
    ///
    /// # Errors
    /// A sentence: it is not reached, or does not let us in.
    pub(super) async fn policies<'a>(
        &self,
        queues: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Difference>, String> {
        let mut differences = Vec::new();
        for queue in queues {
            let answer = self.ask(&format!("api/queues/{}/{}", self.vhost, encoded(queue))).await?;
            match answer.status() {
                StatusCode::NOT_FOUND => continue,
                status if !status.is_success() => return Err(refusal(status)),
                _ => {}
            }
            let told: Queue = answer.json().await.map_err(http_client::describe)?;
            differences.extend(harmful(queue, &told));
        }
        Ok(differences)
    }

    async fn ask(&self, path: &str) -> Result<Response, String> {
        let url = self.base.join(path).map_err(|error| error.to_string())?;
        self.client.get(url).timeout(PATIENCE).send().await.map_err(http_client::describe)
    }
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
        .map(|(key, value, why)| Difference {
            what: format!("queue {queue}"),
            problem: format!("policy {} sets {key} = {value}: {why}", policies.join(" with ")),
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
    fn a_name_stays_one_part_of_a_path() {
        assert_eq!(encoded("kassebro.in.3f"), "kassebro.in.3f");
        assert_eq!(encoded("a/b?ø"), "a%2Fb%3F%C3%B8");
    }
}
