//! Key figures: what is counted, and what a correction does.

use jiff::SignedDuration;

use super::{Accepted, Admission, Office, Outcome, PARTY, delivery, hours};
use crate::{
    domain::{
        DeliveryId, KindId, Party,
        attempt::Proof,
        case::CaseState,
        figure::{Figure, Interview, Month, Timeliness},
    },
    store::{
        Command, Next, Verdict,
        figures::{Asked, Counts, Decisions, Interviews, KeyFigures, Outcomes, Sender, Volume},
    },
};

use Timeliness::{InTime, Late, NotHeld};

pub(super) const KINDS: [&str; 2] = ["jobInterview", "cvInterview"];

/// Everything of the month of the office's clock.
pub(super) fn asked(office: &Office) -> Asked {
    Asked {
        months: (Month::at(office.now), Month::at(office.now)),
        from: office.now - hours(24 * 20),
        to: office.now + hours(24 * 20),
        akasse: None,
        jobcenter: None,
        agreement: None,
        kind: None,
        interview: None,
        now: office.now,
    }
}

pub(super) async fn figures(office: &Office, asked: Asked) -> KeyFigures {
    office.store().key_figures(asked).await.unwrap()
}

/// A record of an interview that the a-kasse held this month, with its figure as its bytes.
fn record(office: &mut Office, id: &str, timeliness: Timeliness) -> Accepted {
    of(office, id, (0, 0, timeliness), (PARTY, "0101"))
}

pub(super) fn of(
    office: &mut Office,
    id: &str,
    (months, kind, timeliness): (i32, usize, Timeliness),
    (from, to): (&str, &str),
) -> Accepted {
    let mut message = office.message(id);
    let month = Month::at(office.now).plus(months);
    let interview = Interview::new(KINDS[kind]).unwrap();
    message.arrived.raw = format!("{} {} {}", month.number(), interview.as_str(), timeliness.number()).into();
    message.envelope.kind = KindId::new("interview_record", 1);
    message.envelope.source = Party::from_code(from).unwrap();
    message.envelope.receiver = Party::from_code(to).unwrap();
    message.figure = Some(Figure { month, interview, timeliness });
    message
}

async fn take(office: &mut Office, message: Accepted) -> DeliveryId {
    let verdict = office.accept(message).await;
    assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    verdict.answer().receipt_id.delivery(1)
}

async fn correct(office: &mut Office, id: &str, cause: &str, timeliness: Timeliness) {
    let mut message = record(office, id, timeliness);
    message.envelope.causation_id = Some(cause.to_owned());
    take(office, message).await;
}

/// In time, late, not held: of everything that is asked for.
async fn sum(office: &Office) -> (u64, u64, u64) {
    let mut sum = Counts::default();
    figures(office, asked(office)).await.interviews.iter().for_each(|group| sum.join(group.counts));
    (sum.in_time, sum.late, sum.not_held)
}

pub(super) async fn interviews_are_counted_by_month_and_parties_and_by_who_told_of_them(mut office: Office) {
    assert_eq!(figures(&office, asked(&office)).await, KeyFigures::default(), "an empty store has none");
    for (id, what, between) in [
        ("a-1", (0, 0, InTime), (PARTY, "0101")),
        ("a-2", (0, 0, Late), (PARTY, "0101")),
        ("a-3", (0, 0, NotHeld), (PARTY, "0101")),
        ("a-4", (0, 1, InTime), (PARTY, "0101")),
        ("a-5", (-1, 0, InTime), (PARTY, "0101")),
        ("a-6", (0, 0, InTime), ("krifa", "0101")),
        ("a-7", (0, 0, InTime), (PARTY, "0707")),
        ("own", (0, 0, InTime), ("0101", PARTY)),
    ] {
        let message = of(&mut office, id, what, between);
        take(&mut office, message).await;
    }
    let plain = office.message("no-interview");
    take(&mut office, plain).await;
    office.crash();
    let found = figures(&office, asked(&office)).await;
    let group = |jobcenter: &str, kind: usize, akasse: &str, own, (in_time, late, not_held)| Interviews {
        month: Month::at(office.now),
        jobcenter: jobcenter.into(),
        interview: KINDS[kind].into(),
        akasse: akasse.into(),
        own,
        counts: Counts { in_time, late, not_held },
    };
    let expected = [
        group("0101", 1, PARTY, false, (1, 0, 0)),
        group("0101", 0, PARTY, false, (1, 1, 1)),
        group("0101", 0, PARTY, true, (1, 0, 0)),
        group("0101", 0, "krifa", false, (1, 0, 0)),
        group("0707", 0, PARTY, false, (1, 0, 0)),
    ];
    assert_eq!(found.interviews.iter().collect::<Vec<_>>(), expected);
    assert!(found.last_message >= 9 && found.generation == 1, "{found:?}");
    let both = Asked { months: (Month::at(office.now).plus(-1), Month::at(office.now)), ..asked(&office) };
    assert_eq!(figures(&office, both).await.interviews.len(), 6);
}

