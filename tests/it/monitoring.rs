//! The metrics, the rules and the dashboard, judged by a real Prometheus over a real gateway with real traffic.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{collections::BTreeSet, fs};

use jiff::{SignedDuration, Timestamp};
use kassebro::{
    clock::{Clock, System},
    domain::FaultCode,
};
use serde_json::{Value, json};

use crate::support::{
    alertmanager::Alertmanager,
    eventually::eventually,
    prometheus::{Prometheus, monitoring, promtool},
    receiver::{Plays, Receiver, answer},
    scene::{Plan, SOON, Scene, event},
};

fn read(name: &str) -> String {
    fs::read_to_string(monitoring().join(name)).unwrap()
}

/// Each rule's name, its expression and its other lines.
fn rules() -> Vec<(String, String, String)> {
    let text = read("kassebro.rules.yml");
    let rules = text.split("      - alert: ").skip(1).map(|rule| {
        let (name, rest) = rule.split_once('\n').unwrap();
        let (_, rest) = rest.split_once("expr: >-\n").expect("every expression stands so");
        let (expression, rest) = rest.split_once('\n').unwrap();
        (name.to_owned(), expression.trim().to_owned(), rest.to_owned())
    });
    rules.collect()
}

/// Every panel's title and expressions, with Grafana's variables filled in.
fn panels() -> Vec<(String, Vec<String>)> {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    panels
        .map(|panel| {
            let targets = panel["targets"].as_array().unwrap().iter();
            let filled = targets.map(|target| {
                let expression = target["expr"].as_str().unwrap();
                expression.replace("$receiver", ".*").replace("$__rate_interval", "5m")
            });
            (panel["title"].as_str().unwrap().to_owned(), filled.collect())
        })
        .collect()
}

/// The series that an expression names: `kassebro_deliveries{state="dead"}`, without a range.
fn selectors(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in expression.match_indices("kassebro_") {
        let begins = !expression[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '"');
        let rest = &expression[at..];
        let name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let labels = rest[name..].starts_with('{').then(|| rest[name..].find('}').unwrap() + 1);
        if begins {
            found.insert(rest[..name + labels.unwrap_or(0)].to_owned());
        }
    }
    found
}

#[test]
fn every_rule_is_sound_and_tested_and_its_runbook_is_there() {
    let at = |name: &str| monitoring().join(name).display().to_string();
    for arguments in [
        ["check", "rules", &at("kassebro.rules.yml")],
        ["test", "rules", &at("kassebro.rules.test.yml")],
        ["check", "config", &at("prometheus.yml")],
    ] {
        let (content, said) = promtool(&arguments, "");
        assert!(content, "promtool {arguments:?}:\n{said}");
    }
    let (tests, runbook) = (read("kassebro.rules.test.yml"), read("README.md"));
    for (name, _, rest) in rules() {
        assert!(name.starts_with("Kassebro") && name.chars().all(char::is_alphanumeric), "{name}");
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(rest.contains(part), "{name} has {part}");
        }
        let link = format!("runbook: \"config/monitoring/README.md#{}\"", name.to_lowercase());
        assert!(rest.contains(&link), "{name} names its section");
        assert!(runbook.contains(&format!("\n## {name}\n")), "the section of {name} is there");
        for case in ["fires", "does not fire"] {
            assert!(tests.contains(&format!("  - name: {name} {case}\n")), "a test in which {name} {case}");
        }
    }
    let explained = runbook.split("kassebro explain ").skip(1).filter(|rest| rest.starts_with("GW"));
    for code in explained {
        assert!(code[..6].parse::<FaultCode>().is_ok(), "{}", &code[..6]);
    }
}

fn complaint(id: &str, age: SignedDuration) -> Value {
    let happened: Timestamp = System.now() - age;
    let mut event = event("complaint", 7, id);
    event["time"] = json!(happened.to_string());
    event
}

/// Messages that came too late, are endangered, are wrong, and one whose half time comes in a moment.
async fn trouble(scene: &Scene) {
    let hours = SignedDuration::from_hours;
    let mut wrong = complaint("wrong", hours(0));
    wrong["data"]["form"] = json!("sung");
    let soon_half = complaint("soon-half", hours(12) - SignedDuration::from_secs(4));
    for event in [complaint("late", hours(30)), complaint("endangered", hours(20)), soon_half, wrong] {
        scene.fund.publish(event.to_string().as_bytes()).await;
    }
}

