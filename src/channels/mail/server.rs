//! The server that takes our mail: reached over TLS, greeted by our login, and what its answers mean.

use std::{fmt, path::Path, time::Duration};

use lettre::{
    Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsVersion},
        extension::ClientId,
    },
};

use super::{Refused, ServerConfig, Tls};
use crate::{
    domain::{Fault, FaultCode},
    http_client,
};

/// What a server answers who does not know us (RFC 4954, 6).
const LOGIN_REFUSED: [u16; 4] = [530, 534, 535, 538];

/// Where mail is handed over, and as whom.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: TlsParameters,
    /// TLS from the first byte.
    implicit: bool,
    us: ClientId,
    login: Option<Credentials>,
    connect_timeout: Duration,
    total_timeout: Duration,
}

/// How far it had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Reaching,
    LoggingIn,
    Sending,
}

impl Server {
    pub(super) fn new(config: &ServerConfig) -> Result<Self, String> {
        http_client::install_tls_provider();
        if config.connect_timeout.is_zero() || config.connect_timeout > config.total_timeout {
            return Err("connect_timeout and total_timeout are over 0 and grow in that order".into());
        }
        if config.host.is_empty() {
            return Err("host names the server that takes our mail".into());
        }
        let login = match (&config.user, &config.password_file) {
            (Some(user), Some(file)) => Some(Credentials::new(user.clone(), password(file)?)),
            (None, None) => None,
            _ => return Err("user and password_file belong together: name both or neither".into()),
        };
        Ok(Self {
            host: config.host.clone(),
            port: config.port(),
            tls: tls(&config.host, config.ca_file.as_deref())?,
            implicit: config.tls == Tls::Implicit,
            us: ClientId::default(),
            login,
            connect_timeout: config.connect_timeout,
            total_timeout: config.total_timeout,
        })
    }

    /// Hands over one mail. It is taken once the server has said so; taking leave is a courtesy.
    pub(super) async fn take(&self, mail: &Message) -> Result<(), Refused> {
        let errand = async {
            let mut connection = self.enter().await?;
            let sent = connection.send(mail.envelope(), &mail.formatted()).await;
            sent.map_err(|error| self.refused(&error, Step::Sending))?;
            // In time or not: the mail is taken, whatever comes of the farewell.
            let _ = tokio::time::timeout(self.connect_timeout, connection.abort()).await;
            Ok(())
        };
        self.in_time(errand).await
    }

    /// As far as the mail, and no further.
    pub(super) async fn greet(&self) -> Result<(), Refused> {
        let errand = async {
            self.enter().await?.abort().await;
            Ok(())
        };
        self.in_time(errand).await
    }

    /// A mail that came twice says the same twice: whatever had no answer is as good as not sent.
    async fn in_time(&self, errand: impl Future<Output = Result<(), Refused>>) -> Result<(), Refused> {
        tokio::time::timeout(self.total_timeout, errand).await.unwrap_or_else(|_| {
            let detail = format!("{self} was not done with it when the time was up");
            Err(Fault::new(FaultCode::ConnectFailed, detail).into())
        })
    }

    async fn enter(&self) -> Result<AsyncSmtpConnection, Refused> {
        let reaching = |error: Error| self.refused(&error, Step::Reaching);
        let wrapped = self.implicit.then(|| self.tls.clone());
        let (place, patience) = ((self.host.as_str(), self.port), Some(self.connect_timeout));
        let connection = AsyncSmtpConnection::connect_tokio1(place, patience, &self.us, wrapped, None).await;
        let mut connection = connection.map_err(reaching)?;
        if !connection.is_encrypted() {
            if !connection.can_starttls() {
                connection.abort().await;
                let detail = format!("{self} does not offer STARTTLS, and nothing is sent without TLS");
                return Err(Fault::new(FaultCode::ReceiverCertificate, detail).into());
            }
            connection.starttls(self.tls.clone(), &self.us).await.map_err(reaching)?;
        }
        if let Some(login) = &self.login {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let known = connection.auth(&mechanisms, login).await;
            known.map_err(|error| self.refused(&error, Step::LoggingIn))?;
        }
        Ok(connection)
    }

