//! Who is told in another's place, and of what.

use super::*;

#[tokio::test]
async fn who_stands_in_hears_what_the_target_missed_and_the_end_of_it_and_the_target_misses_nothing() {
    let (scene, ear, other) = (Scene::new(), Arc::new(Ear::default()), Arc::new(Ear::default()));
    let target = with_other(&ear, &other);
    let mut teller = Teller::new(&scene.desk, &target);
    scene.open(&["before"]).await;
    pass(&scene, &mut teller, MINUTE * 2).await;
    assert_eq!(ear.changes(), opened(&["before"]));
    assert!(other.heard().is_empty());
    ear.away(true);
    scene.open(&["before", "lost"]).await;
    pass(&scene, &mut teller, MINUTE * 2).await;
    let heard = other.heard();
    assert_eq!(heard.len(), 1, "told once, however often the target fails");
    assert_eq!(heard[0].in_place_of.as_deref(), Some("desk"));
    assert_eq!(heard[0].changes[0].condition.labels["receiver"], "lost");
    ear.away(false);
    pass(&scene, &mut teller, MINUTE * 2).await;
    assert_eq!(ear.changes(), opened(&["lost"]), "the target learns of it too");
    let mut teller = Teller::new(&scene.desk, &target);
    scene.open(&["after"]).await;
    pass(&scene, &mut teller, MINUTE * 2).await;
    let told = ear.changes();
    assert_eq!(told.len(), 3, "{told:?}");
    let ends = other.changes();
    assert!(ends.contains(&(Change::Resolved, "lost".to_owned())), "{ends:?}");
    assert!(ends.iter().all(|(change, _)| *change == Change::Resolved), "and of nothing new: {ends:?}");
}

#[tokio::test]
async fn what_is_told_in_the_places_of_two_and_what_one_hears_himself_are_three_notices() {
    let (scene, ear, other) = (Scene::new(), Arc::new(Ear::default()), Arc::new(Ear::default()));
    ear.away(true);
    let stands_in = |name: &str| {
        let mut target = with_other(&ear, &other);
        name.clone_into(&mut target.audience.name);
        target.otherwise.as_mut().unwrap().audience.tell = Tell::Critical;
        target
    };
    let (desk, chief) = (stands_in("desk"), stands_in("chief"));
    let own = Target { audience: audience("other", Tell::Critical), ..target(&other, RHYTHM) };
    scene
        .open_as(&["warned", "grave"], |condition| {
            let is_grave = condition.labels["receiver"] == "grave";
            Condition { urgency: if is_grave { Urgency::Critical } else { Urgency::Warning }, ..condition }
        })
        .await;
    for target in [&desk, &chief, &own] {
        pass(&scene, &mut Teller::new(&scene.desk, target), MINUTE).await;
    }
    let heard = other.heard();
    let told: BTreeSet<_> = heard
        .iter()
        .map(|notice| {
            let receiver = &notice.changes[0].condition.labels["receiver"];
            (notice.in_place_of.as_deref(), notice.changes.len(), receiver.as_str())
        })
        .collect();
    let expected = [(None, 1, "grave"), (Some("desk"), 1, "warned"), (Some("chief"), 1, "warned")];
    assert_eq!(told, expected.into());
    let ids: BTreeSet<&str> = heard.iter().map(|notice| notice.id.as_str()).collect();
    assert_eq!(ids.len(), 3, "whoever drops what has the same id loses nothing: {ids:?}");
    for notice in &heard {
        assert_eq!(notice.json()["openCount"], 1, "{notice:?}");
        assert!(notice.text().contains("\n1 alerts are open now."), "{}", notice.text());
    }
}

/// A clock at which something happens once, when it is asked for the time.
struct Meanwhile {
    clock: Moved,
    once: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Clock for Meanwhile {
    fn now(&self) -> Timestamp {
        let once = self.once.lock().unwrap().take();
        if let Some(once) = once {
            once();
        }
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(at)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }
}

#[tokio::test]
async fn what_another_node_told_in_its_place_after_it_was_read_is_not_told_again() {
    let (mut scene, ear, other) = (Scene::new(), Arc::new(Ear::default()), Arc::new(Ear::default()));
    let target = with_other(&ear, &other);
    scene.open(&["a"]).await;
    scene.clock.advance(MINUTE);
    let store = Arc::clone(&scene.desk.store);
    // Called once the log was read, and before the lead is asked for.
    let another_node = move || {
        let tells = async move { store.set_cursor("notify/desk/otherwise".into(), 1).await.unwrap() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::thread::spawn(move || runtime.block_on(tells)).join().unwrap();
    };
    let clock = Meanwhile { clock: scene.clock.clone(), once: Mutex::new(Some(Box::new(another_node))) };
    scene.desk.clock = Arc::new(clock);
    let mut teller = Teller::new(&scene.desk, &target);
    // It failed often enough, and is not tried now.
    (teller.own.failures, teller.own.not_before) = (3, Duration::MAX);
    teller.look().await.unwrap();
    assert_eq!(other.changes(), []);
    scene.open(&["a", "b"]).await;
    pass(&scene, &mut teller, MINUTE).await;
    assert_eq!(other.changes(), opened(&["b"]), "and what comes then is");
}
