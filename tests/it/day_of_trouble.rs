//! A day of trouble, told by the gateway and by a Prometheus to one Alertmanager, which groups, silences and sends on.
//!
//! Alertmanager and Prometheus live by the real time. So the gateway's clock starts 26 hours in the past and is moved
//! up to now: Alertmanager refuses an alert that begins after its own now, and what a day brings is past in the end.
//! The gateway says of an open alert that it lasts for four repeats; with a repeat of eight hours that ends after the
//! real now at every hour of the day. As the day lasts less than a minute, what Prometheus' rules wait for with `for:`
//! is shortened to a second.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

mod ears;

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kassebro::{
    clock::{Clock, System},
    store::Views,
};
use serde_json::Value;

use self::ears::{AWAY, BACK, Day, KINDS, MESSAGES, about, id, line, says, takes, text};
use crate::{
    alerts::command,
    support::{
        eventually::{eventually, stays},
        world::SOON,
    },
};

const CIRCUIT: &str = "KassebroCircuitOpen";
const MISS: &str = "KassebroSlaPredictedMiss";
const WATCHDOG: &str = "KassebroWatchdog";
const ADVICE_RISK: &str = "KassebroSlaAtRisk recommendation.v1 75";
const ADVICE_LATE: &str = "KassebroSlaBreached recommendation.v1 100";
const COMPLAINT_RISK: &str = "KassebroSlaAtRisk complaint.v1 75";
const COMPLAINT_FOUR: &str = "KassebroSlaAtRisk complaint.v1 4h-left";
const COMPLAINT_LATE: &str = "KassebroSlaBreached complaint.v1 100";
const FOUR_KEY: &str = "KassebroSlaAtRisk/complaint.v1/delivered/0101/4h-left";

/// What Prometheus finds in the course of the day, and finds to be over at its end.
const RULES: [&str; 7] = [
    "KassebroBacklogOld",
    CIRCUIT,
    "KassebroDown",
    "KassebroSlaAtRisk",
    "KassebroSlaBreached",
    MISS,
    "KassebroSlackShort",
];
/// What may be left: the watchdog, and what looks back for minutes, or a day, at a clock that was moved and at
/// promises that were missed.
const LEFT: [&str; 4] = [WATCHDOG, "KassebroClockSet", "KassebroPromisesMissed", "KassebroTimersLate"];

