//! Between the writer and its database the line is cut or dead: what is told is what is kept.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use super::{Address, Mode, Postgres, Schema};
use crate::store::{
    Admission, HandOver, Lease, Next, Settled, StoreError, Verdict, Views,
    conformance::{
        Office, Open,
        handed::{all, enter},
    },
};

/// What becomes of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// The next COMMIT does not arrive; then open.
    CutBeforeCommit,
    /// The next COMMIT arrives, and its answer does not; then as said.
    CutAfterCommit {
        then_open: bool,
    },
    /// The answer to the COMMIT that is on its way is swallowed, with what comes beside it.
    Swallow {
        then_open: bool,
    },
    /// Connections are taken and closed.
    Closed,
    /// Nothing goes through, and nothing is closed.
    Dead,
}

/// A proxy in front of the server.
pub(super) struct Proxy {
    address: SocketAddr,
    line: Arc<Mutex<Line>>,
}

impl Proxy {
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, line) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Line::Open)));
        let shared = Arc::clone(&line);
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if *shared.lock().unwrap() == Line::Closed {
                    continue;
                }
                let server = TcpStream::connect(server).unwrap();
                carry(&client, &server, &shared, true);
                carry(&server, &client, &shared, false);
            }
        });
        Self { address, line }
    }

    /// The next COMMIT does not arrive, and the line is open again.
    pub(super) fn cuts_the_next_commit(&self) {
        self.is(Line::CutBeforeCommit);
    }

    fn is(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }
}

/// Carries bytes one way until the line is cut.
fn carry(from: &TcpStream, to: &TcpStream, line: &Arc<Mutex<Line>>, to_server: bool) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let line = Arc::clone(line);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !passes(&bytes[..count], &line, to_server) || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    });
}

/// Whether these bytes go through. A dead line waits here for its end.
fn passes(bytes: &[u8], line: &Mutex<Line>, to_server: bool) -> bool {
    loop {
        let mut line = line.lock().unwrap();
        // Both ask for it and say that it was done in this word.
        let commit = bytes.windows(7).any(|window| window == b"COMMIT\0");
        let (commits, committed) = (to_server && commit, !to_server && commit);
        match *line {
            Line::CutBeforeCommit if commits => {
                *line = Line::Open;
                return false;
            }
            Line::CutAfterCommit { then_open } if commits => {
                *line = Line::Swallow { then_open };
                return true;
            }
            Line::Swallow { then_open } if committed => {
                *line = if then_open { Line::Open } else { Line::Closed };
                return false;
            }
            Line::Closed => return false,
            Line::Dead => {}
            _ => return true,
        }
        drop(line);
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A store behind a proxy, and another that is not.
pub(super) fn behind_a_proxy(folder: &std::path::Path) -> (Office, Proxy, Postgres) {
    let schema = Schema::of(folder);
    let direct = schema.open();
    let url = schema.url();
    let place = url.split_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    let proxy = Proxy::start(place.parse().unwrap());
    let url = url.replace(&place, &proxy.address.to_string());
    let open: Open = Box::new(move || {
        Arc::new(Postgres::open(Address::parse(&url, None, None).unwrap(), Mode::Daemon).unwrap())
    });
    (Office::open(open), proxy, direct)
}

fn batch(office: &mut Office, id: &str) -> Vec<Admission> {
    vec![Admission::Accepted(Box::new(office.message(id)))]
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_told_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (mut office, proxy, direct) = behind_a_proxy(folder.path());
    for (id, line) in [("before", Line::CutBeforeCommit), ("after", Line::CutAfterCommit { then_open: true })]
    {
        let message = batch(&mut office, id);
        proxy.is(line);
        let verdicts = office.store().accept(message).await.unwrap();
        assert!(matches!(verdicts[0], Verdict::Accepted(_)), "{line:?}: {verdicts:?}");
        assert_eq!(*proxy.line.lock().unwrap(), Line::Open, "the line was cut");
    }
    assert_eq!(direct.conservation().await.unwrap().taken, 2);
    assert_eq!(office.view("after").await.history.len(), 0, "no duplicate was seen");
    for (id, line) in [("before", Line::CutAfterCommit { then_open: true }), ("after", Line::CutBeforeCommit)]
    {
        proxy.is(line);
        let lease = office.lease(1).await.pop().expect("the lease of a commit that was made");
        assert_eq!(lease.message_id, id);
        proxy.is(line);
        assert_eq!(office.settle(lease, Next::Delivered).await, Settled::Done);
        assert_eq!(office.view(id).await.deliveries[0].attempts, 1);
    }
}

#[tokio::test]
async fn a_commit_in_doubt_waits_for_its_word_while_others_are_told_that_nothing_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut office, proxy, direct) = behind_a_proxy(folder.path());
    let (message, later) = (batch(&mut office, "one"), batch(&mut office, "two"));
    proxy.is(Line::CutAfterCommit { then_open: false });
    let store = office.store();
    let (first, ()) = tokio::join!(store.accept(message), async {
        while direct.conservation().await.unwrap().taken == 0 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        let refused = store.accept(later).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
        let took = began.elapsed();
        assert!((4..8).contains(&took.as_secs()), "{took:?}");
        proxy.is(Line::Open);
    });
    assert!(matches!(first.unwrap()[0], Verdict::Accepted(_)));
    assert_eq!(direct.conservation().await.unwrap().taken, 1, "what was refused was not taken");
}

/// The one lease that was handed over.
fn only(handed: &mut HandOver, why: &str) -> Lease {
    let mut leases = all(handed);
    assert_eq!(leases.len(), 1, "{why}");
    leases.pop().expect("there is one")
}

#[tokio::test]
async fn what_a_commit_in_doubt_leased_is_handed_over_when_it_is_known_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let (mut office, proxy, direct) = behind_a_proxy(folder.path());
    let mut handed = enter(&office, 10).await;
    let message = batch(&mut office, "one");
    proxy.is(Line::CutAfterCommit { then_open: false });
    let store = office.store();
    let (told, ()) = tokio::join!(store.accept(message), async {
        while direct.conservation().await.unwrap().taken == 0 {
            tokio::task::yield_now().await;
        }
        let early = tokio::time::timeout(Duration::from_millis(300), handed.next()).await;
        assert!(early.is_err(), "nobody knows yet that it is stored");
        proxy.is(Line::Open);
    });
    assert!(matches!(told.unwrap()[0], Verdict::Accepted(_)));
    let lease = only(&mut handed, "it is known to be stored");
    assert_eq!(office.settle(lease, Next::Delivered).await, Settled::Done);
    let message = batch(&mut office, "two");
    proxy.is(Line::CutBeforeCommit);
    office.store().accept(message).await.unwrap();
    let lease = only(&mut handed, "stored at the second time: what was not committed was leased to nobody");
    assert_eq!(office.settle(lease, Next::Delivered).await, Settled::Done);
    assert_eq!(direct.conservation().await.unwrap().delivered, 2);
}

#[tokio::test]
async fn a_dead_line_is_told_in_time_and_mends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (mut office, proxy, direct) = behind_a_proxy(folder.path());
    office.store().check().await.unwrap();
    for line in [Line::Dead, Line::Closed] {
        proxy.is(line);
        let began = Instant::now();
        let refused = office.store().check().await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(8), "{line:?}: {took:?}");
        proxy.is(Line::Open);
        let message = batch(&mut office, &format!("{line:?}"));
        office.store().accept(message).await.unwrap();
    }
    assert_eq!(direct.conservation().await.unwrap().taken, 2);
    assert!(office.store().backlogs().await.is_ok(), "and it is read through it again");
}
