//! The system's clock, moved by the number of seconds that a file holds; only with the feature `test-clock`.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use super::{Clock, System, left, pause, process_age};

/// A sleeper looks at the file this often.
const READ_EVERY: Duration = Duration::from_millis(20);

/// The largest offset either way, in seconds: a hundred years.
const OFFSET_SECONDS_MAX: f64 = 100.0 * 366.0 * 86_400.0;

/// A file of more bytes than this holds no number.
const FILE_BYTES_MAX: usize = 64;

/// The system's clock plus the seconds in a file, which may be negative and have a fraction. No file is no
/// offset; a file that is half written leaves the last offset as it was.
#[derive(Debug, Clone)]
pub struct FileOffset {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    /// The last offset that could be read.
    last: Mutex<SignedDuration>,
}

impl FileOffset {
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let last = Mutex::new(SignedDuration::ZERO);
        Self { shared: Arc::new(Shared { file: file.into(), last }) }
    }

    /// The clock that the file named by `KASSEBRO_TEST_CLOCK` moves, where that is set.
    #[expect(clippy::disallowed_methods, reason = "a switch for tests only, beside the configuration")]
    pub fn from_environment() -> Option<Self> {
        std::env::var("KASSEBRO_TEST_CLOCK").ok().filter(|file| !file.is_empty()).map(Self::new)
    }

    fn offset(&self) -> SignedDuration {
        // At every look: once the file is moved, no later look may see the time before.
        let mut last = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = read(&self.shared.file, *last);
        *last
    }
}

/// The offset in the file, or `before` where it holds no number just now.
fn read(file: &Path, before: SignedDuration) -> SignedDuration {
    let text = match std::fs::read_to_string(file) {
        Ok(text) if text.len() <= FILE_BYTES_MAX => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return SignedDuration::ZERO,
        _ => return before,
    };
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds.abs() <= OFFSET_SECONDS_MAX => SignedDuration::from_secs_f64(seconds),
        _ => before,
    }
}

impl Clock for FileOffset {
    fn now(&self) -> Timestamp {
        System.now() + self.offset()
    }

    fn monotonic(&self) -> Duration {
        process_age()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        async move {
            while let Some(left) = left(clock.now(), at) {
                pause(left.min(READ_EVERY)).await;
            }
        }
        .boxed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        pause(duration).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_day_passes_when_the_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("offset");
        let clock = FileOffset::new(&file);
        let sleeper = clock.sleep_until(System.now() + SignedDuration::from_hours(24));
        std::fs::write(&file, "86401\n").unwrap();
        tokio::time::timeout(Duration::from_secs(10), sleeper).await.expect("the sleeper saw the jump");
        assert!(clock.now() >= System.now() + SignedDuration::from_secs(86_400));
    }

    #[test]
    fn an_offset_may_be_negative_and_broken_text_keeps_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("offset");
        let hour = SignedDuration::from_hours(1);
        assert_eq!(read(&file, hour), SignedDuration::ZERO, "no file is no offset");
        for (text, offset) in [
            ("-7200.5", SignedDuration::from_millis(-7_200_500)),
            ("", hour),
            ("12x", hour),
            ("NaN", hour),
            ("inf", hour),
            ("1e300", hour),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read(&file, hour), offset, "{text:?}");
        }
    }
}
