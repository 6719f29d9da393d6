//! Takes out of the broker's frames what the client library cannot bear, before it sees them.
//!
//! RabbitMQ hands on whatever properties a sender wrote. The library reads tables by recursion, so that a few
//! thousand nested ones overflow its stack and end the process, and it gives up a connection over one text that
//! is not UTF-8: one message would stop everything behind it for ever. So the letter of a nested table or array
//! is made that of plain bytes, which nobody looks into, and a byte that is no text becomes a question mark.
//! Lengths stay as they are, and so does every message that is as it should be, but for its nested headers.

/// No frame of a broker's is longer: the usual limit is 128 KiB.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Before the payload: kind, channel, size.
const HEAD: usize = 7;
/// Kinds of frames (AMQP 0-9-1, 4.2.3).
const METHOD: u8 = 1;
const HEADER: u8 = 2;
/// Class and method of what brings a message: basic.deliver.
const DELIVER: [u8; 4] = [0, 60, 0, 60];
/// Class, weight and body size stand before the properties.
const BEFORE_PROPERTIES: usize = 12;

/// Properties by their bits, from the highest (AMQP 0-9-1, 1.8.3).
const PROPERTIES: [Property; 14] = [
    Property::Short,    // content-type
    Property::Short,    // content-encoding
    Property::Table,    // headers
    Property::Bytes(1), // delivery-mode
    Property::Bytes(1), // priority
    Property::Short,    // correlation-id
    Property::Short,    // reply-to
    Property::Short,    // expiration
    Property::Short,    // message-id
    Property::Bytes(8), // timestamp
    Property::Short,    // type
    Property::Short,    // user-id
    Property::Short,    // app-id
    Property::Short,    // cluster-id
];

#[derive(Clone, Copy)]
enum Property {
    Short,
    Table,
    Bytes(usize),
}

/// What comes from the broker: whole frames, made bearable. Holds at most one that is not whole yet.
#[derive(Default)]
pub(super) struct Sieve {
    bytes: Vec<u8>,
    /// So many were taken.
    taken: usize,
    /// So many are whole frames.
    whole: usize,
}

/// What was read is no AMQP, or nothing that a broker sends. It does not go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what came is no AMQP frame of up to 16 MiB")]
pub(super) struct NotAFrame;

impl Sieve {
    /// Puts in what was read.
    pub(super) fn put(&mut self, read: &[u8]) -> Result<(), NotAFrame> {
        self.bytes.extend_from_slice(read);
        loop {
            let rest = &mut self.bytes[self.whole..];
            let Some(size) = rest.get(3..HEAD) else { return Ok(()) };
            let size = u32::from_be_bytes(size.try_into().expect("it is four bytes")) as usize;
            if size > FRAME_BYTES_MAX {
                return Err(NotAFrame);
            }
            let length = HEAD + size + 1;
            let Some(frame) = rest.get_mut(..length) else { return Ok(()) };
            mend(frame);
            self.whole += length;
        }
    }

    /// Takes out as much as is ready and fits. 0: more must be put in.
    pub(super) fn take(&mut self, into: &mut [u8]) -> usize {
        let ready = &self.bytes[self.taken..self.whole];
        let length = ready.len().min(into.len());
        into[..length].copy_from_slice(&ready[..length]);
        self.taken += length;
        if self.taken == self.whole {
            self.bytes.drain(..self.whole);
            (self.taken, self.whole) = (0, 0);
        }
        length
    }
}

/// Mends a whole frame, if it is one that brings a message.
fn mend(frame: &mut [u8]) {
    let (head, payload) = frame.split_at_mut(HEAD);
    // Where a length points beyond the frame the rest is left as it is: the library refuses it.
    let _ = match head[0] {
        METHOD if payload.starts_with(&DELIVER) => mend_deliver(&mut Cursor { bytes: &mut payload[4..] }),
        HEADER if payload.len() > BEFORE_PROPERTIES => {
            mend_properties(&mut Cursor { bytes: &mut payload[BEFORE_PROPERTIES..] })
        }
        _ => Some(()),
    };
}

/// Consumer tag, delivery tag, redelivered, exchange, routing key.
fn mend_deliver(cursor: &mut Cursor) -> Option<()> {
    cursor.short()?;
    cursor.take(8 + 1)?;
    cursor.short()?;
    cursor.short()
}

fn mend_properties(cursor: &mut Cursor) -> Option<()> {
    let flags = u16::from_be_bytes(cursor.take(2)?.try_into().expect("it is two bytes"));
    for (place, property) in PROPERTIES.iter().enumerate() {
        if flags & (0x8000 >> place) == 0 {
            continue;
        }
        match property {
            Property::Short => cursor.short()?,
            Property::Table => mend_headers(&mut Cursor { bytes: cursor.long()? })?,
            Property::Bytes(length) => cursor.take(*length).map(drop)?,
        }
    }
    Some(())
}

/// Names with values. What is nested becomes plain bytes.
fn mend_headers(table: &mut Cursor) -> Option<()> {
    while !table.bytes.is_empty() {
        table.short()?;
        let letter = &mut table.take(1)?[0];
        let length = match letter {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'F' | b'A' | b'S' | b'x' => {
                if matches!(letter, b'F' | b'A') {
                    *letter = b'x';
                }
                table.long()?;
                continue;
            }
            _ => return None,
        };
        table.take(length)?;
    }
    Some(())
}

/// What is left to be read of some bytes.
struct Cursor<'a> {
    bytes: &'a mut [u8],
}

