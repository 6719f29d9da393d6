//! The address of a RabbitMQ, or of the nodes of a cluster: read once, with a password that may stand in a file and
//! never shows.

use std::{fmt, fs, path::Path};

use serde::{Deserialize, Deserializer};

/// Hosts that one address may name: more nodes than any cluster of quorum queues gains by.
const HOSTS_MAX: usize = 9;

/// An `amqp://` or `amqps://` address. It may name several hosts, parted by commas, that share user, password, virtual
/// host and query. Shows itself without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpUri {
    scheme: &'static str,
    /// Percent-encoded, as in the address.
    user: String,
    /// Percent-encoded.
    password: Option<String>,
    /// Hosts and ports as written; at least one.
    places: Vec<String>,
    /// From the slash on, as written: the virtual host, percent-encoded.
    path: String,
    query: String,
}

impl AmqpUri {
    /// Reads an address.
    ///
    /// # Errors
    /// A sentence without the address, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match (text.strip_prefix("amqp://"), text.strip_prefix("amqps://")) {
            (Some(rest), _) => ("amqp", rest),
            (_, Some(rest)) => ("amqps", rest),
            _ => return Err("the address of RabbitMQ begins with amqp:// or amqps://".into()),
        };
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '#') {
            return Err(
                "the address of RabbitMQ holds a space, a control character or #: write them as %xx".into()
            );
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (userinfo, places) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match userinfo.split_once(':') {
            Some((user, password)) => (user, Some(password.to_owned())),
            None => (userinfo, None),
        };
        let places: Vec<String> = places.split(',').map(str::to_owned).collect();
        if places.len() > HOSTS_MAX {
            return Err(format!("the address of RabbitMQ names more than {HOSTS_MAX} hosts"));
        }
        places.iter().try_for_each(|place| check_place(place))?;
        if path.len() > 1 && path[1..].contains('/') {
            return Err("the virtual host in the address of RabbitMQ holds a slash: write it as %2f".into());
        }
        Ok(Self {
            scheme,
            user: user.to_owned(),
            password,
            places,
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }

    /// The same address with the password that stands in a file (its line end is dropped).
    ///
    /// # Errors
    /// A sentence that names the file: it cannot be read, is empty, or the address has a password too.
    pub fn with_password_file(mut self, file: &Path) -> Result<Self, String> {
        if self.password.is_some() {
            return Err("the password of RabbitMQ stands both in its address and in a file".into());
        }
        let text =
            fs::read_to_string(file).map_err(|error| format!("reading {}: {error}", file.display()))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(format!("{} holds no password", file.display()));
        }
        self.password = Some(encoded(password));
        Ok(self)
    }

    /// The address of each host alone, in the order written.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        self.places.iter().map(|place| Self { places: vec![place.clone()], ..self.clone() })
    }

    /// The whole address, password included, for the client library only, which knows one host: the first, where
    /// there are several. A heartbeat of 10 s is asked for where the address does not say otherwise: with the server's
    /// minute a frozen broker is noticed after two.
    pub fn reveal(&self) -> String {
        let password = self.password.as_ref().map(|password| format!(":{password}")).unwrap_or_default();
        let at = if self.user.is_empty() && self.password.is_none() { "" } else { "@" };
        let query = match (self.query.is_empty(), self.query.contains("heartbeat=")) {
            (true, _) => "heartbeat=10".to_owned(),
            (false, true) => self.query.clone(),
            (false, false) => format!("{}&heartbeat=10", self.query),
        };
        format!("{}://{}{password}{at}{}{}?{query}", self.scheme, self.user, self.places[0], self.path)
    }

    /// The hosts as written, with their ports where they have any.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// The names or IPv4 addresses of the machines, and the ports: the scheme's own where none is written.
    pub fn hosts_and_ports(&self) -> impl Iterator<Item = (&str, u16)> {
        let usual = if self.is_tls() { 5671 } else { 5672 };
        self.places.iter().map(move |place| {
            let (host, port) = place.split_once(':').unwrap_or((place, ""));
            (host, port.parse().unwrap_or(usual))
        })
    }

    /// Does it come with a password?
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Is it reached over TLS?
    pub fn is_tls(&self) -> bool {
        self.scheme == "amqps"
    }
}

