//! What stopping promises.

use std::convert::Infallible;

use super::*;

const GRACE: Duration = Duration::from_secs(20);

/// A task that ends with the soft stop.
async fn obedient(stop: Stop) -> Result<(), Infallible> {
    stop.soft().await;
    Ok(())
}

#[tokio::test]
async fn an_orderly_stop_ends_with_zero() {
    let tasks = Tasks::new(Stop::new());
    tasks.spawn("lane", obedient(tasks.stop().clone()));
    tasks.stop().request();
    let end = tasks.finish(GRACE).await;
    assert_eq!(end, End { crash: None, left: vec![] });
    assert_eq!(end.exit_code(), 0);
}

#[tokio::test]
async fn a_panic_stops_the_others_and_ends_with_seventy() {
    let tasks = Tasks::new(Stop::new());
    tasks.spawn("lane", obedient(tasks.stop().clone()));
    tasks.spawn("intake", async {
        assert!(std::hint::black_box(false), "planted");
        Ok::<(), Infallible>(())
    });
    let end = tasks.finish(GRACE).await;
    let crash = Crash { task: "intake", reason: "panic: planted".into() };
    assert_eq!(end, End { crash: Some(crash), left: vec![] });
    assert_eq!(end.exit_code(), EXIT_CRASH);
}

#[tokio::test]
async fn an_error_ends_with_seventy_and_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("leasing")]
    struct Leasing(#[source] std::io::Error);

    let tasks = Tasks::new(Stop::new());
    tasks.spawn("lane", async { Err(Leasing(std::io::Error::other("disk"))) });
    let end = tasks.finish(GRACE).await;
    assert_eq!(end.crash.map(|crash| crash.reason).as_deref(), Some("leasing: disk"));
}

#[tokio::test]
async fn a_task_that_does_its_work_and_ends_stops_nobody() {
    let tasks = Tasks::new(Stop::new());
    let (done, ended) = tokio::sync::oneshot::channel();
    tasks.spawn("check", async move {
        done.send(()).expect("the test waits");
        Ok::<(), Infallible>(())
    });
    ended.await.unwrap();
    assert!(!tasks.stop().is_soft());
}

#[tokio::test]
async fn what_is_in_hand_is_finished_within_the_grace() {
    let tasks = Tasks::new(Stop::new());
    let stop = tasks.stop().clone();
    let (done, finished) = tokio::sync::oneshot::channel();
    tasks.spawn("lane", async move {
        stop.soft().await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(!stop.is_hard(), "the hard stop came although there was time");
        done.send(()).expect("the test waits");
        Ok::<(), Infallible>(())
    });
    tasks.stop().request();
    assert_eq!(tasks.finish(GRACE).await.exit_code(), 0);
    finished.await.expect("the lane finished");
}

#[tokio::test]
async fn a_task_that_overstays_is_told_to_drop_everything() {
    let tasks = Tasks::new(Stop::new());
    let stop = tasks.stop().clone();
    tasks.spawn("lane", async move {
        stop.hard().await;
        Ok::<(), Infallible>(())
    });
    tasks.stop().request();
    let end = tasks.finish(Duration::from_millis(50)).await;
    assert_eq!(end, End { crash: None, left: vec![] });
}

#[tokio::test]
async fn a_task_that_ignores_everything_is_named() {
    let tasks = Tasks::new(Stop::new());
    tasks.spawn("deaf", std::future::pending::<Result<(), Infallible>>());
    tasks.stop().force();
    assert_eq!(tasks.finish(GRACE).await.left, ["deaf"]);
}

#[tokio::test]
async fn the_wait_for_a_second_signal_does_not_use_up_the_grace() {
    let tasks = Tasks::new(Stop::new());
    tasks.listen_for_signals().unwrap();
    tasks.spawn("lane", obedient(tasks.stop().clone()));
    tasks.stop().request();
    let end = tokio::time::timeout(Duration::from_secs(10), tasks.finish(GRACE)).await;
    assert_eq!(end.expect("it ended before the grace"), End { crash: None, left: vec![] });
}
