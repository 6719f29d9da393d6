//! Who hears of the day, and what was heard.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use kassebro::clock::{Clock, System};
use serde_json::Value;

use crate::{
    alerts::{ear, notices, webhook},
    support::{
        alertmanager::{Alertmanager, Routes},
        eventually::eventually,
        prometheus::Prometheus,
        receiver::{Plays, Receiver, answer},
        world::{Plan, SOON, World},
    },
};

/// Away the whole day.
pub(super) const AWAY: &str = "0101";
/// Back before anything is late.
pub(super) const BACK: &str = "0147";
/// Of each kind to each receiver.
pub(super) const MESSAGES: usize = 20;
pub(super) const KINDS: [&str; 2] = ["complaint", "recommendation"];
/// From the beginning of the day to the real now.
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(26);

pub(super) const PACE: &str = r#"
[retry]
first = "200ms"
longest = "1s"
after_breach = "1s"
[circuit]
failures = 3
probe_first = "200ms"
probe_longest = "1s"
[watch]
period = "100ms"
# Prometheus tells of it.
backlog_age = "30d"
[ladder.complaint]
steps = [
    { at = "75%", urgency = "warning" },
    { at = "4h left", urgency = "critical", targets = ["alertmanager", "desk"], climb_after = "30m", then = ["chief"] },
    { at = "breach", urgency = "critical" },
]
"#;

pub(super) fn text<'v>(labels: &'v Value, name: &str) -> &'v str {
    labels[name].as_str().unwrap_or_default()
}

