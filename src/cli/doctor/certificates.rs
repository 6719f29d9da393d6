//! How long certificates still hold: those that others show, and our own.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use super::Finding;
use crate::{cli::now, http_client};

/// Connecting, and each read and write of the handshake.
const STEP: Duration = Duration::from_secs(5);
/// The whole handshake.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of one answer of a mail server.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Fewer days than this should be known.
const DAYS_WANTED: i64 = 30;
const DAY_SECONDS: i64 = 86_400;

/// When a server begins to speak TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    AtOnce,
    /// A mail server, when it is asked (RFC 3207).
    AfterStartTls,
}

/// The certificates that a server shows, trusted or not: whether it is trusted is seen where it is used.
pub(super) async fn theirs(whose: &str, host: &str, port: u16, begins: Begins) -> Finding {
    let what = format!("{whose}'s certificate");
    let (name, place) = (host.to_owned(), format!("{host}:{port}"));
    let looking = tokio::task::spawn_blocking(move || shown(&name, port, begins));
    let then = "see that it is reached and speaks TLS";
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok(Ok(shown))) => judge(what, &shown, now()),
        Ok(Ok(Err(error))) => {
            let says = http_client::shortened(&format!("{place} shows none: {error}"));
            Finding::fail(what, says, then)
        }
        Ok(Err(_)) | Err(_) => Finding::fail(what, format!("{place} shows none in time"), then),
    }
}

/// A certificate of ours, in PEM.
pub(super) fn ours(whose: &str, file: &Path) -> Finding {
    let what = format!("our certificate for {whose}");
    match http_client::read_pem(file) {
        Ok(pem) => {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
            judge(what, &certificates, now())
        }
        Err(error) => Finding::fail(what, http_client::with_causes(&error), "see that the file can be read"),
    }
}

/// The first of them to end is what counts.
fn judge(what: String, certificates: &[CertificateDer<'_>], now: Timestamp) -> Finding {
    let ends = certificates.iter().map(|certificate| {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    });
    let Some(end) = ends.collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().min()) else {
        return Finding::fail(what, "it cannot be read", "see what it is with `openssl x509`");
    };
    let days = end.duration_since(now).as_secs().div_euclid(DAY_SECONDS);
    let renew = "renew it: without it nothing is sent or taken there";
    if end < now {
        Finding::fail(what, format!("it expired at {end}"), renew)
    } else if days < DAYS_WANTED {
        Finding::warn(what, format!("it holds for {days} more days, until {end}"), renew)
    } else {
        Finding::ok(what, format!("it holds for {days} more days, until {end}"))
    }
}

/// Shakes hands and says nothing.
fn shown(host: &str, port: u16, begins: Begins) -> io::Result<Vec<CertificateDer<'static>>> {
    http_client::install_tls_provider();
    let provider =
        CryptoProvider::get_default().cloned().ok_or_else(|| io::Error::other("no TLS provider"))?;
    let witness = Arc::new(Witness { provider, seen: Mutex::default() });
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Witness>::clone(&witness))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = connected(host, port)?;
    stream.set_read_timeout(Some(STEP))?;
    stream.set_write_timeout(Some(STEP))?;
    if begins == Begins::AfterStartTls {
        ask_for_tls(&mut stream)?;
    }
    let shaken = connection.complete_io(&mut stream);
    connection.send_close_notify();
    // Who wants to see a certificate of ours first has shown its own all the same.
    let _ = connection.complete_io(&mut stream);
    let seen = std::mem::take(&mut *witness.seen.lock().unwrap_or_else(PoisonError::into_inner));
    if seen.is_empty() {
        Err(shaken.err().unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    } else {
        Ok(seen)
    }
}

/// Greets a mail server and asks it to go on in TLS.
fn ask_for_tls(stream: &mut TcpStream) -> io::Result<()> {
    answered(stream, "220")?;
    stream.write_all(b"EHLO [127.0.0.1]\r\n")?;
    answered(stream, "250")?;
    stream.write_all(b"STARTTLS\r\n")?;
    answered(stream, "220")
}

/// Reads an answer to its last line: `250 ` and not `250-`. Byte by byte, for what follows it may be TLS.
fn answered(stream: &mut TcpStream, code: &str) -> io::Result<()> {
    let (mut line, mut byte) = (String::new(), [0]);
    for _ in 0..ANSWER_BYTES_MAX {
        stream.read_exact(&mut byte)?;
        line.push(char::from(byte[0]));
        if byte == *b"\n" {
            match line.strip_prefix(code) {
                Some(rest) if rest.starts_with('-') => line.clear(),
                Some(_) => return Ok(()),
                None => return Err(io::Error::other("it does not speak STARTTLS")),
            }
        }
    }
    Err(io::Error::other("its answer does not end"))
}

fn connected(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, STEP) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Remembers what it is shown and objects to nothing: nothing is sent to whom it is shown by.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates).map(|c| c.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Standing;

    #[test]
    fn the_certificate_that_ends_first_counts() {
        let until = |year: i32, month: u8| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, month, 1);
            params.self_signed(&key).unwrap().der().clone()
        };
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let (long, short, gone) = (until(2030, 1), until(2026, 12), until(2026, 11));
        for (shown, standing, words) in [
            (vec![long.clone()], Standing::Ok, "1135 more days"),
            (vec![long.clone(), short.clone()], Standing::Warn, "8 more days"),
            (vec![short, gone, long], Standing::Fail, "expired at 2026-11-01T00:00:00Z"),
            (vec![], Standing::Fail, "cannot be read"),
            (vec![CertificateDer::from(vec![1, 2, 3])], Standing::Fail, "cannot be read"),
        ] {
            let found = judge("it".into(), &shown, now);
            assert_eq!(found.standing, standing, "{found:?}");
            assert!(found.says.contains(words), "{found:?}");
        }
    }
}
