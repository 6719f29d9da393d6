//! `kassebro bench`: it measures what it says it measures.

use serde_json::{Value, json};

use crate::support::{
    command::{kassebro, run},
    folder,
};

fn bench(arguments: &[&str]) -> Value {
    let folder = folder("bench");
    let mut all = vec!["bench", "--json"];
    all.extend(arguments);
    run(&mut kassebro(folder.path(), &all)).exits(0).json()
}

#[test]
fn what_lay_in_the_store_before_is_not_counted_as_carried() {
    let measured = bench(&[
        "--messages",
        "600",
        "--stored",
        "40",
        "--stored-with-bodies",
        "10",
        "--promises",
        "30",
        "--receivers",
        "100",
        "--agreements",
        "500",
    ]);
    assert_eq!((&measured["delivered"], &measured["duplicatesAtInbox"]), (&json!(600), &json!(0)));
    assert_eq!((&measured["receivers"], &measured["agreements"]), (&json!(100), &json!(500)));
    assert_eq!(measured["stock"], json!({"finished": 40, "withBodies": 10, "promises": 30}));
    assert!(measured["cpuMicrosecondsPerMessage"].as_f64().is_some_and(|us| us > 0.0), "{measured}");
    assert_eq!(measured.get("latency"), None);
}

#[test]
fn at_a_steady_rate_three_quarters_of_the_messages_are_timed() {
    let measured = bench(&["--messages", "40", "--rate", "100"]);
    let latency = &measured["latency"];
    assert_eq!(latency["messages"], json!(30), "{measured}");
    let [p50, p99, max] = ["p50", "p99", "max"].map(|name| latency[name].as_f64().unwrap_or(-1.0));
    assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{latency}");
    // Forty at a hundred a second take four tenths of a second, a tenth of which is left out.
    assert!(measured["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.3), "{measured}");
}

#[test]
fn the_key_figures_are_counted_over_as_many_records_as_are_asked_for() {
    let counted = bench(&["--records", "3000"]);
    assert_eq!((&counted["records"], &counted["messages"]), (&json!(3000), &json!(3000)));
    assert_eq!(counted["interviews"], json!(2940), "one in fifty is corrected");
    assert!(counted["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{counted}");
    assert!(counted["grewMebibytes"].as_f64().is_some_and(|grew| grew < 64.0), "{counted}");
}