/// Name, kind and step of an alert.
pub(super) fn line(labels: &Value) -> String {
    let parts = ["alertname", "kind", "step"].map(|name| text(labels, name));
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What one notification of Alertmanager's says: each alert after `firing` or `resolved`.
pub(super) fn says(notification: &Value) -> BTreeSet<String> {
    let alerts = notification["alerts"].as_array().unwrap().iter();
    alerts.map(|alert| format!("{} {}", text(alert, "status"), line(&alert["labels"]))).collect()
}

/// Those that a receiver of Alertmanager's got about one of the gateway's receivers, in order.
pub(super) fn about(ear: &Receiver, receiver: &str) -> Vec<Value> {
    let all = notices(ear).into_iter();
    all.filter(|notification| notification["groupLabels"]["receiver"] == receiver).collect()
}

pub(super) fn refuses() -> Plays {
    Plays::Answers(answer(503, "", ""))
}

pub(super) fn takes() -> Plays {
    Plays::Answers(answer(200, "", ""))
}

/// A gateway, whom it delivers to, and everybody who is told how that goes.
pub(super) struct Day {
    pub(super) world: World,
    pub(super) alertmanager: Alertmanager,
    pub(super) away: Receiver,
    pub(super) back: Receiver,
    /// These three are told by Alertmanager.
    pub(super) desk: Receiver,
    pub(super) pager: Receiver,
    pub(super) monitoring: Receiver,
    /// These two by the gateway itself.
    pub(super) own: Receiver,
    pub(super) chief: Receiver,
    _prometheus: Prometheus,
}

impl Day {
    /// Everything runs, nothing was sent.
    pub(super) async fn breaks() -> Self {
        let [desk, pager, monitoring, own, chief] = [ear(), ear(), ear(), ear(), ear()];
        let (to_desk, to_pager, to_monitoring) = (desk.url(), pager.url(), monitoring.url());
        let routes = Routes { desk: &to_desk, pager: &to_pager, monitoring: &to_monitoring };
        let alertmanager = Alertmanager::routing(routes).await;
        let (away, back) = (Receiver::start(refuses()), Receiver::start(refuses()));
        let alerts = format!("[alerts]\nalertmanager = \"{}\"\nrepeat = \"8h\"\n", alertmanager.url());
        let told = webhook("desk", &own, "").replace("\"named\"", "\"all\"");
        let plan = Plan::new().pace(PACE).http(AWAY, &away.url(), "").http(BACK, &back.url(), "");
        let plan = plan.and(&alerts).and(&told).and(&webhook("chief", &chief, ""));
        let world = plan.start_at(-DAY).await;
        let prometheus = Prometheus::telling(world.gateway.address(), &alertmanager).await;
        Self { world, alertmanager, away, back, desk, pager, monitoring, own, chief, _prometheus: prometheus }
    }

    /// Sends all messages; when the first of each kind to the receiver that stays away is due.
    pub(super) fn sends(&self) -> [Timestamp; 2] {
        KINDS.map(|kind| {
            let mut first: Option<Timestamp> = None;
            for (number, to) in (0..MESSAGES).flat_map(|number| [(number, AWAY), (number, BACK)]) {
                let answer = self.world.send_kind(kind, &id(kind, to, number), to, SignedDuration::ZERO);
                let due = answer["deadline"].as_str().unwrap().parse().unwrap();
                first = if to == AWAY { first.or(Some(due)) } else { first };
            }
            first.unwrap()
        })
    }

    /// Moves the clock to so long after the beginning of the day.
    pub(super) fn at(&mut self, hours: i64, minutes: i64) {
        self.world.set_clock(SignedDuration::from_mins(hours * 60 + minutes) - DAY);
    }

    /// Waits until the desk's last notification about a receiver says this, and holds that it took no more than so
    /// many after those before.
    pub(super) async fn desk_hears(
        &self,
        receiver: &str,
        before: usize,
        at_most: usize,
        expected: &[&str],
    ) -> Value {
        let expected: BTreeSet<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        let last = RefCell::new(BTreeSet::new());
        let hearing = eventually("the desk is told", SOON * 2, async || {
            let notification = about(&self.desk, receiver).pop()?;
            *last.borrow_mut() = says(&notification);
            (says(&notification) == expected).then_some(notification)
        });
        let heard = tokio::time::timeout(SOON, hearing).await;
        let heard = heard.unwrap_or_else(|_| panic!("{receiver}: {:#?}, not {expected:#?}", last.borrow()));
        let all = about(&self.desk, receiver);
        let more = all.len() - before;
        assert!(
            (1..=at_most).contains(&more),
            "{more} notifications: {:#?}",
            all[before..].iter().map(says).collect::<Vec<_>>()
        );
        heard
    }

    pub(super) fn heard_by_desk(&self, receiver: &str) -> usize {
        about(&self.desk, receiver).len()
    }

    /// How often the pager called with this.
    pub(super) fn pages(&self, what: &str) -> usize {
        notices(&self.pager).iter().filter(|page| says(page).contains(what)).count()
    }

    pub(super) async fn is_paged_again(&self, what: &str) {
        let before = self.pages(what);
        let again = format!("the pager calls again: {what}");
        eventually(&again, SOON, async || (self.pages(what) >= before + 2).then_some(())).await;
    }

    /// Waits until the pager has not called for some seconds. What calls is called every second or two.
    pub(super) async fn pager_falls_silent(&self, what: &str) {
        let mut last = (self.pages(what), System.monotonic());
        eventually(&format!("the pager is silent: {what}"), SOON, async || {
            let pages = self.pages(what);
            if pages != last.0 {
                last = (pages, System.monotonic());
            }
            (System.monotonic().saturating_sub(last.1) > Duration::from_secs(3)).then_some(())
        })
        .await;
    }

    /// What Alertmanager holds from the gateway about the receiver that is away, and whether it is suppressed.
    pub(super) fn held(&self) -> BTreeMap<String, String> {
        let alerts = self.alertmanager.alerts();
        let own = alerts.iter().filter(|alert| alert["labels"]["service"] == "kassebro");
        own.filter(|alert| alert["labels"]["receiver"] == AWAY)
            .map(|alert| (line(&alert["labels"]), text(&alert["status"], "state").to_owned()))
            .collect()
    }

    pub(super) async fn is_held(&self, what: &str, state: &str) {
        eventually(&format!("{what} is {state} in Alertmanager"), SOON, async || {
            self.held().get(what).filter(|held| *held == state).map(|_| ())
        })
        .await;
    }

    /// Whether Prometheus' alert of that name fires, as Alertmanager told last: by receiver.
    pub(super) fn rule(&self, name: &str) -> BTreeMap<String, bool> {
        let told = notices(&self.monitoring).into_iter();
        let told = told.filter(|notification| notification["groupLabels"]["alertname"] == name);
        told.map(|told| (text(&told["groupLabels"], "receiver").to_owned(), told["status"] == "firing"))
            .collect()
    }

    pub(super) async fn rules_fire(&self, names: &[&str]) {
        for name in names {
            eventually(&format!("Prometheus' {name} fires"), SOON, async || {
                self.rule(name).values().any(|fires| *fires).then_some(())
            })
            .await;
        }
    }

    /// What the gateway told one of its own targets: each change with its alert.
    pub(super) fn told(ear: &Receiver) -> Vec<String> {
        let notices = notices(ear);
        let changes = notices.iter().flat_map(|notice| notice["changes"].as_array().unwrap());
        let line = |change: &Value| {
            let alert = &change["alert"];
            let receiver = text(&alert["labels"], "receiver");
            let labels = ["kind", "step"].map(|name| text(&alert["labels"], name));
            format!("{} {} {receiver} {}", text(change, "change"), text(alert, "name"), labels.join(" "))
        };
        changes.map(|change| line(change).trim().to_owned()).collect()
    }
}

pub(super) fn id(kind: &str, to: &str, number: usize) -> String {
    format!("{kind}-{to}-{number}")
}
