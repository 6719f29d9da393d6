//! `kassebro doctor`: what stands between this gateway and its work, each with what to do.

use futures_util::future::join_all;
use serde::Serialize;

use super::{Context, Exit, Failure, GENERATION, Outcome, receivers};
use crate::{
    channels::{ChannelConfig, http::Http, mail},
    config::{self, Settings, settings::Receiver},
};

mod broker;
mod certificates;
mod machine;
mod storage;
mod times;

use certificates::Begins;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "It connects to the broker and to every receiver. No receiver and no queue gets a message: what it\n\
                        publishes to see how much the broker takes is dropped there.\n\n\
                        Examples:\n  kassebro doctor\n  kassebro doctor --deep --json\n\n\
                        Exit codes: 0 nothing failed (warnings may stand), 1 something did, 3 the configuration is not valid."
)]
pub(super) struct Args {
    /// Read every page of a store in SQLite; about 20 s for a gigabyte.
    #[arg(long)]
    deep: bool,
}

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Ok,
    Warn,
    Fail,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    what: String,
    standing: Standing,
    says: String,
    /// What a person can do; nothing where all is well.
    #[serde(rename = "do", skip_serializing_if = "String::is_empty")]
    then: String,
}

impl Finding {
    fn ok(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { what: what.into(), standing: Standing::Ok, says: says.into(), then: String::new() }
    }

    fn warn(what: impl Into<String>, says: impl Into<String>, then: impl Into<String>) -> Self {
        Self { standing: Standing::Warn, then: then.into(), ..Self::ok(what, says) }
    }

    fn fail(what: impl Into<String>, says: impl Into<String>, then: impl Into<String>) -> Self {
        Self { standing: Standing::Fail, then: then.into(), ..Self::ok(what, says) }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let settings = context.settings()?;
    let findings = super::block_on(examine(&settings, args.deep))??;
    context.output.list(&findings, &["", "what", "how it stands", "what to do"], |f| {
        let standing = match f.standing {
            Standing::Ok => "ok",
            Standing::Warn => "WARN",
            Standing::Fail => "FAIL",
        };
        vec![standing.to_owned(), f.what.clone(), f.says.clone(), f.then.clone()]
    });
    let failed = findings.iter().any(|f| f.standing == Standing::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

async fn examine(settings: &Settings, deep: bool) -> Result<Vec<Finding>, Failure> {
    let mut findings = vec![configuration(settings)];
    findings.extend(storage::examine(settings, deep).await?);
    findings.extend(machine::clock().await);
    findings.push(machine::gateway(settings).await);
    findings.extend(broker::examine(settings).await);
    findings.extend(join_all(settings.receiver.iter().map(receiver)).await.into_iter().flatten());
    Ok(findings)
}

/// That it can be read was needed to come here; the files it names are another matter.
fn configuration(settings: &Settings) -> Finding {
    match config::build(settings, GENERATION) {
        Err(problem) => Finding::fail("configuration", problem, "mend it; `kassebro check` says the same"),
        Ok(_) if settings.party.is_empty() || settings.receiver.is_empty() => Finding::warn(
            "configuration",
            "no party or no receiver is configured",
            "name them with [[party]] and [[receiver]], or give --config",
        ),
        Ok(_) => Finding::ok(
            "configuration",
            format!("{} parties, {} receivers", settings.party.len(), settings.receiver.len()),
        ),
    }
}

/// TLS from the first byte.
fn at_once(place: Option<(&str, u16)>) -> Vec<(&str, u16, Begins)> {
    place.map(|(host, port)| (host, port, Begins::AtOnce)).into_iter().collect()
}

/// Is it reached, how long does its certificate hold, and does its clock go with ours?
async fn receiver(receiver: &Receiver) -> Vec<Finding> {
    let what = format!("receiver {}", receiver.common.name());
    let reached = match receivers::probe(receiver).await {
        Ok(Ok(())) => Finding::ok(&what, format!("reached over {}", receiver.channel.name())),
        Ok(Err(fault)) => Finding::fail(
            &what,
            fault.to_string(),
            format!("`kassebro explain {}` says what to do", fault.code),
        ),
        Err(Failure { error, .. }) => Finding::fail(&what, format!("{error:#}"), "mend the configuration"),
    };
    let (tls, ours) = match &receiver.channel {
        ChannelConfig::Http(http) => (at_once(http.url.over_tls()), http.client_identity_file.as_deref()),
        ChannelConfig::Amqp(amqp) => {
            let hosts = amqp.url.hosts_and_ports().filter(|_| amqp.url.is_tls());
            (hosts.flat_map(|host| at_once(Some(host))).collect(), amqp.client_certificate.as_deref())
        }
        ChannelConfig::Mail(mail) => {
            let begins = if mail.tls == mail::Tls::StartTls { Begins::AfterStartTls } else { Begins::AtOnce };
            (vec![(mail.host.as_str(), mail.port(), begins)], None)
        }
        ChannelConfig::File(_) | ChannelConfig::Mailbox(_) | ChannelConfig::Given(_) => (vec![], None),
    };
    let mut findings = vec![reached];
    for (host, port, begins) in &tls {
        let whose = if tls.len() == 1 { what.clone() } else { format!("{what} at {host}:{port}") };
        findings.push(certificates::theirs(&whose, host, *port, *begins).await);
    }
    findings.extend(ours.map(|file| certificates::ours(&what, file)));
    if let ChannelConfig::Http(http) = &receiver.channel
        && let Ok(http) = Http::new(http)
    {
        let date = times::asked(async || http.date().await).await;
        findings.extend(date.map(|apart| times::judge(&what, apart)));
    }
    findings
}
