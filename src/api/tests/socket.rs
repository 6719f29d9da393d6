//! What a router cannot promise: the socket with its slow, silent and greedy callers, and the stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use super::{
    super::{Config, Desk, Server},
    rig::{Rig, config, event},
};
use crate::{clock::System, lifecycle::Stop};

/// Everything in these tests is over within this, or hangs.
const LONG: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    stop: Stop,
    running: JoinHandle<()>,
    _rig: Rig,
}

#[expect(clippy::disallowed_methods, reason = "the test waits for the task itself")]
async fn served(config: Config) -> Served {
    let rig = Rig::new();
    let desk = Desk { clock: Arc::new(System), ..rig.desk.clone() };
    let stop = Stop::new();
    let server = Server::bind(desk, config).await.unwrap();
    let address = server.address().unwrap();
    let running = tokio::spawn(server.run(stop.clone()));
    Served { address, stop, running, _rig: rig }
}

fn impatient() -> Config {
    let short = Duration::from_millis(300);
    Config { header_read_timeout: short, body_timeout: short, grace: short, ..config() }
}

impl Served {
    async fn connect(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, text: &str) -> String {
        all(self.connect(text).await).await
    }
}

/// What comes until the connection is closed.
async fn all(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end too; what came before it counts.
    let _ = timeout(LONG, stream.read_to_end(&mut text)).await.expect("the connection is closed in time");
    String::from_utf8_lossy(&text).into_owned()
}

fn post(event: &Value) -> String {
    let body = event.to_string();
    format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-3f\r\ncontent-type: application/cloudevents+json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn silent_slow_and_idle_connections_are_cut_and_good_traffic_passes() {
    let served = served(impatient()).await;
    let mut cut = Vec::new();
    for _ in 0..50 {
        cut.push(served.connect("").await);
        cut.push(served.connect("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-slow: ").await);
        cut.push(served.connect("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await);
    }
    let answer = timeout(LONG, served.ask(&post(&event("complaint", "3f", "m-1")))).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    for stream in cut {
        let answer = all(stream).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_header_that_trickles_is_cut_however_often_a_byte_comes() {
    let served = served(impatient()).await;
    let mut stream = served.connect("GET /livez HTTP/1.1\r\n").await;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let trickle = async {
        loop {
            ticks.tick().await;
            if stream.write_all(b"x-a: b\r\n").await.is_err() {
                return;
            }
        }
    };
    timeout(LONG, trickle).await.expect("the connection is cut while bytes still come");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_408_and_cut() {
    let served = served(impatient()).await;
    let answer = served.ask("POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-3f\r\ncontent-length: 100\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_caller_that_sends_20_megabytes_gets_to_read_413() {
    let served = served(impatient()).await;
    let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-3f\r\ncontent-length: 20000000\r\n\r\n";
    let stream = served.connect(head).await;
    let (mut reading, mut writing) = stream.into_split();
    let write = async {
        // The other end may stop reading at any time; what counts is what it says.
        let _ = writing.write_all(&vec![b' '; 20_000_000]).await;
    };
    let read = async {
        let mut text = Vec::new();
        let _ = reading.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    };
    let (answer, ()) = timeout(LONG, async { tokio::join!(read, write) }).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let served = served(impatient()).await;
    let many = "x-a: y\r\n".repeat(101);
    for headers in [many, format!("x-long: {}\r\n", "y".repeat(64 * 1024))] {
        let answer = served.ask(&format!("GET /livez HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_over_the_cap_waits_for_its_place() {
    let served = served(Config { connections_max: 1, ..impatient() }).await;
    let holder = served.connect("").await;
    let answer = served.ask("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(all(holder).await, "", "it was cut first");
}

#[tokio::test]
async fn a_soft_stop_lets_a_waiting_call_answer_and_a_hard_one_cuts() {
    for hard in [false, true] {
        let served = served(Config { grace: LONG, ..config() }).await;
        let body = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-3f\r\ncontent-length: 100\r\n\r\n{";
        let sending = served.connect(body).await;
        let waiting = served
            .connect("GET /v1/answers?wait=60 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-3f\r\n\r\n")
            .await;
        // A later connection that is answered shows that the earlier ones were accepted.
        served.ask("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        served.stop.request();
        assert!(all(waiting).await.starts_with("HTTP/1.1 200"), "a waiting call is answered at the stop");
        assert!(TcpStream::connect(served.address).await.is_err() || hard, "nothing new is accepted");
        if hard {
            served.stop.force();
            timeout(LONG / 2, served.running).await.expect("it is cut at once").unwrap();
            assert_eq!(all(sending).await, "");
        } else {
            let mut sending = sending;
            sending.write_all(&[b' '; 99]).await.unwrap();
            assert!(all(sending).await.starts_with("HTTP/1.1 422"), "what was under way is finished");
            timeout(LONG, served.running).await.expect("it ends").unwrap();
        }
    }
}