#[tokio::test]
async fn every_expression_of_the_rules_and_the_dashboard_finds_what_it_asks_for() {
    let alertmanager = Alertmanager::start().await;
    let receiver = Receiver::start(Plays::Answers(answer(503, "", "")));
    let deaf = Receiver::start(Plays::Answers(answer(500, "", "")));
    let scene = Plan::new()
        .delivering_to(&receiver.url())
        .with("ALERTS__ALERTMANAGER", &alertmanager.url())
        .with("ALERTS__WEBHOOK", &deaf.url())
        .with("CIRCUIT__FAILURES", "2")
        .start()
        .await;
    let prometheus = Prometheus::scraping(scene.gateway.address()).await;
    eventually("a first scrape shows where everything began", SOON, async || {
        prometheus.query("up == 1").ok().filter(|up| !up.is_empty())
    })
    .await;
    trouble(&scene).await;
    let all = || {
        let rules = rules().into_iter().map(|(name, expression, _)| (name, vec![expression]));
        rules.chain(panels()).collect::<Vec<_>>()
    };
    // While the receiver is down: what is asked for when things are bad.
    let is_there = |expression: &str| {
        let found = prometheus.query(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        found.iter().any(|value| !value.is_nan())
    };
    eventually("what is overdue, endangered and waiting is shown", SOON, async || {
        let bad = [
            "kassebro_sla_open{standing=\"breached\"} > 0",
            "kassebro_sla_open{standing=\"at_risk\"} > 0",
            "kassebro_sla_open{standing=\"on_track\"} > 0",
            "kassebro_circuit_state{state=\"open\"} == 1",
            "kassebro_deliveries{state=\"pending\"} >= 3",
            "ALERTS{alertname=\"KassebroSlaBreached\", alertstate=\"firing\"}",
            "kassebro_timer_lateness_seconds_count > 0",
            "kassebro_sla_outcomes_total{outcome=\"breached\", cause=\"sender\"} == 1",
        ];
        bad.iter().all(|expression| is_there(expression)).then_some(())
    })
    .await;
    // Gauges that are nothing when all is well are asked for now, the rest when messages went through.
    let waiting = ["Slack to the nearest deadline", "Oldest undelivered", "Alerts"];
    for (title, expressions) in panels().iter().filter(|(title, _)| waiting.contains(&title.as_str())) {
        assert!(expressions.iter().all(|expression| is_there(expression)), "{title}: {expressions:?}");
    }
    receiver.plays(Plays::Judges(|_, before| {
        // One is refused for good, so that something is dead.
        if before.iter().any(|taken| taken.head.contains("HTTP")) && before.len() % 3 == 0 {
            answer(422, "", "")
        } else {
            answer(200, "", "")
        }
    }));
    let last = std::cell::RefCell::new(Vec::new());
    let mut number = 0;
    let full = async {
        eventually("every panel shows something and every selector finds a series", SOON * 2, async || {
            let mut empty = Vec::new();
            number += 1;
            let plain = complaint(&format!("plain-{number}"), SignedDuration::from_mins(number));
            scene.fund.publish(plain.to_string().as_bytes()).await;
            for (title, expressions) in all() {
                for selector in expressions.iter().flat_map(|expression| selectors(expression)) {
                    if !is_there(&format!("count({selector})")) {
                        empty.push(format!("{title}: no series is {selector}"));
                    }
                }
            }
            for (title, expressions) in panels().iter().filter(|(t, _)| !waiting.contains(&t.as_str())) {
                let missing = expressions.iter().filter(|expression| !is_there(expression));
                empty.extend(missing.map(|expression| format!("{title}: nothing comes of {expression}")));
            }
            let done = empty.is_empty();
            *last.borrow_mut() = empty;
            done.then_some(())
        })
        .await;
    };
    let in_time = tokio::time::timeout(SOON, full).await.is_ok();
    assert!(in_time, "{:#?}", last.borrow());
    for (name, expressions) in all() {
        for expression in expressions {
            prometheus.query(&expression).unwrap_or_else(|error| panic!("{name}: {expression}: {error}"));
        }
    }
    lint(&scene.gateway.http().get("/metrics").unwrap().body);
}

/// `promtool check metrics`. It reads the older text format, in which a counter's name has its `_total` in the comments
/// as well.
fn lint(exposition: &str) {
    let counters: BTreeSet<_> = exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .map(str::to_owned)
        .collect();
    let mut text = String::new();
    for line in exposition.lines().filter(|line| !line.starts_with("# UNIT") && *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        let named = words.nth(2).filter(|name| line.starts_with("# ") && counters.contains(*name));
        text.push_str(
            &named.map_or_else(|| line.to_owned(), |name| line.replacen(name, &format!("{name}_total"), 1)),
        );
        text.push('\n');
    }
    let (content, said) = promtool(&["check", "metrics"], &text);
    assert!(content && said.trim().is_empty(), "{said}");
    assert!(counters.len() > 10, "{counters:?}");
}

#[test]
fn a_selector_is_found_with_its_labels_and_without_its_range() {
    let expression =
        "sum(rate(kassebro_a_total{b=\"c\", d=~\"e\"}[5m])) / (kassebro_f > 0) + up{job=\"kassebro_g\"}";
    let found: Vec<_> = selectors(expression).into_iter().collect();
    assert_eq!(found, ["kassebro_a_total{b=\"c\", d=~\"e\"}", "kassebro_f"]);
}
