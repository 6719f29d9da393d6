//! When others try again by the defaults they are shipped with: computed from their formulas, without chance, nothing
//! of theirs was run.

/// A day, in seconds.
const DAY: u64 = 86_400;

/// One system by its defaults.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    pub system: &'static str,
    /// Attempts within 24 hours.
    pub attempts: usize,
    /// The last of them, in hours after the first.
    pub last_hours: f64,
    /// Of all instants of the day at which the receiver may be back: so many percent still miss the deadline.
    pub missed_percent: f64,
}

/// Those of the comparison, the most missing first.
pub fn peers() -> Vec<Peer> {
    // Six attempts at once, and again after 10, 20 and 30 more seconds.
    let nservicebus = (0..4).flat_map(|round: u64| std::iter::repeat_n(round * (round + 1) * 5, 6));
    let power = |most: u64, beyond: u64| (1..most).map(move |attempt: u64| attempt.pow(4) + beyond);
    vec![
        of("NServiceBus (5 immediate, 3 delayed)", nservicebus.collect()),
        of("Convoy (100 s, 10 times)", after(std::iter::repeat_n(100, 10))),
        of("Outpost (30 s x 2^n, 10 times)", after((0..10).map(|n| 30 << n))),
        of("River (n^4, 25 attempts)", after(power(25, 0))),
        of("Sidekiq, Faktory (n^4 + 15, 25 times)", after((0..25).map(|n: u64| n.pow(4) + 15))),
        of("Svix (5 s, 5 min, 30 min, 2, 5, 10, 10 h)", after([5, 300, 1800, 7200, 18_000, 36_000, 36_000])),
        of("Oban (15 + 2^n, 20 attempts)", after((1..20).map(|n| 15 + (1 << n)))),
    ]
}

/// The instants of attempts, from the gaps between them.
fn after(gaps: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let sums = gaps.into_iter().scan(0, |at, gap| {
        *at += gap;
        Some(*at)
    });
    std::iter::once(0).chain(sums).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a day has few seconds")]
fn of(system: &'static str, attempts: Vec<u64>) -> Peer {
    let within: Vec<u64> = attempts.into_iter().filter(|at| *at < DAY).collect();
    let last = within.iter().max().copied().unwrap_or(0);
    Peer {
        system,
        attempts: within.len(),
        last_hours: last as f64 / 3600.0,
        missed_percent: (DAY - last) as f64 / DAY as f64 * 100.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas_give_the_known_figures() {
        let rows: Vec<(usize, String, String)> = peers()
            .iter()
            .map(|p| (p.attempts, format!("{:.2}", p.last_hours), format!("{:.1}", p.missed_percent)))
            .collect();
        let expected = [
            (24, "0.02", "99.9"),
            (11, "0.28", "98.8"),
            (11, "8.53", "64.5"),
            (13, "16.86", "29.7"),
            (14, "16.92", "29.5"),
            (7, "17.58", "26.7"),
            (16, "18.27", "23.9"),
        ];
        let rows: Vec<(usize, &str, &str)> = rows.iter().map(|(n, h, p)| (*n, &**h, &**p)).collect();
        assert_eq!(rows, expected);
    }
}
