//! `kassebro send`: message files to a gateway over HTTP, and its answers.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use reqwest::{Client, Url};
use serde::Serialize;
use serde_json::Value;

use super::{
    Context, Exit, Failure, Outcome, files,
    violations::{self, Language, LanguageArg},
};
use crate::{codec::Limits, domain::Violation, http_client};

/// From the start of a request until its answer has been read.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// The largest body that any gateway takes.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kassebro send --to http://127.0.0.1:8080 --key-file 3f.key message.json\n  \
                        kassebro send --to https://kassebro.example --key-file 3f.key --json outbox/*.xml\n\n\
                        Sending the same file twice is safe: the second is a duplicate.\n\n\
                        Exit codes: 0 accepted or a duplicate, 5 the id was used for another message, 6 rejected, \
                        1 otherwise. Of several files, the first that is not 0."
)]
pub(super) struct Args {
    /// A structured CloudEvent (.json) or a Haendelsesbesked (.xml) each; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address of the gateway.
    #[arg(long, value_name = "URL")]
    to: Url,
    /// API key of the sending party. Others on this machine can see it: --key-file is safer.
    #[arg(long, required_unless_present = "key_file", conflicts_with = "key_file")]
    key: Option<String>,
    /// File with the API key.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// PEM with the authority of a gateway's private certificate.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    language: LanguageArg,
}

#[derive(Serialize)]
struct Sent {
    file: String,
    status: u16,
    /// The answer, or the problem.
    answer: Value,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    super::block_on(send_all(context, args))?
}

async fn send_all(context: &Context, args: &Args) -> Outcome {
    let key = key(args)?;
    let client = http_client::build(&http_client::Settings {
        connect_timeout: Duration::from_secs(10),
        ca_file: args.ca_file.clone(),
        client_identity_file: None,
        allow_private_addresses: true,
    })?;
    let url = format!("{}/v1/messages", args.to.as_str().trim_end_matches('/'));
    let limits = Limits { body_bytes: BODY_BYTES_MAX, ..Limits::default() };
    let (mut sent, mut end) = (Vec::with_capacity(args.files.len()), Exit::Done);
    for path in &args.files {
        let body = files::read(path, &limits)?;
        let (status, answer) = post(&client, &url, &key, body).await?;
        if end == Exit::Done {
            end = exit(status, &answer);
        }
        let one = Sent { file: files::name(path), status, answer };
        if !context.output.json {
            print(context, &one, args.language.language());
        }
        sent.push(one);
    }
    if context.output.json {
        context.output.value(&sent);
    }
    Ok(end)
}

fn key(args: &Args) -> Result<String, Failure> {
    let key = match &args.key_file {
        None => args.key.clone().unwrap_or_default(),
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?,
    };
    Ok(key.trim().to_owned())
}

async fn post(client: &Client, url: &str, key: &str, body: Vec<u8>) -> Result<(u16, Value), Failure> {
    let request = client
        .post(url)
        .timeout(ANSWER_TIMEOUT)
        .bearer_auth(key)
        .header("content-type", files::content_type(&body))
        .body(body);
    let broken = |error| anyhow::anyhow!("sending: {}", http_client::describe(error));
    let answer = request.send().await.map_err(broken)?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(broken)?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// A problem with a receipt is a message that was stored as rejected.
fn exit(status: u16, answer: &Value) -> Exit {
    match status {
        200 | 202 => Exit::Done,
        409 => Exit::Conflict,
        413 | 415 | 422 => Exit::MessageInvalid,
        _ if answer.get("receiptId").is_some() => Exit::MessageInvalid,
        _ => Exit::Failed,
    }
}

fn print(context: &Context, sent: &Sent, language: Language) {
    let Sent { file, status, answer } = sent;
    let receipt = answer["receiptId"].as_str().map(|id| format!(", receipt {id}")).unwrap_or_default();
    let word = match status {
        202 => "accepted".to_owned(),
        200 => "a duplicate: the first answer again".to_owned(),
        _ => format!("{status} {}", answer["title"].as_str().unwrap_or_default()),
    };
    context.output.line(format_args!("{file}: {word}{receipt}"));
    if let Some(detail) = answer["detail"].as_str() {
        context.output.line(format_args!("  {detail}"));
    }
    if let Some(deadline) = answer["deadline"].as_str().and_then(|at| at.parse().ok()) {
        context
            .output
            .line(format_args!("  the receiver is to have it by {}", super::output::local(deadline)));
    }
    let errors: Vec<Violation> = serde_json::from_value(answer["errors"].clone()).unwrap_or_default();
    if !errors.is_empty() {
        violations::print(&context.output, file, &errors, language);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_answer_has_its_exit_code() {
        let (nothing, receipt) = (json!({}), json!({ "receiptId": "x" }));
        for (status, answer, expected) in [
            (202, &receipt, Exit::Done),
            (200, &receipt, Exit::Done),
            (409, &receipt, Exit::Conflict),
            (422, &receipt, Exit::MessageInvalid),
            (413, &nothing, Exit::MessageInvalid),
            (403, &receipt, Exit::MessageInvalid),
            (401, &nothing, Exit::Failed),
            (429, &nothing, Exit::Failed),
            (503, &nothing, Exit::Failed),
        ] {
            assert_eq!(exit(status, answer), expected, "{status}");
        }
    }
}
