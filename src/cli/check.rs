//! `kassebro check`: every problem of a configuration with its line, or what it comes to.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, Exit, Failure, GENERATION, Outcome, agreements, now,
    output::{joined, or_dash},
};
use crate::{
    config::{
        self, Invalid, Problem, Settings,
        settings::{self, Receiver},
    },
    domain::{Format, Profile},
    gateway,
};

pub(super) const EXAMPLES: &str = "The files that the settings name are read too; nobody is connected to \
                                   (`kassebro doctor` does that).\n\n\
                                   Examples:\n  kassebro check --config kassebro.toml\n  \
                                   KASSEBRO__HTTP__LISTEN=0.0.0.0:8080 kassebro check --json\n\n\
                                   Exit codes: 0 valid, 3 not valid.";

/// What a valid configuration comes to.
#[derive(Serialize)]
struct Checked {
    store: String,
    http: String,
    broker: Option<String>,
    parties: Vec<PartyLine>,
    receivers: Vec<ReceiverLine>,
    agreements: Vec<agreements::Line>,
    queues: Vec<String>,
    spools: Vec<SpoolLine>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartyLine {
    code: String,
    name: String,
    amqp_user: Option<String>,
    api_keys: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiverLine {
    name: String,
    party: String,
    channel: &'static str,
    kinds: Vec<String>,
    fallback_only: bool,
    profile: Option<&'static str>,
    format: Option<&'static str>,
    already_have: Vec<u16>,
}

#[derive(Serialize)]
struct SpoolLine {
    party: String,
    folder: String,
}

pub(super) fn run(context: &Context) -> Outcome {
    let settings = context.settings()?;
    let built = config::build(&settings, GENERATION).map_err(|problem| unbuilt(context, problem))?;
    let store = gateway::store_place(&settings).map_err(|problem| unbuilt(context, problem.to_string()))?;
    let queues = built.topology.queues.into_iter().flat_map(|(_, inward, outward)| [inward, outward]);
    let checked = checked(
        &settings,
        store.to_string(),
        queues.collect(),
        built.broker.map(|b| b.uri.to_string()),
        now(),
    );
    if context.output.json {
        context.output.value(&checked);
    } else {
        print(context, &checked);
    }
    Ok(Exit::Done)
}

/// A file that is missing or holds something else is a problem like any other; its sentence names the setting.
fn unbuilt(context: &Context, problem: String) -> Failure {
    let file = context.config.as_ref().map_or_else(|| "environment".to_owned(), |f| f.display().to_string());
    Failure::from(Invalid(vec![Problem { file, line: None, key: String::new(), problem, suggestion: None }]))
}

fn checked(
    settings: &Settings,
    store: String,
    queues: Vec<String>,
    broker: Option<String>,
    now: Timestamp,
) -> Checked {
    Checked {
        store,
        http: settings.http.listen.clone(),
        broker,
        parties: settings.party.iter().map(party).collect(),
        receivers: settings.receiver.iter().map(receiver).collect(),
        agreements: agreements::lines(settings, now),
        queues,
        spools: settings
            .spool
            .iter()
            .map(|s| SpoolLine { party: s.party.clone(), folder: s.folder.display().to_string() })
            .collect(),
    }
}

fn party(party: &settings::Party) -> PartyLine {
    PartyLine {
        code: party.code.clone(),
        name: party.name.clone(),
        amqp_user: party.amqp_user.clone(),
        api_keys: party.api_key_sha256.len(),
    }
}

fn receiver(receiver: &Receiver) -> ReceiverLine {
    let Receiver { common, channel } = receiver;
    ReceiverLine {
        name: common.name().to_owned(),
        party: common.party.clone(),
        channel: channel.name(),
        kinds: common.kinds.clone(),
        fallback_only: common.fallback_only,
        profile: common.profile.map(Profile::name),
        format: common.format.map(Format::name),
        already_have: receiver.already_have().to_vec(),
    }
}

fn print(context: &Context, checked: &Checked) {
    let out = &context.output;
    out.line("The configuration is valid.");
    out.line(format_args!("Store   {}", checked.store));
    out.line(format_args!("HTTP    {}", or_dash(Some(&checked.http))));
    out.line(format_args!("Broker  {}", or_dash(checked.broker.as_deref())));
    out.heading("Parties");
    out.list(&checked.parties, &["code", "name", "AMQP user", "API keys"], |p| {
        vec![p.code.clone(), or_dash(Some(&p.name)), or_dash(p.amqp_user.as_deref()), p.api_keys.to_string()]
    });
    out.heading("Receivers");
    out.list(&checked.receivers, &["name", "party", "channel", "profile", "kinds", "format"], |r| {
        let format = r.format.unwrap_or("the kind's own").to_owned();
        vec![
            r.name.clone(),
            r.party.clone(),
            r.channel.to_owned(),
            or_dash(r.profile),
            joined(&r.kinds, if r.fallback_only { "as a second way only" } else { "the others" }),
            format,
        ]
    });
    out.heading("Agreements");
    agreements::print(out, &checked.agreements);
    out.heading("Queues");
    out.line(joined(&checked.queues, "nothing"));
    if !checked.spools.is_empty() {
        out.heading("Spool folders");
        out.list(&checked.spools, &["party", "folder"], |s| vec![s.party.clone(), s.folder.clone()]);
    }
}
