//! What a scripted receiver does, as a person writes it: `503 x3`, `hang 30s`, `down from 0h to 20h`.

use std::{str::FromStr, time::Duration};

use jiff::SignedDuration;

use crate::units::parse_duration;

/// Steps, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    steps: Vec<Step>,
}

/// One line of a script: what is done, and to which attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub behaviour: Behaviour,
    reach: Reach,
}

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It is answered with that status.
    Answer { status: u16, retry_after: Option<SignedDuration> },
    /// There is no connection.
    Refuse,
    /// It is taken and not answered: until the channel gives up, or the connection is broken off.
    Hang { breaks_off: Option<Duration> },
    /// It is taken and answered 200, so late.
    Slow(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// So many attempts that no time reaches.
    Attempts(u32),
    /// Every attempt from the first instant up to the second.
    Times(Duration, Duration),
}

/// What is done when the script says nothing.
const OTHERWISE: Behaviour = Behaviour::Answer { status: 200, retry_after: None };

impl Script {
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// What becomes of the attempt that begins so long after the start.
    pub fn next(&mut self, since_start: SignedDuration) -> Behaviour {
        let at = Duration::try_from(since_start).unwrap_or(Duration::ZERO);
        let by_time = self.steps.iter().find(|step| match step.reach {
            Reach::Times(from, to) => from <= at && at < to,
            Reach::Attempts(_) => false,
        });
        if let Some(step) = by_time {
            return step.behaviour;
        }
        for step in &mut self.steps {
            if let Reach::Attempts(left @ 1..) = &mut step.reach {
                *left -= 1;
                return step.behaviour;
            }
        }
        OTHERWISE
    }
}

impl Step {
    /// Does so with every attempt from the first instant up to the second.
    pub fn between(behaviour: Behaviour, from: Duration, to: Duration) -> Self {
        Self { behaviour, reach: Reach::Times(from, to) }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (behaviour, rest) = behaviour(&words).ok_or_else(|| wrong(text))??;
        let reach = match rest {
            [] => Reach::Attempts(1),
            ["always"] => Reach::Times(Duration::ZERO, Duration::MAX),
            ["from", from] => Reach::Times(parse_duration(from)?, Duration::MAX),
            ["from", from, "to", to] => {
                let (from, to) = (parse_duration(from)?, parse_duration(to)?);
                if from >= to {
                    return Err(format!("{text:?} ends before it begins"));
                }
                Reach::Times(from, to)
            }
            [times] => {
                let times = times.strip_prefix('x').and_then(|times| times.parse().ok());
                Reach::Attempts(times.filter(|times| *times > 0).ok_or_else(|| wrong(text))?)
            }
            _ => return Err(wrong(text)),
        };
        Ok(Self { behaviour, reach })
    }
}

/// The words of the behaviour, and those behind it. `None`: it is none.
fn behaviour<'a, 'w>(words: &'a [&'w str]) -> Option<Result<(Behaviour, &'a [&'w str]), String>> {
    let with = |text: &str, rest, of: fn(Duration) -> Behaviour| {
        Some(parse_duration(text).map(|duration| (of(duration), rest)))
    };
    match words {
        ["refuse", "connection", rest @ ..] | ["down", rest @ ..] => Some(Ok((Behaviour::Refuse, rest))),
        ["hang", time, rest @ ..] if begins_with_digit(time) => {
            with(time, rest, |time| Behaviour::Hang { breaks_off: Some(time) })
        }
        ["hang", rest @ ..] => Some(Ok((Behaviour::Hang { breaks_off: None }, rest))),
        ["slow", time, rest @ ..] => with(time, rest, Behaviour::Slow),
        [status, "retry-after", wait, rest @ ..] => {
            let (status, wait) = (status_of(status)?, parse_duration(wait));
            Some(wait.map(|wait| {
                let retry_after = Some(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX));
                (Behaviour::Answer { status, retry_after }, rest)
            }))
        }
        [status, rest @ ..] => {
            let status = status_of(status)?;
            Some(Ok((Behaviour::Answer { status, retry_after: None }, rest)))
        }
        [] => None,
    }
}

fn status_of(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (200..600).contains(status))
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn wrong(text: &str) -> String {
    format!(
        "{text:?} is no step: write a status (200 to 599, with \"retry-after 120s\" where it asks to wait), \"refuse \
         connection\", \"down\", \"hang\", \"hang 30s\" or \"slow 5s\"; behind it \"x3\", \"from 1h to 20h\", \"from \
         1h\", \"always\" or nothing"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(steps: &[&str]) -> Script {
        Script::new(steps.iter().map(|step| step.parse().unwrap()).collect())
    }

    fn answers(status: u16) -> Behaviour {
        Behaviour::Answer { status, retry_after: None }
    }

    #[test]
    fn steps_follow_one_another_and_then_everything_is_taken() {
        let mut script = script(&["503 x2", "429 retry-after 120s", "hang", "hang 30s", "slow 5s", "down"]);
        let wait = Some(SignedDuration::from_secs(120));
        let all: Vec<Behaviour> = (0..8).map(|hour| script.next(SignedDuration::from_hours(hour))).collect();
        assert_eq!(
            all,
            [
                answers(503),
                answers(503),
                Behaviour::Answer { status: 429, retry_after: wait },
                Behaviour::Hang { breaks_off: None },
                Behaviour::Hang { breaks_off: Some(Duration::from_secs(30)) },
                Behaviour::Slow(Duration::from_secs(5)),
                Behaviour::Refuse,
                answers(200),
            ]
        );
    }

    #[test]
    fn a_time_goes_before_the_number_of_an_attempt() {
        let mut script = script(&["503 x1", "refuse connection from 0h to 20h", "hang from 22h"]);
        let mut at = |hours| script.next(SignedDuration::from_hours(hours));
        assert_eq!((at(0), at(19)), (Behaviour::Refuse, Behaviour::Refuse));
        assert_eq!((at(20), at(21)), (answers(503), answers(200)));
        assert_eq!(at(99), Behaviour::Hang { breaks_off: None });
    }

    #[test]
    fn what_is_no_step_is_refused_with_a_sentence() {
        for text in [
            "",
            "600",
            "99",
            "503 x0",
            "503 3",
            "hang soon",
            "slow",
            "down from 2h to 1h",
            "down from x to 1h",
            "sulk",
        ] {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
    }
}
