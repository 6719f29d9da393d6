//! An HTTP receiver that follows a script down to the byte and keeps what it got.
//!
//! It stands on plain sockets and threads, because a proper HTTP server refuses to do most of what it does.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::runtime::Handle;

/// Nothing a receiver does takes longer: a test that is stuck ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the receiver does with a connection.
#[derive(Debug, Clone)]
pub(crate) enum Plays {
    /// Takes the request, writes these bytes, and goes on with the next on the same connection.
    Answers(String),
    /// Takes the request, and answers by what it is and what came before it.
    Judges(fn(&Taken, &[Taken]) -> String),
    /// Takes the request, writes these bytes and closes.
    AnswersAndCloses(String),
    /// Takes the request, and writes these bytes, which need not be text.
    AnswersBytes(Arc<[u8]>),
    /// Takes the request, and writes one byte of these each so often.
    Trickles(String, Duration),
    /// Takes the request, writes these bytes and then blanks without end.
    Endless(String),
    /// Takes the request and keeps silent.
    Hangs,
    /// Takes the request and resets the connection.
    Resets,
    /// Accepts the connection and neither reads nor writes.
    Ignores,
    /// Accepts the connection and resets it at once.
    ResetsAtOnce,
    /// Writes these bytes as soon as anything arrives, and closes. Takes nothing.
    Blurts(Vec<u8>),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Taken {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A receiver on a free port of this machine; gone when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
    tls: bool,
}

struct Shared {
    taken: Mutex<Vec<Taken>>,
    connections: Mutex<u64>,
    plays: Mutex<Plays>,
    tls: Option<Arc<ServerConfig>>,
    stopped: Mutex<bool>,
    stop: Condvar,
    runtime: Handle,
}

impl Receiver {
    pub(crate) fn start(plays: Plays) -> Self {
        Self::bind("127.0.0.1:0".parse().unwrap(), plays, None)
    }

    pub(crate) fn start_tls(plays: Plays, tls: Arc<ServerConfig>) -> Self {
        Self::bind("127.0.0.1:0".parse().unwrap(), plays, Some(tls))
    }

    pub(crate) fn bind(address: SocketAddr, plays: Plays, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let is_tls = tls.is_some();
        let shared = Arc::new(Shared {
            taken: Mutex::default(),
            connections: Mutex::default(),
            plays: Mutex::new(plays),
            tls,
            stopped: Mutex::new(false),
            stop: Condvar::new(),
            runtime: Handle::current(),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&listener, &shared))
        };
        Self { address, shared, accepting: Some(accepting), tls: is_tls }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}/inbox", if self.tls { "https" } else { "http" }, self.address)
    }

    pub(crate) fn plays(&self, plays: Plays) {
        *self.shared.plays.lock().unwrap() = plays;
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> u64 {
        *self.shared.connections.lock().unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        *self.shared.stopped.lock().unwrap() = true;
        self.shared.stop.notify_all();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    /// Waits, unless the receiver is dropped. `false`: it was.
    fn wait(&self, duration: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap();
        !*self.stop.wait_timeout_while(stopped, duration, |stopped| !*stopped).unwrap().0
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if *shared.stopped.lock().unwrap() {
            return;
        }
        *shared.connections.lock().unwrap() += 1;
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // How it ends is what the other side tests.
            let _ = stream.and_then(|stream| serve(stream, &shared));
        });
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let control = stream.try_clone()?;
    match shared.plays.lock().unwrap().clone() {
        Plays::Ignores => {
            shared.wait(PATIENCE);
            return Ok(());
        }
        Plays::ResetsAtOnce => return reset(stream, shared),
        Plays::Blurts(bytes) => {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096])?;
            return stream.write_all(&bytes);
        }
        _ => {}
    }
    match &shared.tls {
        None => talk(stream, control, shared),
        Some(config) => {
            let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            talk(StreamOwned::new(session, stream), control, shared)
        }
    }
}

fn talk(mut stream: impl Read + Write, control: TcpStream, shared: &Shared) -> io::Result<()> {
    loop {
        let Some(taken) = read_request(&mut stream)? else {
            return Ok(());
        };
        let plays = shared.plays.lock().unwrap().clone();
        let mut all = shared.taken.lock().unwrap();
        let judged = if let Plays::Judges(judge) = plays { judge(&taken, &all) } else { String::new() };
        all.push(taken);
        drop(all);
        match plays {
            Plays::Judges(_) => stream.write_all(judged.as_bytes())?,
            Plays::Answers(answer) => stream.write_all(answer.as_bytes())?,
            Plays::AnswersBytes(answer) => stream.write_all(&answer)?,
            Plays::AnswersAndCloses(answer) => {
                stream.write_all(answer.as_bytes())?;
                stream.flush()?;
                return control.shutdown(std::net::Shutdown::Write);
            }
            Plays::Trickles(answer, pause) => {
                for byte in answer.bytes() {
                    stream.write_all(&[byte])?;
                    stream.flush()?;
                    if !shared.wait(pause) {
                        return Ok(());
                    }
                }
            }
            Plays::Endless(start) => {
                stream.write_all(start.as_bytes())?;
                while !*shared.stopped.lock().unwrap() {
                    stream.write_all(&[b' '; 16 * 1024])?;
                }
            }
            Plays::Hangs => {
                shared.wait(PATIENCE);
                return Ok(());
            }
            Plays::Resets => {
                drop(stream);
                return reset(control, shared);
            }
            Plays::Ignores | Plays::ResetsAtOnce | Plays::Blurts(_) => return Ok(()),
        }
        stream.flush()?;
    }
}

/// Closes with RST instead of FIN.
fn reset(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let _runtime = shared.runtime.enter();
    stream.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(stream)?.set_zero_linger()
}

/// Reads one request with a `Content-Length`. `None`: the connection was closed before it.
fn read_request(stream: &mut impl Read) -> io::Result<Option<Taken>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
        assert!(head.len() < 64 * 1024, "the gateway sent a head without end");
    }
    let mut taken = Taken { head: String::from_utf8(head).expect("heads are ASCII"), body: Vec::new() };
    let length = taken.header("content-length").map_or(0, |text| text.parse().expect("a length is a number"));
    taken.body = vec![0; length];
    stream.read_exact(&mut taken.body)?;
    Ok(Some(taken))
}

/// An answer with its length, and further header lines, each ended by CR LF.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}
