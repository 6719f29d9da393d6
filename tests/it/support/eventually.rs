//! Waiting for a condition with a deadline: the only sleep in the tests.

use std::{fmt::Debug, time::Duration};

/// Between two looks. Short enough not to be felt, long enough not to be the load.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` gives something, and panics with `what` when `within` has passed.
///
/// `what` completes the sentence "within 5s it did not happen that …".
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let seen = tokio::time::timeout(within, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            pause().await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("within {within:?} it did not happen that {what}"))
}

/// Looks for the whole of `during`, and panics with `what` as soon as `look` gives something else than
/// `expected`. For promises that something does not happen.
pub(crate) async fn stays<T: PartialEq + Debug>(
    what: &str,
    during: Duration,
    expected: T,
    mut look: impl AsyncFnMut() -> T,
) {
    let looking = tokio::time::timeout(during, async {
        loop {
            assert_eq!(look().await, expected, "{what}");
            pause().await;
        }
    });
    // The loop has no end of its own: what comes back is that the time is up.
    assert!(looking.await.is_err());
}

#[expect(clippy::disallowed_methods, reason = "the only sleep in the tests")]
async fn pause() {
    tokio::time::sleep(LOOK_EVERY).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_happens_is_seen() {
        let mut looks = 0;
        let seen = eventually("three looks are taken", Duration::from_secs(5), async || {
            looks += 1;
            (looks == 3).then_some("third")
        });
        assert_eq!(seen.await, "third");
    }

    #[tokio::test]
    #[should_panic(expected = "within 100ms it did not happen that the moon came down")]
    async fn what_never_happens_fails_in_time() {
        eventually("the moon came down", Duration::from_millis(100), async || None::<()>).await;
    }

    #[tokio::test]
    #[should_panic(expected = "within 100ms it did not happen that a look came back")]
    async fn a_look_that_never_comes_back_fails_in_time() {
        eventually("a look came back", Duration::from_millis(100), async || {
            std::future::pending::<Option<()>>().await
        })
        .await;
    }

    #[tokio::test]
    #[should_panic(expected = "the counter stands still")]
    async fn what_changes_does_not_stay() {
        let mut counter = 0;
        stays("the counter stands still", Duration::from_secs(5), 1, async || {
            counter += 1;
            counter
        })
        .await;
    }

    #[tokio::test]
    async fn what_does_not_change_stays() {
        stays("one is one", Duration::from_millis(100), 1, async || 1).await;
    }
}
