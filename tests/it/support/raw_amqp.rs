//! A sender that writes AMQP frames by hand: what a well-behaved library would never let through.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// The longest one step with the broker may take.
const STEP: Duration = Duration::from_secs(20);

/// Kinds of frames, and what ends each.
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xCE;

/// Bytes of a frame that are not its payload.
const FRAME_OVERHEAD: usize = 8;

/// The properties of a message, byte for byte. To be set in the order of their bits, from the highest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties {
    flags: u16,
    bytes: Vec<u8>,
}

impl Properties {
    fn put(mut self, bit: u16, bytes: &[u8]) -> Self {
        assert!(self.flags == 0 || self.flags.trailing_zeros() > u32::from(bit), "out of order");
        self.flags |= 1 << bit;
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn content_type(self, text: &[u8]) -> Self {
        self.put(15, &short(text))
    }

    pub(crate) fn content_encoding(self, text: &[u8]) -> Self {
        self.put(14, &short(text))
    }

    /// Entries as [`entry`] writes them.
    pub(crate) fn headers(self, entries: &[u8]) -> Self {
        self.put(13, &long(entries))
    }

    pub(crate) fn priority(self, priority: u8) -> Self {
        self.put(11, &[priority])
    }

    pub(crate) fn correlation_id(self, text: &[u8]) -> Self {
        self.put(10, &short(text))
    }

    pub(crate) fn reply_to(self, text: &[u8]) -> Self {
        self.put(9, &short(text))
    }

    pub(crate) fn message_id(self, text: &[u8]) -> Self {
        self.put(7, &short(text))
    }

    pub(crate) fn timestamp(self, seconds: u64) -> Self {
        self.put(6, &seconds.to_be_bytes())
    }

    pub(crate) fn event_type(self, text: &[u8]) -> Self {
        self.put(5, &short(text))
    }

    pub(crate) fn user_id(self, text: &[u8]) -> Self {
        self.put(4, &short(text))
    }

    pub(crate) fn app_id(self, text: &[u8]) -> Self {
        self.put(3, &short(text))
    }
}

/// One entry of a table: a name, the letter of its type, and the value's bytes.
pub(crate) fn entry(name: &[u8], letter: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[letter], value].concat()
}

/// A text of up to 255 bytes.
pub(crate) fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

/// Bytes with their length in four bytes before them: a long text, a table, an array.
pub(crate) fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A table in a table in a table, as an entry.
pub(crate) fn nested_tables(levels: usize) -> Vec<u8> {
    // Each level holds the next under an empty name.
    let sizes: Vec<usize> = (0..levels).map(|level| level * 6).rev().collect();
    let mut bytes = short(b"deep");
    for size in sizes {
        bytes.push(b'F');
        bytes.extend(u32::try_from(size).unwrap().to_be_bytes());
        if size > 0 {
            bytes.push(0);
        }
    }
    bytes
}

/// An array in an array in an array, as an entry.
pub(crate) fn nested_arrays(levels: usize) -> Vec<u8> {
    let mut bytes = short(b"deep");
    for level in (0..levels).rev() {
        bytes.push(b'A');
        bytes.extend(u32::try_from(level * 5).unwrap().to_be_bytes());
    }
    bytes
}

/// A connection with one channel in confirm mode.
pub(crate) struct RawSender {
    stream: TcpStream,
    frame_max: usize,
}

impl RawSender {
    /// `uri` is `amqp://<user>:<password>@<host>:<port>/<vhost>`, nothing in it percent-encoded.
    pub(crate) fn connect(uri: &str) -> Self {
        let rest = uri.strip_prefix("amqp://").unwrap();
        let (credentials, rest) = rest.split_once('@').unwrap();
        let (user, password) = credentials.split_once(':').unwrap();
        let (authority, vhost) = rest.split_once('/').unwrap();
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(STEP)).unwrap();
        stream.set_write_timeout(Some(STEP)).unwrap();
        let mut sender = Self { stream, frame_max: 4096 };
        sender.stream.write_all(b"AMQP\0\0\x09\x01").unwrap();
        sender.expect(10, 10);
        let response = format!("\0{user}\0{password}");
        let start = [&long(b"")[..], &short(b"PLAIN"), &long(response.as_bytes()), &short(b"en_US")];
        sender.method(0, 10, 11, &start.concat());
        let tune = sender.expect(10, 30);
        sender.frame_max = u32::from_be_bytes(tune[2..6].try_into().unwrap()) as usize;
        // Without heartbeats.
        sender.method(0, 10, 31, &[&tune[..6], &[0, 0]].concat());
        sender.method(0, 10, 40, &[&short(vhost.as_bytes())[..], &[0, 0]].concat());
        sender.expect(10, 41);
        sender.method(1, 20, 10, &[0]);
        sender.expect(20, 11);
        sender.method(1, 85, 10, &[0]);
        sender.expect(85, 11);
        sender
    }

    /// Publishes and waits for the confirm.
    pub(crate) fn publish(&mut self, exchange: &str, key: &str, properties: &Properties, body: &[u8]) {
        self.publish_bytes(exchange.as_bytes(), key.as_bytes(), properties, body);
    }

    /// As [`RawSender::publish`], with names that need not be text.
    pub(crate) fn publish_bytes(
        &mut self,
        exchange: &[u8],
        key: &[u8],
        properties: &Properties,
        body: &[u8],
    ) {
        let route = [&[0, 0], &short(exchange)[..], &short(key), &[1]].concat();
        self.method(1, 60, 40, &route);
        let size = (body.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0], &size[..], &properties.flags.to_be_bytes(), &properties.bytes].concat();
        assert!(header.len() + FRAME_OVERHEAD <= self.frame_max, "the broker would close the connection");
        self.frame(HEADER, 1, &header);
        for part in body.chunks(self.frame_max - FRAME_OVERHEAD) {
            self.frame(BODY, 1, part);
        }
        self.expect(60, 80);
    }

    fn method(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) {
        let payload = [&class.to_be_bytes(), &method.to_be_bytes(), arguments].concat();
        self.frame(METHOD, channel, &payload);
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let frame = [&[kind], &channel.to_be_bytes()[..], &long(payload), &[FRAME_END]].concat();
        self.stream.write_all(&frame).unwrap();
    }

    /// The next method's arguments; anything else than this method is the broker's refusal.
    fn expect(&mut self, class: u16, method: u16) -> Vec<u8> {
        loop {
            let mut head = [0; 7];
            self.stream.read_exact(&mut head).unwrap();
            let size = u32::from_be_bytes(head[3..7].try_into().unwrap()) as usize;
            let mut payload = vec![0; size + 1];
            self.stream.read_exact(&mut payload).unwrap();
            assert_eq!(payload.pop(), Some(FRAME_END));
            if head[0] != METHOD {
                continue;
            }
            let got = [0, 2].map(|at| u16::from_be_bytes(payload[at..at + 2].try_into().unwrap()));
            let text = String::from_utf8_lossy(&payload[4..]).into_owned();
            assert_eq!(got, [class, method], "the broker said {text:?}");
            return payload[4..].to_vec();
        }
    }
}
