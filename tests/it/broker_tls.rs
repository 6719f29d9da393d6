//! RabbitMQ over TLS: nothing goes to a broker that cannot show who it is, and what was mended works again.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{fs, path::Path};

use kassebro::{
    channels::{Channel, amqp::Amqp},
    domain::{FaultCode, Outcome},
};

use crate::support::{
    broker::Broker,
    command::{kassebro, run},
    consignment,
    eventually::eventually,
    folder,
    node::Node,
    scene::{Login, Plan, SOON, Scene, body},
    session::QueueKind,
};

/// A receiver's queue, reached over TLS with these files.
fn channel(uri: &str, ca: &Path, client: Option<[&Path; 2]>) -> Amqp {
    let client = client.map_or_else(String::new, |[certificate, key]| {
        format!("client_certificate = \"{}\"\nclient_key = \"{}\"\n", certificate.display(), key.display())
    });
    let toml = format!(
        "url = \"{uri}\"\nexchange = \"\"\nrouting_key = \"inbox\"\nca_file = \"{}\"\n{client}",
        ca.display()
    );
    Amqp::new(&toml::from_str(&toml).unwrap(), "0707").unwrap()
}

/// What stands between us and the receiver's broker, and what it says.
async fn refusal(channel: &Amqp) -> (FaultCode, String) {
    match channel.send(&consignment::saying("{}")).await {
        Outcome::Fault { fault, .. } => (fault.code, fault.to_string()),
        other => panic!("it was not refused: {other:?}"),
    }
}

async fn takes(scene: &Scene, id: &str) {
    scene.fund.publish(&body("complaint", 1, id)).await;
    scene.until(&format!("{id} is delivered"), |kept| kept.of(id).len() == 1).await;
}

