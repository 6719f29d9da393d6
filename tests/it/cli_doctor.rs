//! `kassebro doctor` and the others: how large a message they take, how long they can show who they are, what time
//! they think it is.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use kassebro::clock::{Clock, System};

use crate::support::{
    broker::Broker,
    certificates::{Authority, Server},
    command::{kassebro, run},
    folder,
    node::Node,
    receiver::{Plays, Receiver, answer},
    site::{configuration, finding, with},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_the_brokers_largest_message_certificate_policies_and_clock() {
    let node = Node::start().await;
    let (broker, folder) = (Broker::fresh_on(node.address.clone()).await, folder("doctor"));
    let tls = format!("ca_file = {:?}\n", broker.pem("ca.pem"));
    let plain = configuration(&broker.tls_uri(), &tls);
    with(folder.path(), &plain, &["topology", "apply"]).exits(0);
    let well = with(folder.path(), &plain, &["doctor"]).exits(0).json();
    let certificate = finding(&well, "broker's certificate");
    assert_eq!(certificate["standing"], "ok");
    assert!(certificate["says"].as_str().unwrap().contains("364 more days"), "{certificate}");
    let size = finding(&well, "broker's largest message");
    assert_eq!(size["standing"], "warn", "RabbitMQ's own limit is 128 MiB: {size}");
    assert!(size["do"].as_str().unwrap().contains("max_message_size"), "{size}");
    assert_eq!(finding(&well, "broker's policies")["standing"], "warn");
    assert!(finding(&well, "broker's clock")["says"].as_str().unwrap().contains("amqp.management_url"));
    // The tests' management listens without TLS, which goes with a broker without TLS only.
    let seeing = configuration(&broker.uri(), &format!("management_url = \"{}\"", broker.management_uri()));
    node.ctl(&["eval", "application:set_env(rabbit, max_message_size, 4194304)."]).await;
    fs::write(folder.path().join("clock"), "0").unwrap();
    let doctor = |offset: &str| {
        fs::write(folder.path().join("clock"), offset).unwrap();
        fs::write(folder.path().join("site.toml"), &seeing).unwrap();
        let mut command = kassebro(folder.path(), &["--config", "site.toml", "--json", "doctor"]);
        run(command.env("KASSEBRO_TEST_CLOCK", folder.path().join("clock"))).exits(0).json()
    };
    let well = doctor("0");
    assert_eq!(finding(&well, "broker's largest message")["standing"], "ok", "{well}");
    assert_eq!(finding(&well, "broker's clock")["standing"], "ok");
    assert!(well.as_array().unwrap().iter().all(|f| f["what"] != "broker's policies"), "{well}");
    let apart = finding(&doctor("-60"), "broker's clock");
    assert_eq!(apart["standing"], "warn");
    assert!(apart["says"].as_str().unwrap().contains("ahead of ours"), "{apart}");
    node.show("expired").await;
    let ill = with(folder.path(), &plain, &["doctor"]).exits(1).json();
    assert_eq!(finding(&ill, "broker's certificate")["standing"], "fail");
    assert!(finding(&ill, "broker")["says"].as_str().unwrap().contains("has expired"), "{ill}");
}

/// An answer of a server whose clock is so far ahead.
fn dated(ahead: SignedDuration) -> Plays {
    let date: Timestamp = System.now() + ahead;
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT");
    Plays::Answers(answer(200, &format!("Date: {date}\r\n"), ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_the_receivers_certificates_and_clocks() {
    let (authority, folder) = (Authority::new(), folder("doctor"));
    let receiver =
        |server: Server, ahead: SignedDuration| Receiver::start_tls(dated(ahead), authority.server(server));
    let (minute, none) = (SignedDuration::from_mins(1), SignedDuration::ZERO);
    let servers = [
        ("sound", receiver(Server::Sound, none)),
        ("early", receiver(Server::WantsOurs, minute)),
        ("late", receiver(Server::Sound, -minute)),
        ("gone", receiver(Server::Expired, none)),
    ];
    let site: Vec<String> = servers
        .iter()
        .map(|(name, server)| {
            format!(
                "[[receiver]]\nname = \"{name}\"\nparty = \"0101\"\nkinds = [\"complaint\"]\nchannel = \"http\"\n\
                 url = \"{}\"\nca_file = {:?}\nclient_identity_file = {:?}\n\n",
                server.url(),
                authority.ca_file(),
                authority.identity_file()
            )
        })
        .collect();
    let doctor = with(folder.path(), &site.concat(), &["doctor"]).exits(1).json();
    let says = |what: &str| {
        let found = finding(&doctor, what);
        (found["standing"].as_str().unwrap().to_owned(), found["says"].as_str().unwrap().to_owned())
    };
    for (what, standing, words) in [
        ("receiver sound", "ok", "reached over http"),
        ("receiver sound's certificate", "ok", "until 4000-01-01T00:00:00Z"),
        ("receiver sound's clock", "ok", "goes with ours"),
        // It shows its own before it asks for ours.
        ("receiver early's certificate", "ok", "until 4000-01-01T00:00:00Z"),
        ("our certificate for receiver early", "ok", "more days"),
        ("receiver early's clock", "warn", "s ahead of ours"),
        ("receiver late's clock", "warn", "s behind ours"),
        ("receiver gone", "fail", "not trusted"),
        ("receiver gone's certificate", "fail", "expired at 2021-01-01T00:00:00Z"),
    ] {
        let (stands, told) = says(what);
        assert_eq!(stands, standing, "{what}: {told}");
        assert!(told.contains(words), "{what}: {told}");
    }
    for (_, server) in &servers {
        assert!(server.taken().iter().all(|taken| taken.head.starts_with("HEAD ")), "no message is sent");
    }
    let table = run(&mut kassebro(folder.path(), &["--config", "site.toml", "doctor"])).exits(1);
    assert!(table.out.contains("what to do") && table.out.contains("WARN"), "{}", table.out);
}