pub(super) async fn a_correction_takes_the_place_of_what_it_corrects(mut office: Office) {
    let first = record(&mut office, "r-1", Late);
    let receipt = take(&mut office, first).await.receipt();
    assert_eq!(sum(&office).await, (0, 1, 0));
    correct(&mut office, "r-2", "r-1", InTime).await;
    assert_eq!(sum(&office).await, (1, 0, 0));
    correct(&mut office, "r-3", "r-2", NotHeld).await;
    assert_eq!(sum(&office).await, (0, 0, 1), "a correction is corrected");
    correct(&mut office, "r-4", "r-1", Late).await;
    assert_eq!(sum(&office).await, (0, 1, 0), "the latest one counts, whichever it names");
    correct(&mut office, "r-5", &receipt.to_string(), InTime).await;
    assert_eq!(sum(&office).await, (1, 0, 0), "a person names the receipt");
    correct(&mut office, "r-6", "nobody", Late).await;
    assert_eq!(sum(&office).await, (1, 1, 0), "what names no record is one of its own");
    correct(&mut office, "r-7", "r-7", Late).await;
    assert_eq!(sum(&office).await, (1, 2, 0), "so is what names itself");
    let mut other = of(&mut office, "r-8", (0, 0, Late), ("krifa", "0101"));
    other.envelope.causation_id = Some("r-1".into());
    take(&mut office, other).await;
    assert_eq!(sum(&office).await, (1, 3, 0), "nobody corrects another's");
    let batch = [("b-1", None, Late), ("b-2", Some("b-1"), NotHeld)].map(|(id, cause, timeliness)| {
        let mut message = record(&mut office, id, timeliness);
        message.envelope.causation_id = cause.map(str::to_owned);
        Admission::Accepted(Box::new(message))
    });
    office.accept_all(batch.into()).await;
    assert_eq!(sum(&office).await, (1, 3, 1), "in one batch too");
}

pub(super) async fn what_narrows_the_figures_narrows_them(mut office: Office) {
    for (id, kind, between, agreement) in [
        ("a", 0, (PARTY, "0101"), Some("kbh-3f")),
        ("b", 1, (PARTY, "0101"), None),
        ("c", 0, ("krifa", "0101"), Some("kbh-krifa")),
        ("d", 0, (PARTY, "0707"), Some("norddjurs-3f")),
        ("own", 0, ("0101", "krifa"), Some("kbh-krifa")),
    ] {
        let mut message = of(&mut office, id, (0, kind, InTime), between);
        message.agreement = agreement.map(str::to_owned);
        take(&mut office, message).await;
    }
    let all = asked(&office);
    for (narrow, interviews, messages) in [
        (Asked { akasse: Some(PARTY.into()), ..all.clone() }, 4, 3),
        (Asked { jobcenter: Some("0707".into()), ..all.clone() }, 1, 1),
        (Asked { agreement: Some("kbh-3f".into()), ..all.clone() }, 2, 1),
        (Asked { interview: Some(KINDS[1].into()), ..all.clone() }, 1, 5),
        (Asked { kind: Some("interview_record".into()), ..all.clone() }, 5, 5),
        (Asked { kind: Some("interview_record.v1".into()), ..all.clone() }, 5, 5),
        (Asked { kind: Some("interview".into()), ..all.clone() }, 5, 0),
        (Asked { to: all.from, ..all.clone() }, 5, 0),
        (Asked { months: (all.months.0.plus(1), all.months.0.plus(2)), ..all.clone() }, 0, 5),
    ] {
        let found = figures(&office, narrow.clone()).await;
        assert_eq!(found.interviews.len(), interviews, "{narrow:?}");
        let accepted: u64 = found.volumes.iter().map(|volume| volume.accepted).sum();
        assert_eq!(accepted, messages, "{narrow:?}");
        let promised: u64 = found.outcomes.iter().map(|o| o.open).sum();
        assert_eq!(promised, messages, "{narrow:?}");
    }
}

