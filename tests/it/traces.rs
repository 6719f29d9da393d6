//! One message's way as a trace: what a collector gets of it, and what neighbours are told.
//!
//! To look at a trace: `tests/run --only traces`, with `KASSEBRO_TEST_SHOW=1` in the environment; it is printed as a tree.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use kassebro::telemetry::trace::Context;
use lapin::types::AMQPValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use crate::support::{
    collector::{Collector, Span, tree},
    eventually::eventually,
    free_port,
    receiver::{Plays, Receiver, Taken, answer},
    scene::{Plan, SOON, Scene, event, event_back, headers},
    setting_if_any,
    world::{self, FUND, World},
};

/// What the a-kasse's and the jobcenter's own systems say of where they made a message.
const AKASSE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const JOBCENTER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn context(traceparent: &str) -> Context {
    Context::parse(traceparent).unwrap()
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    let mut named: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    named.sort_by_key(|span| span.from);
    named
}

/// The names below a span, in the order in which they began.
fn below(spans: &[Span], above: &Span) -> Vec<String> {
    let mut below: Vec<_> = spans
        .iter()
        .filter(|span| span.parent == Some(above.context.span) && span.context.trace == above.context.trace)
        .collect();
    below.sort_by_key(|span| (span.from, span.to));
    below.iter().map(|span| span.name.clone()).collect()
}

/// The first request is refused, all others are taken.
fn fails_once(_: &Taken, before: &[Taken]) -> String {
    answer(if before.is_empty() { 503 } else { 200 }, "", "")
}

async fn traced_complaint(scene: &Scene, collector: &Collector) -> Vec<Span> {
    let mut complaint = event("complaint", 7, "k-1");
    complaint["traceparent"] = json!(AKASSE);
    complaint["tracestate"] = json!("rojo=00f067aa0ba902b7");
    scene.fund.publish(complaint.to_string().as_bytes()).await;
    scene.delivered(1).await;
    let jobcenter = scene.jobcenter.as_ref().expect("it sends too");
    let mut receipt = event_back("receipt", 7, "r-1");
    receipt["correlationid"] = json!("k-1");
    // In a header this time, as the client libraries of OpenTelemetry write it.
    let properties = jobcenter.properties().with_content_type("application/cloudevents+json".into());
    let properties = properties.with_headers(headers(&[("traceparent", JOBCENTER)]));
    jobcenter.publish_with(properties, receipt.to_string().as_bytes()).await;
    collector
        .until("both ways are told", SOON, |spans| {
            named(spans, "send 0101").len() == 2
                && named(spans, "send 3f").len() == 1
                && named(spans, "ack kassebro.in.0101").len() == 1
                && !named(spans, "send kassebro.answers").is_empty()
        })
        .await
}

