//! What targets are told, and when: against a real store, with a clock that stands still until it is moved.

use std::{collections::BTreeSet, sync::Mutex};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::SignedDuration;

use super::*;
use crate::{
    clock::{Clock, Moved},
    domain::{
        alert::{Climb, Touch},
        ladder::{Ladder, Ladders, Step},
    },
    store::{
        Admission, Command, NewDelivery,
        conformance::{Office, delivery},
        sqlite::{Mode, Sqlite},
    },
    telemetry::Metrics,
    watch::{Danger, Survey, advance, gauges, look},
};

mod stand_in;

const NAME: &str = "KassebroTest";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Remembers what it was told, and can be out of order.
#[derive(Default)]
struct Ear {
    told: Mutex<Vec<Notice>>,
    is_away: Mutex<bool>,
}

impl Ear {
    fn away(&self, away: bool) {
        *self.is_away.lock().unwrap() = away;
    }

    /// Every notice since the last call.
    fn heard(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    /// What changed about which receiver, in the order in which it was told since the last call.
    fn changes(&self) -> Vec<(Change, String)> {
        let told = |change: AlertChange| (change.change, change.condition.labels["receiver"].clone());
        self.heard().into_iter().flat_map(|notice| notice.changes).map(told).collect()
    }
}

impl Way for Ear {
    fn name(&self) -> &'static str {
        "ear"
    }

    fn tell<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>> {
        async move {
            if *self.is_away.lock().unwrap() {
                return Err("it is away".into());
            }
            self.told.lock().unwrap().push(notice.clone());
            Ok(())
        }
        .boxed()
    }
}

fn audience(name: &str, tell: Tell) -> Audience {
    Audience { name: name.into(), tell, wants_all: false }
}

const RHYTHM: Rhythm = Rhythm {
    group_wait: Duration::from_secs(10),
    group_interval: MINUTE,
    repeat_interval: Duration::from_hours(4),
    heartbeat: None,
};

struct Scene {
    clock: Moved,
    desk: Desk,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("store"), Mode::Daemon).unwrap();
        let clock = Moved::starting_at("2026-03-02T08:00:00Z".parse().unwrap());
        let desk = Desk {
            store: Arc::new(store),
            clock: Arc::new(clock.clone()),
            metrics: Metrics::new(),
            period: Duration::from_millis(500),
            backlog_age: Duration::from_secs(1 << 40),
            survey: Survey::default(),
            danger: Danger::default(),
            ladders: Arc::new(ladders()),
            agreements: Arc::new([]),
            generation: 1,
            agreement_expiry_days: 60,
            receivers: BTreeSet::default(),
        };
        Self { clock, desk, _folder: folder }
    }

    /// Opens and resolves, so that alerts for these receivers are open.
    async fn open(&self, receivers: &[&str]) {
        self.open_as(receivers, |condition| condition).await;
    }

    async fn open_as(&self, receivers: &[&str], change: impl Fn(Condition) -> Condition) {
        let now = self.clock.now();
        let condition =
            |receiver: &&str| change(Condition::new(NAME, Urgency::Warning, &[("receiver", *receiver)], now));
        let conditions = receivers.iter().map(condition).collect();
        self.desk.store.reconcile_alerts(vec![NAME], conditions, now).await.unwrap();
    }

    async fn touch(&self, receiver: &str, touch: Touch) {
        let key = format!("{NAME}/{receiver}");
        let now = self.clock.now();
        self.desk.store.touch_alert(key, touch, "anna".into(), None, now).await.unwrap();
    }
}

fn target(ear: &Arc<Ear>, rhythm: Rhythm) -> Target {
    Target {
        audience: audience("desk", Tell::All),
        way: Arc::clone(ear) as Arc<dyn Way>,
        rhythm,
        otherwise: None,
    }
}

/// A target that somebody stands in for, who hears of nothing by himself.
fn with_other(ear: &Arc<Ear>, other: &Arc<Ear>) -> Target {
    let otherwise = Otherwise {
        audience: audience("other", Tell::Named),
        way: Arc::clone(other) as Arc<dyn Way>,
        after_tries: 3,
    };
    Target { otherwise: Some(otherwise), ..target(ear, RHYTHM) }
}

