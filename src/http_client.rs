//! The one place that builds HTTP clients: bounded, without redirects and proxies, TLS 1.2 or better.

use std::{
    error::Error,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    Certificate, Client, Identity,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{DATE, HeaderMap},
    redirect, retry, tls,
};

/// Idle connections to one host are kept this long: less than the five seconds after which common servers
/// close them, so that a delivery rarely meets a connection that is closing.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// Idle connections kept to one host: as many as a receiver may have permits, so that no connection is closed
/// between two bursts only to be made anew.
const IDLE_CONNECTIONS_MAX: usize = 1_024;

/// A PEM file of more bytes than this is not read.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Answers with more headers than this are not read.
const ANSWER_HEADERS_MAX: usize = 100;

/// What differs from one client to the next.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For name, connection and TLS handshake together.
    pub connect_timeout: Duration,
    /// PEM with the only authorities to be trusted. `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM with our certificate and its key, for servers that ask for one.
    pub client_identity_file: Option<PathBuf>,
    /// May a name lead to a loopback or private address? An address written as digits always may.
    pub allow_private_addresses: bool,
}

/// A client cannot be built. Each says what a person must mend.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("reading {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("{} is longer than a mebibyte", .0.display())]
    TooLong(PathBuf),
    #[error("{} holds no certificates in PEM", .0.display())]
    NoCertificates(PathBuf),
    #[error("{} does not hold a certificate and its key in PEM", .0.display())]
    NoIdentity(PathBuf),
    #[error("{} holds no private key in PEM", .0.display())]
    NoKey(PathBuf),
    #[error("the TLS settings do not fit together")]
    Client(#[source] reqwest::Error),
    #[error("the TLS settings do not fit together")]
    Tls(#[source] std::io::Error),
}

/// Makes ring the process's TLS provider. May be called any number of times.
pub fn install_tls_provider() {
    // An error says that one is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Builds a client. Every attempt is the caller's: nothing is followed, retried or sent through a proxy.
///
/// # Errors
/// A file cannot be read or holds something else.
#[expect(clippy::disallowed_methods, reason = "this is the one place that builds clients")]
pub fn build(settings: &Settings) -> Result<Client, BuildError> {
    install_tls_provider();
    let mut builder = Client::builder()
        .user_agent(concat!("kassebro/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .http1_max_headers(ANSWER_HEADERS_MAX)
        .tls_version_min(tls::Version::TLS_1_2)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .no_proxy()
        .dns_resolver(Guarded { allow_private: settings.allow_private_addresses });
    if let Some(file) = &settings.ca_file {
        let certificates = Certificate::from_pem_bundle(&read_pem(file)?).unwrap_or_default();
        if certificates.is_empty() {
            return Err(BuildError::NoCertificates(file.clone()));
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(file) = &settings.client_identity_file {
        let identity =
            Identity::from_pem(&read_pem(file)?).map_err(|_| BuildError::NoIdentity(file.clone()))?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(BuildError::Client)
}

/// A file of certificates or keys, of at most a mebibyte.
///
/// # Errors
/// [`BuildError::Unreadable`] and [`BuildError::TooLong`].
pub fn read_pem(file: &Path) -> Result<Vec<u8>, BuildError> {
    let unreadable = |error| BuildError::Unreadable(file.to_owned(), error);
    if std::fs::metadata(file).map_err(unreadable)?.len() > PEM_BYTES_MAX {
        return Err(BuildError::TooLong(file.to_owned()));
    }
    std::fs::read(file).map_err(unreadable)
}

/// Resolves names and drops the addresses a name must not lead to. A server of the configured name that
/// answers from the cloud's metadata address or from this very machine is an attack or a slip, not a
/// receiver.
struct Guarded {
    allow_private: bool,
}

/// A name led only to addresses that it may not lead to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not allowed for it")]
pub struct ForbiddenAddress;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private || name.as_str().eq_ignore_ascii_case("localhost");
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| may_lead_to(address.ip(), allow_private)).collect();
            if allowed.is_empty() {
                return Err(Box::new(ForbiddenAddress).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Link-local (where clouds keep their metadata), unspecified and multicast addresses never; loopback and
/// private ones (RFC 1918, RFC 4193, RFC 6598) where the settings say so.
fn may_lead_to(address: IpAddr, allow_private: bool) -> bool {
    let address = address.to_canonical();
    let (never, private) = match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            (
                v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
                v4.is_loopback() || v4.is_private() || shared,
            )
        }
        IpAddr::V6(v6) => (
            v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
            v6.is_loopback() || v6.is_unique_local(),
        ),
    };
    !never && (allow_private || !private)
}

/// What time an answer says it is, to the second (RFC 9110, 6.6.1).
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(rfc2822::parse(text).ok()?.timestamp())
}

/// What went wrong, with its causes, without the address (which may hold a key), at most 300 characters.
pub fn describe(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

/// The error with its causes, at most 300 characters.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        // Some layers repeat what their source says.
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
    }
    shortened(&texts.join(": "))
}

/// The text's first 300 characters on one line: what others say is not trusted with more of a log.
pub fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// The error and what it came from, outermost first.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // An io::Error hides what it wraps from `source`, which gives the wrapped one's own source.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// The complaint about TLS in an error's causes: a certificate that is not accepted by us or by them, or a
/// handshake that found no common ground.
pub fn tls_complaint<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())
}

/// A complaint about TLS as people read it, and then as the library words it; at most 300 characters.
pub fn complaint_in_words(complaint: &rustls::Error) -> String {
    use rustls::{AlertDescription as A, CertificateError as C, Error as E};
    let words = match complaint {
        E::InvalidCertificate(C::UnknownIssuer) => "its certificate is from an authority that is not trusted",
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => "its certificate has expired",
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "its certificate is not valid yet"
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another host"
        }
        E::InvalidCertificate(_) => "its certificate is not accepted",
        E::AlertReceived(A::CertificateRequired) => "it wants to see a certificate of ours",
        E::AlertReceived(
            A::BadCertificate
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied,
        ) => "it does not accept our certificate",
        _ => "the TLS handshake failed",
    };
    shortened(&format!("{words} ({complaint})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_only_where_it_may() {
        for (address, public_only, private_too) in [
            ("8.8.8.8", true, true),
            ("2001:4860:4860::8888", true, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("10.1.2.3", false, true),
            ("172.16.0.1", false, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("fd00::1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
        ] {
            let ip = address.parse().unwrap();
            assert_eq!(may_lead_to(ip, false), public_only, "{address}");
            assert_eq!(may_lead_to(ip, true), private_too, "{address}");
        }
    }

    #[test]
    fn files_that_hold_something_else_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let settings = Settings {
            connect_timeout: Duration::from_secs(1),
            ca_file: Some(file.clone()),
            client_identity_file: None,
            allow_private_addresses: false,
        };
        assert!(matches!(build(&settings), Err(BuildError::Unreadable(..))));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(matches!(build(&settings), Err(BuildError::NoCertificates(_))));
        let settings = Settings { ca_file: None, client_identity_file: Some(file), ..settings };
        assert!(matches!(build(&settings), Err(BuildError::NoIdentity(_))));
    }
}
