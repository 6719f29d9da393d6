//! What a store's file holds, read by SQL of the tests' own: the judge shares no code with the accused.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

/// One message and what it owes.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) receipt: Uuid,
    pub(crate) invalid: bool,
    pub(crate) party: String,
    pub(crate) id: Option<String>,
    /// The rules it broke.
    pub(crate) rules: Vec<String>,
    pub(crate) raw: Vec<u8>,
    pub(crate) deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The idempotency key that the receiver sees.
    pub(crate) key: String,
    pub(crate) state: State,
    pub(crate) hold: Option<String>,
    pub(crate) attempts: u32,
    /// SHA-256 of the bytes to be sent, in hex.
    pub(crate) hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Delivered,
    Dead,
    Cancelled,
}

/// Everything, as one transaction saw it.
pub(crate) struct Kept {
    pub(crate) messages: Vec<Message>,
    /// The histories' words by message id, in order: `attempt`, `duplicate`, `sla_step`.
    pub(crate) history: Vec<(String, String)>,
    /// Message id and outcome, in the order of the log.
    pub(crate) answers: Vec<(Option<String>, String)>,
    /// Marks of messages in hand.
    pub(crate) in_hand: i64,
}

impl Kept {
    /// An empty one where there is no store yet.
    pub(crate) fn read(path: &Path) -> Self {
        let empty = || Self { messages: vec![], history: vec![], answers: vec![], in_hand: 0 };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let Ok(connection) = Connection::open_with_flags(path, flags) else { return empty() };
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        // Not yet made, or being made.
        read(&connection).unwrap_or_else(|_| empty())
    }

    pub(crate) fn of(&self, id: &str) -> Vec<&Message> {
        self.messages.iter().filter(|m| m.id.as_deref() == Some(id)).collect()
    }

    pub(crate) fn accepted(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|m| !m.invalid)
    }

    pub(crate) fn invalid(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|m| m.invalid)
    }

    /// Accepted messages whose every delivery is in `state`.
    fn all_in(&self, state: State) -> usize {
        self.accepted().filter(|m| m.deliveries.iter().all(|d| d.state == state)).count()
    }

    pub(crate) fn delivered(&self) -> usize {
        self.all_in(State::Delivered)
    }

    pub(crate) fn pending(&self) -> usize {
        self.accepted().filter(|m| m.deliveries.iter().any(|d| d.state == State::Pending)).count()
    }

    /// How often the log tells of that outcome.
    pub(crate) fn told(&self, outcome: &str) -> usize {
        self.answers.iter().filter(|(_, told)| told == outcome).count()
    }

    /// How often the histories tell of that.
    pub(crate) fn happened(&self, what: &str) -> usize {
        self.history.iter().filter(|(_, happened)| happened == what).count()
    }

    /// Every published id was accepted exactly once and is delivered; the inbox has each under the store's own
    /// key and hash, and nothing under any other key.
    pub(crate) fn assert_delivered(&self, published: &[String], in_inbox: &[(String, String)]) {
        let expected: BTreeSet<&str> = published.iter().map(String::as_str).collect();
        let accepted: Vec<&str> = self.accepted().filter_map(|m| m.id.as_deref()).collect();
        assert_eq!(
            accepted.iter().copied().collect::<BTreeSet<_>>(),
            expected,
            "taken is what was sent: {self}"
        );
        assert_eq!(accepted.len(), expected.len(), "and each once: {self}");
        assert_eq!(self.delivered(), expected.len(), "all of it is delivered: {self}");
        let owed: BTreeMap<&str, &str> =
            self.accepted().flat_map(|m| &m.deliveries).map(|d| (d.key.as_str(), d.hash.as_str())).collect();
        let got: BTreeMap<&str, &str> = in_inbox.iter().map(|(k, h)| (k.as_str(), h.as_str())).collect();
        assert_eq!(got, owed, "the inbox has what is owed, byte for byte, under no other key");
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages: {} delivered, {} pending, {} dead, {} invalid ({:?})",
            self.messages.len(),
            self.delivered(),
            self.pending(),
            self.all_in(State::Dead),
            self.invalid().count(),
            self.invalid().flat_map(|m| &m.rules).collect::<BTreeSet<_>>(),
        )
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Kept> {
    let transaction = connection.unchecked_transaction()?;
    let mut messages = BTreeMap::new();
    let mut statement = transaction
        .prepare("SELECT seq, receipt, state, party, id, findings, raw FROM message ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let findings: Option<String> = row.get("findings")?;
        let message = Message {
            receipt: Uuid::from_slice(&row.get::<_, Vec<u8>>("receipt")?).unwrap(),
            invalid: row.get::<_, i64>("state")? == 1,
            party: row.get("party")?,
            id: row.get("id")?,
            rules: findings.map(|text| rules(&text)).unwrap_or_default(),
            raw: row.get("raw")?,
            deliveries: Vec::new(),
        };
        messages.insert(row.get::<_, i64>("seq")?, message);
    }
    let mut statement =
        transaction.prepare("SELECT seq, state, hold, attempts, output_hash FROM delivery ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get("seq")?;
        let message: &mut Message = messages.get_mut(&(seq / 256)).unwrap();
        let mut key = *message.receipt.as_bytes();
        key[15] = u8::try_from(seq % 256).unwrap();
        message.deliveries.push(Delivery {
            key: Uuid::from_bytes(key).to_string(),
            state: match row.get::<_, i64>("state")? {
                0 => State::Pending,
                1 => State::Delivered,
                2 => State::Dead,
                _ => State::Cancelled,
            },
            hold: row.get("hold")?,
            attempts: row.get("attempts")?,
            hash: hex(&row.get::<_, Vec<u8>>("output_hash")?),
        });
    }
    let pairs = |sql: &str| -> rusqlite::Result<Vec<(Option<String>, String)>> {
        transaction.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let history =
        pairs("SELECT m.id, e.what FROM event e JOIN message m ON m.seq = e.message ORDER BY e.seq")?;
    Ok(Kept {
        messages: messages.into_values().collect(),
        history: history.into_iter().map(|(id, what)| (id.unwrap_or_default(), what)).collect(),
        answers: pairs(
            "SELECT m.id, a.outcome FROM answer a JOIN message m ON m.seq = a.message ORDER BY a.seq",
        )?,
        in_hand: transaction.query_row("SELECT count(*) FROM in_hand", [], |row| row.get(0))?,
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The rules that findings name.
pub(crate) fn rules(findings: &str) -> Vec<String> {
    let findings: Vec<serde_json::Value> = serde_json::from_str(findings).unwrap();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}
