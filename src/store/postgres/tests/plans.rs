//! What the database is asked, and how it works on that.

use tokio_postgres::SimpleQueryMessage;

use super::{Schema, connect};
use crate::store::{
    Views,
    postgres::{accept, lease, session, settle},
};

#[tokio::test]
async fn a_plan_made_on_empty_tables_finds_its_rows_by_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::of(folder.path());
    drop(schema.open());
    let client = connect(&schema.url()).await;
    client.batch_execute(session::PLANS).await.unwrap();
    for (name, sql, values) in [
        ("pending", accept::PENDING, "'{1}'"),
        ("release_next", settle::RELEASE_NEXT, "'{1}', 'order', 'mailbox'"),
        (
            "settle",
            settle::SETTLE,
            "'{1}', '{1}', '{1}', '{1}', '{a}', '{1}', '{1}', '{a}', '{1}', '{t}', '{1}'",
        ),
        ("lease", lease::LEASE, "'inbox', 1, 1, 1, 1, 1, 1"),
    ] {
        client.batch_execute(&format!("PREPARE {name} AS {sql}")).await.unwrap();
        let lines = client.simple_query(&format!("EXPLAIN EXECUTE {name} ({values})")).await.unwrap();
        let line = |line: &SimpleQueryMessage| match line {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        let plan = lines.iter().filter_map(line).collect::<Vec<_>>().join("\n");
        assert!(plan.contains("Index Cond"), "{name}:\n{plan}");
        // Each of them looks at all rows of one side for each row of the other, or at all rows there are.
        for way in ["Seq Scan", "Materialize", "Join Filter"] {
            assert!(!plan.contains(way), "{name}:\n{plan}");
        }
    }
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let node = Schema::of(folder.path()).open();
    // Who has an answer that is new enough drops the question.
    for _ in 0..3 {
        drop(node.backlogs());
    }
    node.lanes().await.unwrap();
    assert_eq!(node.readers.connections(), 1);
}