/// Looks each second for so long.
async fn pass(scene: &Scene, teller: &mut Teller<'_>, time: Duration) {
    for _ in 0..time.as_secs() {
        scene.clock.advance(Duration::from_secs(1));
        teller.look().await.unwrap();
    }
}

fn opened(receivers: &[&str]) -> Vec<(Change, String)> {
    receivers.iter().map(|receiver| (Change::Opened, (*receiver).to_owned())).collect()
}

#[tokio::test]
async fn what_changes_at_one_time_is_one_notice_and_the_next_waits_its_interval() {
    let (scene, ear) = (Scene::new(), Arc::new(Ear::default()));
    let target = target(&ear, RHYTHM);
    let mut teller = Teller::new(&scene.desk, &target);
    scene.open(&["a"]).await;
    pass(&scene, &mut teller, Duration::from_secs(5)).await;
    scene.open(&["a", "b"]).await;
    pass(&scene, &mut teller, Duration::from_secs(4)).await;
    assert!(ear.heard().is_empty(), "it waits for others");
    pass(&scene, &mut teller, Duration::from_secs(1)).await;
    let heard = ear.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].reason, heard[0].changes.len(), heard[0].open.len()), (Reason::Changes, 2, 2));
    scene.open(&["b"]).await;
    pass(&scene, &mut teller, Duration::from_secs(59)).await;
    assert!(ear.heard().is_empty(), "a minute between two");
    pass(&scene, &mut teller, Duration::from_secs(1)).await;
    assert_eq!(ear.changes(), [(Change::Resolved, "a".to_owned())]);
    pass(&scene, &mut teller, HOUR).await;
    assert!(ear.heard().is_empty(), "each once");
}

#[tokio::test]
async fn what_is_open_is_repeated_unless_somebody_looks_at_it_or_put_it_off_and_its_end_is_always_told() {
    let (scene, ear) = (Scene::new(), Arc::new(Ear::default()));
    let rhythm = Rhythm {
        group_wait: Duration::ZERO,
        group_interval: Duration::ZERO,
        repeat_interval: HOUR,
        ..RHYTHM
    };
    let target = target(&ear, rhythm);
    let mut teller = Teller::new(&scene.desk, &target);
    scene.open(&["a", "b", "c"]).await;
    scene.touch("b", Touch::Acknowledge).await;
    scene.touch("c", Touch::Snooze { until: scene.clock.now() + SignedDuration::from_mins(90) }).await;
    teller.look().await.unwrap();
    ear.heard();
    let repeated = |notices: Vec<Notice>| -> Vec<Vec<String>> {
        let names =
            |notice: &Notice| notice.open.iter().map(|a| a.condition.labels["receiver"].clone()).collect();
        notices.iter().filter(|notice| notice.reason == Reason::Repeat).map(names).collect()
    };
    pass(&scene, &mut teller, HOUR).await;
    assert_eq!(repeated(ear.heard()), [["a"]]);
    pass(&scene, &mut teller, HOUR).await;
    assert_eq!(repeated(ear.heard()), [["a", "c"]], "the snooze is over");
    scene.touch("c", Touch::Snooze { until: scene.clock.now() + SignedDuration::from_hours(9) }).await;
    pass(&scene, &mut teller, Duration::from_secs(1)).await;
    ear.heard();
    scene.open(&[]).await;
    pass(&scene, &mut teller, Duration::from_secs(1)).await;
    let resolved: BTreeSet<String> = ear.changes().into_iter().map(|(_, receiver)| receiver).collect();
    assert_eq!(resolved, ["a", "b", "c"].map(str::to_owned).into());
}

