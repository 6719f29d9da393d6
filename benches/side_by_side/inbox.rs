//! A lean inbox: counts unique and repeated keys, notes when numbered messages came, answers 202.

use std::{
    collections::HashSet,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header::HeaderMap, service::service_fn};
use hyper_util::rt::TokioIo;
use kassebro::{
    clock::{Clock, System},
    tools::bench::messages::number_of,
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

/// What is sent here is taken and never answered.
pub(crate) const SILENT: &str = "/silent";
/// What is sent here is answered after [`SLOW_FOR`].
pub(crate) const SLOW: &str = "/slow";
pub(crate) const SLOW_FOR: Duration = Duration::from_millis(20);
/// What every delivery is answered with.
const RECEIPT: &[u8] = b"{\"receiptId\":\"INBOX-00000001\"}";

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) unique: u64,
    pub(crate) duplicates: u64,
    /// Without a key that is a UUID.
    pub(crate) wrong: u64,
}

#[derive(Default)]
struct Book {
    keys: HashSet<u128>,
    counted: Counted,
    /// Number of the message, and when it came in microseconds since 1970.
    arrivals: Vec<(u32, i64)>,
}

/// Serves on a free port of loopback, which is written to standard output.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let book = Arc::new(Mutex::new(Book::default()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                let book = Arc::clone(&book);
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(request, Arc::clone(&book)));
                    let server = hyper::server::conn::http1::Builder::new();
                    // How a connection ended is the other side's story to tell.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    book: Arc<Mutex<Book>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let path = head.uri.path();
    if path == SILENT {
        return std::future::pending().await;
    }
    if path == SLOW {
        System.sleep(SLOW_FOR).await;
    }
    let (status, body) = match (&head.method, path) {
        (&Method::GET, "/stats") => (StatusCode::OK, stats(&lock(&book))),
        (&Method::GET, "/arrivals") => (StatusCode::OK, arrivals(&lock(&book))),
        (&Method::POST, "/reset") => {
            *lock(&book) = Book::default();
            (StatusCode::OK, Bytes::new())
        }
        _ => take(&mut lock(&book), &head.headers),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(book: &mut Book, headers: &HeaderMap) -> (StatusCode, Bytes) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(key) = text("idempotency-key").and_then(|key| Uuid::try_parse(key).ok()) else {
        book.counted.wrong += 1;
        return (StatusCode::BAD_REQUEST, Bytes::new());
    };
    if book.keys.insert(key.as_u128()) {
        book.counted.unique += 1;
        if let Some(number) = text("traceparent").and_then(number_of) {
            book.arrivals.push((number, System.now().as_microsecond()));
        }
    } else {
        book.counted.duplicates += 1;
    }
    (StatusCode::ACCEPTED, Bytes::from_static(RECEIPT))
}

fn stats(book: &Book) -> Bytes {
    serde_json::to_vec(&book.counted).unwrap_or_default().into()
}

/// A line for each numbered message that came: its number and its microsecond.
fn arrivals(book: &Book) -> Bytes {
    let mut lines = String::new();
    for (number, at) in &book.arrivals {
        // Writing to a String does not fail.
        let _ = writeln!(lines, "{number} {at}");
    }
    lines.into()
}