impl Day {
    async fn opened_and_predicted(&mut self) {
        for receiver in [AWAY, BACK] {
            self.desk_hears(receiver, 0, 1, &[&format!("firing {CIRCUIT}")]).await;
        }
        eventually("Prometheus found Alertmanager", SOON, async || {
            let alerts = self.alertmanager.alerts();
            alerts.iter().any(|alert| alert["labels"]["monitor"] == "prometheus").then_some(())
        })
        .await;
        self.at(4, 20);
        for receiver in [AWAY, BACK] {
            let heard = self
                .desk_hears(receiver, 1, 1, &[&format!("firing {CIRCUIT}"), &format!("firing {MISS}")])
                .await;
            let summaries: Vec<_> = heard["alerts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| text(&a["annotations"], "summary"))
                .collect();
            let begins = format!("{MESSAGES} deliveries to {receiver} will miss their deadline");
            assert!(summaries.iter().any(|summary| summary.starts_with(&begins)), "{summaries:?}");
        }
        self.rules_fire(&[CIRCUIT, MISS, "KassebroBacklogOld", "KassebroSlackShort"]).await;
        assert!(self.rule("KassebroSlaAtRisk").is_empty() && self.pager.taken().is_empty());
    }

    /// One receiver comes back: nothing of its messages was late, and nobody hears of a risk.
    async fn one_is_back(&mut self) {
        self.back.plays(takes());
        for kind in KINDS {
            for number in 0..MESSAGES {
                let view = self.world.reaches(&id(kind, BACK, number), "delivered").await;
                assert_eq!(view.promises[0].standing, "met");
            }
        }
        eventually("its alerts are resolved", SOON, async || {
            (about(&self.desk, BACK).pop()?["status"] == "resolved").then_some(())
        })
        .await;
        assert!(self.heard_by_desk(BACK) <= 4, "{:#?}", about(&self.desk, BACK));
    }

    async fn at_risk_and_late(&mut self, due: Timestamp) {
        let (circuit, miss) = (format!("firing {CIRCUIT}"), format!("firing {MISS}"));
        let before = self.heard_by_desk(AWAY);
        self.at(6, 10);
        self.desk_hears(AWAY, before, 1, &[&circuit, &miss, &format!("firing {ADVICE_RISK}")]).await;
        self.rules_fire(&["KassebroSlaAtRisk"]).await;
        self.at(8, 5);
        let now = [&*circuit, &miss, &format!("firing {ADVICE_LATE}"), &format!("resolved {ADVICE_RISK}")];
        let heard = self.desk_hears(AWAY, before + 1, 2, &now).await;
        let alerts = heard["alerts"].as_array().unwrap();
        let late = alerts.iter().find(|alert| line(&alert["labels"]) == ADVICE_LATE).unwrap();
        let summary = text(&late["annotations"], "summary");
        let all = format!("{MESSAGES} recommendation.v1 to {AWAY} missed the deadline");
        assert!(summary.starts_with(&all), "{summary}");
        assert_eq!(late["labels"]["severity"], "critical");
        is_truly(late, due);
        self.rules_fire(&["KassebroSlaBreached"]).await;
        self.is_paged_again(&format!("firing {ADVICE_LATE}")).await;
    }

    /// Killed, and back ten hours later: what was told is not told again, what came meanwhile is.
    async fn killed(&mut self, due: Timestamp) {
        let (before, own) = (self.heard_by_desk(AWAY), Self::told(&self.own));
        self.world.gateway.kill();
        self.rules_fire(&["KassebroDown"]).await;
        assert_eq!(self.heard_by_desk(AWAY), before, "what is open stays open without the gateway");
        self.at(18, 10);
        self.world.gateway.restart().await;
        let [circuit, miss, late, risk] =
            [CIRCUIT, MISS, ADVICE_LATE, COMPLAINT_RISK].map(|alert| format!("firing {alert}"));
        let heard = self.desk_hears(AWAY, before, 1, &[&circuit, &miss, &late, &risk]).await;
        let alerts = heard["alerts"].as_array().unwrap();
        let risk = alerts.iter().find(|alert| line(&alert["labels"]) == COMPLAINT_RISK).unwrap();
        is_truly(risk, due - SignedDuration::from_hours(6));
        eventually("its own target is told once", SOON, async || {
            let told = Self::told(&self.own);
            let more: Vec<_> = told[own.len()..].to_vec();
            assert!(more.len() <= 1, "{more:?}");
            (more == [format!("opened KassebroSlaAtRisk {AWAY} complaint.v1 75")]).then_some(())
        })
        .await;
    }

    async fn escalated(&mut self) {
        let before = self.heard_by_desk(AWAY);
        self.at(20, 10);
        let mut now =
            [CIRCUIT, MISS, ADVICE_LATE, COMPLAINT_FOUR].map(|alert| format!("firing {alert}")).to_vec();
        now.push(format!("resolved {COMPLAINT_RISK}"));
        let now: Vec<&str> = now.iter().map(String::as_str).collect();
        self.desk_hears(AWAY, before, 2, &now).await;
        self.is_paged_again(&format!("firing {COMPLAINT_FOUR}")).await;
        assert!(Self::told(&self.chief).is_empty());
        let before = self.heard_by_desk(AWAY);
        self.at(20, 50);
        eventually("nobody acknowledged it, and it climbs", SOON, async || {
            (Self::told(&self.chief) == [format!("escalated KassebroSlaAtRisk {AWAY} complaint.v1 4h-left")])
                .then_some(())
        })
        .await;
        assert_eq!(self.heard_by_desk(AWAY), before, "to Alertmanager it is the same alert");
    }

    /// One by the gateway's command, one by hand; the id of the latter.
    async fn silenced(&mut self) -> String {
        let (four, late) = (format!("firing {COMPLAINT_FOUR}"), format!("firing {ADVICE_LATE}"));
        let before = self.heard_by_desk(AWAY);
        // Alertmanager takes no silence that ended before its own now.
        command(&self.world, &["alerts", "snooze", FOUR_KEY, "--until", "9h", "--by", "bo"]).exits(0);
        self.is_held(COMPLAINT_FOUR, "suppressed").await;
        let others = self.pages(&late);
        self.pager_falls_silent(&four).await;
        assert!(self.pages(&late) > others, "about the other it calls on");
        let labels = [
            ("alertname", "KassebroSlaBreached"),
            ("kind", "recommendation.v1"),
            ("receiver", AWAY),
            ("service", "kassebro"),
        ];
        let by_hand =
            self.alertmanager.silence(&labels, "anna", System.now() + SignedDuration::from_hours(1));
        self.is_held(ADVICE_LATE, "suppressed").await;
        self.pager_falls_silent(&late).await;
        assert_eq!(self.heard_by_desk(AWAY), before, "nor was the desk told");
        let held = self.held();
        assert_eq!(held.len(), 4, "they stand all the while: {held:?}");
        by_hand
    }

    /// The clock is the real one now. A snooze ends with its alert, what a person silenced stays silenced.
    async fn late_today(&mut self, due: Timestamp, by_hand: &str) {
        self.world.set_clock(SignedDuration::ZERO);
        self.is_paged_again(&format!("firing {COMPLAINT_LATE}")).await;
        eventually("the end of what was snoozed is told", SOON, async || {
            (self.pages(&format!("resolved {COMPLAINT_FOUR}")) == 1).then_some(())
        })
        .await;
        assert_eq!(self.alertmanager.silenced_by(), ["anna"]);
        let alerts = self.alertmanager.alerts();
        let late = alerts.iter().find(|alert| {
            line(&alert["labels"]) == COMPLAINT_LATE && alert["labels"]["service"] == "kassebro"
        });
        is_truly(late.unwrap(), due);
        let (advice, silent) =
            (format!("firing {ADVICE_LATE}"), self.pages(&format!("firing {ADVICE_LATE}")));
        self.is_paged_again(&format!("firing {COMPLAINT_LATE}")).await;
        assert_eq!(self.pages(&advice), silent);
        self.alertmanager.unsilence(by_hand);
        self.is_paged_again(&advice).await;
    }

    async fn resolved(&mut self) {
        self.away.plays(takes());
        for kind in KINDS {
            for number in 0..MESSAGES {
                let view = self.world.reaches(&id(kind, AWAY, number), "delivered").await;
                assert_eq!(view.promises[0].standing, "met_late");
            }
        }
        self.world.alerted(&[]).await;
        eventually("the gateway's watchdog is all that Alertmanager holds of it", SOON, async || {
            let alerts = self.alertmanager.alerts();
            let mut own = alerts.iter().filter(|alert| alert["labels"]["service"] == "kassebro");
            (own.next()?["labels"]["alertname"] == WATCHDOG && own.next().is_none()).then_some(())
        })
        .await;
        eventually("desk and pager hear of the end", SOON, async || {
            let desk = about(&self.desk, AWAY).pop()?["status"] == "resolved";
            let pager = [ADVICE_LATE, COMPLAINT_LATE].map(|late| self.pages(&format!("resolved {late}")));
            (desk && pager == [1, 1]).then_some(())
        })
        .await;
        for name in RULES {
            eventually(&format!("Prometheus' {name} is over"), SOON, async || {
                self.rule(name).values().all(|fires| !fires).then_some(())
            })
            .await;
        }
        let left = self.alertmanager.alerts();
        let left: BTreeSet<_> = left.iter().map(|alert| text(&alert["labels"], "alertname")).collect();
        assert!(left.iter().all(|name| LEFT.contains(name)), "{left:?}");
        assert!(left.contains(WATCHDOG) && left.contains("KassebroClockSet"), "{left:?}");
    }

    /// Over the whole day.
    async fn nothing_was_told_twice(&self) {
        let count = async || (self.desk.taken().len(), self.pager.taken().len(), self.own.taken().len());
        stays("it is quiet", Duration::from_secs(2), count().await, count).await;
        for receiver in [AWAY, BACK] {
            let heard: Vec<_> = about(&self.desk, receiver).iter().map(says).collect();
            assert!(heard.windows(2).all(|pair| pair[0] != pair[1]), "{heard:#?}");
            assert!(heard.len() < MESSAGES, "{} messages, and {heard:#?}", 2 * MESSAGES);
        }
        let told = Self::told(&self.own);
        let once: BTreeSet<_> = told.iter().collect();
        assert_eq!(once.len(), told.len(), "{told:#?}");
        let of =
            |change: &str| -> BTreeSet<&str> { told.iter().filter_map(|t| t.strip_prefix(change)).collect() };
        let (opened, resolved) = (of("opened "), of("resolved "));
        assert_eq!(opened, resolved);
        let climbed = ["escalated", "snoozed", "resolved"]
            .map(|change| format!("{change} KassebroSlaAtRisk {AWAY} complaint.v1 4h-left"));
        assert_eq!(Self::told(&self.chief), climbed);
        let outcomes = ["accepted", "at_risk", "late", "delivered"];
        self.world.tells(&id("complaint", AWAY, 0), &outcomes).await;
        self.world.tells(&id("complaint", BACK, 0), &["accepted", "delivered"]).await;
        let store = self.world.store();
        assert!(store.open_alerts().await.unwrap().iter().all(|alert| alert.condition.name == WATCHDOG));
    }
}

/// It began then; Alertmanager keeps milliseconds.
fn is_truly(alert: &Value, since: Timestamp) {
    let starts: Timestamp = text(alert, "startsAt").parse().unwrap();
    assert!(starts.duration_since(since).abs() < SignedDuration::from_millis(2), "{starts} is not {since}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_trouble_is_opened_predicted_grouped_escalated_silenced_and_resolved() {
    let mut day = Day::breaks().await;
    let [complaint_due, advice_due] = day.sends();
    day.opened_and_predicted().await;
    day.one_is_back().await;
    day.at_risk_and_late(advice_due).await;
    day.killed(complaint_due).await;
    day.escalated().await;
    let by_hand = day.silenced().await;
    day.late_today(complaint_due, &by_hand).await;
    day.resolved().await;
    day.nothing_was_told_twice().await;
}
