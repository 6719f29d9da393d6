//! A database that an earlier version filled.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Schema, connect};
use crate::{
    domain::ReceiptId,
    store::{
        Forget, Stage, Store, Views,
        postgres::migrate::{MIGRATIONS, hash},
    },
};

/// The last version in which a message's bytes lay in its own row.
const BEFORE: usize = 14;

/// The tables as they were, with two delivered messages.
async fn filled(schema: &Schema, received: Timestamp) -> [ReceiptId; 2] {
    let client = connect(&schema.url()).await;
    let table = "CREATE TABLE migration (version integer PRIMARY KEY, hash bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
    client.batch_execute(table).await.unwrap();
    for (version, sql) in (1_i32..).zip(MIGRATIONS).take(BEFORE) {
        client.batch_execute(sql).await.unwrap();
        let applied = "INSERT INTO migration (version, hash) VALUES ($1, $2)";
        client.execute(applied, &[&version, &hash(sql)]).await.unwrap();
    }
    let receipts = [1_u128, 2].map(|number| ReceiptId::from_fresh(Uuid::from_u128(number << 8)));
    for (seq, receipt) in (1_i64..).zip(receipts) {
        let at = received.as_microsecond();
        let message =
            "INSERT INTO message (seq, receipt, state, party, source, id, kind, receiver, received_at, way,
                 generation, answers, raw)
             VALUES (nextval('message_seq'), $1, 0, '3f', 'urn:dk:akasse:3f', 'm' || $2::text, 'complaint.v1',
                 'urn:dk:jobcenter:0101', $3, 'http', 1, 255, 'as it came')";
        client.execute(message, &[&receipt.uuid(), &seq.to_string(), &at]).await.unwrap();
        let identity = "INSERT INTO identity (source, id, message, hash)
             VALUES ('urn:dk:akasse:3f', 'm' || $1::text, $2, sha256('x'))";
        client.execute(identity, &[&seq.to_string(), &seq]).await.unwrap();
        let delivery = "INSERT INTO delivery (seq, receiver, state, due_at, next_attempt_at, attempts, settled_at, format,
                 format_version, output_hash)
             VALUES ($1, 'inbox', 1, $2, $2, 1, $2, 'cloudevents', 1, sha256('x'))";
        client.execute(delivery, &[&(seq * 256 + 1), &at]).await.unwrap();
        let parcel =
            "INSERT INTO parcel (seq, content_type, body) VALUES ($1, 'application/json', 'as it went')";
        client.execute(parcel, &[&(seq * 256 + 1)]).await.unwrap();
    }
    receipts
}

#[tokio::test]
async fn what_an_earlier_version_stored_is_read_and_forgotten_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::of(folder.path());
    let received: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let [first, last] = filled(&schema, received).await;
    let node = schema.open();
    for receipt in [first, last] {
        assert_eq!(&*node.raw(receipt).await.unwrap().unwrap().raw, b"as it came");
    }
    let now = received + SignedDuration::from_hours(2);
    assert_eq!(node.message("m1".into(), None, now).await.unwrap().unwrap().raw_bytes, 10);
    // The last of all messages stays.
    let slice = Forget { what: Stage::Content, before: now, most: 10 };
    assert_eq!(node.forget(slice).await.unwrap().count, 1);
    assert!(node.raw(first).await.unwrap().is_none());
    assert_eq!(node.message("m1".into(), None, now).await.unwrap().unwrap().raw_bytes, 0);
    assert!(node.raw(last).await.unwrap().is_some());
}
