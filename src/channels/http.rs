//! `POST` to a receiver's address: the same key at every attempt, and every answer judged in one place.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use reqwest::{
    Client, Method, Request, Response, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use tokio::time::error::Elapsed;

use super::{Channel, Consignment, Endpoint, profiles};
use crate::{
    clock::{Clock, System},
    domain::{Fault, Outcome, Profile},
    http_client, units,
    webhook_signature::{self, WebhookSecret},
};
use body::WatchedBody;

pub(super) mod answer;
mod body;
mod failure;
pub mod star;
pub mod status;

/// At most this much of an answer is read.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// More headers than this are not set by configuration.
const HEADERS_MAX: usize = 20;

/// What the gateway sets itself, and configuration may not.
const OWN_HEADERS: [&str; 13] = [
    "idempotency-key",
    "x-requestid",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "traceparent",
    "tracestate",
    star::CITIZEN,
    "content-type",
    "content-length",
    "transfer-encoding",
    "host",
    "connection",
];

/// A receiver reached over HTTP.
///
/// ```toml
/// [[receiver]]
/// party = "urn:dk:jobcenter:0707"
/// channel = "http"
/// url = "https://jobcenter.example/inbox"
/// total_timeout = "20s"
/// already_have = [409, 412]
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to post. `https`, or `http` to an address of this machine. Without user, password or fragment.
    pub url: HttpUrl,
    /// For name, connection and TLS handshake together.
    #[serde(default = "connect_timeout", with = "units::duration")]
    pub connect_timeout: Duration,
    /// From the start of the attempt until the answer's status has come.
    #[serde(default = "first_byte_timeout", with = "units::duration")]
    pub first_byte_timeout: Duration,
    /// From the start of the attempt until the answer has been read. Shorter than the time a lane gives an
    /// attempt, or the lane cannot tell what was sent.
    #[serde(default = "total_timeout", with = "units::duration")]
    pub total_timeout: Duration,
    /// The system that is reached, where its answers have rules of their own.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// For the profile `star`: the organisation that it is told we speak for.
    #[serde(default)]
    pub star: Option<star::Organisation>,
    /// Whether a success is only the word of somebody on the way, and the promise waits for the jobcenter's
    /// business receipt.
    #[serde(default)]
    pub receipt_follows: bool,
    /// Statuses (4xx) by which this receiver says that it has the message already. Usual: 409 and 412.
    #[serde(default)]
    pub already_have: Vec<u16>,
    /// File with one to four Standard Webhooks secrets (`whsec_…`), one a line: the parcel is signed with
    /// each, so that a secret can be changed without a gap.
    #[serde(default)]
    pub webhook_secret_file: Option<PathBuf>,
    /// Headers with values that are no secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers whose values stand in files, such as `Authorization`.
    #[serde(default)]
    pub header_files: BTreeMap<String, PathBuf>,
    /// PEM with the only authorities to be trusted with this receiver. Without it: the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// PEM with our certificate and key, for a receiver that asks who we are.
    #[serde(default)]
    pub client_identity_file: Option<PathBuf>,
    /// May the receiver's name lead to a private address, and may it be reached without TLS? For a receiver
    /// behind a tunnel or a proxy of your own.
    #[serde(default)]
    pub private_network: bool,
}

fn connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn first_byte_timeout() -> Duration {
    Duration::from_secs(20)
}

fn total_timeout() -> Duration {
    Duration::from_secs(30)
}

/// An address without credentials. Shows scheme, host and port only: a path or a query may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(Url);

impl HttpUrl {
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("the URL cannot be read: {error}"))?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
            return Err("a receiver's URL begins with https:// and names a host".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a receiver's URL holds no user or password: put them in header_files".into());
        }
        if url.fragment().is_some() {
            return Err("a receiver's URL has no fragment (#…)".into());
        }
        Ok(Self(url))
    }

    /// `https://host:port`, for texts.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Host and port, where it is reached over TLS.
    pub fn over_tls(&self) -> Option<(&str, u16)> {
        let host = self.0.host_str()?.trim_matches(['[', ']']);
        (self.0.scheme() == "https").then_some((host, self.0.port_or_known_default()?))
    }

    fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl std::fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/…", self.origin())
    }
}

