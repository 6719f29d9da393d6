//! JSON (RFC 8259) within limits, read once: what is validated is what is stored and delivered.
//!
//! Our own reader and not serde's, because three things must be seen that serde does not show: the text of a
//! number before it is rounded, the pointer of what is wrong, and what had been read of the envelope when
//! the rest could not be. It keeps its own stack, so no nesting can exhaust the thread's.

use std::mem;

use memchr::memchr2;
use serde_json::{Map, Value, map::Entry};

use super::{Limits, number, pointer, text};
use crate::domain::Violation;

mod refusals;

/// Reads one JSON document.
///
/// # Errors
/// The first thing that is wrong, with its pointer. Refused are: what is not JSON, several roots, what is not
/// plain UTF-8 or holds a lone surrogate, a name twice in one object, control characters other than TAB, LF
/// and CR, numbers that would be rounded, and more depth, values or bytes than `limits`.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Box<Violation>> {
    parse_or_partial(bytes, limits).map_err(|broken| Box::new(broken.violation))
}

/// A document that could not be read to its end.
#[derive(Debug)]
pub struct Broken {
    pub violation: Violation,
    /// The members of the outermost object that were complete by then.
    pub read: Map<String, Value>,
}

/// Like [`parse`], but keeps what had been read, so that the refusal can name the message.
pub fn parse_or_partial(bytes: &[u8], limits: &Limits) -> Result<Value, Box<Broken>> {
    if bytes.len() > limits.body_bytes {
        return Err(Box::new(Broken { violation: *limits.too_large(bytes.len()), read: Map::new() }));
    }
    let text = text::utf8(bytes)
        .map_err(|violation| Box::new(Broken { violation: *violation, read: Map::new() }))?;
    let mut parser = Parser { text, at: 0, limits, nodes: 0, open: Vec::new() };
    parser.document().map_err(|violation| {
        let read = match parser.open.into_iter().next() {
            Some(Open::Object { members, .. }) => members,
            _ => Map::new(),
        };
        Box::new(Broken { violation: *violation, read })
    })
}

/// An array or object whose end has not come yet.
enum Open {
    Array(Vec<Value>),
    /// `key` is the member being read; `None` while the key itself is.
    Object {
        members: Map<String, Value>,
        key: Option<String>,
    },
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of what is read next; always on a character's boundary.
    at: usize,
    limits: &'a Limits,
    nodes: usize,
    open: Vec<Open>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Value, Box<Violation>> {
        loop {
            if let Some(value) = self.value_or_opening()?
                && let Some(root) = self.place(value)?
            {
                self.space();
                return if self.at == self.text.len() {
                    Ok(root)
                } else {
                    Err(self.syntax("kun ét dokument", "one document only"))
                };
            }
        }
    }

