//! The second way of a promise: what became of it, and whether it met the promise.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    super::super::{history::foreseen, output::local},
    Attempt, attempt,
};
use crate::{
    domain::DeliveryId,
    store::views::{DeliveryView, MessageView},
};

/// What became of a promise's second way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecondWay {
    delivery_id: DeliveryId,
    receiver: String,
    state: String,
    /// It is held until then, unless the first is done before.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<Timestamp>,
    /// Before that from then on, where the forecast says that the first will be late.
    #[serde(skip_serializing_if = "Option::is_none")]
    early_from: Option<Timestamp>,
    /// When it was let go, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    /// What the forecast said, where that let it go.
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<String>,
    attempts: Vec<Attempt>,
    /// The promise was met by it.
    met_promise: bool,
}

/// That of the first way `first`.
pub(super) fn way(message: &MessageView, first: &DeliveryView) -> Option<SecondWay> {
    let second = message.deliveries.iter().find(|d| d.second_way_of == Some(first.delivery_id))?;
    let events = || message.history.iter().filter(|event| event.delivery_id == Some(second.delivery_id));
    let released = events().find(|event| event.what == "fallback_released");
    let met = message.history.iter().find(|event| event.what == "fallback_met");
    let because = released.and_then(|event| event.data["reason"].as_str());
    let is_held = second.hold.as_deref() == Some("fallback");
    Some(SecondWay {
        delivery_id: second.delivery_id,
        receiver: second.receiver.clone(),
        state: second.state.clone(),
        held_until: second.next_attempt.filter(|_| is_held),
        early_from: second.early.filter(|_| is_held),
        released: second.released,
        because: because.map(str::to_owned),
        forecast: released
            .filter(|_| because == Some("predicted"))
            .map(|event| foreseen(&event.data, &first.receiver)),
        attempts: events().filter(|event| event.what == "attempt").filter_map(attempt).collect(),
        met_promise: met.is_some_and(|event| event.data["by"] == second.delivery_id.to_string()),
    })
}

impl SecondWay {
    /// In words, a line each.
    pub(super) fn words(&self) -> Vec<String> {
        let Self { receiver, state, .. } = self;
        let Some(released) = self.released else {
            return vec![match self.held_until {
                Some(at) => {
                    let early = self.early_from.map(local);
                    let early = early.map_or_else(String::new, |from| {
                        format!("; from {from} on it goes as soon as the forecast has the first late")
                    });
                    format!("  second way {receiver}: held until {}{early}", local(at))
                }
                None => format!("  second way {receiver}: not needed"),
            }];
        };
        let why = match self.because.as_deref() {
            Some("failed") => "the first failed",
            Some("predicted") => self.forecast.as_deref().unwrap_or("the forecast had the first late"),
            Some(_) => "the first endangered the promise",
            None => "a person let it go",
        };
        let mut lines = vec![format!("  {}  second way {receiver}: {why}", local(released))];
        for (place, attempt) in self.attempts.iter().enumerate() {
            let (at, number) = (local(attempt.started), place + 1);
            lines.push(format!("  {at}  attempt {number} by {receiver}: {}", attempt.came_to));
        }
        lines.push(if self.met_promise {
            format!("  second way {receiver}: it met the promise")
        } else {
            format!("  second way {receiver}: {state}")
        });
        lines
    }
}