#[tokio::test]
async fn a_target_that_was_away_is_told_everything_once_also_over_a_restart() {
    let (scene, ear) = (Scene::new(), Arc::new(Ear::default()));
    let target = target(&ear, RHYTHM);
    let mut teller = Teller::new(&scene.desk, &target);
    scene.open(&["a"]).await;
    pass(&scene, &mut teller, MINUTE).await;
    assert_eq!(ear.changes(), opened(&["a"]));
    ear.away(true);
    scene.open(&["b"]).await;
    pass(&scene, &mut teller, MINUTE * 5).await;
    let failures = scene.desk.metrics.notifications_failed.get_or_create(&Part { part: "desk".into() }).get();
    assert!((4..=20).contains(&failures), "tried again with growing gaps: {failures}");
    let mut teller = Teller::new(&scene.desk, &target);
    scene.open(&["b", "c"]).await;
    pass(&scene, &mut teller, MINUTE).await;
    ear.away(false);
    pass(&scene, &mut teller, MINUTE * 2).await;
    let told = ear.changes();
    let expected = [(Change::Resolved, "a"), (Change::Opened, "b"), (Change::Opened, "c")];
    let sorted: BTreeSet<_> =
        told.iter().map(|(change, receiver)| (change.name(), receiver.as_str())).collect();
    assert_eq!(sorted, expected.map(|(change, receiver)| (change.name(), receiver)).into());
    assert_eq!(told.len(), 3, "each once: {told:?}");
    pass(&scene, &mut Teller::new(&scene.desk, &target), MINUTE * 5).await;
    assert!(ear.heard().is_empty(), "a restart repeats nothing");
}

#[tokio::test]
async fn a_target_hears_of_what_names_it_and_of_what_is_urgent_enough() {
    let (scene, ear) = (Scene::new(), Arc::new(Ear::default()));
    let mut target = target(&ear, RHYTHM);
    target.audience.tell = Tell::Critical;
    let mut teller = Teller::new(&scene.desk, &target);
    scene
        .open_as(&["desk", "chief", "all"], |condition| {
            let name = condition.labels["receiver"].clone();
            Condition { targets: (name != "all").then(|| [name].into()), ..condition }
        })
        .await;
    pass(&scene, &mut teller, MINUTE).await;
    assert_eq!(ear.changes(), opened(&["desk"]), "a warning to all is not urgent enough");
    let climbing = |condition: Condition| Condition {
        targets: Some(["chief".to_owned()].into()),
        climb: vec![Climb { after: SignedDuration::from_mins(30), targets: ["desk".to_owned()].into() }],
        ..condition
    };
    scene.open_as(&["climbs"], climbing).await;
    pass(&scene, &mut teller, MINUTE * 2).await;
    assert_eq!(ear.changes(), [(Change::Resolved, "desk".to_owned())]);
    scene.clock.advance(MINUTE * 30);
    scene.open_as(&["climbs"], climbing).await;
    scene.open_as(&[], climbing).await;
    pass(&scene, &mut teller, MINUTE * 2).await;
    let climbs = "climbs".to_owned();
    assert_eq!(ear.changes(), [(Change::Escalated, climbs.clone()), (Change::Resolved, climbs)]);
}

#[tokio::test]
async fn who_hears_nothing_hears_a_heartbeat() {
    let (scene, ear) = (Scene::new(), Arc::new(Ear::default()));
    let target = target(&ear, Rhythm { heartbeat: Some(HOUR), ..RHYTHM });
    let mut teller = Teller::new(&scene.desk, &target);
    pass(&scene, &mut teller, MINUTE * 50).await;
    let mut teller = Teller::new(&scene.desk, &target);
    pass(&scene, &mut teller, MINUTE * 5).await;
    assert!(ear.heard().is_empty());
    pass(&scene, &mut teller, MINUTE * 10).await;
    let heard = ear.heard();
    assert_eq!(
        heard.iter().map(|notice| notice.reason).collect::<Vec<_>>(),
        [Reason::Heartbeat],
        "also over a restart"
    );
    let alive = scene.desk.metrics.notified.get_or_create(&Part { part: "desk".into() }).get();
    assert_eq!(alive, heard[0].at.as_second());
    scene.clock.step_back_to("2025-01-01T00:00:00Z".parse().unwrap());
    pass(&scene, &mut teller, HOUR * 2).await;
    assert!((1..=2).contains(&ear.heard().len()), "a clock that was set back is no storm");
}

