//! What the mail channel says, to whom, and over what: a mail server takes it, and its mailbox is read.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use kassebro::{
    channels::{Channel, mail},
    domain::{FaultClass, FaultCode, Outcome},
};

use crate::support::{
    certificates::Authority,
    consignment,
    mail_server::{LATER, MailServer, NOBODY, Speaks},
    stand_ins::mail_office,
};

const TO: &str = "jobcenter@jobcenter.example";
const FETCH_AT: &str = "https://kassebro.example/v1/mailbox";

/// A channel with these settings besides the usual.
fn channel(server: &MailServer, to: &str, more: &[(&str, &str)]) -> mail::Mail {
    let settings = server.settings(to);
    let mut table: toml::Table = settings.parse().unwrap();
    table.remove("channel");
    table.insert("fetch_at".into(), FETCH_AT.into());
    for (key, value) in more {
        table.insert((*key).into(), (*value).into());
    }
    mail::Mail::new(&toml::Value::Table(table).try_into().unwrap()).unwrap()
}

fn code(outcome: &Outcome) -> Option<FaultCode> {
    match outcome {
        Outcome::Fault { fault, .. } => Some(fault.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_mail_says_that_something_waits_and_nothing_of_what_it_is() {
    for (speaks, tls) in [(Speaks::StartTls, "starttls"), (Speaks::Implicit, "implicit")] {
        let server = MailServer::start(speaks).await;
        let channel = channel(&server, TO, &[("tls", tls)]);
        assert_eq!(channel.probe().await, Ok(()), "{speaks:?}");
        let secrets = "Nancy Ann Berggren 251248-9996 2512489996 klage over dagpenge";
        let mut consignment = consignment::saying(secrets);
        consignment.message_id = "klage-2512489996".into();
        assert_eq!(channel.send(&consignment).await, Outcome::Deposited, "{speaks:?}");
        let mail = server.has(1).await.remove(0);
        assert_eq!(mail_office::check(&mail, FETCH_AT), Ok(()), "{}", mail.raw);
        for part in [consignment.delivery.to_string().as_str(), "2026-03-03 12:00 (UTC+01:00)", FETCH_AT] {
            assert!(mail.text.contains(part), "{part}: {}", mail.text);
        }
        assert!(mail.text.contains("Hent det her") && mail.text.contains("Fetch it here"), "{}", mail.text);
        assert_eq!(mail.header("Subject").unwrap(), "Kassebro: nyt til afhentning / something to fetch");
        assert_eq!(mail.header("To").unwrap(), TO);
        assert_eq!(mail.header("From").unwrap(), "Kassebro <gateway@kassebro.example>");
        assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-generated");
        let received = mail.header("Received").unwrap();
        assert!(received.contains("TLS1.3") || received.contains("TLS1.2"), "{received}");
        let (raw, text) = (mail.raw.to_lowercase(), mail.text.to_lowercase());
        let person = ["nancy", "berggren", "251248", "9996"];
        let matter =
            ["klage", "dagpenge", "complaint", "testkassen", "case-7", "0af7651916cd43dd8448eb211c80319c"];
        for secret in person.into_iter().chain(matter) {
            assert!(!raw.contains(secret) && !text.contains(secret), "{secret}: {}", mail.raw);
        }
        // One person's mail differs from another's in the numbers and the times only.
        let mut other = consignment::saying("Anders Andersen 010203-1234 job");
        other.event_type = "dk.kassebro.job_order.v1".into();
        let bare = |text: &str, delivery: &str| text.replace(delivery, "");
        let fresh = self::channel(&server, TO, &[("tls", tls)]);
        assert_eq!(fresh.send(&other).await, Outcome::Deposited);
        let second = server.has(2).await.remove(1);
        assert_eq!(
            bare(&second.text, &other.delivery.to_string()),
            bare(&mail.text, &consignment.delivery.to_string())
        );
    }
}

#[tokio::test]
async fn nothing_is_sent_without_tls_or_over_an_old_one() {
    for speaks in [Speaks::Plain, Speaks::OldTls] {
        let server = MailServer::start(speaks).await;
        assert_eq!(server.speaks_tls_1_1(), speaks == Speaks::OldTls);
        let channel = channel(&server, TO, &[]);
        let outcome = channel.send(&consignment::saying("x")).await;
        let code = code(&outcome).unwrap_or_else(|| panic!("{speaks:?}: {outcome:?}"));
        assert_eq!(code, FaultCode::ReceiverCertificate, "{speaks:?}: {outcome:?}");
        let probed = channel.probe().await.unwrap_err();
        assert_eq!(probed.code, FaultCode::ReceiverCertificate, "{speaks:?}: {probed}");
        assert!(server.mails().is_empty());
        let log = server.log();
        assert!(!log.contains("<= ") && !log.contains("A=plain"), "neither mail nor password: {log}");
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    let server = MailServer::start(Speaks::StartTls).await;
    let other = Authority::new();
    for trusting in [other.ca_file().to_str().unwrap(), ""] {
        let more = [("ca_file", trusting)];
        let channel = if trusting.is_empty() {
            // The system's authorities do not know the test's either.
            let mut table: toml::Table = server.settings(TO).parse().unwrap();
            table.remove("channel");
            table.remove("ca_file");
            table.insert("fetch_at".into(), FETCH_AT.into());
            mail::Mail::new(&toml::Value::Table(table).try_into().unwrap()).unwrap()
        } else {
            channel(&server, TO, &more)
        };
        let outcome = channel.send(&consignment::saying("x")).await;
        assert_eq!(code(&outcome), Some(FaultCode::ReceiverCertificate), "{outcome:?}");
    }
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn a_refusal_is_the_receivers_fault_or_passes_and_never_the_messages() {
    let server = MailServer::start(Speaks::StartTls).await;
    for (to, code, status, class) in [
        (NOBODY, FaultCode::ReceiverUnroutable, 550, FaultClass::ReceiverFault),
        (LATER, FaultCode::ReceiverBusy, 451, FaultClass::Unavailable),
    ] {
        let outcome = channel(&server, to, &[]).send(&consignment::saying("x")).await;
        let Outcome::Fault { fault, status: said, .. } = &outcome else { panic!("{outcome:?}") };
        assert_eq!((fault.code, *said), (code, Some(status)), "{fault}");
        assert_eq!(fault.class(), class);
        assert!(!fault.detail.contains('@'), "no address: {fault}");
    }
    let wrong = server.password_file().with_file_name("wrong");
    std::fs::write(&wrong, "guessed").unwrap();
    let channel = channel(&server, TO, &[("password_file", wrong.to_str().unwrap())]);
    let outcome = channel.send(&consignment::saying("x")).await;
    assert_eq!(code(&outcome), Some(FaultCode::ReceiverUnauthorised), "{outcome:?}");
    let probed = channel.probe().await.unwrap_err();
    assert_eq!(probed.code, FaultCode::ReceiverUnauthorised);
    assert!(!probed.detail.contains("guessed"), "{probed}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_again_and_one_that_says_nothing_is_given_up() {
    let mut server = MailServer::start(Speaks::StartTls).await;
    let channel = channel(&server, TO, &[]);
    server.stop();
    let consignment = consignment::saying("x");
    assert_eq!(code(&channel.send(&consignment).await), Some(FaultCode::ConnectFailed));
    server.restart().await;
    assert_eq!(channel.send(&consignment).await, Outcome::Deposited);
    assert_eq!(server.has(1).await.len(), 1);
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port().to_string();
    let settings =
        server.settings(TO).replace(&server.port().to_string(), &port).replace("channel = \"mail\"\n", "");
    let text = format!(
        "{settings}fetch_at = \"{FETCH_AT}\"\nconnect_timeout = \"200ms\"\ntotal_timeout = \"500ms\""
    );
    let silent = mail::Mail::new(&toml::from_str(&text).unwrap()).unwrap();
    assert_eq!(code(&silent.send(&consignment).await), Some(FaultCode::ConnectFailed));
}

#[tokio::test]
async fn many_at_once_share_mails_and_each_is_named_in_one() {
    let server = MailServer::start(Speaks::StartTls).await;
    let channel = channel(&server, TO, &[("at_most_every", "2s")]);
    let consignments: Vec<_> = (0..20).map(|n| consignment::saying(&n.to_string())).collect();
    let sent = futures_util::future::join_all(consignments.iter().map(|c| channel.send(c))).await;
    assert!(sent.iter().all(|outcome| *outcome == Outcome::Deposited), "{sent:?}");
    let mails = server.has(2).await;
    assert_eq!(mails.len(), 2, "the first at once, and one for all the others");
    for consignment in &consignments {
        let id = consignment.delivery.to_string();
        assert_eq!(mails.iter().filter(|mail| mail.text.contains(&id)).count(), 1, "{id}");
    }
}
