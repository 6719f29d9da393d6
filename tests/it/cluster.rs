//! A RabbitMQ cluster of three nodes and two gateways on one PostgreSQL: nodes die, restart and are away while messages
//! come, and each message that was confirmed is taken once, delivered under one id, and answered.

mod commands;
mod hosts;
mod load;

use std::time::Duration;

use load::{Confirmed, Sent, assert_answered, flows, under_load};

use crate::support::{
    cluster::Cluster,
    database::Database,
    eventually::{eventually, stays},
    gateway::Gateway,
    kept::Kept,
    rounds,
    scene::{Plan, SOON, Scene, Served, through},
};

/// Until what was held up by the death of nodes is through.
const CAUGHT_UP: Duration = Duration::from_secs(90);

fn plan(database: &Database, cluster: &Cluster, order: [usize; 3]) -> Plan {
    Plan::new()
        .on(cluster.address(0))
        .through(cluster.hosts(order))
        .with("STORE__URL", &database.url)
        .with("AMQP__CONNECT_TIMEOUT", "2s")
}

async fn delivered(database: &Database, count: usize) -> Kept {
    eventually(&format!("{count} messages are delivered"), CAUGHT_UP, async || {
        let kept = database.kept().await;
        (kept.delivered() >= count).then_some(kept)
    })
    .await
}

/// Every confirmed message is stored once, at the receiver under the one id of its delivery, and answered.
async fn assert_nothing_is_lost_or_doubled(
    cluster: &Cluster,
    scene: &mut Scene,
    database: &Database,
    sent: &Sent,
) {
    let kept = delivered(database, sent.ids.len()).await;
    scene.assert_conserved(&kept, &sent.ids);
    assert_eq!(kept.told("delivered"), sent.ids.len());
    let uri = through(&scene.broker.uri(), cluster.address(1).authority());
    assert_answered(&uri, &scene.fund, &sent.ids).await;
    scene.broker.reconnect().await;
}

/// Waits until each gateway consumes the fund's queue by way of that node.
async fn consume_at(cluster: &Cluster, scene: &Scene, node: usize, gateways: usize) {
    let path = format!("/api/vhosts/{}/connections", scene.broker.vhost());
    let name = format!("kassebro in {}", scene.fund.queue_in());
    eventually(&format!("{gateways} consume by way of node {node}"), SOON, async || {
        let told = cluster.asked(node, &path)?;
        let ours = told
            .as_array()?
            .iter()
            .filter(|c| c["client_properties"]["connection_name"] == name.as_str())
            .filter(|c| c["node"] == cluster.name(node).as_str());
        (ours.count() == gateways).then_some(())
    })
    .await;
}

async fn restarted(cluster: &Cluster, node: usize, inbox: &Served) {
    tokio::join!(cluster.stop(node), flows(inbox));
    cluster.start(&[node]).await;
}

async fn replaced(gateway: &mut Gateway, inbox: &Served) {
    assert!(gateway.stop().await.success());
    flows(inbox).await;
    gateway.restart().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_die_and_restart_under_load_lose_and_double_nothing() {
    let (cluster, database) = (Cluster::whole().await, Database::fresh().await);
    let mut scene = plan(&database, &cluster, [1, 2, 0]).start().await;
    let mut second = scene.another().await;
    consume_at(&cluster, &scene, 1, 2).await;
    let (vhost, queue) = (scene.broker.vhost().to_owned(), scene.fund.queue_in());
    let (first, inbox, confirmed) = (&mut scene.gateway, &scene.inbox, Confirmed::default());
    let sent = under_load(&cluster, &scene.fund, "storm", &confirmed, async {
        let nodes = async {
            flows(inbox).await;
            assert_ne!(cluster.leader(0, &vhost, &queue).await, 1);
            // Where both gateways came in.
            cluster.kill(&[1]).await;
            flows(inbox).await;
            cluster.start(&[1]).await;
            // Where the queue has its leader.
            let leader = cluster.leader(1, &vhost, &queue).await;
            cluster.kill(&[leader]).await;
            flows(inbox).await;
            cluster.start(&[leader]).await;
            // The last of the three, and in longer campaigns all of them, in order.
            restarted(&cluster, if leader == 2 { 0 } else { 2 }, inbox).await;
            for round in 3..rounds(1) * 3 {
                restarted(&cluster, round % 3, inbox).await;
            }
        };
        let gateways = async {
            replaced(first, inbox).await;
            replaced(&mut second, inbox).await;
        };
        tokio::join!(nodes, gateways);
    })
    .await;
    assert!(sent.unconfirmed > 0, "no death fell into a sending");
    assert_nothing_is_lost_or_doubled(&cluster, &mut scene, &database, &sent).await;
    assert!(second.stop().await.success());
    scene.stop_with_nothing_left().await;
}

/// The queues that readiness says are not consumed; `None` where it does not answer that it is ready.
fn degraded(gateway: &Gateway) -> Option<String> {
    let answer = gateway.http().get("/readyz").ok()?;
    (answer.status == 200).then_some(answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_cluster_takes_nothing_and_all_goes_on_when_it_is_back() {
    let (cluster, database) = (Cluster::whole().await, Database::fresh().await);
    let mut scene = plan(&database, &cluster, [1, 2, 0]).start().await;
    // One comes in by a node that will die, the other by the one that will be left.
    let mut second = scene.another().await;
    assert!(second.stop().await.success());
    let left = through(&scene.broker.uri(), &cluster.hosts([0, 1, 2]));
    second.set("KASSEBRO__AMQP__URL", &left);
    second.restart().await;
    consume_at(&cluster, &scene, 1, 1).await;
    consume_at(&cluster, &scene, 0, 1).await;
    let (first, inbox, confirmed) = (&scene.gateway, &scene.inbox, Confirmed::default());
    let queue = scene.fund.queue_in();
    let sent = under_load(&cluster, &scene.fund, "minority", &confirmed, async {
        flows(inbox).await;
        cluster.kill(&[1, 2]).await;
        commands::assert_a_majority_is_missed(&cluster, &scene);
        for gateway in [first, &second] {
            eventually("readiness says that the queue is not consumed", SOON, async || {
                degraded(gateway).filter(|body| body.contains(&queue)).map(drop)
            })
            .await;
        }
        let (stored, told) = (database.kept().await.messages.len(), confirmed.count());
        stays("nothing is taken", Duration::from_secs(2), (stored, told), async || {
            (database.kept().await.messages.len(), confirmed.count())
        })
        .await;
        assert!(degraded(first).is_some() && degraded(&second).is_some(), "both are ready all the same");
        cluster.start(&[1, 2]).await;
        flows(inbox).await;
        for gateway in [first, &second] {
            eventually("readiness says that all is well", SOON, async || {
                degraded(gateway).filter(|body| !body.contains(&queue)).map(drop)
            })
            .await;
        }
    })
    .await;
    assert_nothing_is_lost_or_doubled(&cluster, &mut scene, &database, &sent).await;
    assert!(second.stop().await.success());
    scene.stop_with_nothing_left().await;
}
