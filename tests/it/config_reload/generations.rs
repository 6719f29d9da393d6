//! What ran before is shown, compared, and put back.

use std::fs;

use super::{CODE, command, metric, reload, rewrite};
use crate::support::world::{Plan, World};

async fn world() -> World {
    Plan::new().receiver(CODE, "channel = \"mailbox\"").start().await
}

#[tokio::test]
async fn what_ran_before_is_listed_compared_and_shown_without_secrets() {
    let world = world().await;
    let gateway = &world.gateway;
    rewrite(gateway, |text| {
        text.replace("first = \"200ms\"", "first = \"300ms\"")
            + "\n[alerts]\nwebhook = \"http://127.0.0.1:9/hemmeligt\"\n\n[[receiver]]\nname = \"more\"\nparty = \"0707\"\nchannel = \"mailbox\"\n"
    });
    let planned = command(gateway, &["config", "diff", "--json"]).exits(0).json();
    assert_eq!((&planned["from"], &planned["to"]), (&"generation 1".into(), &"the files here".into()));
    reload(gateway).exits(0);
    let list = command(gateway, &["config", "generations", "--json"]).exits(0).json();
    let told: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["number"].as_u64().unwrap(), g["runsOn"].as_array().unwrap().len()))
        .collect();
    assert_eq!(told, [(2, 1), (1, 0)]);
    assert!(list[0]["by"].as_str().unwrap().starts_with("cli:"), "{list}");
    let diff = command(gateway, &["config", "diff", "1", "2", "--json"]).exits(0).json();
    assert_eq!(diff["added"], serde_json::json!(["receiver[more]"]));
    assert_eq!(diff["changes"], planned["changes"]);
    let first =
        diff["changes"].as_array().unwrap().iter().find(|c| c["key"] == "retry.first").unwrap().clone();
    assert_eq!((&first["old"], &first["new"]), (&"200ms".into(), &"300ms".into()));
    let words = command(gateway, &["config", "diff", "1"]).exits(0).out;
    assert!(words.contains("retry.first: 200ms -> 300ms") && words.contains("+ receiver[more]"), "{words}");
    let shown = command(gateway, &["config", "show", "--live", "--effective"]).exits(0).out;
    assert!(shown.contains("retry.first = \"300ms\"") && shown.contains("http://127.0.0.1:9 "), "{shown}");
    assert!(!shown.contains("hemmeligt") && !diff.to_string().contains("hemmeligt"), "{shown}");
    let before = command(gateway, &["config", "show", "--generation", "1"]).exits(0).out;
    assert!(before.contains("first = \"200ms\"") && before.contains("kassebro.toml"), "{before}");
    command(gateway, &["config", "show", "--generation", "9"]).exits(4);
    command(gateway, &["config", "diff", "9"]).exits(4);
}

#[tokio::test]
async fn a_rollback_puts_the_files_back_and_in_force() {
    let world = world().await;
    let gateway = &world.gateway;
    let (file, more) = (gateway.folder().join("kassebro.toml"), gateway.folder().join("conf.d/10-more.toml"));
    let first = fs::read_to_string(&file).unwrap();
    fs::create_dir(gateway.folder().join("conf.d")).unwrap();
    fs::write(&more, "[watch]\nbacklog_age = \"2h\"\n").unwrap();
    rewrite(gateway, |text| text.replace("first = \"200ms\"", "first = \"300ms\""));
    let second = fs::read_to_string(&file).unwrap();
    reload(gateway).exits(0);
    let dry = command(gateway, &["config", "rollback", "1", "--dry-run", "--json"]).exits(0).json();
    let steps: Vec<_> =
        dry["files"].as_array().unwrap().iter().map(|s| s["what"].as_str().unwrap()).collect();
    assert_eq!(steps, ["replace", "take-away"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), second, "nothing is done yet");
    command(gateway, &["config", "rollback", "1"]).exits(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
    assert!(!more.exists());
    let beside = |folder: &std::path::Path| {
        let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        names.filter(|p| p.display().to_string().contains(".before-rollback-")).collect::<Vec<_>>()
    };
    let kept = beside(gateway.folder());
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), second);
    assert_eq!(beside(&gateway.folder().join("conf.d")).len(), 1);
    assert_eq!(metric(gateway, "kassebro_config_generation"), "3");
    let list = command(gateway, &["config", "generations", "--json"]).exits(0).json();
    assert_eq!(
        (&list[0]["how"], &list[0]["of"], &list[0]["hash"]),
        (&"rollback".into(), &1.into(), &list[2]["hash"])
    );
    let audit = rusqlite::Connection::open(gateway.folder().join("kassebro.db")).unwrap();
    let what: String =
        audit.query_row("SELECT what FROM audit WHERE what = 'rolled_back'", [], |row| row.get(0)).unwrap();
    assert_eq!(what, "rolled_back");
    command(gateway, &["config", "rollback", "9"]).exits(4);
    // Also from a file that cannot be read at all.
    rewrite(gateway, |text| text.to_owned() + "\n[retry\n");
    reload(gateway).exits(3);
    command(gateway, &["config", "rollback", "1"]).exits(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
    assert_eq!(metric(gateway, "kassebro_config_generation"), "3", "it is what ran all the time");
}

#[tokio::test]
async fn what_would_not_load_now_is_not_put_back() {
    let folder = crate::support::folder("secret");
    let secret = folder.path().join("ca.pem");
    fs::write(&secret, "").unwrap();
    let world = world().await;
    let gateway = &world.gateway;
    let block =
        format!("\n[amqp]\nurl = \"amqp://gw@127.0.0.1:1/x\"\npassword_file = \"{}\"\n", secret.display());
    fs::write(&secret, "password").unwrap();
    rewrite(gateway, |text| text.to_owned() + &block);
    reload(gateway).exits(0);
    rewrite(gateway, |text| text.replace(&block, ""));
    reload(gateway).exits(0);
    fs::remove_file(&secret).unwrap();
    let text = fs::read_to_string(gateway.folder().join("kassebro.toml")).unwrap();
    let refused = command(gateway, &["config", "rollback", "2"]).exits(3);
    assert!(refused.err.contains("password_file"), "{}", refused.err);
    assert_eq!(fs::read_to_string(gateway.folder().join("kassebro.toml")).unwrap(), text);
    assert_eq!(metric(gateway, "kassebro_config_generation"), "3");
}