/// The gateway's connections as the broker sees them, once both its queues and its answers have theirs.
async fn connections(broker: &Broker, count: usize) -> Vec<serde_json::Value> {
    eventually("the broker shows the connections", SOON, async || {
        let connections = broker.connections("kassebro ");
        let whole = connections.iter().all(|c| c["auth_mechanism"].is_string());
        (connections.len() >= count && whole).then_some(connections)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_and_answers_go_over_tls() {
    for (login, mechanism) in
        [(Login::Password, "PLAIN"), (Login::Both, "PLAIN"), (Login::Certificate, "EXTERNAL")]
    {
        let mut scene = Plan::new().over_tls(login).start().await;
        takes(&scene, "first").await;
        scene.answers(&scene.fund, 1).await;
        for connection in connections(&scene.broker, 3).await {
            assert_eq!(connection["ssl"], true, "{login:?}: {connection}");
            assert_eq!(connection["auth_mechanism"], mechanism, "{login:?}: {connection}");
            let ours = scene.broker.own_name("gateway");
            let shown = connection["peer_cert_subject"].as_str().unwrap_or_default();
            assert_eq!(shown.contains(&ours), login != Login::Password, "{login:?}: {connection}");
            assert_eq!(connection["user"] == ours.as_str(), login == Login::Certificate, "{connection}");
        }
        scene.stop_with_nothing_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_to_be_trusted_gets_nothing_until_it_is_mended() {
    let node = Node::start().await;
    let trusted = folder("trusted");
    let ca = trusted.path().join("ca.pem");
    fs::copy(node.address.pem("other.pem"), &ca).unwrap();
    let plan = Plan::new().on(&node.address).over_tls(Login::Password);
    let scene = plan.env("KASSEBRO__AMQP__CA_FILE", ca.to_str().unwrap()).start().await;
    scene.broker.admin.declare_queue("inbox", QueueKind::Classic).await;
    let uri = scene.broker.tls_uri();
    let channel_here = || channel(&uri, &ca, None);
    let lasting = channel_here();
    // What stood before goes on standing: only a new connection looks at certificates. The broker hears of new ones
    // with a delay.
    let refuses = async |from: usize, words: &str, id: &str| {
        scene.fund.publish(&body("complaint", 1, id)).await;
        let says = format!("does not trust us: its certificate {words}");
        for part in ["Consuming kassebro.in.3f ended", "Consuming kassebro.in.hk ended"] {
            eventually(&format!("{part}: {words}"), SOON, async || {
                scene.broker.close_connections("kassebro ");
                let log = scene.gateway.log();
                log[from..].lines().any(|line| line.contains(part) && line.contains(&says)).then_some(())
            })
            .await;
        }
        let (code, told) = refusal(&channel_here()).await;
        assert_eq!(code, FaultCode::ReceiverCertificate, "{told}");
        assert!(told.contains(words), "{told}");
        eventually("the receiver's lane has no connection any more", SOON, async || {
            scene.broker.close_connections("kassebro ");
            let outcome = lasting.send(&consignment::saying("{}")).await;
            matches!(outcome, Outcome::Fault { fault, .. } if fault.code == FaultCode::ReceiverCertificate)
                .then_some(())
        })
        .await;
        // Not over TLS, and not without it either.
        assert_eq!(scene.broker.connections("kassebro "), Vec::<serde_json::Value>::new());
        eventually("readiness says what is not consumed", SOON, async || {
            let ready = scene.gateway.http().get("/readyz").ok()?;
            (ready.status == 200 && ready.body.contains("kassebro.in.3f")).then_some(())
        })
        .await;
    };
    let works_again = async |id: &str| {
        scene.until(&format!("{id} is delivered"), |kept| kept.of(id).len() == 1).await;
        eventually("the receiver's queue is reached again", SOON, async || {
            lasting.send(&consignment::saying("{}")).await.is_delivered().then_some(())
        })
        .await;
    };
    refuses(0, "is from an authority that is not trusted", "wrong-trust").await;
    // Put right in the file that the running gateway was started with.
    fs::copy(node.address.pem("ca.pem"), &ca).unwrap();
    // A channel keeps what it read until its next connection, which it makes by itself.
    works_again("wrong-trust").await;
    for (shown, words) in [
        ("other-authority", "is from an authority that is not trusted"),
        ("expired", "has expired"),
        ("other-host", "is for another host"),
    ] {
        node.show(shown).await;
        let from = scene.gateway.log().len();
        refuses(from, words, shown).await;
        node.show("sound").await;
        works_again(shown).await;
    }
}

#[tokio::test]
async fn a_broker_that_does_not_accept_our_certificate_is_told_from_one_that_knows_no_such_user() {
    let broker = Broker::fresh().await;
    broker.admin.declare_queue("inbox", QueueKind::Classic).await;
    let ca = broker.pem("ca.pem");
    let [certificate, key] = broker.client(&broker.own_name("stranger")).await;
    let stranger = channel(&broker.tls_uri_of_nobody(), &ca, Some([&certificate, &key]));
    let (code, told) = refusal(&stranger).await;
    assert_eq!(code, FaultCode::ReceiverUnauthorised, "{told}");
    let (certificate, key) = (broker.pem("other-authority.pem"), broker.pem("other-authority.key"));
    // With TLS 1.3 the broker says so after the handshake and hangs up: now and then all that is seen is the latter.
    eventually("the broker says that it does not accept our certificate", SOON, async || {
        let other = channel(&broker.tls_uri(), &ca, Some([&certificate, &key]));
        let (code, told) = refusal(&other).await;
        assert!(matches!(code, FaultCode::ReceiverCertificate | FaultCode::ConnectFailed), "{told}");
        (code == FaultCode::ReceiverCertificate && told.contains("does not accept our certificate"))
            .then_some(())
    })
    .await;
}

#[test]
fn files_for_tls_that_do_not_fit_are_refused_before_anything_starts() {
    let folder = folder("tls-files");
    fs::write(folder.path().join("empty.pem"), "").unwrap();
    for (amqp, problem) in [
        ("url = \"amqp://broker.example\"\nca_file = \"empty.pem\"", "amqp:// is not encrypted"),
        ("url = \"amqps://broker.example\"\nca_file = \"empty.pem\"", "empty.pem holds no certificates"),
        ("url = \"amqps://broker.example\"\nca_file = \"none.pem\"", "reading none.pem"),
        ("url = \"amqps://broker.example\"\nclient_key = \"empty.pem\"", "belong together"),
        ("url = \"amqps://broker.example\"\nmanagement_url = \"http://b.example\"", "https://"),
    ] {
        fs::write(folder.path().join("site.toml"), format!("[amqp]\n{amqp}\n")).unwrap();
        let ended = run(&mut kassebro(folder.path(), &["--config", "site.toml", "check"])).exits(3);
        assert!(ended.err.contains(problem), "{amqp}: {}", ended.err);
    }
}
