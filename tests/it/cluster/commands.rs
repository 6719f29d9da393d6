//! What the commands say of a cluster: hosts that are away, members that are, and names in certificates.

use serde_json::Value;

use crate::support::{
    broker::Broker,
    cluster::Cluster,
    eventually::eventually,
    folder,
    scene::{SOON, Scene, through},
    site::{configuration, finding, with},
};

/// The management interfaces of all nodes in one address.
pub(super) fn management(cluster: &Cluster) -> String {
    let hosts = [0, 1, 2].map(|node| cluster.address(node).management().authority().to_owned());
    format!("management_url = \"http://{}\"\n", hosts.join(","))
}

/// To be asked while two of the three are dead.
pub(super) fn assert_a_majority_is_missed(cluster: &Cluster, scene: &Scene) {
    let folder = folder("minority");
    let uri = through(&scene.broker.uri(), &cluster.hosts([1, 2, 0]));
    let site = configuration(&uri, &management(cluster));
    let doctor = with(folder.path(), &site, &["doctor"]).exits(1).json();
    for queue in [scene.fund.queue_in(), scene.fund.queue_out()] {
        let found = finding(&doctor, &format!("queue {queue}"));
        assert_eq!(found["standing"], "fail", "{doctor}");
    }
    assert!(doctor.to_string().contains("1 of its 3 members are online and it needs 2"), "{doctor}");
    for (node, standing) in [(0, "ok"), (1, "warn"), (2, "warn")] {
        let host = finding(&doctor, &format!("broker {}", cluster.address(node).authority()));
        assert_eq!(host["standing"], standing, "{doctor}");
    }
}

/// What, problem, and whether it is only a warning.
fn problems(checked: &Value) -> Vec<(&str, &str, bool)> {
    fn text(value: &Value) -> &str {
        value.as_str().expect("a text")
    }
    let problems = checked.as_array().expect("a list of problems").iter();
    problems.map(|p| (text(&p["what"]), text(&p["problem"]), p["warning"] == true)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_too_few_nodes_hold_is_reported() {
    let cluster = Cluster::whole().await;
    let (broker, folder) = (Broker::fresh_on(cluster.address(0).clone()).await, folder("members"));
    let uri = through(&broker.uri(), &cluster.hosts([2, 0, 1]));
    let site = |more: &str| configuration(&uri, &format!("{}{more}", management(&cluster)));
    let run = |configuration: &str, arguments: &[&str]| with(folder.path(), configuration, arguments);
    run(&site(""), &["topology", "apply"]).exits(0);
    eventually("three hold each queue", SOON, async || {
        (run(&site(""), &["topology", "check"]).out.trim() == "[]").then_some(())
    })
    .await;
    // To ask for what is there is no difference, however it was declared; to ask for more is.
    run(&site("queue_replicas = 3\n"), &["topology", "apply"]).exits(0);
    assert_eq!(run(&site("queue_replicas = 3\n"), &["topology", "check"]).exits(0).out.trim(), "[]");
    let more = run(&site("queue_replicas = 5\n"), &["topology", "check"]).exits(1).json();
    assert_eq!(problems(&more).len(), 2, "{more}");
    for (what, problem, warning) in problems(&more) {
        assert!(what.starts_with("queue kassebro.") && !warning, "{more}");
        assert!(problem.contains("3 nodes hold it") && problem.contains("asks for 5"), "{more}");
    }
    // One that lies on one node, by its number of members or by its kind.
    let few = site("queue_in_prefix = \"few.in\"\nqueue_out_prefix = \"few.out\"\nqueue_replicas = 1\n");
    run(&few, &["topology", "apply"]).exits(0);
    let asked = few.replace("queue_replicas = 1", "queue_replicas = 3");
    let checked = run(&asked, &["topology", "check"]).exits(1).json();
    assert!(
        problems(&checked)[0].1.contains("1 nodes hold it, and amqp.queue_replicas asks for 3"),
        "{checked}"
    );
    let checked = run(&few, &["topology", "check"]).exits(0).json();
    assert!(
        problems(&checked).iter().all(|(_, problem, warning)| *warning && problem.contains("one of 3 nodes"))
    );
    let classic = site("queue_in_prefix = \"old.in\"\nqueue_out_prefix = \"old.out\"\n")
        .replace("queue_type = \"quorum\"", "queue_type = \"classic\"");
    run(&classic, &["topology", "apply"]).exits(0);
    let checked = run(&classic, &["topology", "check"]).exits(0).json();
    assert_eq!(problems(&checked).len(), 2, "{checked}");
    assert!(
        problems(&checked).iter().all(|(_, problem, warning)| *warning && problem.contains("not replicated"))
    );
    let doctor = run(&classic, &["doctor"]).exits(0).json();
    assert_eq!(finding(&doctor, "queue old.in.3f")["standing"], "warn", "{doctor}");
    assert_eq!(finding(&doctor, "broker")["standing"], "ok", "{doctor}");
    // Another type is a difference, whatever the number of members.
    let other = classic.replace("queue_type = \"classic\"", "queue_type = \"quorum\"\nqueue_replicas = 3");
    let checked = run(&other, &["topology", "check"]).exits(1).json();
    assert!(problems(&checked).iter().any(|(_, problem, _)| problem.contains("x-queue-type")), "{checked}");
}
