//! The few HTTP calls the tests' own machinery makes: blocking, on loopback, with a bound.
//!
//! HTTP/1.0, so that an answer ends where the connection ends. Blocking, so that a `Drop` can call it.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};

/// The longest that connecting, one read or one write may take.
const STEP: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// One server and who we are there.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// `127.0.0.1:15672`
    authority: String,
    /// The whole value of the header `Authorization`.
    authorization: Option<String>,
}

impl Server {
    pub(crate) fn at(authority: impl Into<String>) -> Self {
        Self { authority: authority.into(), authorization: None }
    }

    /// `127.0.0.1:15672`
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn with_password(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))));
        self
    }

    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.authorization = Some(format!("Bearer {key}"));
        self
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Answer> {
        self.call("GET", path, "")
    }

    /// `body` is JSON, or empty.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let address: SocketAddr = self.authority.parse().map_err(io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, STEP)?;
        stream.set_read_timeout(Some(STEP))?;
        stream.set_write_timeout(Some(STEP))?;
        let authorization = self
            .authorization
            .as_ref()
            .map(|value| format!("authorization: {value}\r\n"))
            .unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nhost: {}\r\n{authorization}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.authority,
            body.len(),
        )?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        read_answer(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::other("not an HTTP answer"))
    }
}

fn read_answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let answer =
            read_answer("HTTP/1.1 404 Not Found\r\nserver: x\r\n\r\nno\r\n\r\nsuch").expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (404, "no\r\n\r\nsuch"));
        assert!(read_answer("AMQP\0\0\u{9}\u{1}").is_none());
    }

    #[test]
    fn nobody_listening_is_an_error() {
        assert!(Server::at("127.0.0.1:1").get("/").is_err());
    }
}
