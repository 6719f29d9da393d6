//! How the inbox behaves until it is told otherwise.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units;

/// Bodies that are trickled or made longer than asked for stop after this.
pub(super) const LONG_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How the inbox treats a delivery. What is left out is as for a good inbox: taken at once, 202, a receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Behaviour {
    /// What a delivery is answered with. Below 300 it is taken, otherwise not.
    pub status: u16,
    /// How long an answer is held back, such as `"250ms"`.
    #[serde(with = "units::duration")]
    pub delay: Duration,
    /// The share of deliveries, 0 to 1, that fail with `failStatus` and are not taken.
    pub fail_share: f64,
    pub fail_status: u16,
    /// Sent as `Retry-After` with every failure.
    pub retry_after: Option<String>,
    /// Sent as `webhook-delivery: abort-message` with every failure.
    pub abort: bool,
    /// Sent as `Location`, for a `status` of 3xx.
    pub location: Option<String>,
    pub close: Close,
    pub answer: Answer,
    /// Lets nobody connect for so long, and cuts off who is connected. Told once, done once.
    #[serde(with = "units::duration")]
    pub refuse: Duration,
}

/// When the connection is closed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Close {
    Never,
    /// The delivery is lost.
    BeforeTaking,
    /// The delivery is taken, and the sender cannot know it.
    AfterTaking,
}

/// What the answer's body is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    Receipt,
    Empty,
    /// JSON that breaks off.
    Broken,
    /// The receipt, one byte a second.
    Slow,
    /// Without end (64 MiB).
    Endless,
    /// Says that it is gzip, and is; asked for or not.
    Gzip,
    /// No answer at all until the sender gives up.
    Never,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            status: 202,
            delay: Duration::ZERO,
            fail_share: 0.0,
            fail_status: 503,
            retry_after: None,
            abort: false,
            location: None,
            close: Close::Never,
            answer: Answer::Receipt,
            refuse: Duration::ZERO,
        }
    }
}

impl Behaviour {
    /// # Errors
    /// A sentence that says what is out of bounds.
    pub fn check(&self) -> Result<(), String> {
        const AN_HOUR: Duration = Duration::from_hours(1);
        let status = |status: u16| (200..=599).contains(&status);
        if !status(self.status) || !status(self.fail_status) || self.fail_status < 300 {
            return Err("status is 200 to 599, failStatus 300 to 599".into());
        }
        if !(0.0..=1.0).contains(&self.fail_share) {
            return Err("failShare is 0 to 1".into());
        }
        if self.delay > AN_HOUR || self.refuse > AN_HOUR {
            return Err("delay and refuse are at most an hour".into());
        }
        let texts = [&self.retry_after, &self.location];
        if texts.into_iter().flatten().any(|text| text.len() > 1000 || text.chars().any(char::is_control)) {
            return Err("retryAfter and location are one line of at most 1000 bytes".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_for_a_good_inbox() {
        let behaviour: Behaviour =
            serde_json::from_str(r#"{"delay":"250ms","close":"afterTaking"}"#).unwrap();
        let expected = Behaviour {
            delay: Duration::from_millis(250),
            close: Close::AfterTaking,
            ..Behaviour::default()
        };
        assert_eq!(behaviour, expected);
        assert_eq!(behaviour.check(), Ok(()));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        for json in [
            r#"{"status":99}"#,
            r#"{"status":600}"#,
            r#"{"failStatus":200}"#,
            r#"{"failShare":1.5}"#,
            r#"{"failShare":-0.1}"#,
            r#"{"delay":"2h"}"#,
            r#"{"refuse":"2h"}"#,
            r#"{"retryAfter":"a\nb"}"#,
        ] {
            assert!(serde_json::from_str::<Behaviour>(json).unwrap().check().is_err(), "{json}");
        }
        assert!(serde_json::from_str::<Behaviour>(r#"{"sloth":true}"#).is_err());
    }
}