fn ladders() -> Ladders {
    let step = |at: &str| Step {
        at: at.parse().unwrap(),
        urgency: Urgency::Warning,
        targets: None,
        climb_after: None,
        then: BTreeSet::new(),
    };
    Ladders::new(vec![Ladder {
        name: "default".into(),
        kinds: BTreeSet::new(),
        agreements: BTreeSet::new(),
        promises: BTreeSet::new(),
        steps: ["75%", "4h left", "90%", "breach"].map(step).into(),
        waive_needs_two: false,
    }])
}

#[tokio::test]
async fn ten_thousand_messages_in_danger_are_a_handful_of_notices_and_all_are_resolved() {
    const MESSAGES: usize = 10_000;
    const RECEIVERS: usize = 50;
    let (mut scene, ear) = (Scene::new(), Arc::new(Ear::default()));
    scene.desk.receivers = (0..RECEIVERS).map(|number| format!("r{number}")).collect();
    let store = Arc::clone(&scene.desk.store);
    let folder = tempfile::tempdir().unwrap();
    let unused = folder.path().join("unused");
    let mut office = Office::open(Box::new(move || Arc::new(Sqlite::open(&unused, Mode::Daemon).unwrap())));
    let mut deliveries = Vec::with_capacity(MESSAGES);
    for batch in 0..MESSAGES / 500 {
        let mut admissions = Vec::with_capacity(500);
        for number in batch * 500..(batch + 1) * 500 {
            let mut message = office.message(&format!("m{number}"));
            // The first are due a minute before the last.
            let starts = scene.clock.now() - SignedDuration::from_millis(i64::try_from(number).unwrap() * 6);
            let receiver = format!("r{}", number % RECEIVERS);
            let owed = delivery(starts, SignedDuration::from_hours(24));
            message.deliveries = vec![NewDelivery { receiver, ..owed }];
            deliveries.push(message.arrived.receipt.delivery(1));
            admissions.push(Admission::Accepted(Box::new(message)));
        }
        store.accept(admissions).await.unwrap();
    }
    let target = target(&ear, RHYTHM);
    let mut teller = Teller::new(&scene.desk, &target);
    let (mut gauged, mut shown) = (BTreeSet::new(), gauges::Shown::new(&*scene.desk.clock));
    let mut watch = async |teller: &mut Teller<'_>, looks: u32| {
        for _ in 0..looks {
            scene.clock.advance(Duration::from_secs(15));
            advance(&scene.desk).await.unwrap();
            look(&scene.desk, &mut gauged, &mut shown).await.unwrap();
            teller.look().await.unwrap();
        }
    };
    let mut notices = 0;
    for hours in [18, 2, 2, 3] {
        scene.clock.advance((HOUR * hours).checked_sub(MINUTE * 4).unwrap());
        watch(&mut teller, 24).await;
        notices += ear.told.lock().unwrap().iter().filter(|notice| notice.reason == Reason::Changes).count();
        let last = ear.heard().pop().expect("each step is told");
        assert_eq!(last.open.len(), RECEIVERS, "one alert for each receiver, after {hours} hours more");
    }
    assert!((4..=16).contains(&notices), "{notices} notices of four steps of {MESSAGES} messages");
    for id in deliveries {
        let cancel = Command::Cancel { delivery: id, reason: None };
        store.command(cancel, "test".into(), scene.clock.now()).await.unwrap();
    }
    watch(&mut teller, 12).await;
    let heard = ear.heard();
    assert!(heard.len() <= 2, "{} notices of the end", heard.len());
    let resolved = heard.iter().flat_map(|notice| &notice.changes).filter(|c| c.change == Change::Resolved);
    assert_eq!(resolved.count(), RECEIVERS);
    assert!(heard.last().unwrap().open.is_empty());
}
