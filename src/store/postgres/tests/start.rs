//! How a store is opened: by several at once, and not where it should not be.

use super::{Address, Mode, Postgres, Schema, apart, connect};
use crate::store::{Store, StoreError, Views};

#[tokio::test]
async fn nodes_that_start_together_make_the_tables_once() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::of(folder.path());
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let schema = schema.clone();
            std::thread::spawn(move || schema.open())
        })
        .collect();
    let nodes: Vec<Postgres> = opening.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(nodes.len(), 4);
    let client = connect(&schema.url()).await;
    let made: i64 = client.query_one("SELECT count(*) FROM migration", &[]).await.unwrap().get(0);
    assert_eq!(made, i64::from(super::super::migrate::known()));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_a_tool_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::of(folder.path());
    let open = |mode| Postgres::open(Address::parse(&schema.url(), None, None).unwrap(), mode).map(|_| ());
    let refused = open(Mode::Tool).unwrap_err();
    assert!(refused.to_string().contains("start the gateway once"), "{refused}");
    open(Mode::Daemon).unwrap();
    open(Mode::Tool).unwrap();
    let client = connect(&schema.url()).await;
    client.execute("INSERT INTO migration (version, hash) VALUES (99, 'x')", &[]).await.unwrap();
    for mode in [Mode::Daemon, Mode::Tool] {
        let refused = open(mode).unwrap_err();
        assert!(matches!(refused, StoreError::Unusable(_)), "{refused}");
        assert!(refused.to_string().contains("newer program"), "{refused}");
    }
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = Schema::of(folder.path()).url();
    let (user, rest) =
        url.split_once(':').map(|(scheme, rest)| (scheme, rest.split_once('@').unwrap().1)).unwrap();
    let wrong = format!("{user}://kassebro:hunter2@{rest}");
    let refused = Postgres::open(Address::parse(&wrong, None, None).unwrap(), Mode::Daemon).map(|_| ());
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("database postgres, user kassebro") && told.contains("28P01"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_node_that_ends_in_order_leaves_no_mark() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::of(folder.path());
    let count = || {
        let url = schema.url();
        apart(async move {
            let client = connect(&url).await;
            client.query_one("SELECT count(*) FROM commit_mark", &[]).await.unwrap().get::<_, i64>(0)
        })
    };
    let node = schema.open();
    assert_eq!(count(), 1);
    drop(node);
    assert_eq!(count(), 0);
}

#[tokio::test]
async fn one_node_at_a_time_tells_the_world_from_a_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::of(folder.path());
    let (one, other) = (schema.open(), schema.open());
    let leads = async |node: &Postgres, cursor: &str| node.lead(cursor.to_owned()).await.unwrap();
    assert!(leads(&one, "answers/3f").await && leads(&one, "answers/3f").await);
    assert!(!leads(&other, "answers/3f").await);
    assert!(leads(&other, "answers/hk").await, "each log by itself");
    one.set_cursor("answers/3f".into(), 7).await.unwrap();
    let client = connect(&schema.url()).await;
    client.execute("UPDATE cursor SET read_until = now() - interval '1 second'", &[]).await.unwrap();
    assert!(leads(&other, "answers/3f").await, "it was not asked for in time");
    assert!(!leads(&one, "answers/3f").await);
    assert_eq!(other.cursor("answers/3f".into()).await.unwrap(), 7, "the cursor stays where it was");
}
