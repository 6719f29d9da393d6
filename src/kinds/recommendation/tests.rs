//! The rules of recommendations, from one example.

use serde_json::json;

use super::*;
use crate::kinds::testing;

#[test]
fn every_rule_is_found_at_its_place() {
    testing::check_table(
        "schemas/examples/recommendation.v1/valid-course.json",
        &[
            (&[], &[]),
            (&[("/data/offer/endDate", json!("2026-11-30"))], &["/data/offer/endDate recommendation.period"]),
            (
                &[("/data/offer/startDate", json!("2026-11-01"))],
                &["/data/offer/startDate recommendation.start-passed"],
            ),
            (
                &[("/data/offer/weeklyHours", json!(0)), ("/data/offer/weeklyMinutes", json!(0))],
                &["/data/offer/weeklyHours recommendation.no-hours"],
            ),
            (
                &[("/data/offer/weeklyHours", json!(37)), ("/data/offer/weeklyMinutes", json!(1))],
                &["/data/offer/weeklyHours recommendation.over-full-time"],
            ),
            (&[("/data/offer/title", json!(null))], &["/data/offer/title recommendation.title-required"]),
            (
                &[("/data/offer/priceOere", json!(null))],
                &["/data/offer/priceOere recommendation.price-required"],
            ),
            (
                &[("/data/offer/priceOere", json!(0))],
                &["/data/offer/priceOere recommendation.price-above-zero"],
            ),
            (
                &[("/data/offer/kind", json!("mentor"))],
                &["/data/offer/priceOere recommendation.price-unexpected"],
            ),
            (
                &[("/data/offer/kind", json!("internship")), ("/data/offer/priceOere", json!(null))],
                &["/data/offer/vitasCaseId recommendation.vitas-reference"],
            ),
            (
                &[("/data/preconditions", json!({"jobnetCvUpdated": false, "joblogUpdated": false}))],
                &[
                    "/data/preconditions/joblogUpdated recommendation.joblog",
                    "/data/preconditions/jobnetCvUpdated recommendation.jobnet-cv",
                ],
            ),
            (&[("/data/provider/phone", json!("12345678"))], &["/data/provider/phone phone.danish"]),
            (&[("/data/fastestWayToJob", json!("<p>Hurtigt</p>"))], &["/data/fastestWayToJob text.html"]),
            (&[("/data/citizen/cpr", json!("6707614285"))], &["/data/citizen/cpr cpr.replacement"]),
            (&[("/data/citizen/cpr", json!("2110525629"))], &["/data/citizen/cpr cpr.future"]),
        ],
    );
}

#[test]
fn a_citizens_recommendations_keep_their_order() {
    let event = testing::event(&testing::generated("recommendation", 3));
    assert_eq!(KIND.ordering_domain, Some("recommendation"));
    let citizen = rules::citizen(&event).unwrap();
    assert_eq!(citizen.digits(), event.data["citizen"]["cpr"].as_str().unwrap());
}

#[test]
fn a_recommendation_goes_to_the_message_module_only() {
    let event = testing::event(&testing::generated("recommendation", 3));
    assert_eq!(KIND.render(&event, Format::Jobag).unwrap_err()[0].rule, "format.not-offered");
    assert!(KIND.render(&event, KIND.format()).is_ok());
}

#[test]
fn a_replacement_number_is_rendered_but_the_module_refuses_such_numbers() {
    // The parcel is ready for when a person has looked at it; until then the delivery is held.
    let mut value = testing::generated("recommendation", 3);
    value["data"]["citizen"]["cpr"] = json!("6707614285");
    assert!(KIND.render(&testing::event(&value), KIND.format()).is_ok());
    assert!(crate::formats::refuses_replacement_cpr(KIND.format()));
}
