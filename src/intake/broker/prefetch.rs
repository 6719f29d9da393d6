//! How many messages may lie unacknowledged: as many as fit into a bound of bytes, by the size of those that came.

/// Bytes that may lie unacknowledged: prefetch times the largest recent body.
const IN_FLIGHT_BYTES: usize = 64 * 1024 * 1024;
/// The body size assumed until bodies have been seen, where no larger one may come: the prefetch starts at 64.
pub(super) const BODY_ASSUMED: usize = 1024 * 1024;
/// More than this buys nothing.
const PREFETCH_MAX: usize = 1_000;
/// Bodies after which the prefetch may grow. It shrinks with the first that is too large for it.
pub(super) const PREFETCH_AFTER: usize = 64;
/// Messages that may lie unacknowledged when the largest recent body has that size. Sizes count in powers of two,
/// so that bodies of nearly one size do not change it again and again.
pub(super) fn prefetch(largest: usize) -> u16 {
    let step = largest.clamp(1, IN_FLIGHT_BYTES).next_power_of_two();
    u16::try_from((IN_FLIGHT_BYTES / step).min(PREFETCH_MAX)).expect("it is at most a thousand")
}

/// What the prefetch should be instead, if it should: less at once when it does not fit any more, more once
/// enough bodies were seen and it is worth a new consumer.
pub(super) fn better(prefetch: u16, largest: usize, seen: usize) -> Option<u16> {
    let fits = self::prefetch(largest);
    let grows = seen >= PREFETCH_AFTER && fits > prefetch.saturating_mul(2);
    (fits < prefetch || grows).then_some(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefetch_keeps_what_lies_unacknowledged_within_64_mebibytes() {
        assert_eq!(prefetch(BODY_ASSUMED), 64);
        assert_eq!(prefetch(2_000), 1_000);
        assert_eq!(prefetch(8 * 1024 * 1024), 8);
        assert_eq!(prefetch(usize::MAX), 1);
        assert_eq!(prefetch(0), 1_000);
        for largest in [1, 999, 65_536, 65_537, 100_000, 1 << 20, (1 << 20) + 1, 8 << 20, 40 << 20] {
            let kept = usize::from(prefetch(largest)) * largest;
            assert!(kept <= IN_FLIGHT_BYTES, "{largest}: {kept}");
        }
    }

    #[test]
    fn the_prefetch_shrinks_at_once_and_grows_with_what_was_seen() {
        assert_eq!(better(64, 8 << 20, 1), Some(8));
        assert_eq!(better(64, 1 << 20, 1), None);
        assert_eq!(better(8, 2_000, 63), None);
        assert_eq!(better(8, 2_000, 64), Some(1_000));
        assert_eq!(better(512, 2_000, 64), None, "that little more is not worth a new consumer");
        assert_eq!(better(64, 700_000, 1_000), None);
    }
}
