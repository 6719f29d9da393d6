//! What only RabbitMQ's management interface shows: policies on the queues that messages come in by.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    broker::{Broker, Rights},
    eventually::eventually,
    folder,
    site::{configuration, finding, with},
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_policy_that_destroys_or_moves_messages_is_an_error() {
    let (broker, folder) = (Broker::fresh().await, folder("policies"));
    let seeing = configuration(&broker.uri(), &format!("management_url = \"{}\"", broker.management_uri()));
    let check = |code: i32| with(folder.path(), &seeing, &["topology", "check"]).exits(code);
    with(folder.path(), &seeing, &["topology", "apply"]).exits(0);
    eventually("the queues are known to be well", SOON, async || {
        (with(folder.path(), &seeing, &["topology", "check"]).code == 0).then_some(())
    })
    .await;
    assert_eq!((check(0).json(), check(0).err.as_str()), (json!([]), ""));
    // A queue of answers may well have a length.
    broker.set_policy("answers", "^kassebro[.]out", &json!({ "max-length": 10 })).await;
    for definition in [
        json!({ "delivery-limit": 3 }),
        json!({ "dead-letter-exchange": "elsewhere" }),
        json!({ "message-ttl": 60_000 }),
        json!({ "max-length": 100 }),
    ] {
        let (key, _value) = definition.as_object().unwrap().iter().next().unwrap();
        broker.set_policy("careless", "^kassebro[.]in", &definition).await;
        let (code, problems) = eventually(&format!("{key} is reported"), SOON * 3, async || {
            let checked = with(folder.path(), &seeing, &["topology", "check"]);
            let problems = checked.json();
            problems[0]["problem"]
                .as_str()
                .is_some_and(|p| p.contains(key))
                .then_some((checked.code, problems))
        })
        .await;
        assert_eq!((code, problems.as_array().unwrap().len()), (1, 1), "{problems}");
        assert_eq!(problems[0]["what"], "queue kassebro.in.3f");
        assert!(problems[0]["problem"].as_str().unwrap().contains("policy careless"), "{problems}");
    }
    assert_eq!(
        finding(&with(folder.path(), &seeing, &["doctor"]).exits(1).json(), "queue kassebro.in.3f")["standing"],
        "fail"
    );
    let blind = with(folder.path(), &configuration(&broker.uri(), ""), &["topology", "check"]).exits(0);
    assert_eq!(blind.json(), json!([]));
    assert!(
        blind.err.contains("amqp.management_url") && blind.err.contains("could not be seen"),
        "{}",
        blind.err
    );
    broker.clear_policy("careless").await;
    eventually("all is well again", SOON, async || {
        (with(folder.path(), &seeing, &["topology", "check"]).code == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_management_interface_that_does_not_let_us_in_is_an_error_too() {
    let (mut broker, folder) = (Broker::fresh().await, folder("management"));
    // A user without the tag that the management interface wants.
    let uri = broker.add_user(&broker.own_name("plain"), Rights::ALL);
    let (_, management) =
        broker.management_uri().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let configuration = configuration(&uri, &format!("management_url = \"http://{management}\""));
    with(folder.path(), &configuration, &["topology", "apply"]).exits(0);
    let problems = with(folder.path(), &configuration, &["topology", "check"]).exits(1).json();
    assert_eq!(problems[0]["what"], "management interface");
    assert!(problems[0]["problem"].as_str().unwrap().contains("monitoring"), "{problems}");
}
