//! Alerts: opened once, told once, resolved once.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Office, hours};
use crate::{
    domain::alert::{Change, Climb, Condition, Particulars, Touch, Urgency},
    store::Commanded,
};

const NAME: &str = "KassebroTest";

fn condition(receiver: &str, since: Timestamp) -> Condition {
    Condition::new(NAME, Urgency::Warning, &[("receiver", receiver)], since)
}

async fn reconcile(
    office: &Office,
    names: &[&'static str],
    conditions: Vec<Condition>,
) -> Vec<(Change, String)> {
    let changes = office.store().reconcile_alerts(names.to_vec(), conditions, office.now).await.unwrap();
    changes.into_iter().map(|(change, condition)| (change, condition.key)).collect()
}

pub(super) async fn a_condition_opens_one_alert_and_its_absence_resolves_it(mut office: Office) {
    let (a, b) = (condition("a", office.now), condition("b", office.now));
    let (key_a, key_b) = (a.key.clone(), b.key.clone());
    let opened = reconcile(&office, &[NAME], vec![a.clone(), b.clone()]).await;
    assert_eq!(opened, [(Change::Opened, key_a.clone()), (Change::Opened, key_b.clone())]);
    assert!(reconcile(&office, &[NAME], vec![a.clone(), b.clone()]).await.is_empty(), "once");
    assert!(reconcile(&office, &["KassebroOther"], vec![]).await.is_empty(), "others' alerts are left alone");
    office.crash();
    office.pass(hours(1));
    assert_eq!(reconcile(&office, &[NAME], vec![b.clone()]).await, [(Change::Resolved, key_a.clone())]);
    assert!(reconcile(&office, &[NAME], vec![b]).await.is_empty(), "resolved once");
    assert_eq!(reconcile(&office, &[NAME], vec![a]).await.len(), 2, "one opens again, one is resolved");
    let a_key = key_a.clone();
    let log = office.store().alert_changes(0, 100).await.unwrap();
    assert!(log.is_sorted_by(|x, y| x.seq < y.seq));
    let told: Vec<_> = log.iter().map(|c| (c.change, c.condition.key.clone())).collect();
    assert_eq!(
        (log[0].alert, log[3].alert == log[0].alert),
        (log[2].alert, false),
        "an alert has its number"
    );
    let (opened, resolved) = (Change::Opened, Change::Resolved);
    assert_eq!(
        told,
        [
            (opened, key_a.clone()),
            (opened, key_b.clone()),
            (resolved, key_a.clone()),
            (opened, key_a),
            (resolved, key_b)
        ]
    );
    assert_eq!(office.store().alert_changes(log[2].seq, 1).await.unwrap().len(), 1, "read by cursor");
    let of = async |from: Timestamp| {
        let alerts = office.store().alerts_of(a_key.clone(), from).await.unwrap();
        alerts.into_iter().map(|alert| (alert.opened, alert.resolved)).collect::<Vec<_>>()
    };
    let before = office.now - hours(1);
    assert_eq!(of(before).await, [(before, Some(office.now)), (office.now, None)], "of one key, in order");
    assert_eq!(of(office.now).await, [(office.now, None)], "what was over by then is not told");
}

pub(super) async fn an_open_alert_keeps_its_earliest_beginning(mut office: Office) {
    let began = office.now;
    let stands = async |office: &Office, since, text: &str| {
        reconcile(office, &[NAME], vec![condition("a", since).summary(text)]).await;
        let open = office.store().open_alerts().await.unwrap();
        assert_eq!(open.len(), 1);
        (open[0].condition.since, open[0].condition.summary.clone())
    };
    assert_eq!(stands(&office, began, "1").await, (began, "1".into()));
    office.pass(hours(1));
    assert_eq!(stands(&office, office.now, "2").await, (began, "2".into()), "the words may become truer");
    let earlier = began - hours(3);
    assert_eq!(stands(&office, earlier, "3").await, (earlier, "3".into()));
    assert_eq!(stands(&office, office.now, "4").await, (earlier, "4".into()));
}

pub(super) async fn an_alert_is_acknowledged_once(mut office: Office) {
    let key = condition("a", office.now).key;
    let acknowledge = async |office: &Office| touch(office, &key, Touch::Acknowledge, "op").await;
    assert_eq!(acknowledge(&office).await, Commanded::NotFound);
    reconcile(&office, &[NAME], vec![condition("a", office.now)]).await;
    assert_eq!(acknowledge(&office).await, Commanded::Done);
    assert_eq!(acknowledge(&office).await, Commanded::Already);
    office.crash();
    let open = office.store().open_alerts().await.unwrap().remove(0).handling;
    assert_eq!((open.acknowledged, open.acknowledged_by.as_deref()), (Some(office.now), Some("op")));
    assert_eq!(reconcile(&office, &[NAME], vec![]).await, [(Change::Resolved, key.clone())]);
    assert_eq!(acknowledge(&office).await, Commanded::NotFound);
}

async fn touch(office: &Office, key: &str, touch: Touch, by: &str) -> Commanded {
    office
        .store()
        .touch_alert(key.to_owned(), touch, by.into(), Some("why".into()), office.now)
        .await
        .unwrap()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// An alert for `a`, which goes on to `b` after an hour and to `c` after two.
fn climbing(since: Timestamp) -> Condition {
    let climb =
        [(1, "b"), (2, "c")].map(|(after, name)| Climb { after: hours(after), targets: names(&[name]) });
    Condition { targets: Some(names(&["a"])), climb: climb.into(), ..condition("r", since) }
}

pub(super) async fn what_nobody_acknowledges_climbs_once_for_each_step_and_whoever_was_told_hears_of_the_end(
    mut office: Office,
) {
    let alert = climbing(office.now);
    let look = async |office: &Office| -> Vec<Change> {
        reconcile(office, &[NAME], vec![alert.clone()]).await.into_iter().map(|(change, _)| change).collect()
    };
    assert_eq!(look(&office).await, [Change::Opened]);
    office.pass(hours(1));
    assert_eq!(look(&office).await, [Change::Escalated]);
    assert!(look(&office).await.is_empty(), "once");
    office.crash();
    assert!(look(&office).await.is_empty(), "also over a crash");
    let open = office.store().open_alerts().await.unwrap().remove(0);
    assert_eq!((open.condition.targets, open.handling.climbed), (Some(names(&["a", "b"])), 1));
    assert_eq!(touch(&office, &alert.key, Touch::Acknowledge, "op").await, Commanded::Done);
    office.pass(hours(5));
    assert!(look(&office).await.is_empty(), "somebody looks at it");
    assert_eq!(reconcile(&office, &[NAME], vec![]).await.len(), 1);
    let log = office.store().alert_changes(0, 100).await.unwrap();
    let told: Vec<_> = log.iter().map(|c| c.change).collect();
    assert_eq!(told, [Change::Opened, Change::Escalated, Change::Acknowledged, Change::Resolved]);
    assert_eq!(log[1].particulars.targets, names(&["b"]));
    assert_eq!(log[3].condition.targets, Some(names(&["a", "b"])));
    // After a downtime it has climbed as far as it should have, at once.
    assert_eq!(look(&office).await, [Change::Opened]);
    office.pass(hours(9));
    assert_eq!(look(&office).await, [Change::Escalated]);
    let open = office.store().open_alerts().await.unwrap().remove(0);
    assert_eq!(open.condition.targets, Some(names(&["a", "b", "c"])));
}

pub(super) async fn what_people_do_about_an_alert_is_kept_with_who_and_why(mut office: Office) {
    let alert = climbing(office.now);
    reconcile(&office, &[NAME], vec![alert.clone()]).await;
    let (key, until) = (alert.key.as_str(), office.now + hours(3));
    for (what, by) in [(Touch::Snooze { until }, "anna"), (Touch::Assign { to: "bo".into() }, "cy")] {
        assert_eq!(touch(&office, key, what.clone(), by).await, Commanded::Done);
        assert_eq!(touch(&office, key, what, by).await, Commanded::Already);
    }
    assert_eq!(touch(&office, "KassebroTest/x", Touch::Unsnooze, "anna").await, Commanded::NotFound);
    office.crash();
    office.pass(hours(2));
    assert!(reconcile(&office, &[NAME], vec![alert.clone()]).await.is_empty(), "snoozed, it does not climb");
    let open = office.store().open_alerts().await.unwrap().remove(0).handling;
    assert_eq!((open.assigned_to.as_deref(), open.snoozed_until), (Some("bo"), Some(until)));
    assert_eq!(touch(&office, key, Touch::Unsnooze, "anna").await, Commanded::Done);
    assert_eq!(touch(&office, key, Touch::Unsnooze, "anna").await, Commanded::Already);
    assert_eq!(reconcile(&office, &[NAME], vec![alert.clone()]).await.len(), 1, "and now it does");
    let log = office.store().alert_changes(1, 100).await.unwrap();
    let told: Vec<(Change, Particulars)> = log.into_iter().map(|c| (c.change, c.particulars)).collect();
    let by = |name: &str| Particulars {
        by: Some(name.into()),
        note: Some("why".into()),
        ..Particulars::default()
    };
    assert_eq!(
        told,
        [
            (Change::Snoozed, Particulars { until: Some(until), ..by("anna") }),
            (Change::Assigned, Particulars { to: Some("bo".into()), ..by("cy") }),
            (Change::Unsnoozed, by("anna")),
            (Change::Escalated, Particulars::climbed(names(&["b", "c"]))),
        ]
    );
}