pub(super) async fn promises_volumes_and_lateness_are_counted_over_a_period(mut office: Office) {
    let begin = office.now;
    for (id, waited, agreement) in
        [("m-1", 0, None), ("m-2", 11, None), ("m-3", 13, Some("kbh-3f")), ("m-4", 30, None)]
    {
        let mut message = office.message(id);
        message.envelope.time = office.now - hours(waited);
        message.agreement = agreement.map(str::to_owned);
        // Two receivers: two promises, and one message.
        message.deliveries =
            vec![delivery(message.envelope.time, hours(24)), delivery(message.envelope.time, hours(24))];
        office.accept(message).await;
    }
    let refused = office.invalid(None);
    office.accept_all(vec![Admission::Invalid(Box::new(refused))]).await;
    for lease in office.lease(100).await {
        let last = lease.delivery.ordinal() == 2;
        match (lease.message_id.as_str(), last) {
            ("m-1", false) => {
                let waive = Command::Waive { delivery: lease.delivery, reason: "agreed".into() };
                office.store().command(waive, "op".into(), office.now).await.unwrap();
            }
            ("m-2", false) => {
                office
                    .settle(lease, Next::Dead(super::fault(crate::domain::FaultCode::ReceiverRefused)))
                    .await;
            }
            ("m-2", true) | ("m-4", false) => {
                office.settle_as(lease, Outcome::Delivered(Proof::default()), Next::Delivered).await;
            }
            _ => {}
        }
    }
    office.pass(hours(12));
    let found = figures(&office, asked(&office)).await;
    let outcomes = [
        // m-1: one waived, one open. m-2: one ended, one met. m-4: one met late, one breached.
        Outcomes {
            kind: "complaint.v1".into(),
            promise: "delivered".into(),
            met: 1,
            met_late: 1,
            breached: 1,
            open: 1,
            waived: 1,
            ended: 1,
            agreement: None,
        },
        Outcomes {
            kind: "complaint.v1".into(),
            promise: "delivered".into(),
            agreement: Some("kbh-3f".into()),
            breached: 2,
            ..Outcomes::default()
        },
    ];
    assert_eq!(found.outcomes, outcomes);
    let volumes = [
        Volume { kind: Some("complaint.v1".into()), way: "http".into(), accepted: 4, refused: 0 },
        Volume { kind: None, way: "http".into(), accepted: 0, refused: 1 },
    ];
    assert_eq!(found.volumes, volumes);
    let [
        Sender {
            party, messages: 4, median_seconds: Some(median), p95_seconds: Some(p95), half_used: 2, ..
        },
    ] = &found.senders[..]
    else {
        panic!("{:?}", found.senders)
    };
    assert_eq!(party, PARTY);
    let about = |seconds: i64, hours: i64| seconds >= hours * 3600 && seconds <= hours * 3960 + 1;
    assert!(about(*median, 11) && about(*p95, 30), "{median} {p95}");
    let mut soon = office.message("soon");
    soon.envelope.time = office.now - SignedDuration::from_secs(10);
    soon.envelope.kind = KindId::new("job_order", 1);
    office.accept(soon).await;
    let exact = Asked { kind: Some("job_order".into()), ..asked(&office) };
    assert_eq!(figures(&office, exact).await.senders[0].median_seconds, Some(10), "a bound is told as it is");
    let before = Asked { to: begin, ..asked(&office) };
    let before = figures(&office, before).await;
    assert!(before.volumes.is_empty() && before.outcomes.is_empty() && before.last_message > 0);
    let from = Asked { from: begin, to: begin + SignedDuration::from_micros(1), ..asked(&office) };
    assert_eq!(figures(&office, from).await.volumes, volumes, "from the first instant, before the last");
}

pub(super) async fn a_decision_is_timed_from_the_acceptance_to_the_first_reply_that_decides(
    mut office: Office,
) {
    for id in ["one", "two", "three"] {
        let mut message = office.message(id);
        message.envelope.kind = KindId::new("recommendation", 1);
        office.accept(message).await;
    }
    for (wait, id, to, says) in [
        (1, "r-1", "one", CaseState::InProcess),
        (2, "r-2", "one", CaseState::Granted),
        (3, "r-3", "one", CaseState::Refused),
        (1, "r-4", "two", CaseState::Refused),
        (9, "r-5", "one", CaseState::Published),
    ] {
        office.pass(hours(wait));
        let mut reply = office.message(id);
        reply.envelope.source = Party::from_code("0101").unwrap();
        reply.envelope.receiver = Party::from_code(PARTY).unwrap();
        reply.envelope.kind = KindId::new("decision", 1);
        reply.envelope.correlation_id = Some(to.to_owned());
        reply.reply = Some(says.into());
        office.accept(reply).await;
    }
    let found = figures(&office, asked(&office)).await.decisions;
    let [
        Decisions {
            party,
            kind,
            messages: 3,
            granted: 1,
            refused: 1,
            median_seconds: Some(median),
            p95_seconds: Some(p95),
        },
    ] = &found[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!((party.as_str(), kind.as_str()), ("0101", "recommendation.v1"));
    // Granted after three hours, refused after seven.
    assert!((10_800..=11_881).contains(median) && (25_200..=27_721).contains(p95), "{median} {p95}");
}

/// Two nodes take a correction of the same record at once.
pub(super) async fn of_two_corrections_at_two_nodes_one_counts(mut office: Office) {
    let other = (office.open)();
    for round in 0..20 {
        let first = format!("r-{round}");
        let message = record(&mut office, &first, Late);
        take(&mut office, message).await;
        let [mine, theirs] = ["a", "b"].map(|node| {
            let mut message = record(&mut office, &format!("{first}-{node}"), InTime);
            message.envelope.causation_id = Some(first.clone());
            vec![Admission::Accepted(Box::new(message))]
        });
        let (mine, theirs) = tokio::join!(office.store().accept(mine), other.accept(theirs));
        mine.and(theirs).unwrap();
        assert_eq!(sum(&office).await, (round + 1, 0, 0), "round {round}");
    }
}
