//! Instants as people write them on the command line.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::Disambiguation};

use crate::domain::calendar::copenhagen;

/// As [`read`], counted from now.
pub(super) fn from_now(text: &str) -> Result<Timestamp, String> {
    read(text, super::now())
}

/// So long from `now`, an instant with an offset, or a time by Danish clocks. Of an hour that comes twice it is the
/// first; a time that the clocks leap over is as much later.
pub(super) fn read(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong =
        || format!("{text:?} is no time: write \"2h\", \"2026-12-05 22:00\" or \"2026-12-05T22:00+01:00\"");
    if let Ok(span) = text.parse::<SignedDuration>() {
        return now.checked_add(span).map_err(|_| wrong());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let civil: DateTime = text.parse().map_err(|_| wrong())?;
    let zoned = copenhagen().clone().into_ambiguous_zoned(civil).disambiguate(Disambiguation::Compatible);
    zoned.map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_span_from_now_an_instant_or_what_danish_clocks_show() {
        let now: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("2h", "2026-11-02T14:00:00Z"),
            ("2026-11-03T08:00+01:00", "2026-11-03T07:00:00Z"),
            ("2026-12-06T02:00:00Z", "2026-12-06T02:00:00Z"),
            ("2026-12-05 22:00", "2026-12-05T21:00:00Z"),
            ("2026-07-05T22:00", "2026-07-05T20:00:00Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
            ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
        ] {
            assert_eq!(read(text, now), Ok(at.parse().unwrap()), "{text}");
        }
        for wrong in ["soon", "", "2026-13-01"] {
            assert!(read(wrong, now).is_err_and(|why| why.contains("2026-12-05 22:00")), "{wrong}");
        }
    }
}