    /// Reads a scalar or an empty array or object; `None` where an array or object was opened instead.
    fn value_or_opening(&mut self) -> Result<Option<Value>, Box<Violation>> {
        self.space();
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(self.limits.too_many(self.pointer()));
        }
        let value = match self.peek() {
            Some(b'{') => {
                self.enter(Open::Object { members: Map::new(), key: None })?;
                self.space();
                if self.peek() != Some(b'}') {
                    self.key()?;
                    return Ok(None);
                }
                self.at += 1;
                self.leave()
            }
            Some(b'[') => {
                self.enter(Open::Array(Vec::new()))?;
                self.space();
                if self.peek() != Some(b']') {
                    return Ok(None);
                }
                self.at += 1;
                self.leave()
            }
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            _ => return Err(self.syntax("en værdi", "a value")),
        };
        Ok(Some(value))
    }

    /// Puts a finished value where it belongs and reads on to the next value's place; returns the root.
    fn place(&mut self, mut value: Value) -> Result<Option<Value>, Box<Violation>> {
        loop {
            match self.open.last_mut() {
                None => return Ok(Some(value)),
                Some(Open::Array(items)) => {
                    items.push(value);
                    self.space();
                    match self.peek() {
                        Some(b',') => {
                            self.at += 1;
                            return Ok(None);
                        }
                        Some(b']') => self.at += 1,
                        _ => return Err(self.syntax("komma eller ]", "a comma or ]")),
                    }
                }
                Some(Open::Object { members, key }) => {
                    match members.entry(mem::take(key).unwrap_or_default()) {
                        Entry::Vacant(place) => place.insert(value),
                        Entry::Occupied(first) => {
                            *key = Some(first.key().clone());
                            return Err(self.duplicate());
                        }
                    };
                    self.space();
                    match self.peek() {
                        Some(b',') => {
                            self.at += 1;
                            self.space();
                            self.key()?;
                            return Ok(None);
                        }
                        Some(b'}') => self.at += 1,
                        _ => return Err(self.syntax("komma eller }", "a comma or }")),
                    }
                }
            }
            value = self.leave();
        }
    }

    fn enter(&mut self, open: Open) -> Result<(), Box<Violation>> {
        if self.open.len() >= self.limits.depth() {
            return Err(self.limits.too_deep(self.pointer()));
        }
        self.at += 1;
        self.open.push(open);
        Ok(())
    }

    fn leave(&mut self) -> Value {
        match self.open.pop().expect("left only after it was entered") {
            Open::Array(items) => Value::Array(items),
            Open::Object { members, .. } => Value::Object(members),
        }
    }

    /// Reads `"name" :` into the innermost object.
    fn key(&mut self) -> Result<(), Box<Violation>> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("et navn i anførselstegn", "a name in quotes"));
        }
        let name = self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("kolon", "a colon"));
        }
        self.at += 1;
        if let Some(Open::Object { key, .. }) = self.open.last_mut() {
            *key = Some(name);
        }
        Ok(())
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, Box<Violation>> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.syntax("en værdi", "a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, Box<Violation>> {
        let Some(len) = number::prefix_len(&self.text.as_bytes()[self.at..]) else {
            return Err(self.syntax("et tal", "a number"));
        };
        let text = &self.text[self.at..self.at + len];
        let number = number::read(text).map_err(|_| self.not_exact(len))?;
        self.at += len;
        Ok(Value::Number(number))
    }

    /// Reads a string whose opening quote is next.
    fn string(&mut self) -> Result<String, Box<Violation>> {
        let start = self.at + 1;
        let run = self.plain_run(start)?;
        let bytes = self.text.as_bytes();
        if bytes[start + run] == b'"' {
            self.at = start + run + 1;
            return Ok(self.text[start..start + run].to_owned());
        }
        let mut string = String::with_capacity(run + 32);
        let (mut from, mut run) = (start, run);
        loop {
            string.push_str(&self.text[from..from + run]);
            self.at = from + run;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(string);
            }
            string.push(self.escape()?);
            from = self.at;
            run = self.plain_run(from)?;
        }
    }

    /// How many bytes from `from` stand for themselves; the next is a quote or a backslash.
    fn plain_run(&mut self, from: usize) -> Result<usize, Box<Violation>> {
        let rest = &self.text[from..];
        let end = memchr2(b'"', b'\\', rest.as_bytes());
        let plain = &rest[..end.unwrap_or(rest.len())];
        let is_control = |byte: u8| byte < 0x20 || byte == 0x7f;
        if text::holds(plain, [(0, 0x1f), (0x7f, 0x7f)])
            && let Some((run, control)) = plain.bytes().enumerate().find(|(_, byte)| is_control(*byte))
        {
            if !matches!(control, b'\t' | b'\n' | b'\r') {
                return Err(text::forbidden(&self.pointer(), char::from(control)));
            }
            self.at = from + run;
            return Err(self.syntax(
                "\\t, \\n eller \\r i stedet for tegnet selv",
                "\\t, \\n or \\r instead of the character itself",
            ));
        }
        let Some(run) = end else {
            self.at = self.text.len();
            return Err(self.syntax("et afsluttende anførselstegn", "a closing quote"));
        };
        match text::first_forbidden(plain) {
            Some(character) => Err(text::forbidden(&self.pointer(), character)),
            None => Ok(run),
        }
    }

    /// Reads an escape whose backslash is next.
    fn escape(&mut self) -> Result<char, Box<Violation>> {
        let character = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => return Err(text::forbidden(&self.pointer(), '\u{8}')),
            Some(b'f') => return Err(text::forbidden(&self.pointer(), '\u{c}')),
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.syntax("en kendt escape efter \\", "a known escape after \\")),
        };
        self.at += 2;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, Box<Violation>> {
        let first = self.hex4(self.at)?;
        let mut len = 6;
        let code = match first {
            0xd800..=0xdbff => {
                match self.text[self.at + 6..].starts_with("\\u").then(|| self.hex4(self.at + 6)) {
                    Some(second) => match second? {
                        low @ 0xdc00..=0xdfff => {
                            len = 12;
                            0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)
                        }
                        _ => first,
                    },
                    None => first,
                }
            }
            other => other,
        };
        let character = char::from_u32(code).ok_or_else(|| self.lone_surrogate())?;
        if text::is_forbidden(character) {
            return Err(text::forbidden(&self.pointer(), character));
        }
        self.at += len;
        Ok(character)
    }

    /// The four hexadecimal digits of the `\uXXXX` at `at`.
    fn hex4(&self, at: usize) -> Result<u32, Box<Violation>> {
        let digits = self.text.as_bytes().get(at + 2..at + 6).unwrap_or_default();
        let mut code = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(16);
            code = code * 16
                + digit.ok_or_else(|| {
                    self.syntax("fire hexadecimale cifre efter \\u", "four hexadecimal digits after \\u")
                })?;
        }
        if digits.len() == 4 {
            Ok(code)
        } else {
            Err(self.syntax("fire hexadecimale cifre efter \\u", "four hexadecimal digits after \\u"))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Where the value being read stands.
    fn pointer(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::Array(items) => pointer::push(&mut path, &items.len().to_string()),
                Open::Object { key: Some(key), .. } => pointer::push(&mut path, key),
                Open::Object { key: None, .. } => {}
            }
        }
        path
    }
}

#[cfg(test)]
mod tests;
