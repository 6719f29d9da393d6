//! Agreements that run out soon, and complaints that were carried though none was in force.

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Desk, Watcher};
use crate::{
    domain::{
        Agreement,
        agreement::{Side, copenhagen, danish_day, expiring},
        alert::{Condition, Urgency},
    },
    store::{StoreError, views::Uncovered},
};

pub(super) struct Agreements;

const EXPIRING: &str = "KassebroAgreementExpiring";
const OUTSIDE: &str = "KassebroOutsideAgreement";
/// The alert is resolved when no complaint has come so for this long. Whoever wants it silent before acknowledges it.
const QUIET_AFTER: SignedDuration = SignedDuration::from_hours(1);

impl Watcher for Agreements {
    fn names(&self) -> &'static [&'static str] {
        &[EXPIRING, OUTSIDE]
    }

    fn conditions<'a>(
        &'a self,
        desk: &'a Desk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Condition>, StoreError>> {
        async move {
            let since = now.checked_sub(QUIET_AFTER).unwrap_or(Timestamp::MIN);
            let carried = desk.store.uncovered(since).await?;
            let soon = expiring(&desk.agreements, danish_day(now), desk.agreement_expiry_days);
            Ok(soon
                .filter_map(|(agreement, from)| runs_out(agreement, from))
                .chain(carried.iter().map(outside))
                .collect())
        }
        .boxed()
    }
}

/// Told from the beginning of a Danish day on.
fn runs_out(agreement: &Agreement, from: Date) -> Option<Condition> {
    let last = agreement.valid_to?;
    let since = from.to_zoned(copenhagen()).ok()?.timestamp();
    let (akasser, jobcenters) =
        (codes(&agreement.akasser, "every a-kasse"), codes(&agreement.jobcenters, "every jobcenter"));
    let condition = Condition::new(EXPIRING, Urgency::Warning, &[("agreement", &agreement.id)], since)
        .summary(format!(
            "the agreement {} between {akasser} and {jobcenters} is in force until {last} and nothing follows it",
            agreement.id
        ))
        .description(format!(
            "after that day its traffic is outside every agreement; kassebro agreements show {}",
            agreement.id
        ));
    Some(condition)
}

fn codes(side: &Side, every: &str) -> String {
    match side {
        Side::Every(_) => every.to_owned(),
        Side::These(parties) => parties.iter().map(crate::domain::Party::code).collect::<Vec<_>>().join(", "),
    }
}

fn outside(group: &Uncovered) -> Condition {
    let Uncovered { party, receiver, count, first, example } = group;
    Condition::new(OUTSIDE, Urgency::Warning, &[("party", party), ("receiver", receiver)], *first)
        .summary(format!(
            "{count} complaints of {party} to {receiver} within the hour were carried under no agreement"
        ))
        .description(format!(
            "the latest is {example}; kassebro messages show {example}; kassebro agreements list"
        ))
}
