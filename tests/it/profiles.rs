//! Receivers that are public systems with rules of their own: the real binary delivers to a stand-in of each, and
//! each stand-in catches a sender that does not keep the rules.

mod kombit;
mod mail_and_files;
mod sf2900;
mod star;

use serde_json::Value;

use crate::support::world::{FUND, World};

/// Published test numbers.
const ADA: &str = "0707614285";
const BO: &str = "2509479989";

/// A valid message about that citizen that happened so many seconds ago.
fn about(world: &World, kind: &str, id: &str, citizen: &str, seconds: i64) -> Value {
    let happened = world.now() - jiff::SignedDuration::from_secs(seconds);
    let (source, receiver) = ("urn:dk:akasse:3f", "urn:dk:jobcenter:0101");
    let mut event = kassebro::tools::generate::event(kind, 1, id, source, receiver, happened);
    event["data"]["citizen"]["cpr"] = citizen.into();
    event
}

/// Sends it; the answer's status.
fn send(world: &World, event: &Value) -> u16 {
    let answer = world.as_party(FUND).call("POST", "/v1/messages", &event.to_string());
    answer.expect("the gateway is there").status
}

/// What the sender was told of that message, as the data of the answers.
fn answers(world: &World, id: &str) -> Vec<Value> {
    let answer = world.as_party(FUND).get("/v1/answers?after=0").expect("the gateway is there");
    let page: Value = serde_json::from_str(&answer.body).expect("a page of answers");
    let log = page["answers"].as_array().expect("a list").iter().map(|event| event["data"].clone());
    log.filter(|data| data["messageId"] == id).collect()
}
