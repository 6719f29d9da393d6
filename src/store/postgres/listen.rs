//! Hints between nodes, by LISTEN and NOTIFY: told after a commit, heard by every other node, and lost without harm.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::poll_fn};
use tokio::{sync::mpsc, time::sleep_until};
use tokio_postgres::{AsyncMessage, Client};
use tracing::debug;

use super::{
    address::Address,
    fail::{Fail, text},
};
use crate::{reconnect::Reconnect, store::Hints};

/// Groups of hints that wait to be told; more are dropped, for whoever misses one looks at its next poll.
const QUEUE_MAX: usize = 256;
/// A hint that cannot be told within this time is of no use any more.
const TELL_TIMEOUT: Duration = Duration::from_secs(5);

/// Rings here, and has the other nodes ring too.
#[derive(Clone)]
pub(super) struct Bells {
    hints: Hints,
    others: Option<mpsc::Sender<Vec<String>>>,
}

impl Bells {
    /// Bells that ring in this process alone.
    pub(super) fn alone(hints: Hints) -> Self {
        Self { hints, others: None }
    }

    /// Bells that ring on every node, and what is told to the others.
    pub(super) fn everywhere(hints: Hints) -> (Self, mpsc::Receiver<Vec<String>>) {
        let (others, told) = mpsc::channel(QUEUE_MAX);
        (Self { hints, others: Some(others) }, told)
    }

    /// Rings in this process alone.
    pub(super) fn ring_here<'a>(&self, names: impl IntoIterator<Item = &'a String>) {
        names.into_iter().for_each(|name| self.hints.ring(name));
    }

    /// Rings on every node.
    pub(super) fn ring(&self, names: Vec<String>) {
        self.ring_here(&names);
        if let Some(others) = &self.others
            && !names.is_empty()
        {
            // Full: the database is away or slow, and a hint is no promise.
            let _ = others.try_send(names);
        }
    }
}

/// Tells and hears for as long as there is somebody who might tell, on a connection of its own.
pub(super) async fn run(address: Arc<Address>, hints: Hints, mut told: mpsc::Receiver<Vec<String>>) {
    let mut reconnect = Reconnect::usual();
    loop {
        match listen(&address, &hints, &mut told).await {
            Ok(()) => return,
            Err(fail) => debug!(error = %fail.store_error(), "Hints from other nodes are not heard just now"),
        }
        let wait = reconnect.next();
        sleep_until(tokio::time::Instant::now() + wait).await;
        if told.is_closed() && told.is_empty() {
            return;
        }
    }
}

async fn listen(
    address: &Address,
    hints: &Hints,
    told: &mut mpsc::Receiver<Vec<String>>,
) -> Result<(), Fail> {
    let (client, mut connection) = address.session("kassebro hints").connect(address.tls()).await?;
    let hints = hints.clone();
    let mut heard = tokio::runtime::Handle::current().spawn(async move {
        let mut own = None;
        let mut messages = poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            let AsyncMessage::Notification(notification) = message else { continue };
            match notification.payload().split_once(' ') {
                // The first thing this session hears is itself: what it tells is rung here already.
                Some(("I", _)) if own.is_none() => own = Some(notification.process_id()),
                Some(("ring", name)) if own != Some(notification.process_id()) => hints.ring(name),
                _ => {}
            }
        }
    });
    let spoken = speak(&client, told);
    tokio::select! {
        ended = &mut heard => {
            debug!(orderly = ended.is_ok(), "The connection for hints ended");
            Err(Fail::Cut)
        }
        spoken = spoken => {
            heard.abort();
            spoken
        }
    }
}

async fn speak(client: &Client, told: &mut mpsc::Receiver<Vec<String>>) -> Result<(), Fail> {
    let row = client.query_one("SELECT 'kassebro_' || abs(hashtext(current_schema())::bigint)", &[]).await?;
    let channel: String = row.get(0);
    // Each NOTIFY is a transaction, and waits for the disk like any other; a hint need not outlive the server.
    client.batch_execute(&format!("SET synchronous_commit = off; LISTEN {channel}")).await?;
    client.query("SELECT pg_notify($1, 'I listen')", &[&channel]).await?;
    let sql = "SELECT pg_notify($1, 'ring ' || name) FROM unnest($2::text[]) name";
    let notify = client.prepare(sql).await?;
    let mut waiting = Vec::with_capacity(QUEUE_MAX);
    while told.recv_many(&mut waiting, QUEUE_MAX).await > 0 {
        // What was rung again meanwhile is told once.
        let names: Vec<String> = waiting.drain(..).flatten().collect::<BTreeSet<_>>().into_iter().collect();
        match tokio::time::timeout(TELL_TIMEOUT, client.query(&notify, &[&channel, &names])).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                debug!(error = text(&error), "A hint could not be told");
                return Err(error.into());
            }
            Err(_) => return Err(Fail::Cut),
        }
    }
    Ok(())
}
