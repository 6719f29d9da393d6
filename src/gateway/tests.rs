//! What was built is what starts.

use std::{fs, time::Duration};

use jiff::Timestamp;

use super::*;
use crate::{clock::System, store::sqlite::Sqlite};

#[tokio::test]
async fn whoever_watches_and_is_told_starts_from_what_was_built_whatever_lies_there_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let text = format!(
        "[[target]]\nname = \"desk\"\nvia = \"webhook\"\nurl = \"http://127.0.0.1:9\"\nsecret_file = \"{}\"\n",
        secret.display()
    );
    let loaded = config::read_text("site.toml", &text).unwrap();
    let ready = live::ready(&loaded).unwrap();
    fs::remove_file(&secret).unwrap();
    assert!(live::can_be_built(&loaded).is_err(), "what is gone would be missed");
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&folder.path().join("store"), Mode::Daemon).unwrap());
    let (clock, metrics) = (Arc::new(System), Metrics::new());
    let desk = dispatch::Desk { store: Arc::clone(&store), clock, metrics };
    let tasks = Tasks::new(Stop::new());
    start_watch(&loaded.settings, &ready.built.rules, ready.alerting, &desk, 1, &tasks);
    tasks.stop().request();
    assert_eq!(tasks.finish(Duration::from_secs(20)).await.crash, None);
    let runs = store.runs(Timestamp::MIN).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.in_order).collect::<Vec<_>>(), [true], "it watched until the end");
}