#[tokio::test]
async fn a_complaint_is_traced_from_the_akasses_publish_to_the_jobcenters_receipt() {
    let collector = Collector::start();
    let receiver = Receiver::start(Plays::Judges(fails_once));
    let plan = Plan::new().both_ways().delivering_to(&receiver.url());
    let scene = plan.with("TRACE__OTLP", &collector.url()).start().await;
    let spans = traced_complaint(&scene, &collector).await;
    if setting_if_any("KASSEBRO_TEST_SHOW").is_some() {
        let known =
            [(context(AKASSE), "the a-kasse's publish"), (context(JOBCENTER), "the jobcenter's receipt")];
        eprintln!("{}", tree(&spans, &known));
    }

    // In: below where the a-kasse made it.
    let process = named(&spans, "process kassebro.in.3f")[0];
    assert_eq!((process.context.trace, process.parent), (context(AKASSE).trace, Some(context(AKASSE).span)));
    assert_eq!(process.kind, SpanKind::Consumer);
    assert_eq!(below(&spans, process), ["validate", "translate", "store", "ack kassebro.in.3f"]);
    for (attribute, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "kassebro.messages:3f.message:kassebro.in.3f"),
        ("messaging.message.id", "k-1"),
        ("kassebro.kind", "complaint.v1"),
        ("kassebro.verdict", "accepted"),
        ("kassebro.config.generation", "1"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(process.get(attribute), value, "{attribute}");
    }
    assert!(!process.get("kassebro.sla.deadline").is_empty());
    let ack = named(&spans, "ack kassebro.in.3f")[0];
    assert_eq!((ack.kind, ack.get("messaging.operation.type")), (SpanKind::Client, "settle"));

    // Out: each attempt is a trace of its own, linked to where the message was made and to the one before.
    let attempts = named(&spans, "send 0101");
    let [first, second] = attempts[..] else { panic!("two attempts: {attempts:?}") };
    assert_eq!(first.links, [context(AKASSE)]);
    assert_eq!(second.links, [context(AKASSE), first.context]);
    let traces = [context(AKASSE).trace, first.context.trace, second.context.trace];
    assert!(traces[0] != traces[1] && traces[1] != traces[2] && traces[0] != traces[2]);
    assert_eq!([first.parent, second.parent], [None, None]);
    assert_eq!([first.kind, second.kind], [SpanKind::Client; 2]);
    let said = ["http.response.status_code", "error.type", "kassebro.attempt", "kassebro.state"];
    assert_eq!(said.map(|name| first.get(name)), ["503", "GW2102", "1", "unavailable"]);
    assert_eq!(said.map(|name| second.get(name)), ["200", "", "2", "delivered"]);
    assert_eq!([first.is_error, second.is_error], [true, false]);
    assert_eq!(first.get("server.port"), receiver.address().port().to_string());
    // The receiver is told of the attempt.
    let taken = receiver.taken();
    for (attempt, taken) in attempts.iter().zip(&taken) {
        assert_eq!(taken.header("traceparent"), Some(attempt.context.to_string().as_str()));
        assert_eq!(taken.header("tracestate"), None, "it belongs to the trace of the message");
    }

    // Back: the receipt goes on from the jobcenter's trace and is linked to the complaint.
    let receipt = named(&spans, "process kassebro.in.0101")[0];
    let made = context(JOBCENTER);
    assert_eq!((receipt.context.trace, receipt.parent), (made.trace, Some(made.span)));
    assert_eq!(receipt.links, [context(AKASSE)]);
    let to_fund = named(&spans, "send 3f")[0];
    assert_eq!((to_fund.kind, &to_fund.links[..]), (SpanKind::Producer, &[made][..]));
    assert_eq!(to_fund.get("messaging.operation.type"), "send");

    // Answers: each in a trace of its own that its reader is told.
    let answers = named(&spans, "send kassebro.answers");
    assert!(answers.iter().all(|span| span.kind == SpanKind::Producer), "{answers:?}");
    assert!(answers.iter().any(|span| span.links == [context(AKASSE)]), "{answers:?}");
    let told = eventually("an answer lies in the fund's queue", SOON, async || {
        let fetched = scene.broker.admin.fetch(&scene.fund.queue_out()).await?;
        let table = fetched.properties.headers().clone()?;
        match table.inner().get("traceparent")? {
            AMQPValue::LongString(text) => Some(text.to_string()),
            _ => None,
        }
    })
    .await;
    assert!(spans.iter().any(|span| span.context == context(&told)), "{told} is one of ours");
    names_nobody(&spans);
    let resource = collector.requests().remove(0).resource_spans.remove(0);
    assert_eq!(resource.schema_url, kassebro::otlp::SEMCONV);
}

/// Neither content nor a person is in any span.
fn names_nobody(spans: &[Span]) {
    let complaint = event("complaint", 7, "k-1");
    let citizen = &complaint["data"]["citizen"];
    let words = [&citizen["cpr"], &citizen["name"], &complaint["data"]["text"], &complaint["subject"]];
    for word in words.into_iter().filter_map(|word| word.as_str()).filter(|word| !word.is_empty()) {
        for span in spans {
            assert!(!span.name.contains(word), "{}", span.name);
            let shown = span.attributes.values().find(|value| value.contains(word));
            assert!(shown.is_none(), "{}: {shown:?}", span.name);
        }
    }
}

async fn world(collector: &Collector, receiver: &Receiver, more: &str) -> World {
    let trace = format!("[trace]\notlp = \"{}\"\n{more}", collector.url());
    world::Plan::new().http("0101", &receiver.url(), "").and(&trace).start().await
}

