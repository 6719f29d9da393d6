//! The broker: what is declared there, how large a message it takes, its certificate and its clock.

use futures_util::future::join_all;

use super::{
    Finding,
    certificates::{self, Begins},
    times,
};
use crate::{
    amqp_client::{self, Broker, Size},
    cli::{
        Failure,
        management::Management,
        topology::{self, Compared},
    },
    config::{self, Settings},
    http_client,
    intake::topology::Difference,
};

/// What a broker should take at most: what is prefetched lies in memory.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let broker = match config::broker(settings) {
        Ok(Some(broker)) => broker,
        Ok(None) => return vec![Finding::ok("broker", "none is configured; no queues are served")],
        // The finding about the configuration says which.
        Err(problem) => return vec![Finding::fail("broker", problem, "mend the configuration")],
    };
    let mut findings = declared(settings).await;
    // Where it is not reached there is nothing to be asked.
    if let Some(size) = size(&broker).await {
        findings.push(size);
    }
    if broker.uri.places().len() > 1 {
        findings.extend(hosts(&broker).await);
    }
    if broker.uri.is_tls() {
        let whose = |place: &str| match broker.uri.places().len() {
            1 => "broker".to_owned(),
            _ => format!("broker {place}"),
        };
        for ((host, port), place) in broker.uri.hosts_and_ports().zip(broker.uri.places()) {
            findings.push(certificates::theirs(&whose(place), host, port, Begins::AtOnce).await);
        }
    }
    findings.extend(broker.tls.client.as_ref().map(|ours| certificates::ours("broker", &ours.certificate)));
    findings.push(clock(settings).await);
    findings
}

async fn declared(settings: &Settings) -> Vec<Finding> {
    let apply = "declare what is missing with `kassebro topology apply`; mend by hand what differs";
    match topology::compare(settings, &config::topology(settings)).await {
        Ok(Compared { differences, unseen }) => {
            let finding = |d: Difference| {
                let then = if d.then.is_empty() { apply } else { d.then };
                let finding = if d.warning { Finding::warn } else { Finding::fail };
                finding(d.what, d.problem, then.to_owned())
            };
            let as_configured = differences.iter().all(|d| d.warning);
            let mut findings: Vec<Finding> = differences.into_iter().map(finding).collect();
            if as_configured {
                findings
                    .insert(0, Finding::ok("broker", "connected; exchanges and queues are as configured"));
            }
            findings.extend(unseen.map(|_| {
                Finding::warn(
                    "broker's policies",
                    "they could not be seen: AMQP does not show them",
                    "set amqp.management_url, or look at `rabbitmqctl list_policies`",
                )
            }));
            findings
        }
        Err(Failure { error, .. }) => vec![Finding::fail(
            "broker",
            format!("{error:#}"),
            "see that it runs, and amqp.url, user, password, permissions and certificates",
        )],
    }
}

/// Each host of several by itself: who is reached through another learns nothing of one that is away.
async fn hosts(broker: &Broker) -> Vec<Finding> {
    let each = broker.uri.places().iter().enumerate().map(async |(host, place)| {
        let what = format!("broker {place}");
        match amqp_client::connect(&broker.at(host), "kassebro doctor").await {
            Ok(connection) => {
                let _ =
                    tokio::time::timeout(broker.connect_timeout, connection.close(200, "done".into())).await;
                Finding::ok(what, "reached")
            }
            Err(why) => Finding::warn(
                what,
                http_client::with_causes(&why),
                "see that it runs; meanwhile the gateway goes on with the others",
            ),
        }
    });
    join_all(each).await
}

async fn size(broker: &Broker) -> Option<Finding> {
    amqp_client::takes(broker, MESSAGE_BYTES_MAX + 1).await.ok().map(judge)
}

fn judge(size: Size) -> Finding {
    let what = "broker's largest message";
    let set = "set max_message_size = 4194304 in rabbitmq.conf: what is prefetched lies in memory";
    match size {
        Size::TooLarge => Finding::ok(what, "what is larger than 4 MiB is refused"),
        Size::Taken => Finding::warn(what, "it takes messages larger than 4 MiB", set),
        Size::Unknown(why) => {
            Finding::warn(what, format!("it could not be tried: {}", http_client::shortened(&why)), set)
        }
    }
}

/// AMQP shows no clock of the broker's; its management interface does.
async fn clock(settings: &Settings) -> Finding {
    let what = "broker's clock";
    match Management::of(settings) {
        Ok(None) => Finding::ok(what, "AMQP does not show it; amqp.management_url would"),
        Err(Failure { error, .. }) => Finding::fail(what, format!("{error:#}"), "mend the configuration"),
        Ok(Some(management)) => {
            let mut problem = None;
            let apart = times::asked(async || match management.overview().await {
                Ok(answer) => http_client::date(answer.headers()),
                Err(why) => {
                    problem = Some(why);
                    None
                }
            });
            let apart = apart.await;
            match (apart, problem) {
                (Some(apart), _) => times::judge("broker", apart),
                (None, Some(why)) => {
                    Finding::warn(what, format!("the management interface: {why}"), "see amqp.management_url")
                }
                (None, None) => Finding::ok(what, "its answers do not say what time it is"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Standing;

    #[test]
    fn a_size_that_could_not_be_tried_says_what_to_set_all_the_same() {
        let unknown = judge(Size::Unknown("no right".into()));
        assert_eq!(unknown.standing, Standing::Warn);
        assert!(
            unknown.says.contains("no right") && unknown.then.contains("max_message_size"),
            "{unknown:?}"
        );
        assert_eq!(judge(Size::TooLarge).standing, Standing::Ok);
    }
}
