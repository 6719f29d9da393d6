//! Where the database is, and how it is reached. Never shows the password.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use tokio_postgres::{Config, config::Host, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// To connect to any of the hosts: so that the last one is still tried while the writer has patience.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// What a server that is gone without a word is noticed by.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// In every session: a statement, and a transaction in which nothing is asked, end by themselves, so that a node
/// that stands still holds nobody up.
const SESSION: &str = "-c statement_timeout=10s -c idle_in_transaction_session_timeout=10s \
                       -c client_connection_check_interval=5s -c tcp_keepalives_idle=5 \
                       -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000";

/// How the database is reached.
#[derive(Clone)]
pub struct Address {
    config: Config,
    tls: MakeRustlsConnect,
}

impl Address {
    /// Reads `postgres://user@host/database`, with a password from a file where one is named, and a private
    /// authority's certificates (PEM) that are then the only ones to be trusted.
    ///
    /// `sslmode` is `disable`, `prefer` (what there is) or `require`. A certificate is always checked, name
    /// included: `verify-ca` and `verify-full` mean `require`. Of several hosts, separated by commas, the first that
    /// answers is taken; with `target_session_attrs=read-write` the first that may be written to.
    ///
    /// # Errors
    /// A sentence without the address, which may hold a password.
    pub fn parse(url: &str, password: Option<&str>, ca_pem: Option<&str>) -> Result<Self, String> {
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        let url = url.replace("sslmode=verify-ca", "sslmode=require");
        let mut config: Config =
            url.parse().map_err(|_| "the address is not postgres://user@host/database".to_owned())?;
        if config.get_hosts().is_empty() || config.get_user().is_none() || config.get_dbname().is_none() {
            return Err("the address of PostgreSQL names a user, a host and a database".into());
        }
        if let Some(password) = password {
            if config.get_password().is_some() {
                return Err("the password of PostgreSQL stands both in its address and in a file".into());
            }
            config.password(password);
        }
        let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(u32::MAX);
        let options = config.get_options().map_or_else(String::new, |own| format!(" {own}"));
        config
            .options(format!("{SESSION}{options}"))
            .connect_timeout(CONNECT_TIMEOUT / hosts)
            .tcp_user_timeout(TCP_USER_TIMEOUT)
            .keepalives_idle(Duration::from_secs(5));
        Ok(Self { config, tls: MakeRustlsConnect::new(tls(ca_pem)?) })
    }

    /// The same place, for a session that shows its purpose to who looks at the server.
    pub(super) fn session(&self, name: &str) -> Config {
        let mut config = self.config.clone();
        config.application_name(name);
        config
    }

    /// The same, for a session that only reads and may take longer. That it only reads is said once it stands: one
    /// that says so at once is taken for a standby's.
    pub(super) fn reading(&self, name: &str) -> Config {
        let mut config = self.session(name);
        let options = config.get_options().unwrap_or_default().to_owned();
        config.options(format!("{options} -c statement_timeout=30s"));
        config
    }

    pub(super) fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    /// Is what is said on the wire kept from others for certain?
    pub fn is_tls(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }
}

fn tls(ca_pem: Option<&str>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|_| "it holds no certificates in PEM".to_owned())?;
                roots.add(certificate).map_err(|error| error.to_string())?;
            }
            if roots.is_empty() {
                return Err("it holds no certificates in PEM".into());
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .zip(self.config.get_ports().iter().chain(std::iter::repeat(&5432)))
            .map(|(host, port)| match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(folder) => folder.display().to_string(),
            })
            .collect();
        let (user, database) = (self.config.get_user(), self.config.get_dbname());
        write!(
            f,
            "PostgreSQL at {}, database {}, user {}",
            hosts.join(","),
            database.unwrap_or_default(),
            user.unwrap_or_default()
        )
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_where_and_who_and_never_the_password() {
        let address = Address::parse("postgres://kb:hunter2@db.example:5433/kassebro", None, None).unwrap();
        assert_eq!(address.to_string(), "PostgreSQL at db.example:5433, database kassebro, user kb");
        assert!(!format!("{address:?}").contains("hunter2"));
        let address = Address::parse("postgres://kb@db.example/kassebro", Some("hunter2"), None).unwrap();
        assert!(!format!("{address} {address:?}").contains("hunter2"));
    }

    #[test]
    fn an_address_says_what_it_lacks() {
        for (url, password) in [
            ("postgres://db.example/kassebro", None),
            ("postgres://kb@/kassebro", None),
            ("postgres://kb@db.example", None),
            ("postgres://kb:hunter2@db.example/kassebro", Some("hunter2")),
            ("postgres://kb@db.example/kassebro?sslmode=perhaps", None),
        ] {
            let said = Address::parse(url, password, None).unwrap_err();
            assert!(said.contains("PostgreSQL") || said.contains("postgres://"), "{url}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn each_of_several_hosts_is_tried_in_time() {
        for (hosts, seconds) in [("a", 4), ("a,b", 2), ("a:5433,b,c,d", 1)] {
            let url = format!("postgres://kb@{hosts}/kassebro?target_session_attrs=read-write");
            let address = Address::parse(&url, None, None).unwrap();
            assert_eq!(address.config.get_connect_timeout(), Some(&Duration::from_secs(seconds)), "{hosts}");
        }
    }

    #[test]
    fn what_must_be_verified_is_required() {
        for (mode, is_tls) in
            [("disable", false), ("prefer", false), ("require", true), ("verify-full", true)]
        {
            let url = format!("postgres://kb@db.example/kassebro?sslmode={mode}");
            assert_eq!(Address::parse(&url, None, None).unwrap().is_tls(), is_tls, "{mode}");
        }
        let no_pem = Address::parse("postgres://kb@db.example/kassebro", None, Some("no certificate"));
        assert!(no_pem.is_err());
    }
}
