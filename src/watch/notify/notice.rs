//! What is told at one time, and in which words.

use std::{collections::BTreeMap, fmt::Write as _};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Alert, AlertChange, Change, Condition, Urgency};
use crate::domain::{
    alert::{Particulars, Reason},
    calendar,
};

/// Lines of one mail; who wants more asks `kassebro alerts list`.
const LINES_MAX: usize = 50;

/// One road to a target.
pub trait Way: Send + Sync {
    /// The word in configuration.
    fn name(&self) -> &'static str;

    /// Tells, bounded in time. The error says in words what went wrong, without a secret or an address with one.
    fn tell<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>>;
}

/// What a target is told at one time.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The same for the same content: what is told twice after a crash can be told by it. Targets have no `/` in
    /// their names.
    pub id: String,
    pub target: String,
    pub at: Timestamp,
    pub reason: Reason,
    /// In the order in which they happened.
    pub changes: Vec<AlertChange>,
    /// What is open of what the target hears of, here; of a repeat, what is repeated.
    pub open: Vec<Alert>,
    /// The target that fails.
    pub in_place_of: Option<String>,
    /// Which gateway tells, for who keeps things of several; empty for everybody else.
    pub installation: String,
}

impl Notice {
    pub(super) fn new(
        target: &str,
        reason: Reason,
        last: i64,
        changes: Vec<AlertChange>,
        at: Timestamp,
    ) -> Self {
        let id = match reason {
            Reason::Changes => format!("alert-{target}-{last}"),
            _ => format!("alert-{target}-{}-{}", reason.name(), at.as_millisecond()),
        };
        Self {
            id,
            target: target.to_owned(),
            at,
            reason,
            changes,
            open: vec![],
            in_place_of: None,
            installation: String::new(),
        }
    }

    /// The same, told in the place of another. Whoever stands in for several, or hears of alerts himself, is told
    /// different things that end at the same change: they are told apart by whom they were meant for.
    pub(super) fn in_place_of(self, target: &str) -> Self {
        Self { id: format!("{}/{target}", self.id), in_place_of: Some(target.to_owned()), ..self }
    }

    /// As machines read it.
    pub(super) fn json(&self) -> Value {
        let changes: Vec<Value> = self.changes.iter().map(change).collect();
        let mut told = json!({
            "id": self.id,
            "target": self.target,
            "at": self.at,
            "reason": self.reason.name(),
            "changes": changes,
            "openCount": self.open.len(),
        });
        if self.reason == Reason::Repeat {
            told["open"] = serde_json::to_value(&self.open).expect("plain data of ours serialises");
        }
        if let Some(target) = &self.in_place_of {
            told["inPlaceOf"] = target.as_str().into();
        }
        told
    }

    /// The subject of a mail: plain ASCII, and nothing but numbers.
    pub(super) fn subject(&self) -> String {
        let last = self.last();
        let is_urgent =
            |change: &&&AlertChange| change.condition.urgency == Urgency::Critical && is_open(change.change);
        let critical = last.values().filter(is_urgent).count();
        let resolved = last.values().filter(|change| change.change == Change::Resolved).count();
        match self.reason {
            Reason::Changes => {
                format!("Kassebro: {} alerts changed, {critical} critical, {resolved} resolved", last.len())
            }
            Reason::Repeat => format!("Kassebro: {} alerts are open still", self.open.len()),
            Reason::Heartbeat => "Kassebro: alerting works".to_owned(),
            Reason::Test => "Kassebro: a test, nothing is wrong".to_owned(),
        }
    }

    /// The text of a mail: what the gateway itself wrote, no note of a person's and no content.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(target) = &self.in_place_of {
            let _ = writeln!(text, "The target {target} could not be told. In its place:\n");
        }
        let mut lines: Vec<String> = match self.reason {
            Reason::Changes | Reason::Test => {
                self.last().values().map(|c| line(c.change.name(), c.at, &c.condition)).collect()
            }
            Reason::Repeat => {
                self.open.iter().map(|a| line("open since", a.condition.since, &a.condition)).collect()
            }
            Reason::Heartbeat => {
                vec!["Nothing new is to be told; this shows that the telling works.\n".into()]
            }
        };
        let more = lines.len().saturating_sub(LINES_MAX);
        lines.truncate(LINES_MAX);
        text.push_str(&lines.join("\n"));
        if more > 0 {
            let _ = writeln!(text, "\nand {more} more: kassebro alerts list");
        }
        if self.reason == Reason::Changes {
            let _ = writeln!(text, "\n{} alerts are open now.", self.open.len());
        }
        let _ =
            writeln!(text, "\nkassebro alerts list; kassebro alerts show <key>; kassebro alerts ack <key>");
        text
    }

    /// The last change of each alert, in the order of the alerts.
    fn last(&self) -> BTreeMap<i64, &AlertChange> {
        self.changes.iter().map(|change| (change.alert, change)).collect()
    }
}

fn is_open(change: Change) -> bool {
    change != Change::Resolved
}

fn line(what: &str, at: Timestamp, condition: &Condition) -> String {
    // Danish clocks show an hour of October twice: the offset says which it is.
    let at = calendar::in_denmark(at).strftime("%Y-%m-%d %H:%M (UTC%:z)");
    let Condition { key, urgency, summary, .. } = condition;
    format!("{what} {at}: {} {key}\n  {summary}\n", urgency.name())
}

fn change(change: &AlertChange) -> Value {
    let mut told = json!({
        "id": format!("alert-{}", change.seq),
        "at": change.at,
        "change": change.change,
        "alert": change.condition,
    });
    let particulars = serde_json::to_value(&change.particulars).expect("plain data of ours serialises");
    for (name, value) in particulars.as_object().into_iter().flatten() {
        told[name] = value.clone();
    }
    told
}

/// A notice of an alert that nobody opened.
pub(super) fn test(target: &str, now: Timestamp) -> Notice {
    let condition = Condition::new("KassebroTest", Urgency::Info, &[], now)
        .summary("A test by `kassebro alerts test`; nothing is wrong")
        .description("It ends by itself within a minute.");
    let change = AlertChange {
        seq: 0,
        alert: 0,
        at: now,
        change: Change::Opened,
        condition,
        particulars: Particulars::default(),
    };
    Notice::new(target, Reason::Test, 0, vec![change], now)
}
