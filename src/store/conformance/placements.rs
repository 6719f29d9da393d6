//! Citizens who are not placed with the a-kasse, and what then stops.

use jiff::Timestamp;

use super::{Accepted, Office, hours};
use crate::{
    domain::{
        agreement::budget::Spend,
        placement::{Bearing, Placed},
    },
    store::{Admission, Verdict},
};

const CITIZEN: Placed = Placed([7; 16]);

fn message(office: &mut Office, id: &str, bearing: Bearing) -> Accepted {
    let mut message = office.message(id);
    message.bearing = Some((CITIZEN, bearing));
    message
}

async fn takes(office: &mut Office, id: &str, bearing: Bearing) {
    let message = message(office, id, bearing);
    assert!(matches!(office.accept(message).await, Verdict::Accepted(_)), "{id}");
}

/// The rule by which the placement's message is refused; `None`: it is taken.
async fn refused_by(office: &mut Office, id: &str, at: Timestamp) -> Option<String> {
    let mut message = message(office, id, Bearing::Within);
    message.envelope.time = at;
    match office.accept(message).await {
        Verdict::Accepted(_) => None,
        Verdict::Rejected(answer) => Some(answer.errors[0].rule.clone()),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn who_opted_out_gets_no_more_of_the_placements_messages(mut office: Office) {
    let now = office.now;
    assert_eq!(refused_by(&mut office, "before", now).await, None);
    takes(&mut office, "out", Bearing::OptsOut(now)).await;
    assert_eq!(refused_by(&mut office, "after", now).await.as_deref(), Some("placement.opted-out"));
    office.crash();
    assert_eq!(refused_by(&mut office, "again", now).await.as_deref(), Some("placement.opted-out"));
    let view = office.view("after").await;
    assert_eq!((view.line.state.as_str(), view.findings.len()), ("invalid", 1));
    assert_eq!(office.told("after").await, ["rejected"]);
}

pub(super) async fn an_opt_out_counts_from_its_day_and_can_be_taken_back(mut office: Office) {
    let now = office.now;
    takes(&mut office, "out", Bearing::OptsOut(now + hours(24))).await;
    assert_eq!(refused_by(&mut office, "before", now).await, None);
    assert!(refused_by(&mut office, "after", now + hours(24)).await.is_some());
    takes(&mut office, "in", Bearing::OptsIn).await;
    assert_eq!(refused_by(&mut office, "then", now + hours(25)).await, None);
}

pub(super) async fn special_effort_keeps_a_citizen_out_until_it_ends(mut office: Office) {
    let now = office.now;
    takes(&mut office, "kept", Bearing::SpecialEffort(Some(now))).await;
    assert_eq!(refused_by(&mut office, "one", now).await.as_deref(), Some("placement.special-effort"));
    takes(&mut office, "placed", Bearing::SpecialEffort(None)).await;
    assert_eq!(refused_by(&mut office, "two", now).await, None);
    takes(&mut office, "out", Bearing::OptsOut(now)).await;
    takes(&mut office, "placed-again", Bearing::SpecialEffort(None)).await;
    let rule = refused_by(&mut office, "three", now).await;
    assert_eq!(rule.as_deref(), Some("placement.opted-out"), "a placement takes no opt-out back");
}

pub(super) async fn a_duplicate_gets_its_first_answer_also_after_an_opt_out(mut office: Office) {
    let now = office.now;
    takes(&mut office, "one", Bearing::Within).await;
    takes(&mut office, "out", Bearing::OptsOut(now)).await;
    let again = message(&mut office, "one", Bearing::Within);
    assert!(matches!(office.accept(again).await, Verdict::Duplicate(_)));
}

pub(super) async fn other_messages_go_on(mut office: Office) {
    let now = office.now;
    takes(&mut office, "out", Bearing::OptsOut(now)).await;
    office.taken("complaint").await;
    let mut stranger = message(&mut office, "stranger", Bearing::Within);
    stranger.bearing = Some((Placed([8; 16]), Bearing::Within));
    assert!(matches!(office.accept(stranger).await, Verdict::Accepted(_)));
}

fn course(office: &mut Office, id: &str, sum: &str, price: i64) -> Accepted {
    let mut message = office.message(id);
    message.spends = Some(Spend {
        sum: sum.into(),
        agreement: "lo-2009".into(),
        clause: "Økonomi".into(),
        price,
        most: 100,
    });
    message
}

pub(super) async fn what_would_pass_a_cap_is_refused_and_what_fits_is_taken(mut office: Office) {
    let batch = [("one", 60), ("too-much", 41), ("fits", 40), ("more", 1)];
    let batch =
        batch.map(|(id, price)| Admission::Accepted(Box::new(course(&mut office, id, "3f/2026", price))));
    let verdicts = office.accept_all(batch.into()).await;
    let names: Vec<&str> = verdicts.iter().map(Verdict::name).collect();
    assert_eq!(names, ["accepted", "rejected", "accepted", "rejected"]);
    let error = &verdicts[1].answer().errors[0];
    assert_eq!(error.rule, "agreement.cap");
    for said in [&error.message.da, &error.message.en] {
        assert!(said.contains("lo-2009") && said.contains("Økonomi"), "{said}");
    }
    office.crash();
    let (late, again) =
        (course(&mut office, "late", "3f/2026", 1), course(&mut office, "one", "3f/2026", 60));
    assert_eq!(office.accept(late).await.name(), "rejected");
    assert_eq!(office.accept(again).await.name(), "duplicate", "what was taken stays so");
    let next_year = course(&mut office, "next-year", "3f/2027", 100);
    assert_eq!(office.accept(next_year).await.name(), "accepted");
}

/// One of two alone fits under each cap, whichever node it comes to; and neither waits for the other for ever, though
/// they name the caps in opposite orders.
pub(super) async fn a_cap_is_not_passed_by_two_nodes_at_once(mut office: Office) {
    let other = super::nodes::another(&office);
    for round in 0..20 {
        let sums = [format!("3f/{round}"), format!("hk/{round}")];
        let mut batch = |node: &str, order: [usize; 2]| -> Vec<Admission> {
            let priced =
                order.map(|sum| course(&mut office, &format!("{node}-{round}-{sum}"), &sums[sum], 60));
            priced.into_iter().map(|message| Admission::Accepted(Box::new(message))).collect()
        };
        let (here, there) = (batch("here", [0, 1]), batch("there", [1, 0]));
        let (here, there) = tokio::join!(office.store().accept(here), other.accept(there));
        let (here, mut there) = (here.unwrap(), there.unwrap());
        there.reverse();
        for (sum, (here, there)) in here.iter().zip(&there).enumerate() {
            let mut names = [here.name(), there.name()];
            names.sort_unstable();
            assert_eq!(names, ["accepted", "rejected"], "round {round}, sum {sum}");
        }
    }
    office.check().await;
}

pub(super) async fn what_is_in_one_batch_counts_for_what_comes_after_it(mut office: Office) {
    let now = office.now;
    let mut batch = vec![
        message(&mut office, "before", Bearing::Within),
        message(&mut office, "out", Bearing::OptsOut(now)),
        message(&mut office, "after", Bearing::Within),
        message(&mut office, "before", Bearing::Within),
        message(&mut office, "in", Bearing::OptsIn),
        message(&mut office, "then", Bearing::Within),
    ];
    batch.extend(["spent", "spent"].map(|id| course(&mut office, id, "3f/2026", 60)));
    let batch = batch.into_iter().map(|message| Admission::Accepted(Box::new(message))).collect();
    let verdicts = office.accept_all(batch).await;
    let names: Vec<&str> = verdicts.iter().map(Verdict::name).collect();
    let expected =
        ["accepted", "accepted", "rejected", "duplicate", "accepted", "accepted", "accepted", "duplicate"];
    assert_eq!(names, expected);
    assert_eq!(refused_by(&mut office, "later", now).await, None, "and it is kept so");
    let rest = course(&mut office, "rest", "3f/2026", 40);
    assert_eq!(office.accept(rest).await.name(), "accepted", "what came twice is spent once");
}
