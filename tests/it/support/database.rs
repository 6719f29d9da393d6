//! PostgreSQL for one test: a schema of its own on the server of all tests, or a server of its own. What it holds is
//! read by SQL of the tests' own.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

use super::{
    certificates::Authority,
    eventually::eventually,
    folder,
    kept::{Delivery, Kept, Message, State, hex, rules},
    setting,
};

/// A schema on some server.
pub(crate) struct Database {
    /// With the password, and with the schema in its search path.
    pub(crate) url: String,
}

impl Database {
    /// On the server that all tests share.
    pub(crate) async fn fresh() -> Self {
        Self::fresh_on(&setting("KASSEBRO_TEST_POSTGRES")).await
    }

    pub(crate) async fn fresh_on(server: &str) -> Self {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let schema = format!("it{}_{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed));
        let client = connect(server).await.expect("the server takes connections");
        client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
        let more = if server.contains('?') { '&' } else { '?' };
        Self { url: format!("{server}{more}options=-c%20search_path%3D{schema}") }
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self) -> Client {
        connect(&self.url).await.expect("the server takes connections")
    }

    /// What it holds; an empty one where there are no tables yet, or no server just now.
    pub(crate) async fn kept(&self) -> Kept {
        let empty = Kept { messages: vec![], history: vec![], answers: vec![], in_hand: 0 };
        let Ok(mut client) = connect(&self.url).await else { return empty };
        read(&mut client).await.unwrap_or(empty)
    }

    /// One number.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.connect().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

#[expect(clippy::disallowed_methods, reason = "the connection serves beside the test and ends with it")]
async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn read(client: &mut Client) -> Result<Kept, tokio_postgres::Error> {
    let tx = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await?;
    let sql = "SELECT m.seq, receipt, state, party, id, findings, coalesce(m.raw, p.raw) AS raw
         FROM message m LEFT JOIN parcel p ON p.seq = m.seq * 256 + 1 ORDER BY m.seq";
    let mut messages: BTreeMap<i64, Message> = BTreeMap::new();
    for row in tx.query(sql, &[]).await? {
        messages.insert(row.get("seq"), message(&row));
    }
    let sql = "SELECT seq, state, hold, attempts, output_hash FROM delivery ORDER BY seq";
    for row in tx.query(sql, &[]).await? {
        let message = messages.get_mut(&(row.get::<_, i64>("seq") / 256)).unwrap();
        message.deliveries.push(delivery(&row, message.receipt));
    }
    let sql = "SELECT m.id, e.what FROM event e JOIN message m ON m.seq = e.message ORDER BY e.seq";
    let history = tx.query(sql, &[]).await?;
    let sql = "SELECT m.id, a.outcome FROM answer a JOIN message m ON m.seq = a.message ORDER BY a.seq";
    let answers = tx.query(sql, &[]).await?;
    Ok(Kept {
        messages: messages.into_values().collect(),
        history: history
            .iter()
            .map(|row| (row.get::<_, Option<String>>(0).unwrap_or_default(), row.get(1)))
            .collect(),
        answers: answers.iter().map(|row| (row.get(0), row.get(1))).collect(),
        in_hand: tx.query_one("SELECT count(*) FROM in_hand", &[]).await?.get(0),
    })
}

fn message(row: &Row) -> Message {
    Message {
        receipt: row.get("receipt"),
        invalid: row.get::<_, i16>("state") == 1,
        party: row.get("party"),
        id: row.get("id"),
        rules: row.get::<_, Option<String>>("findings").map(|text| rules(&text)).unwrap_or_default(),
        raw: row.get("raw"),
        deliveries: Vec::new(),
    }
}

fn delivery(row: &Row, receipt: Uuid) -> Delivery {
    let mut key = *receipt.as_bytes();
    key[15] = u8::try_from(row.get::<_, i64>("seq") % 256).unwrap();
    Delivery {
        key: Uuid::from_bytes(key).to_string(),
        state: match row.get::<_, i16>("state") {
            0 => State::Pending,
            1 => State::Delivered,
            2 => State::Dead,
            _ => State::Cancelled,
        },
        hold: row.get("hold"),
        attempts: u32::try_from(row.get::<_, i32>("attempts")).unwrap(),
        hash: hex(&row.get::<_, Vec<u8>>("output_hash")),
    }
}

/// A private server, for tests that take the database away. Dropping it ends it.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) url: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let folder = folder("database");
        // PostgreSQL does not run as root: its user passes through to the folder of its own.
        let passable = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), passable).unwrap();
        let place = folder.path().join("server");
        run("start", &place).await;
        Self { url: address(&place).await, folder }
    }

    /// With TLS offered, under a certificate of that authority.
    pub(crate) async fn start_tls(authority: &Authority) -> Self {
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
        let server = Self::start().await;
        server.kill().await;
        let data = server.folder.path().join("server/data");
        let owner = std::fs::metadata(&data).unwrap();
        let (certificate, key) = authority.server_pems();
        for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
            let file = data.join(name);
            let mut opened =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).unwrap();
            opened.write_all(pem.as_bytes()).unwrap();
            chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let mut conf = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        conf.write_all(b"ssl = on\n").unwrap();
        server.start_again().await;
        server
    }

    /// A server that follows this one: no commit here is answered before it is there too.
    pub(crate) async fn standby(&self) -> Self {
        let folder = folder("database");
        let passable = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), passable).unwrap();
        let place = folder.path().join("server");
        let mut command = command("standby", &place);
        command.arg(self.folder.path().join("server"));
        finish("standby", command).await;
        let standby = Self { url: address(&place).await, folder };
        let follows = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        eventually("the standby follows", Duration::from_secs(30), async || {
            let row = connect(&self.url).await.ok()?.query_one(follows, &[]).await.ok()?;
            (row.get::<_, i64>(0) == 1).then_some(())
        })
        .await;
        standby
    }

    /// Makes a standby a server that writes.
    pub(crate) async fn promote(&self) {
        run("promote", &self.folder.path().join("server")).await;
    }

    /// The address of whichever of the two writes.
    pub(crate) fn url_with(&self, other: &Self) -> String {
        let authority = |url: &str| url.split('@').nth(1).unwrap().trim_end_matches("/postgres").to_owned();
        let user = self.url.split('@').next().unwrap();
        let (first, second) = (authority(&self.url), authority(&other.url));
        format!("{user}@{first},{second}/postgres?target_session_attrs=read-write")
    }

    /// `kill -9`: connections break, and what was not committed is lost.
    pub(crate) async fn kill(&self) {
        run("kill", &self.folder.path().join("server")).await;
    }

    /// Starts it again, with its data and on its old port; returns when it takes connections.
    pub(crate) async fn start_again(&self) {
        run("start", &self.folder.path().join("server")).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its folder goes next, and tests/run ends what this cannot.
        drop(command("end", &self.folder.path().join("server")).output());
    }
}

async fn address(place: &Path) -> String {
    let told = run("env", place).await;
    let url = told.trim().strip_prefix("KASSEBRO_TEST_POSTGRES=").expect("tests/database env says where");
    url.to_owned()
}

async fn run(verb: &'static str, place: &Path) -> String {
    finish(verb, command(verb, place)).await
}

/// Every verb of `tests/database` has bounds of its own.
async fn finish(verb: &'static str, mut command: Command) -> String {
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("the call does not panic");
    let output = output.expect("tests/database can be started");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/database {verb}: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn command(verb: &str, place: &Path) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/database"));
    command.arg(verb).arg(place);
    command
}