#[tokio::test]
async fn a_message_without_a_trace_is_given_one_that_its_delivery_and_its_receipt_find() {
    let collector = Collector::start();
    let receiver = Receiver::start(Plays::Answers(answer(202, "", "")));
    let world = world(&collector, &receiver, "").await;
    let taken = world.send("m-1", "0101");
    let view = world.reaches("m-1", "delivered").await;
    let delivery = view.deliveries[0].delivery_id.to_string();
    let receipt = json!({ "deliveryId": delivery, "business": "ACCEPTERET" }).to_string();
    let said = world.as_party("0101").call("POST", "/v1/receipts", &receipt).unwrap();
    assert!(said.status < 300, "{} {}", said.status, said.body);
    let spans = collector
        .until("the receipt is told", SOON, |spans| !named(spans, "POST /v1/receipts").is_empty())
        .await;
    let process = named(&spans, "POST /v1/messages")[0];
    assert_eq!((process.kind, process.parent, process.links.len()), (SpanKind::Server, None, 0));
    assert_eq!(process.get("kassebro.receipt"), taken["receiptId"].as_str().unwrap());
    assert_eq!(below(&spans, process), ["validate", "translate", "store"]);
    assert_eq!(named(&spans, "send 0101")[0].links, [process.context]);
    assert_eq!(named(&spans, "POST /v1/receipts")[0].links, [process.context]);
    let mut wrong = kassebro::tools::generate::event(
        "complaint",
        1,
        "wrong",
        &format!("urn:dk:akasse:{FUND}"),
        "urn:dk:jobcenter:0101",
        world.now(),
    );
    wrong["data"]["form"] = json!("sung");
    world.as_party(FUND).call("POST", "/v1/messages", &wrong.to_string()).unwrap();
    let spans =
        collector.until("the refusal is told", SOON, |spans| spans.iter().any(|span| span.is_error)).await;
    let refused = spans.iter().find(|span| span.is_error).unwrap();
    assert_eq!([refused.get("error.type"), refused.get("kassebro.verdict")], ["GW1101", "rejected"]);
}

#[tokio::test]
async fn what_its_sender_does_not_want_traced_is_not_and_its_trace_is_carried_on_all_the_same() {
    let collector = Collector::start();
    let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
    let scene =
        Plan::new().delivering_to(&receiver.url()).with("TRACE__OTLP", &collector.url()).start().await;
    let unwanted = AKASSE.replace("-01", "-00");
    let properties = || scene.fund.properties().with_content_type("application/cloudevents+json".into());
    let quiet = properties()
        .with_headers(headers(&[("traceparent", &unwanted), ("tracestate", "rojo=00f067aa0ba902b7")]));
    scene.fund.publish_with(quiet, event("complaint", 7, "quiet").to_string().as_bytes()).await;
    scene.delivered(1).await;
    assert_eq!(receiver.taken()[0].header("traceparent"), Some(unwanted.as_str()));
    assert_eq!(receiver.taken()[0].header("tracestate"), Some("rojo=00f067aa0ba902b7"));
    // What comes after it is traced: so there was time for the other.
    scene.fund.publish(event("complaint", 8, "loud").to_string().as_bytes()).await;
    let spans =
        collector.until("the other is traced", SOON, |spans| !named(spans, "send 0101").is_empty()).await;
    assert_eq!(named(&spans, "process kassebro.in.3f").len(), 1);
    assert!(spans.iter().all(|span| span.context.trace != context(&unwanted).trace));
}

#[tokio::test]
async fn a_collector_that_is_away_or_hangs_costs_its_spans_and_nothing_else() {
    let hangs = Receiver::start(Plays::Hangs);
    for (collector, fate) in [
        (format!("http://127.0.0.1:{}", free_port()), "failed"),
        (format!("http://{}", hangs.address()), "failed"),
    ] {
        let receiver = Receiver::start(Plays::Answers(answer(200, "", "")));
        let trace = format!("[trace]\notlp = \"{collector}\"\n");
        let mut world = world::Plan::new().http("0101", &receiver.url(), "").and(&trace).start().await;
        for number in 0..20 {
            world.send(&format!("m-{number}"), "0101");
        }
        for number in 0..20 {
            world.reaches(&format!("m-{number}"), "delivered").await;
        }
        eventually("what did not get there is counted", SOON, async || {
            let metrics = world.gateway.http().get("/metrics").ok()?.body;
            let counted = metrics.lines().find_map(|line| {
                line.strip_prefix(&format!("kassebro_trace_spans_total{{fate=\"{fate}\"}} "))
            })?;
            (counted.parse::<u64>().ok()? >= 1).then_some(())
        })
        .await;
        assert_eq!(world.gateway.stop().await.code(), Some(0));
    }
}
