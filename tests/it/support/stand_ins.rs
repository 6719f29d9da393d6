//! Stand-ins for the public systems that receivers may be: they hold a sender to what is documented of the
//! real one, and name each deviation in the header `X-Deviation`.
//!
//! What they know rests on public descriptions; see "Profiles" in `schemas/README.md`.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

pub(crate) mod beskedfordeler;
pub(crate) mod envelope;
pub(crate) mod importer;
pub(crate) mod kombit;
pub(crate) mod mail_office;
pub(crate) mod sf2900;
pub(crate) mod star;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::receiver::{Receiver, Taken, answer};

/// What is against the rules, in a few words, or nothing.
pub(crate) type Found = Result<(), &'static str>;

pub(crate) fn rule(holds: bool, deviation: &'static str) -> Found {
    if holds { Ok(()) } else { Err(deviation) }
}

/// An answer, with the deviation it is about.
pub(crate) fn said(status: u16, deviation: Option<&str>, content_type: &str, body: &str) -> String {
    let deviation = deviation.map(|deviation| format!("X-Deviation: {deviation}\r\n")).unwrap_or_default();
    answer(status, &format!("{deviation}Content-Type: {content_type}\r\n"), body)
}

/// Method and address of a request.
pub(crate) fn target(taken: &Taken) -> (&str, &str) {
    let mut words = taken.head.split_whitespace();
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

/// What an answer by hand came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) deviation: Option<String>,
    pub(crate) body: String,
}

/// A request by hand, with just these headers; the address without the host.
pub(crate) fn post(
    receiver: &Receiver,
    address: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Answered {
    let body = body.as_ref();
    let mut stream = TcpStream::connect(receiver.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    let length = body.len();
    write!(stream, "POST {address} HTTP/1.1\r\nhost: test\r\n{lines}content-length: {length}\r\n\r\n")
        .unwrap();
    stream.write_all(body).unwrap();
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = vec![0; header("content-length").unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Answered {
        status: lines[0].split(' ').nth(1).unwrap().parse().unwrap(),
        deviation: header("x-deviation"),
        body: String::from_utf8(body).unwrap(),
    }
}
