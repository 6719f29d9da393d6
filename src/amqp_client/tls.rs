//! TLS to the broker: whom we trust, and who we are.

use std::path::{Path, PathBuf};

use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::http_client::{BuildError, read_pem};

/// The files that TLS to one broker needs. They are read at every connection, so that a certificate that was
/// renewed is used from the next one on, without a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM with the only authorities to be trusted. `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// For a broker that asks who we are.
    pub client: Option<Identity>,
}

/// Where our certificate lies, with those between it and its authority, and where its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Tls {
    /// # Errors
    /// A certificate without its key, or a key without its certificate.
    pub fn new(
        ca_file: Option<PathBuf>,
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
    ) -> Result<Self, String> {
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            _ => return Err("client_certificate and client_key belong together: name both or neither".into()),
        };
        Ok(Self { ca_file, client })
    }

    /// Does it name a file?
    pub(super) fn is_configured(&self) -> bool {
        self.ca_file.is_some() || self.client.is_some()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or holds something else; certificate and key do not fit together.
    pub(super) fn connector(&self) -> Result<RustlsConnector, BuildError> {
        let trust = match &self.ca_file {
            Some(file) => RustlsConnectorConfig::default().with_parsable_certificates(certificates(file)?),
            None => RustlsConnectorConfig::new_with_native_certs().map_err(BuildError::Tls)?,
        };
        let connector = match &self.client {
            None => trust.connector_with_no_client_auth(),
            Some(Identity { certificate, key: file }) => {
                let key = PrivateKeyDer::from_pem_slice(&read_pem(file)?)
                    .map_err(|_| BuildError::NoKey(file.clone()))?;
                trust.connector_with_single_cert(certificates(certificate)?, key)
            }
        };
        connector.map_err(BuildError::Tls)
    }
}

/// All certificates of a file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let pem = read_pem(file)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        return Err(BuildError::NoCertificates(file.to_owned()));
    }
    Ok(certificates)
}
