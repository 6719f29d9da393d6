//! Places at which a test lets the process die; without the feature `test-clock` none of it is compiled in.
//!
//! `KASSEBRO_TEST_CRASH=<point>` ends the process the first time it passes that point, `<point>:<n>` the n-th
//! time, and `intake.poison:<text>` whenever a message with that text is judged. It ends as by a signal: no
//! destructor runs, nothing is flushed.

#[cfg(feature = "test-clock")]
mod armed {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    static ORDER: LazyLock<Option<(String, String)>> = LazyLock::new(order);
    static PASSED: AtomicU32 = AtomicU32::new(0);

    #[expect(clippy::disallowed_methods, reason = "a switch for tests only, beside the configuration")]
    fn order() -> Option<(String, String)> {
        let order = std::env::var("KASSEBRO_TEST_CRASH").ok()?;
        let (point, more) = order.split_once(':').unwrap_or((&order, "1"));
        Some((point.to_owned(), more.to_owned()))
    }

    /// Passes a point.
    pub fn point(name: &str) {
        let Some((point, times)) = &*ORDER else { return };
        if point == name && (PASSED.fetch_add(1, Ordering::SeqCst) + 1).to_string() == *times {
            std::process::abort();
        }
    }

    /// Judges a message.
    pub fn poison(body: &[u8]) {
        let Some((point, text)) = &*ORDER else { return };
        if point == "intake.poison" && body.windows(text.len().max(1)).any(|part| part == text.as_bytes()) {
            std::process::abort();
        }
    }
}

#[cfg(not(feature = "test-clock"))]
mod armed {
    /// Nothing, in a release package.
    #[inline]
    pub fn point(_: &str) {}

    /// Nothing, in a release package.
    #[inline]
    pub fn poison(_: &[u8]) {}
}

pub use armed::{point, poison};
