//! Many measurements in a few numbers.

use serde::Serialize;

/// How long messages were on their way, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    /// Messages that were looked at.
    pub messages: usize,
}

impl Latency {
    /// Of times in microseconds. `None` where there are none.
    pub fn of(mut microseconds: Vec<i64>) -> Option<Self> {
        microseconds.sort_unstable();
        let max = to_milliseconds(*microseconds.last()?);
        let at = |percent: usize| {
            // The nearest rank: so many percent lie at it or below.
            let rank = (microseconds.len() * percent).div_ceil(100).max(1);
            to_milliseconds(microseconds[rank - 1])
        };
        Some(Self { p50: at(50), p99: at(99), max, messages: microseconds.len() })
    }
}

#[expect(clippy::cast_precision_loss, reason = "hours are far below 2^52 microseconds")]
fn to_milliseconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1000.0
}

/// The middle of several rounds, with the least and the most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// `None` where there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[half - 1], values[half])
        } else {
            values[half]
        };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let latency = Latency::of((1..=200).map(|n| n * 1000).rev().collect()).unwrap();
        assert_eq!(latency, Latency { p50: 100.0, p99: 198.0, max: 200.0, messages: 200 });
        assert_eq!(Latency::of(vec![1500]), Some(Latency { p50: 1.5, p99: 1.5, max: 1.5, messages: 1 }));
        assert_eq!(Latency::of(vec![]), None);
    }

    #[test]
    fn the_middle_of_rounds_lies_between_the_two_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }
}
