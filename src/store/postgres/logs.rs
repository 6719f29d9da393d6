//! What a transaction tells: gathered while it runs, written at its end with one statement for each kind.
//!
//! Answers and changes of alerts are read by cursor. A sequence gives out its numbers before the commit, so that a
//! reader could pass over a row that becomes visible late. Therefore their rows are numbered under one lock that is
//! held until the commit: a higher number never becomes visible before a lower one. It is taken when everything
//! else is done, so that what is serial is no more than these inserts and the commit.

use tokio_postgres::types::ToSql;

use super::{fail::Fail, session::Session};
use crate::{
    domain::{AnswerOutcome, alert::Change},
    store::numbers::message_of,
};

// Rows are numbered in the order of the arrays.

pub(super) const EVENTS: &str = "INSERT INTO event (message, delivery, at, what, data)
     SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::text[]), unnest($5::text[])";
pub(super) const ANSWERS: &str = "INSERT INTO answer (party, message, delivery, outcome, at, data)
     SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::text[]), unnest($5::bigint[]),
         unnest($6::text[])";
pub(super) const CHANGES: &str = "INSERT INTO alert_change (alert, at, what, condition, particulars)
     SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[])";

struct Event {
    message: i64,
    delivery: Option<i64>,
    at: i64,
    what: &'static str,
    data: Option<String>,
}

struct Answer {
    party: String,
    message: i64,
    delivery: Option<i64>,
    outcome: AnswerOutcome,
    at: i64,
    data: Option<String>,
}

struct AlertChange {
    alert: i64,
    at: i64,
    change: Change,
    condition: String,
    particulars: Option<String>,
}

struct Audit {
    at: i64,
    who: String,
    what: &'static str,
    about: String,
}

/// The rows of one transaction.
#[derive(Default)]
pub(super) struct Logs {
    events: Vec<Event>,
    answers: Vec<Answer>,
    changes: Vec<AlertChange>,
    audits: Vec<Audit>,
}

impl Logs {
    /// Adds to a message's history.
    pub(super) fn event(&mut self, message: i64, at: i64, what: &'static str, data: Option<String>) {
        self.events.push(Event { message, delivery: None, at, what, data });
    }

    /// Adds to the history of a delivery's message.
    pub(super) fn of_delivery(&mut self, delivery: i64, at: i64, what: &'static str, data: String) {
        let message = message_of(delivery);
        self.events.push(Event { message, delivery: Some(delivery), at, what, data: Some(data) });
    }

    /// Adds to a party's answers.
    pub(super) fn answer(
        &mut self,
        party: &str,
        (message, delivery): (i64, Option<i64>),
        outcome: AnswerOutcome,
        at: i64,
        data: Option<String>,
    ) {
        self.answers.push(Answer { party: party.to_owned(), message, delivery, outcome, at, data });
    }

    /// Adds to the changes of alerts: the condition as it is, and who made the change.
    pub(super) fn alert(
        &mut self,
        alert: i64,
        at: i64,
        change: Change,
        (condition, particulars): (String, Option<String>),
    ) {
        self.changes.push(AlertChange { alert, at, change, condition, particulars });
    }

    /// Writes down who did what.
    pub(super) fn audit(&mut self, at: i64, who: &str, what: &'static str, about: &str) {
        self.audits.push(Audit { at, who: who.to_owned(), what, about: about.to_owned() });
    }

    /// The parties that have new answers.
    pub(super) fn answered(&self) -> impl Iterator<Item = &str> {
        self.answers.iter().map(|answer| answer.party.as_str())
    }

    /// Whether rows are written that are read by cursor.
    fn is_numbered(&self) -> bool {
        !self.answers.is_empty() || !self.changes.is_empty()
    }

    /// Waits until no other transaction is numbering rows, where this one does.
    pub(super) async fn lock(&self, session: &Session) -> Result<(), Fail> {
        if self.is_numbered() {
            session.client.query(&session.statements.lock, &[&session.locks.logs()]).await?;
        }
        Ok(())
    }

    pub(super) async fn write_events(&self, session: &Session) -> Result<(), Fail> {
        if self.events.is_empty() {
            return Ok(());
        }
        let messages: Vec<i64> = self.events.iter().map(|e| e.message).collect();
        let deliveries: Vec<Option<i64>> = self.events.iter().map(|e| e.delivery).collect();
        let at: Vec<i64> = self.events.iter().map(|e| e.at).collect();
        let what: Vec<&str> = self.events.iter().map(|e| e.what).collect();
        let data: Vec<Option<&str>> = self.events.iter().map(|e| e.data.as_deref()).collect();
        session
            .client
            .execute(&session.statements.events, &[&messages, &deliveries, &at, &what, &data])
            .await?;
        Ok(())
    }

    pub(super) async fn write_answers(&self, session: &Session) -> Result<(), Fail> {
        if self.answers.is_empty() {
            return Ok(());
        }
        let parties: Vec<&str> = self.answers.iter().map(|a| a.party.as_str()).collect();
        let messages: Vec<i64> = self.answers.iter().map(|a| a.message).collect();
        let deliveries: Vec<Option<i64>> = self.answers.iter().map(|a| a.delivery).collect();
        let outcomes: Vec<&str> = self.answers.iter().map(|a| a.outcome.name()).collect();
        let at: Vec<i64> = self.answers.iter().map(|a| a.at).collect();
        let data: Vec<Option<&str>> = self.answers.iter().map(|a| a.data.as_deref()).collect();
        session
            .client
            .execute(&session.statements.answers, &[&parties, &messages, &deliveries, &outcomes, &at, &data])
            .await?;
        Ok(())
    }

    pub(super) async fn write_changes(&self, session: &Session) -> Result<(), Fail> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let alerts: Vec<i64> = self.changes.iter().map(|c| c.alert).collect();
        let at: Vec<i64> = self.changes.iter().map(|c| c.at).collect();
        let what: Vec<&str> = self.changes.iter().map(|c| c.change.name()).collect();
        let conditions: Vec<&str> = self.changes.iter().map(|c| c.condition.as_str()).collect();
        let particulars: Vec<Option<&str>> = self.changes.iter().map(|c| c.particulars.as_deref()).collect();
        let rows: [&(dyn ToSql + Sync); 5] = [&alerts, &at, &what, &conditions, &particulars];
        session.client.execute(&session.statements.changes, &rows).await?;
        Ok(())
    }

    /// Under the lock too: waivers are counted by a cursor. What is left to write after them waits for nobody.
    pub(super) async fn write_audits(&self, session: &Session) -> Result<(), Fail> {
        if !self.audits.is_empty() {
            session.client.query(&session.statements.lock, &[&session.locks.logs()]).await?;
        }
        for audit in &self.audits {
            session
                .execute(
                    "INSERT INTO audit (at, who, what, data) VALUES ($1, $2, $3, $4)",
                    &[&audit.at, &audit.who, &audit.what, &audit.about],
                )
                .await?;
        }
        Ok(())
    }
}
