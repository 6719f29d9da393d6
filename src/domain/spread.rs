//! How long things took, counted into a fixed number of spans: the middle and the slow end of any number of them
//! in the same memory.

/// A spread as it is kept: how many fell into each span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    counts: Vec<u64>,
}

/// About a year, in seconds.
const LONGEST: i64 = 366 * 86_400;

/// The upper ends of the spans, in whole seconds, ascending: each a tenth longer than the one before. What is longer
/// than the last falls into a span without an end.
pub fn bounds() -> Vec<i64> {
    let mut bounds = vec![0];
    while let Some(last) = bounds.last().copied().filter(|last| *last < LONGEST) {
        bounds.push((last + 1).max(last + last / 10));
    }
    bounds
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: vec![0; bounds().len() + 1] }
    }
}

impl Spread {
    /// The place of a span of so many seconds: that of the first bound that is not shorter.
    pub fn place(bounds: &[i64], seconds: i64) -> usize {
        bounds.partition_point(|bound| *bound < seconds)
    }

    /// Counts so many into the span at `place`.
    pub fn add(&mut self, place: usize, count: u64) {
        let last = self.counts.len() - 1;
        self.counts[place.min(last)] += count;
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The seconds within which so many of a hundred fell: the upper end of their span, so at most a tenth too
    /// much. `None` where nothing was counted, or it is longer than about a year.
    pub fn within(&self, percent: u64) -> Option<i64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let place = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        bounds().get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bounds_ascend_and_are_few() {
        let bounds = bounds();
        assert!(bounds.is_sorted_by(|one, next| one < next));
        assert_eq!(bounds[..4], [0, 1, 2, 3]);
        assert!(bounds.len() < 200, "{}", bounds.len());
        for (place, bound) in bounds.iter().enumerate() {
            assert_eq!(Spread::place(&bounds, *bound), place, "a bound belongs to its own span");
        }
    }

    #[test]
    fn nothing_counted_has_no_middle() {
        assert_eq!(Spread::default().within(50), None);
    }

    #[test]
    fn what_is_longer_than_a_year_is_told_as_such() {
        let mut spread = Spread::default();
        spread.add(Spread::place(&bounds(), i64::MAX), 1);
        assert_eq!((spread.count(), spread.within(50)), (1, None));
    }

    proptest! {
        #[test]
        fn a_percentile_is_never_too_low_and_at_most_a_tenth_too_high(
            mut took in proptest::collection::vec(0..LONGEST, 1..200), percent in 1_u64..=100
        ) {
            let bounds = bounds();
            let mut spread = Spread::default();
            for seconds in &took {
                spread.add(Spread::place(&bounds, *seconds), 1);
            }
            took.sort_unstable();
            let rank = (took.len() * usize::try_from(percent).unwrap()).div_ceil(100);
            let exact = took[rank - 1];
            let told = spread.within(percent).unwrap();
            prop_assert!(told >= exact && told <= exact + exact / 10 + 1, "{told} for {exact}");
        }
    }
}
