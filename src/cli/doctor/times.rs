//! The clocks of others, by the `Date` of their answers.

use jiff::{SignedDuration, Timestamp};

use super::Finding;
use crate::cli::now;

/// More apart than this should be known: times that others write are compared with ours.
const APART_MAX: SignedDuration = SignedDuration::from_secs(5);

/// How far another's clock is before ours (or behind: negative), where it says what time it is. A `Date` is exact
/// to the second and was written some time between question and answer: what that explains is no difference.
pub(super) async fn asked(date: impl AsyncFnOnce() -> Option<Timestamp>) -> Option<SignedDuration> {
    let before = now();
    let date = date().await?;
    Some(apart(before, date, now()))
}

fn apart(before: Timestamp, date: Timestamp, after: Timestamp) -> SignedDuration {
    let end = date.saturating_add(SignedDuration::from_secs(1)).unwrap_or(date);
    if date > after {
        date.duration_since(after)
    } else if end < before {
        end.duration_since(before)
    } else {
        SignedDuration::ZERO
    }
}

pub(super) fn judge(whose: &str, apart: SignedDuration) -> Finding {
    let what = format!("{whose}'s clock");
    let seconds = apart.abs().as_secs();
    let side = if apart.is_negative() { "behind" } else { "ahead of" };
    if apart.abs() > APART_MAX {
        let says = format!("it is {seconds} s {side} ours");
        return Finding::warn(what, says, "see which of the two is wrong: deadlines stand on ours");
    }
    Finding::ok(what, format!("it goes with ours ({seconds} s apart)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Standing;

    #[test]
    fn only_what_the_journey_and_the_second_do_not_explain_is_a_difference() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (before, after) = (at("2026-11-22T12:00:00.900Z"), at("2026-11-22T12:00:03.100Z"));
        for (date, milliseconds) in [
            ("2026-11-22T12:00:00Z", 0),
            ("2026-11-22T12:00:03Z", 0),
            ("2026-11-22T12:00:04Z", 900),
            ("2026-11-22T11:59:59Z", -900),
            ("2026-11-22T13:00:03.1Z", 3_600_000),
        ] {
            let expected = SignedDuration::from_millis(milliseconds);
            assert_eq!(apart(before, at(date), after), expected, "{date}");
        }
    }

    #[test]
    fn more_than_five_seconds_either_way_is_a_warning() {
        for (milliseconds, standing, words) in [
            (0, Standing::Ok, "goes with ours"),
            (5_000, Standing::Ok, "goes with ours"),
            (5_001, Standing::Warn, "5 s ahead of ours"),
            (-61_000, Standing::Warn, "61 s behind ours"),
        ] {
            let found = judge("receiver kbh", SignedDuration::from_millis(milliseconds));
            assert_eq!((found.standing, found.what.as_str()), (standing, "receiver kbh's clock"));
            assert!(found.says.contains(words), "{found:?}");
        }
    }
}
