//! A TCP proxy that withholds answers, cuts and heals.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How often a quiet connection looks whether it is to be held or cut.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Stands between a client and a server on this machine; gone, with its connections, when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    target: SocketAddr,
    hold_answers: AtomicBool,
    ended: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            hold_answers: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&listener, &shared))
        };
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on what the server says stays here. What the client says goes through.
    pub(crate) fn hold_answers(&self) {
        self.shared.hold_answers.store(true, Ordering::SeqCst);
    }

    /// Closes every connection. New ones pass, answers and all.
    pub(crate) fn cut(&self) {
        for stream in self.shared.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.shared.hold_answers.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let (Ok(client), Ok(server)) = (client, TcpStream::connect(shared.target)) else {
            continue;
        };
        let mut connections = shared.connections.lock().unwrap();
        connections.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        drop(connections);
        for (from, to, answers) in
            [(client.try_clone().unwrap(), server.try_clone().unwrap(), false), (server, client, true)]
        {
            let shared = Arc::clone(shared);
            std::thread::spawn(move || pump(from, to, answers, &shared));
        }
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, answers: bool, shared: &Shared) {
    from.set_read_timeout(Some(LOOK_EVERY)).unwrap();
    let mut bytes = [0; 16 * 1024];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => {
                // What is held is dropped: the connection will be cut, and never heals.
                let held = answers && shared.hold_answers.load(Ordering::SeqCst);
                if !held && to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
