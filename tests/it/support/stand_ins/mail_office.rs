//! A municipality's mail office: it reads every mail of the gateway's that came, and lets none pass that says more than
//! that something waits, or that came over an open line.

use super::{Found, rule};
use crate::support::mail_server::Mail;

/// What a kind of message, a person or a matter is known by: none of it may stand in a mail.
const TELLING: [&str; 8] =
    ["complaint", "klage", "recommendation", "indstilling", "job_order", "jobordre", "cpr", "urn:dk:"];

/// What the mail does against the rules. `fetch_at` is the address that was agreed.
pub(crate) fn check(mail: &Mail, fetch_at: &str) -> Found {
    let header = |name| mail.header(name).unwrap_or_default();
    let received = header("Received");
    rule(received.contains("TLS1.2") || received.contains("TLS1.3"), "it came without TLS 1.2 or newer")?;
    rule(
        header("Content-Type").starts_with("text/plain") && !mail.raw.contains("Content-Disposition"),
        "more than plain text",
    )?;
    rule(header("Auto-Submitted") == "auto-generated", "it does not say that a program wrote it")?;
    rule(!header("Subject").chars().any(|c| c.is_ascii_digit()), "a number in the subject")?;
    let told = format!("{}\n{}", header("Subject"), mail.text);
    rule(!has_citizens_number(&told), "a citizen's number")?;
    let told = told.to_lowercase();
    rule(!TELLING.iter().any(|word| told.contains(word)), "a kind, a party or a matter")?;
    rule(told.contains(&fetch_at.to_lowercase()), "no address to fetch from")?;
    let waiting = mail.text.split_whitespace().any(|word| uuid::Uuid::try_parse(word).is_ok());
    rule(waiting, "no delivery's number")
}

/// Ten digits with or without a hyphen or a blank after the sixth, that are no part of anything longer.
fn has_citizens_number(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| {
        let digits = word.replacen('-', "", 1);
        digits.len() == 10
            && digits.bytes().all(|b| b.is_ascii_digit())
            && word.find('-').is_none_or(|place| place == 6)
    })
}