impl<'a> Cursor<'a> {
    /// `None`: there are not so many.
    fn take(&mut self, length: usize) -> Option<&'a mut [u8]> {
        let (taken, rest) = std::mem::take(&mut self.bytes).split_at_mut_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    /// A text with its length in one byte; made text if it is none.
    fn short(&mut self) -> Option<()> {
        let length = self.take(1)?[0];
        let text = self.take(length.into())?;
        if str::from_utf8(text).is_err() {
            text.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
        Some(())
    }

    /// Bytes with their length in four.
    fn long(&mut self) -> Option<&'a mut [u8]> {
        let length = u32::from_be_bytes(self.take(4)?.try_into().expect("it is four bytes"));
        self.take(length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 1], &size[..], payload, &[0xCE]].concat()
    }

    /// A content header with these flags and properties.
    fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
        frame(
            HEADER,
            &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], &flags.to_be_bytes()[..], properties].concat(),
        )
    }

    /// What comes out of what was put in, piece by piece.
    fn through(input: &[u8], piece: usize) -> Vec<u8> {
        let (mut sieve, mut out, mut buffer) = (Sieve::default(), Vec::new(), [0; 11]);
        for part in input.chunks(piece) {
            sieve.put(part).unwrap();
            loop {
                match sieve.take(&mut buffer) {
                    0 => break,
                    length => out.extend_from_slice(&buffer[..length]),
                }
            }
        }
        out
    }

    #[test]
    fn what_is_as_it_should_be_goes_through_unchanged() {
        let all = [
            frame(METHOD, &[0, 10, 0, 10, 0, 9, 0xFF]),
            frame(METHOD, &[&DELIVER[..], b"\x01t\0\0\0\0\0\0\0\x07\x00\x01e\x033f."].concat()),
            header(0x8080, b"\x10application/json\x01\xc3"),
            header(0x9000, "\u{4}text\u{2}".as_bytes()),
            header(0x2000, b"\0\0\0\x0a\x01aS\0\0\0\x03\xff\xfe\xfd"),
            frame(3, b"\xff\xfe any body"),
            frame(8, b""),
        ];
        // The third holds a text that is none; its neighbours show that nothing else is touched.
        let mut expected = all.clone();
        let bad = expected[2].len() - 2;
        expected[2][bad] = b'?';
        for piece in [1, 2, 7, 8, 1000] {
            assert_eq!(through(&all.concat(), piece), expected.concat(), "in pieces of {piece}");
        }
    }

    #[test]
    fn no_text_stays_that_is_none() {
        let deliver = [&DELIVER[..], b"\x01t\0\0\0\0\0\0\0\x07\x01\x02e\xff\x04\xc3\xa63\xe6"].concat();
        let mended = [&DELIVER[..], b"\x01t\0\0\0\0\0\0\0\x07\x01\x02e?\x04??3?"].concat();
        assert_eq!(through(&frame(METHOD, &deliver), 5), frame(METHOD, &mended));
        let every = 0b1101_1111_1111_1100;
        let text = b"\x02\xff.";
        let (one, eight) = (&b"\x01"[..], &[0xFF; 8][..]);
        let mended = b"\x02?.";
        let properties = |text: &[u8]| {
            [text, text, one, one, text, text, text, text, eight, text, text, text, text].concat()
        };
        assert_eq!(through(&header(every, &properties(text)), 3), header(every, &properties(mended)));
        let name = |name: u8| [b"\0\0\0\x04\x01", &[name][..], b"t\x01"].concat();
        assert_eq!(through(&header(0x2000, &name(0xFF)), 3), header(0x2000, &name(b'?')));
    }

    #[test]
    fn what_is_nested_is_not_looked_into() {
        let entries = |letters: [u8; 2]| {
            let scalars = b"\x01vV\x01tt\x01\x01bb\x01\x01ss\0\x01\x01II\0\0\0\x01\x01dd\0\0\0\0\0\0\0\0\x01DD\0\0\0\0\x01";
            let first = [b"\x01f", &letters[..1], b"\0\0\0\x05\xff\xff\xff\xff\xff"].concat();
            let second = [b"\x01a", &letters[1..], b"\0\0\0\x01S"].concat();
            let all = [&first[..], scalars, &second, b"\x01SS\0\0\0\x01F"].concat();
            let size = u32::try_from(all.len()).unwrap().to_be_bytes();
            [&size[..], &all].concat()
        };
        assert_eq!(through(&header(0x2000, &entries(*b"FA")), 9), header(0x2000, &entries(*b"xx")));
    }

    #[test]
    fn lengths_that_lie_and_letters_that_nobody_knows_are_left_as_they_are() {
        for properties in [
            &b"\x09short"[..],
            b"",
            b"\xff",
            b"\0\0\0\x09\x01at\x01",
            b"\xff\xff\xff\xff",
            b"\0\0\0\x03\x01a?",
        ] {
            for flags in [0x8000, 0x2000, 0xFFFF] {
                let frame = header(flags, properties);
                assert_eq!(through(&frame, 4), frame);
            }
        }
        for payload in [&DELIVER[..], &[0, 60], &[]] {
            for kind in [METHOD, HEADER] {
                let frame = frame(kind, payload);
                assert_eq!(through(&frame, 4), frame);
            }
        }
    }

    #[test]
    fn what_is_no_frame_does_not_go_through() {
        for other in [&b"AMQP\0\0\x09\x01"[..], &[b'x'; 100], &[HEADER, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]] {
            assert_eq!(Sieve::default().put(other), Err(NotAFrame));
        }
    }

    #[test]
    fn one_frame_is_the_most_that_is_held() {
        let mut sieve = Sieve::default();
        let frame = frame(3, &vec![7; 128 * 1024]);
        for _ in 0..50 {
            sieve.put(&frame).unwrap();
            let mut buffer = vec![0; frame.len()];
            assert_eq!(sieve.take(&mut buffer), frame.len());
        }
        assert!(sieve.bytes.capacity() <= 3 * frame.len());
    }
}
