//! The finished job order against its schema, its event and the receiver's limits.

use serde_json::json;

use super::*;
use crate::kinds::testing;

fn example() -> Event {
    testing::event(&testing::read_example("schemas/examples/job_order.v1/valid-candidates.json"))
}

#[test]
fn the_order_fits_its_published_schema() {
    let validator = testing::validator(include_str!("../../../schemas/jobag.v1.json"));
    for seed in 0..300 {
        let event = testing::event(&testing::generated("job_order", seed));
        let order: Value = serde_json::from_slice(&render(&event).unwrap().body).unwrap();
        let errors: Vec<_> = validator.iter_errors(&order).map(|e| e.instance_path().to_string()).collect();
        assert_eq!(errors, [] as [String; 0], "{seed}");
    }
    for name in ["valid-candidates", "valid-least", "valid-longest", "valid-esco-only"] {
        let event =
            testing::event(&testing::read_example(&format!("schemas/examples/job_order.v1/{name}.json")));
        let order: Value = serde_json::from_slice(&render(&event).unwrap().body).unwrap();
        assert!(validator.is_valid(&order), "{name}");
    }
}

#[test]
fn the_orders_id_follows_from_source_and_message_id() {
    let event = example();
    let mut other = event.clone();
    assert_eq!(order_id(&event), order_id(&other));
    assert_eq!(order_id(&event).get_version_num(), 8);
    other.envelope.source = "urn:dk:akasse:foa".parse().unwrap();
    assert_ne!(order_id(&event), order_id(&other));
}

#[test]
fn finished_bytes_that_say_something_else_are_refused() {
    let event = example();
    let data = object(&event).unwrap();
    let body = String::from_utf8(render(&event).unwrap().body.to_vec()).unwrap();
    assert!(compare(body.as_bytes(), &event, data).is_ok());
    for (from, to, pointer) in [
        ("Bager til natarbejde", "Bager", "/data/title"),
        ("\"antalStillinger\":2", "\"antalStillinger\":3", "/data/openings"),
        ("\"antalStillinger\":2", "\"antalStillinger\":\"2\"", "/data/openings"),
        ("2509479989", "2509479988", "/data/candidates/2/cpr"),
        ("\"kontaktet\":true", "\"kontaktet\":false", "/data/candidates/0/contacted"),
        ("\"tovholder\":\"JOBCENTER\"", "\"tovholder\":\"AKASSE\"", "/data/owner"),
        ("JO-2026-17", "JO-2026-18", "/subject"),
        ("\"pNummer\"", "\"pnr\"", "/data/company/pNumber"),
        ("{\"jobordreId\"", "{\"mere\":1,\"jobordreId\"", "/data"),
        ("{\"cvrNummer\"", "{\"mere\":1,\"cvrNummer\"", "/data/company"),
    ] {
        assert!(body.contains(from), "{from}");
        let other = body.replacen(from, to, 1);
        assert_eq!(compare(other.as_bytes(), &event, data).unwrap_err().pointer, pointer, "{from} → {to}");
    }
}

#[test]
fn what_is_over_jobags_limits_is_refused_and_never_cut() {
    let mut event = example();
    for (key, characters) in [("title", 101), ("description", 5001), ("internalComment", 2001)] {
        event.data[key] = json!("ø".repeat(characters));
    }
    event.data["openings"] = json!(1000);
    let faults = render(&event).unwrap_err();
    let told: Vec<_> = faults.iter().map(|f| (f.pointer.as_str(), f.expected.as_str())).collect();
    assert_eq!(
        told,
        [
            ("/data/title", "1-100 characters"),
            ("/data/description", "1-5000 characters"),
            ("/data/internalComment", "1-2000 characters"),
            ("/data/openings", "0-999"),
        ]
    );
}