impl<'de> Deserialize<'de> for HttpUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// One receiver's address with all that a `POST` to it needs.
pub struct Http {
    client: Client,
    url: Url,
    origin: String,
    headers: HeaderMap,
    secrets: Vec<WebhookSecret>,
    profile: Option<Profile>,
    organisation: Option<star::Organisation>,
    receipt_follows: bool,
    already_have: Vec<u16>,
    first_byte_timeout: Duration,
    total_timeout: Duration,
}

impl Http {
    /// Reads the files the configuration names and builds the client. Connects to nobody.
    ///
    /// # Errors
    /// A sentence that names the setting that is wrong.
    pub fn new(config: &Config) -> Result<Self, String> {
        if config.url.0.scheme() == "http" && !config.url.is_loopback() && !config.private_network {
            return Err(format!(
                "{} is not reached over TLS: use https, or set private_network",
                config.url.origin()
            ));
        }
        let waits = [config.connect_timeout, config.first_byte_timeout, config.total_timeout];
        if waits[0].is_zero() || !waits.is_sorted() {
            return Err(
                "connect_timeout, first_byte_timeout and total_timeout are over 0 and grow in that order"
                    .into(),
            );
        }
        if let Some(status) = config.already_have.iter().find(|status| !(400..500).contains(*status)) {
            return Err(format!(
                "already_have lists {status}: only a 4xx can say that the receiver has it already"
            ));
        }
        if let Some(organisation) = &config.star {
            organisation.check(config.profile)?;
        }
        let settings = http_client::Settings {
            connect_timeout: config.connect_timeout,
            ca_file: config.ca_file.clone(),
            client_identity_file: config.client_identity_file.clone(),
            allow_private_addresses: config.private_network,
        };
        let client = http_client::build(&settings).map_err(|error| {
            http_client::causes(&error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
        })?;
        let secrets = config.webhook_secret_file.as_deref().map(WebhookSecret::read_file).transpose()?;
        Ok(Self {
            client,
            url: config.url.0.clone(),
            origin: config.url.origin(),
            headers: configured_headers(config)?,
            secrets: secrets.unwrap_or_default(),
            profile: config.profile,
            organisation: config.star.clone(),
            receipt_follows: config.receipt_follows,
            already_have: config.already_have.clone(),
            first_byte_timeout: config.first_byte_timeout,
            total_timeout: config.total_timeout,
        })
    }

    /// What time the receiver says it is, to the second, whatever else it answers to a probe. `None`: it is not
    /// reached, or does not say.
    pub async fn date(&self) -> Option<Timestamp> {
        http_client::date(self.head().await.ok()?.ok()?.headers())
    }

    async fn head(&self) -> Result<reqwest::Result<Response>, Elapsed> {
        let mut request = Request::new(Method::HEAD, self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        tokio::time::timeout(self.first_byte_timeout, self.client.execute(request)).await
    }

    async fn attempt(&self, consignment: &Consignment) -> Outcome {
        let begin = System.monotonic();
        let (body, sent) = WatchedBody::new(consignment.parcel.body.clone());
        let mut request = self.request(consignment, body);
        if let Some(profile) = self.profile
            && let Err(fault) = self.fit(profile, consignment, request.headers_mut())
        {
            return Outcome::fault(fault);
        }
        let started = tokio::time::timeout(self.first_byte_timeout, self.client.execute(request)).await;
        match started {
            Ok(Ok(response)) => self.judge(consignment, response, begin).await,
            Ok(Err(error)) => Outcome::fault(failure::fault(error, &self.origin, sent.is_begun())),
            Err(_) => Outcome::fault(failure::too_late(&self.origin, sent.is_begun())),
        }
    }

    fn request(&self, consignment: &Consignment, body: WatchedBody) -> Request {
        let mut request = Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        let id = consignment.delivery.to_string();
        let key = HeaderValue::from_str(&id).expect("a UUID is letters, digits and hyphens");
        let at = consignment.now.as_second();
        for name in ["idempotency-key", "x-requestid", "webhook-id"] {
            headers.insert(name, key.clone());
        }
        headers.insert("webhook-timestamp", at.into());
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_str(&consignment.parcel.content_type)
                .expect("content types of ours are plain ASCII"),
        );
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.1"));
        if let Some(signature) = webhook_signature::header(&self.secrets, &id, at, &consignment.parcel.body) {
            let signature = HeaderValue::from_str(&signature).expect("base64 and commas are header text");
            headers.insert("webhook-signature", signature);
        }
        // Admission checked its shape; a text that is no header value is left out rather than sent.
        for (name, trace) in
            [("traceparent", &consignment.traceparent), ("tracestate", &consignment.tracestate)]
        {
            if let Some(Ok(trace)) = trace.as_deref().map(HeaderValue::from_str) {
                headers.insert(name, trace);
            }
        }
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        request
    }

    /// Gives a request what only that profile's system reads; or says why it is not for it.
    fn fit(&self, profile: Profile, consignment: &Consignment, headers: &mut HeaderMap) -> Result<(), Fault> {
        profiles::fits(profile, &consignment.parcel)?;
        match profile {
            Profile::Star => star::add_headers(self.organisation.as_ref(), consignment, headers),
            Profile::Kombit | Profile::Sf2900 => Ok(()),
        }
    }

    async fn judge(&self, consignment: &Consignment, response: Response, begin: Duration) -> Outcome {
        let status = response.status().as_u16();
        let mut verdict = answer::verdict(status, response.headers(), &self.already_have, consignment.now);
        // Without a profile the status alone says whether it has it. What follows a success is worth reading,
        // not waiting for.
        let mut body = None;
        if self.profile.is_some() || matches!(verdict, answer::Verdict::Has { .. }) {
            let left = self.total_timeout.saturating_sub(System.monotonic().saturating_sub(begin));
            body = tokio::time::timeout(left, answer::read(response)).await.ok().flatten();
        }
        if let Some(profile) = self.profile {
            verdict = profiles::judge(profile, status, verdict, body.as_deref());
        }
        match verdict {
            answer::Verdict::Has { already } => {
                Outcome::Delivered(answer::proof(status, already, self.receipt_follows, body.as_deref()))
            }
            answer::Verdict::Not { code, says, retry_after, star_code } => Outcome::Fault {
                fault: Fault::new(code, format!("{} {says}", self.origin)).star(star_code),
                status: Some(status),
                retry_after,
            },
        }
    }
}

impl Channel for Http {
    fn send<'a>(&'a self, consignment: &'a Consignment) -> BoxFuture<'a, Outcome> {
        self.attempt(consignment).boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        async {
            match self.head().await {
                Ok(Ok(response)) => answer::probe(response.status().as_u16(), &self.origin),
                Ok(Err(error)) => Err(failure::fault(error, &self.origin, false)),
                Err(_) => Err(failure::too_late(&self.origin, false)),
            }
        }
        .boxed()
    }

    fn endpoint(&self, _event_type: &str) -> Endpoint {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        Endpoint::Http { host, port: self.url.port_or_known_default().unwrap_or_default() }
    }
}

fn configured_headers(config: &Config) -> Result<HeaderMap, String> {
    if config.headers.len() + config.header_files.len() > HEADERS_MAX {
        return Err(format!("more than {HEADERS_MAX} headers are configured"));
    }
    let mut headers = HeaderMap::new();
    let plain = config.headers.iter().map(|(name, value)| Ok::<_, String>((name, value.clone(), false)));
    let files = config.header_files.iter().map(|(name, file)| {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| format!("reading {} for header {name}: {error}", file.display()))?;
        Ok((name, text.trim_end().to_owned(), true))
    });
    for entry in plain.chain(files) {
        let (name, value, secret) = entry?;
        let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| format!("header {name} holds what no header may"))?;
        value.set_sensitive(secret);
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(format!("header {name} is the gateway's own"));
        }
        if headers.insert(name.clone(), value).is_some() {
            return Err(format!("header {name} is configured twice"));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
