//! Several hosts in one address: whichever lets us in and lets us work is used, and what each said is told.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use serde_json::{Value, json};

use super::commands::management;
use crate::support::{
    broker::{Broker, NodeAddress, Rights},
    cluster::Cluster,
    command::{kassebro, run},
    folder, free_port,
    scene::{Plan, body, through},
    site::{configuration, finding, with},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_command_takes_the_hosts_in_turn_and_names_each_that_failed() {
    let cluster = Cluster::whole().await;
    let (broker, folder) = (Broker::fresh_on(cluster.address(0).clone()).await, folder("hosts"));
    let dead = format!("127.0.0.1:{},127.0.0.1:{}", free_port(), free_port());
    let some = through(&broker.uri(), &format!("{dead},{}", cluster.address(2).authority()));
    let site = configuration(&some, &management(&cluster));
    let password = some.split_once('@').unwrap().0.rsplit_once(':').unwrap().1.to_owned();
    let checked = with(folder.path(), &site, &["check"]).exits(0);
    assert!(checked.out.contains(&dead) && !checked.out.contains(&password), "{}", checked.out);
    with(folder.path(), &site, &["topology", "apply"]).exits(0);
    with(folder.path(), &site, &["topology", "check"]).exits(0);
    let doctor = with(folder.path(), &site, &["doctor"]).exits(0).json();
    for place in dead.split(',') {
        assert_eq!(finding(&doctor, &format!("broker {place}"))["standing"], "warn", "{doctor}");
    }
    let alive = finding(&doctor, &format!("broker {}", cluster.address(2).authority()));
    assert_eq!(alive["standing"], "ok", "{doctor}");
    let bench = ["bench", "--json", "--messages", "20", "--amqp", &some];
    assert_eq!(run(&mut kassebro(folder.path(), &bench)).exits(0).json()["delivered"], json!(20));
    // Nobody is there.
    let none = configuration(&through(&broker.uri(), &dead), "");
    let applied = with(folder.path(), &none, &["topology", "apply"]).exits(1);
    let doctor = with(folder.path(), &none, &["doctor"]).exits(1);
    for told in [applied.err, finding(&doctor.json(), "broker")["says"].to_string()] {
        assert!(dead.split(',').all(|place| told.contains(place)) && told.contains("refused"), "{told}");
        assert!(!told.contains(&password), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_host_shows_a_certificate_for_its_own_name() {
    let cluster = Cluster::whole().await;
    let (broker, folder) = (Broker::fresh_on(cluster.address(0).clone()).await, folder("names"));
    // Good for the one name, and not for the address behind it.
    broker.client("localhost").await;
    cluster.show(0, "localhost").await;
    let (host, port) = cluster.address(0).amqps().split_once(':').unwrap();
    let hosts = format!("{host}:{port},localhost:{port}");
    let plain = through(&broker.tls_uri(), &hosts);
    let site = configuration(&plain, &format!("ca_file = {:?}\n", broker.pem("ca.pem")));
    with(folder.path(), &site, &["topology", "apply"]).exits(0);
    let doctor = with(folder.path(), &site, &["doctor"]).exits(0).json();
    assert_eq!(finding(&doctor, &format!("broker localhost:{port}"))["standing"], "ok", "{doctor}");
    let refused = finding(&doctor, &format!("broker {host}:{port}"));
    assert_eq!(refused["standing"], "warn", "{doctor}");
    assert!(refused["says"].as_str().unwrap().contains("for another host"), "{doctor}");
    for place in hosts.split(',') {
        assert_eq!(finding(&doctor, &format!("broker {place}'s certificate"))["standing"], "ok", "{doctor}");
    }
    cluster.show(0, "sound").await;
}

/// Calls that must succeed.
fn put(node: &NodeAddress, path: &str, body: &Value) {
    let answer = node.management().call("PUT", path, &body.to_string()).unwrap();
    assert!((200..300).contains(&answer.status), "{path}: {}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lets_us_in_and_lets_us_consume_nothing_is_passed_by() {
    let cluster = Cluster::whole().await;
    // A stranger to the cluster, with the same virtual host and user, and no queue.
    let stranger = NodeAddress::shared();
    let mut scene = Plan::new().on(cluster.address(0)).start().await;
    assert!(scene.gateway.stop().await.success());
    let (vhost, user) = (scene.broker.vhost().to_owned(), scene.broker.own_name("gateway"));
    let uri = scene.broker.add_user(&user, Rights::ALL);
    put(&stranger, &format!("/api/vhosts/{vhost}"), &json!({}));
    put(&stranger, &format!("/api/users/{user}"), &json!({ "password": "not-a-secret", "tags": "" }));
    let rights = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    put(&stranger, &format!("/api/permissions/{vhost}/{user}"), &rights);
    let hosts = format!("{},{}", stranger.authority(), cluster.address(0).authority());
    scene.gateway.set("KASSEBRO__AMQP__URL", &through(&uri, &hosts));
    scene.gateway.restart().await;
    scene.fund.publish(&body("complaint", 1, "one")).await;
    let kept = scene.delivered(1).await;
    scene.assert_conserved(&kept, &["one".to_owned()]);
    assert!(scene.gateway.log().contains("Consuming kassebro.in.3f ended"), "the stranger came first");
    for path in [format!("/api/users/{user}"), format!("/api/vhosts/{vhost}")] {
        assert_eq!(stranger.management().call("DELETE", &path, "").unwrap().status, 204);
    }
    scene.stop_with_nothing_left().await;
}