/// # Errors
/// A sentence without the host: what is taken for one may be a part of a password.
fn check_place(place: &str) -> Result<(), String> {
    // The client library takes an IPv6 host for none at all, and would connect to localhost.
    if place.is_empty() || place.starts_with(':') || place.contains(['[', ']', '@']) {
        return Err(
            "the address of RabbitMQ names a host, or several parted by commas, by name or IPv4 address"
                .into(),
        );
    }
    let port = place.split_once(':').map(|(_, port)| port);
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("the port in the address of RabbitMQ is not a number up to 65535".into());
    }
    Ok(())
}

/// Everything but letters and digits as %xx.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}

impl fmt::Display for AmqpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.user.is_empty() { "" } else { "@" };
        write!(f, "{}://{}{at}{}{}", self.scheme, self.user, self.places.join(","), self.path)
    }
}

impl fmt::Debug for AmqpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for AmqpUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_shows_its_password() {
        let uri =
            AmqpUri::parse("amqp://gateway:s3cret%2F@broker.example:5672/%2fprod?frame_max=8192&x=s3cret")
                .unwrap();
        assert_eq!(uri.to_string(), "amqp://gateway@broker.example:5672/%2fprod");
        assert!(!format!("{uri:?}").contains("s3cret"));
        assert_eq!(
            uri.reveal(),
            "amqp://gateway:s3cret%2F@broker.example:5672/%2fprod?frame_max=8192&x=s3cret&heartbeat=10"
        );
    }

    #[test]
    fn an_address_that_is_wrong_is_refused_without_being_shown() {
        for text in [
            "s3cret",
            "http://a:s3cret@b",
            "amqp://",
            "amqp://:5672",
            "amqp://a:s3cret@",
            "amqp://a:s3cret@[::1]:5672",
            "amqp://a:s3cret@b:x",
            "amqp://a:s3cret@b:70000",
            "amqp://a:s3cret@b/x/y",
            "amqp://a:s3 cret@b",
            "amqp://a:s3cret#@b",
            "amqp://a:s3cret@b,",
            "amqp://a:s3cret@,b",
            "amqp://a:s3cret@b,:5672",
            "amqp://a:s3cret@b:5672,c:s3",
            "amqp://a:s3cret@a,b,c,d,e,f,g,h,i,j",
        ] {
            let error = AmqpUri::parse(text).unwrap_err();
            assert!(!error.contains("s3"), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "p@ss/wørd\n").unwrap();
        let uri = AmqpUri::parse("amqps://gateway@broker.example/%2f?heartbeat=5").unwrap();
        let uri = uri.with_password_file(&file).unwrap();
        assert_eq!(uri.reveal(), "amqps://gateway:p%40ss%2Fw%C3%B8rd@broker.example/%2f?heartbeat=5");
        assert!(uri.clone().with_password_file(&file).unwrap_err().contains("both"));
        std::fs::write(&file, "\n").unwrap();
        let uri = AmqpUri::parse("amqp://gateway@broker.example").unwrap();
        assert!(uri.with_password_file(&file).unwrap_err().contains("no password"));
    }

    #[test]
    fn an_address_without_a_user_stays_one() {
        assert_eq!(
            AmqpUri::parse("amqp://localhost:5673").unwrap().reveal(),
            "amqp://localhost:5673?heartbeat=10"
        );
    }
    #[test]
    fn an_address_may_name_the_nodes_of_a_cluster() {
        let uri =
            AmqpUri::parse("amqps://gateway:s3,cr,et@one:5673,two,10.0.0.3:5675/%2f?heartbeat=5").unwrap();
        assert_eq!(uri.to_string(), "amqps://gateway@one:5673,two,10.0.0.3:5675/%2f");
        let hosts: Vec<_> = uri.hosts_and_ports().collect();
        assert_eq!(hosts, [("one", 5673), ("two", 5671), ("10.0.0.3", 5675)]);
        let revealed: Vec<_> = uri.each().map(|one| one.reveal()).collect();
        assert_eq!(
            revealed,
            [
                "amqps://gateway:s3,cr,et@one:5673/%2f?heartbeat=5",
                "amqps://gateway:s3,cr,et@two/%2f?heartbeat=5",
                "amqps://gateway:s3,cr,et@10.0.0.3:5675/%2f?heartbeat=5",
            ]
        );
    }
}
