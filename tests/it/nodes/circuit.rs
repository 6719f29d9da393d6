//! What one node learns of a receiver, every node knows.

use std::time::Duration;

use kassebro::tools::inbox::Behaviour;

use super::{delivered, ids, on, publish};
use crate::support::{
    database::Database,
    eventually::{eventually, stays},
    scene::{SOON, body},
};

/// Attempts of each node that may be under way when the circuit opens.
const PERMITS: u64 = 16;
/// Of two nodes, in the time of the looking.
const PROBES: u64 = 6;

#[tokio::test]
async fn a_circuit_that_one_node_opens_is_open_for_all_and_closes_for_all() {
    let database = Database::fresh().await;
    let probes = |plan: crate::support::scene::Plan| {
        plan.with("CIRCUIT__PROBE_FIRST", "3s").with("CIRCUIT__PROBE_LONGEST", "3s")
    };
    let mut scene = probes(on(&database)).start().await;
    let mut second = scene.another().await;
    // By itself this one would never leave the receiver alone.
    assert!(second.stop().await.success());
    second.set("KASSEBRO__CIRCUIT__FAILURES", "1000000");
    second.restart().await;
    scene.inbox.handle.behave(Behaviour { status: 503, ..Behaviour::default() }).unwrap();
    let sent: Vec<_> = (0..60).map(|n| (format!("m{n}"), body("complaint", n, &format!("m{n}")))).collect();
    publish(&scene, &sent).await;
    eventually("both know that the receiver is not to be reached", SOON, async || {
        let opened = scene.gateway.log().contains("The circuit of 0101 is open");
        let told = second.log().contains("The circuit of 0101 is open, as another node found");
        (opened && told).then_some(())
    })
    .await;
    let before = scene.inbox.handle.stats().attempts;
    stays("nobody tries it but to probe", Duration::from_secs(6), true, async || {
        scene.inbox.handle.stats().attempts <= before + PERMITS + PROBES
    })
    .await;
    scene.inbox.handle.behave(Behaviour::default()).unwrap();
    let kept = delivered(&database, sent.len()).await;
    scene.assert_conserved(&kept, &ids(&sent));
    eventually("both know that it is back", SOON, async || {
        let closed = |log: String| log.contains("The circuit of 0101 is closed");
        (closed(scene.gateway.log()) && closed(second.log())).then_some(())
    })
    .await;
    assert!(second.stop().await.success());
    scene.stop_with_nothing_left().await;
}
