//! What the mail says: that something waits, until when, and where it is fetched. Nothing else is known here.

use std::{fmt::Write, time::SystemTime};

use jiff::Timestamp;
use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use uuid::Uuid;

use crate::domain::{DeliveryId, calendar};

/// The same for every mail: what stands here is read by all that carry it.
const SUBJECT: &str = "Kassebro: nyt til afhentning / something to fetch";

/// One delivery that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) delivery: DeliveryId,
    /// When the receiver is to have it.
    pub(super) due: Timestamp,
}

/// One mail, before it is written.
pub(super) struct Letter<'a> {
    pub(super) from: &'a Mailbox,
    pub(super) to: &'a Mailbox,
    pub(super) fetch_at: &'a str,
    pub(super) lines: Vec<Line>,
    pub(super) now: Timestamp,
}

impl Letter<'_> {
    /// The mail as it is sent.
    ///
    /// # Errors
    /// The parts do not make a mail: a slip of ours.
    pub(super) fn written(&self) -> Result<Message, String> {
        written(self.from, std::slice::from_ref(self.to), SUBJECT, self.text(), self.now)
    }

    fn text(&self) -> String {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|line| (line.due, line.delivery));
        let table = lines.iter().fold(String::new(), |mut table, Line { delivery, due }| {
            // Danish clocks show an hour of October twice: the offset says which it is.
            let local = calendar::in_denmark(*due).strftime("%Y-%m-%d %H:%M (UTC%:z)");
            writeln!(table, "{delivery}  {local}").expect("a String takes everything");
            table
        });
        let fetch_at = self.fetch_at;
        format!(
            "Der ligger noget til jer i Kassebro. Hent det her:\n\
             Something waits for you in Kassebro. Fetch it here:\n\n\
             {fetch_at}\n\n\
             Nummer / number                       Hent senest / fetch by (dansk tid)\n\
             {table}\n\
             I har det først, når I har kvitteret for det dér. Denne e-mail siger\n\
             med vilje ikke, hvad det handler om, og den kan ikke besvares.\n\n\
             You have it only once you have acknowledged it there. This e-mail\n\
             does not say what it is about, on purpose, and cannot be replied to.\n"
        )
    }
}

/// A mail of plain text as it is sent.
///
/// # Errors
/// The parts do not make a mail: a slip of ours.
pub(super) fn written(
    from: &Mailbox,
    to: &[Mailbox],
    subject: &str,
    text: String,
    now: Timestamp,
) -> Result<Message, String> {
    let builder = Message::builder()
        .from(from.clone())
        .subject(subject)
        .date(SystemTime::from(now))
        // A new one for each: a mail that repeats an earlier one is news, and not to be dropped.
        .message_id(Some(format!("<{}@{}>", Uuid::new_v4(), from.email.domain())))
        // No holiday message is wanted (RFC 3834).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .header(ContentType::TEXT_PLAIN);
    to.iter()
        .fold(builder, |builder, to| builder.to(to.clone()))
        .body(text)
        .map_err(|error| format!("the mail could not be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReceiptId;

    #[test]
    fn a_letter_has_the_numbers_nearest_deadline_first_and_the_time_in_denmark() {
        let receipt = ReceiptId::from_fresh(Uuid::from_u128(0x0190 << 112));
        let line =
            |ordinal, due: &str| Line { delivery: receipt.delivery(ordinal), due: due.parse().unwrap() };
        let mailbox: Mailbox = "gw@example.dk".parse().unwrap();
        let letter = Letter {
            from: &mailbox,
            to: &mailbox,
            fetch_at: "https://gw.example/v1/mailbox",
            // The first at summer time, the others around the change of clocks.
            lines: vec![
                line(3, "2026-10-25T01:30:00Z"),
                line(2, "2026-10-25T00:30:00Z"),
                line(1, "2026-07-01T08:05:00Z"),
            ],
            now: "2026-06-30T08:05:00Z".parse().unwrap(),
        };
        let text = letter.text();
        let table: Vec<&str> = text.lines().filter(|line| line.contains("(UTC")).collect();
        assert_eq!(
            table,
            [
                "01900000-0000-0000-0000-000000000001  2026-07-01 10:05 (UTC+02:00)",
                "01900000-0000-0000-0000-000000000002  2026-10-25 02:30 (UTC+02:00)",
                "01900000-0000-0000-0000-000000000003  2026-10-25 02:30 (UTC+01:00)",
            ]
        );
        assert!(text.lines().all(|line| line.chars().count() <= 76), "{text}");
        let written = String::from_utf8(letter.written().unwrap().formatted()).unwrap();
        assert!(written.is_ascii(), "every server takes it: {written}");
        assert!(written.contains("Date: Tue, 30 Jun 2026 08:05:00 +0000\r\n"), "{written}");
        assert!(written.contains("Auto-Submitted: auto-generated\r\n"), "{written}");
    }

    #[test]
    fn two_letters_that_say_the_same_are_two() {
        let mailbox: Mailbox = "gw@example.dk".parse().unwrap();
        let id = || {
            let letter = Letter {
                from: &mailbox,
                to: &mailbox,
                fetch_at: "x",
                lines: vec![],
                now: Timestamp::UNIX_EPOCH,
            };
            let written = String::from_utf8(letter.written().unwrap().formatted()).unwrap();
            written.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned()
        };
        assert_ne!(id(), id());
    }
}
