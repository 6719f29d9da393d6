//! Several gateways on one PostgreSQL, each with files of its own.

use jiff::SignedDuration;
use serde_json::Value;

use super::{command, generation, reload, rewrite};
use crate::support::{
    database::Database,
    eventually::eventually,
    gateway::Gateway,
    scene::{Plan, SOON},
};

/// The names of the alerts that are open.
fn alerts(gateway: &Gateway) -> Vec<String> {
    let list = command(gateway, &["alerts", "list", "--json"]).exits(0).json();
    let name = |alert: &Value| alert["name"].as_str().map(str::to_owned);
    list.as_array()
        .unwrap()
        .iter()
        .filter_map(name)
        .filter(|name| name.starts_with("KassebroConfig"))
        .collect()
}

async fn alerted(gateway: &Gateway, names: &[&str]) {
    eventually(&format!("the open alerts are {names:?}"), SOON, async || {
        let mut open = alerts(gateway);
        open.sort();
        open.dedup();
        (open == names).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_request_reaches_every_node_and_who_stays_behind_is_told() {
    let database = Database::fresh().await;
    let mut scene = Plan::new().with("STORE__URL", &database.url).start().await;
    let mut second = scene.another().await;
    let first = &scene.gateway;
    eventually("both nodes are known", SOON, async || {
        let list = command(first, &["config", "generations", "--json"]).exits(0).json();
        (list[0]["runsOn"].as_array().unwrap().len() == 2)
            .then(|| assert_eq!(list.as_array().unwrap().len(), 1))
    })
    .await;
    for gateway in [first, &second] {
        rewrite(gateway, |text| text.replace("first = \"200ms\"", "first = \"300ms\""));
    }
    let told = reload(first).exits(0).json();
    let outcomes: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|n| (n["outcome"].as_str().unwrap(), n["generation"].as_u64().unwrap()))
        .collect();
    assert_eq!(outcomes, [("reloaded", 2), ("reloaded", 2)], "one generation for both");
    // The files of one are broken.
    rewrite(first, |text| text.replace("first = \"300ms\"", "first = \"400ms\""));
    rewrite(&second, |text| text.replace("first = \"300ms\"", "first = \"soon\""));
    let told = reload(first).exits(3).json();
    let mut outcomes: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|n| (n["outcome"].as_str().unwrap(), n["generation"].as_u64().unwrap()))
        .collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [("invalid", 2), ("reloaded", 3)]);
    alerted(first, &["KassebroConfigReloadFailed"]).await;
    for gateway in [first, &second] {
        gateway.set_clock(SignedDuration::from_mins(4));
    }
    alerted(first, &["KassebroConfigDiffers", "KassebroConfigReloadFailed"]).await;
    rewrite(&second, |text| text.replace("first = \"soon\"", "first = \"400ms\""));
    second.hang_up();
    generation(&second, 3).await;
    alerted(first, &[]).await;
    assert!(second.stop().await.success());
    let list = command(first, &["config", "generations", "--json"]).exits(0).json();
    assert_eq!(list[0]["runsOn"].as_array().unwrap().len(), 1, "who has gone is not there: {list}");
    scene.stop_with_nothing_left().await;
}
