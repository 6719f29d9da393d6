//! Alerts: opened once, told once, resolved once.

use jiff::Timestamp;

use super::{Office, hours};
use crate::{
    domain::alert::{Change, Condition, Urgency},
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
    let log = office.store().alert_changes(0, 100).await.unwrap();
    assert!(log.is_sorted_by(|x, y| x.0 < y.0));
    let told: Vec<_> = log.iter().map(|(_, _, change, condition)| (*change, condition.key.clone())).collect();
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
    assert_eq!(office.store().alert_changes(log[2].0, 1).await.unwrap().len(), 1, "read by cursor");
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
    let acknowledge = async |office: &Office| {
        office.store().acknowledge_alert(key.clone(), "op".into(), office.now).await.unwrap()
    };
    assert_eq!(acknowledge(&office).await, Commanded::NotFound);
    reconcile(&office, &[NAME], vec![condition("a", office.now)]).await;
    assert_eq!(acknowledge(&office).await, Commanded::Done);
    assert_eq!(acknowledge(&office).await, Commanded::Already);
    office.crash();
    assert!(office.store().open_alerts().await.unwrap()[0].acknowledged.is_some());
    assert_eq!(reconcile(&office, &[NAME], vec![]).await, [(Change::Resolved, key.clone())]);
    assert_eq!(acknowledge(&office).await, Commanded::NotFound);
}