    /// What an error of the library means. The server's words are left out: they may repeat an address.
    fn refused(&self, error: &Error, step: Step) -> Refused {
        let status = error.status().and_then(|code| code.to_string().parse().ok());
        let (code, says) = if let Some(complaint) = http_client::tls_complaint(error) {
            (FaultCode::ReceiverCertificate, http_client::complaint_in_words(complaint))
        } else if let Some(status) = status {
            let code = judge(status, step);
            let says = match code {
                FaultCode::ReceiverUnauthorised => "does not let us in",
                FaultCode::ReceiverUnroutable => "refuses mail for the receiver",
                _ => "does not take the mail now",
            };
            (code, format!("it {says}: {status}{}", enhanced(error)))
        } else if error.is_client() {
            let code = match step {
                Step::LoggingIn => FaultCode::ReceiverUnauthorised,
                Step::Reaching | Step::Sending => FaultCode::ReceiverUnroutable,
            };
            (code, http_client::with_causes(error))
        } else if error.is_response() {
            (FaultCode::ReceiverError, "it answers something that is not SMTP".to_owned())
        } else {
            (FaultCode::ConnectFailed, http_client::with_causes(error))
        };
        Refused { fault: Fault::new(code, format!("{self}: {says}")), status }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mail server {}:{}", self.host, self.port)
    }
}

/// A mail of ours is always the same but for numbers: who refuses it for good refuses the receiver, not the message.
fn judge(status: u16, step: Step) -> FaultCode {
    match (status, step) {
        (400..500, _) => FaultCode::ReceiverBusy,
        (_, Step::LoggingIn) => FaultCode::ReceiverUnauthorised,
        (status, _) if LOGIN_REFUSED.contains(&status) => FaultCode::ReceiverUnauthorised,
        (_, Step::Reaching) => FaultCode::ReceiverError,
        (_, Step::Sending) => FaultCode::ReceiverUnroutable,
    }
}

/// The server's own finer code, ` 5.1.1`, where it begins its words with one (RFC 3463).
fn enhanced(error: &Error) -> String {
    use std::error::Error as _;
    let words = error.source().map(ToString::to_string).unwrap_or_default();
    let word = words.split_whitespace().next().unwrap_or_default();
    let parts: Vec<&str> = word.split('.').collect();
    let numbers =
        parts.iter().all(|part| matches!(part.len(), 1..=3) && part.bytes().all(|b| b.is_ascii_digit()));
    if parts.len() == 3 && numbers { format!(" {word}") } else { String::new() }
}

fn tls(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned()).set_min_tls_version(TlsVersion::Tlsv12);
    if let Some(file) = ca_file {
        let pem = http_client::read_pem(file).map_err(|error| http_client::with_causes(&error))?;
        let wrong = || format!("{} holds no certificates in PEM", file.display());
        // An empty list of certificates would be no error, and would trust nobody.
        if !pem.windows(27).any(|part| part == b"-----BEGIN CERTIFICATE-----") {
            return Err(wrong());
        }
        let authorities = Certificate::from_pem(&pem).map_err(|_| wrong())?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authorities);
    }
    builder.build().map_err(|error| http_client::with_causes(&error))
}

/// The first line of the file.
fn password(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("password_file: reading {}: {error}", file.display()))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(format!("password_file: {} holds no password", file.display()));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FaultClass, fault::Follows};

    #[test]
    fn no_answer_of_a_mail_server_is_the_death_of_a_message() {
        for status in 400..600 {
            for step in [Step::Reaching, Step::LoggingIn, Step::Sending] {
                let follows = judge(status, step).class().follows();
                assert!(matches!(follows, Follows::Retry | Follows::HoldLane), "{status} {step:?}");
            }
        }
        for (status, step, class) in [
            (421, Step::Reaching, FaultClass::Unavailable),
            (454, Step::LoggingIn, FaultClass::Unavailable),
            (535, Step::LoggingIn, FaultClass::ReceiverFault),
            (530, Step::Sending, FaultClass::ReceiverFault),
            (450, Step::Sending, FaultClass::Unavailable),
            (550, Step::Sending, FaultClass::ReceiverFault),
            (554, Step::Reaching, FaultClass::Unavailable),
        ] {
            assert_eq!(judge(status, step).class(), class, "{status} {step:?}");
        }
    }
}
