//! The story of a promise in words.

use jiff::SignedDuration;

use super::{
    super::super::output::{counted as plural, local, span},
    Counted, Explained, NotBegun, Progress, SecondWay, Told, Waived,
};
use crate::domain::sla::{DELIVERED, Starts};

impl Told {
    /// The story, a line each.
    pub(in super::super) fn words(&self) -> Vec<String> {
        match self {
            Self::Begun(explained) => explained.words(),
            Self::NotBegun(NotBegun { receiver, promise, basis, .. }) => vec![
                format!("Promise \"{promise}\" to {receiver}: its clock starts with the delivery"),
                format!("  promised by {basis}"),
            ],
        }
    }
}

impl Explained {
    pub(in super::super) fn words(&self) -> Vec<String> {
        let text = |seconds: i64| span(SignedDuration::from_secs(seconds));
        let budget = match &self.calendar {
            Some(counted) => {
                format!("{} of the calendar \"{}\"", hours(counted.budget_seconds), counted.name)
            }
            None => {
                span(self.due.duration_since(self.starts) - SignedDuration::from_secs(self.paused_seconds))
            }
        };
        let (promise, receiver, due) = (&self.promise, &self.receiver, local(self.due));
        let mut lines = vec![format!("Promise \"{promise}\" to {receiver}: within {budget}, due {due}")];
        if let Some(basis) = &self.basis {
            lines.push(format!("  promised by {basis}"));
        }
        if promise != DELIVERED {
            let come =
                self.progress.as_ref().map(|Progress { count, of }| format!(": {count} of {of} have come"));
            lines.push(format!("  it waits for {}{}", self.stopped_by, come.unwrap_or_default()));
        }
        lines.push(format!("  {}  the clock started: {}", local(self.starts), self.began()));
        lines.extend([
            format!("  waited at the a-kasse          {}", text(self.at_sender_seconds)),
            format!("  no gateway was up              {}", text(self.gateway_down_seconds)),
            format!("  here before the first attempt  {}", text(self.before_first_attempt_seconds)),
            format!("  in {:<28}{}", counted(self.attempts.len()), text(self.attempting_seconds)),
            format!("  the receiver was unavailable   {}", text(self.receiver_unavailable_seconds)),
            format!("  the receiver had it to act on  {}", text(self.receiver_seconds)),
            format!("  the clock stood still          {}", text(self.paused_seconds)),
            format!("  waited otherwise               {}", text(self.waiting_seconds)),
        ]);
        if let Some(Counted { name, budget_seconds, used_seconds }) = &self.calendar {
            let (used, budget) = (hours(*used_seconds), hours(*budget_seconds));
            lines.push(format!("  used by the calendar \"{name}\": {used} of {budget}"));
        }
        for (place, attempt) in self.attempts.iter().enumerate() {
            lines.push(format!("  {}  attempt {}: {}", local(attempt.started), place + 1, attempt.came_to));
        }
        lines
            .extend(self.clock.iter().map(|happened| format!("  {}  {}", local(happened.at), happened.what)));
        lines.extend(self.second_way.iter().flat_map(SecondWay::words));
        lines.push(format!("  {}", self.end()));
        lines
    }

    fn began(&self) -> String {
        let word = match &self.started_by {
            Starts::Occurred => "it happened in the business",
            Starts::Received => "it arrived here",
            Starts::Delivered => "it was delivered",
            Starts::Registration => "the citizen registered",
            Starts::Date(name) => return format!("the day in {name}"),
            Starts::Before(name) => return format!("so long before the end of the day in {name}"),
        };
        word.to_owned()
    }

    fn end(&self) -> String {
        let late = span(SignedDuration::from_secs(self.late_seconds.abs()));
        let side = if self.late_seconds > 0 {
            format!("{late} after the deadline")
        } else {
            format!("{late} before the deadline")
        };
        if let Some(Waived { at, by, reason }) = &self.waived {
            return format!("{}  waived by {by}: {reason}; neither met nor breached", local(*at));
        }
        let met = if self.promise == DELIVERED { "the receiver has it" } else { "it is met" };
        let unmet = if self.promise == DELIVERED { "it ended undelivered" } else { "it ended unmet" };
        match (self.standing.as_str(), self.met) {
            (_, Some(at)) => format!("{}  {met}: {side}", local(at)),
            ("ended", None) => format!("{}  {unmet}: {side}", local(self.until)),
            ("paused", None) => "open, and its clock stands still".to_owned(),
            ("breached", None) => format!("breached since {}, {late} ago; {}", local(self.due), self.next()),
            _ => format!("open, {late} left; {}", self.next()),
        }
    }

    fn next(&self) -> String {
        if self.promise != DELIVERED {
            return format!("it waits for {}", self.stopped_by);
        }
        match (self.hold.as_deref(), self.next_attempt) {
            (Some("mailbox"), _) => "it lies in the mailbox until the receiver fetches it".to_owned(),
            (Some("person"), _) => {
                "it waits for a person: `kassebro deliveries retry` or `cancel`".to_owned()
            }
            (Some("agreement"), _) => {
                "it waits for an agreement in force: `kassebro deliveries retry` lets it go".to_owned()
            }
            (Some("order"), _) => "it waits for an earlier message about the same citizen".to_owned(),
            (Some(other), _) => format!("it is held: {other}"),
            (None, Some(at)) => match self.circuit_open_since {
                Some(since) => {
                    let also = if self.late_seconds > 0 { "" } else { ", or shortly before the deadline" };
                    let since = local(since);
                    format!(
                        "the receiver's circuit is open since {since}: it goes when a probe comes through{also}"
                    )
                }
                None => format!("next attempt {}", local(at)),
            },
            (None, None) => "its receipt is still to come".to_owned(),
        }
    }
}

/// Open time as people read it: in hours, however many days they lie spread over.
fn hours(seconds: i64) -> String {
    format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60)
}

fn counted(attempts: usize) -> String {
    plural(attempts, "attempt", "attempts")
}
