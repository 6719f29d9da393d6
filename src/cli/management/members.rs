//! Which nodes of a cluster hold a queue, and how many of them are there.

use serde::Deserialize;

use super::Queue;
use crate::intake::topology::Difference;

/// A node of the cluster.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    name: String,
    #[serde(default)]
    running: bool,
}

const START: &str = "start the nodes that are away; `rabbitmq-queues quorum_status` says more of a queue";
const GROW: &str = "`rabbitmq-queues grow <node> all` adds a member to every quorum queue";
const CLASSIC: &str = "declare it anew with queue_type = \"quorum\", once it is empty";

/// What is not as it should be with the members of a queue, where `asked` nodes are to hold it (0: nobody asks).
pub(super) fn judge(queue: &str, told: &Queue, nodes: &[Node], asked: u8) -> Option<Difference> {
    let warning = |problem: String, then| Difference { warning: true, ..failing(queue, problem, then) };
    if told.kind.as_deref() != Some("quorum") {
        let alone = nodes.len() > 1;
        return alone.then(|| {
            let node = told.node.as_deref().unwrap_or("one node");
            let problem = format!("it is not replicated: only {node} of {} nodes has it", nodes.len());
            warning(problem, CLASSIC)
        });
    }
    let (online, away): (Vec<&String>, Vec<&String>) =
        told.members.iter().partition(|member| is_online(member, told, nodes));
    let (members, there, asked) = (told.members.len(), online.len(), usize::from(asked));
    let away = away.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if there < members / 2 + 1 {
        let needs = members / 2 + 1;
        let problem = format!(
            "{there} of its {members} members are online and it needs {needs}: nothing goes in or out; away: {away}"
        );
        Some(failing(queue, problem, START))
    } else if members < asked {
        let problem = format!("{members} nodes hold it, and amqp.queue_replicas asks for {asked}");
        Some(failing(queue, problem, GROW))
    } else if there < asked {
        let problem = format!(
            "{there} of its {members} members are online, and amqp.queue_replicas asks for {asked}; away: {away}"
        );
        Some(failing(queue, problem, START))
    } else if there < members {
        Some(warning(format!("{there} of its {members} members are online; away: {away}"), START))
    } else if members < 2 && nodes.len() > 1 {
        Some(warning(format!("one of {} nodes holds it: it is away when that is", nodes.len()), GROW))
    } else {
        None
    }
}

/// Who is online is told by the queue's leader from time to time, and not where there is none.
fn is_online(member: &String, told: &Queue, nodes: &[Node]) -> bool {
    let runs = nodes.iter().any(|node| node.name == *member && node.running);
    runs && told.online.as_ref().is_none_or(|online| online.contains(member))
}

/// Are as many members online as must agree on anything? A queue that is not replicated asks nobody.
pub(super) fn answers(told: &Queue, nodes: &[Node]) -> bool {
    let online = told.members.iter().filter(|member| is_online(member, told, nodes)).count();
    told.members.is_empty() || online > told.members.len() / 2
}

fn failing(queue: &str, problem: String, then: &'static str) -> Difference {
    Difference { then, ..Difference::new(format!("queue {queue}"), problem) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A quorum queue on all nodes, of which so many run.
    fn judged(queue: Value, running: usize, asked: u8) -> Option<(bool, String)> {
        let nodes: Vec<Node> = ["a", "b", "c"]
            .iter()
            .enumerate()
            .map(|(place, name)| Node { name: (*name).into(), running: place < running })
            .collect();
        let told = serde_json::from_value(queue).unwrap();
        judge("in", &told, &nodes, asked).map(|found| (found.warning, found.problem))
    }

    fn quorum(members: &[&str], online: &[&str]) -> Value {
        json!({ "type": "quorum", "members": members, "online": online })
    }

    #[test]
    fn members_that_are_away_are_an_error_where_the_rest_cannot_go_on_or_more_were_asked_for() {
        let all = ["a", "b", "c"];
        assert_eq!(judged(quorum(&all, &all), 3, 0), None);
        assert_eq!(judged(quorum(&all, &all), 3, 3), None);
        let (warning, problem) = judged(quorum(&all, &["a", "b"]), 3, 0).unwrap();
        assert!(warning && problem == "2 of its 3 members are online; away: c", "{problem}");
        let (warning, problem) = judged(quorum(&all, &["a", "b"]), 3, 3).unwrap();
        assert!(!warning && problem.contains("queue_replicas asks for 3; away: c"), "{problem}");
        // What the leader told before it died is not believed of nodes that do not run.
        let (warning, problem) = judged(quorum(&all, &all), 1, 0).unwrap();
        assert!(!warning && problem.starts_with("1 of its 3 members are online and it needs 2"), "{problem}");
        assert!(problem.ends_with("away: b, c"), "{problem}");
        let (warning, problem) = judged(quorum(&["a", "b", "c", "d"], &["a", "b", "d"]), 2, 0).unwrap();
        assert!(!warning && problem.contains("2 of its 4 members are online and it needs 3"), "{problem}");
    }

    #[test]
    fn what_lies_on_one_node_of_a_cluster_is_told() {
        let (warning, problem) = judged(json!({ "type": "classic", "node": "b" }), 3, 0).unwrap();
        assert!(warning && problem.contains("only b of 3 nodes"), "{problem}");
        let (warning, problem) = judged(quorum(&["a"], &["a"]), 3, 0).unwrap();
        assert!(warning && problem.contains("one of 3 nodes holds it"), "{problem}");
        let (warning, problem) = judged(quorum(&["a"], &["a"]), 3, 3).unwrap();
        assert!(
            !warning && problem.contains("1 nodes hold it, and amqp.queue_replicas asks for 3"),
            "{problem}"
        );
        let alone = [Node { name: "a".into(), running: true }];
        let classic = serde_json::from_value(json!({ "type": "classic", "node": "a" })).unwrap();
        assert_eq!(
            judge("in", &classic, &alone, 0),
            None,
            "where there is one node nothing can be replicated"
        );
    }
}
