//! What a request without an answer means: was it surely not sent, or can we not know?

use std::error::Error;

use rustls::AlertDescription;

use crate::{
    domain::{Fault, FaultCode},
    http_client::{self, ForbiddenAddress},
};

/// Judges a failed request. `begun`: some of the body was handed to the connection.
pub(super) fn fault(error: reqwest::Error, origin: &str, begun: bool) -> Fault {
    let code = code(&error, begun);
    Fault::new(code, format!("{origin} {}: {}", says(code), http_client::describe(error)))
}

/// Judges a request whose answer did not begin in time.
pub(super) fn too_late(origin: &str, begun: bool) -> Fault {
    let code = if begun { FaultCode::NoAnswer } else { FaultCode::ConnectFailed };
    Fault::new(code, format!("{origin} {}: the time was up", says(code)))
}

fn code(error: &reqwest::Error, begun: bool) -> FaultCode {
    if http_client::causes(error).any(<dyn Error>::is::<ForbiddenAddress>) {
        return FaultCode::ReceiverMisplaced;
    }
    if http_client::tls_complaint(error).is_some_and(|complaint| error.is_connect() || refuses_us(complaint))
    {
        return FaultCode::ReceiverCertificate;
    }
    if error.is_connect() || !begun {
        return FaultCode::ConnectFailed;
    }
    if unreadable(error) { FaultCode::AnswerUnreadable } else { FaultCode::NoAnswer }
}

/// With TLS 1.3 a server judges our certificate only after our handshake is done and the request on its way;
/// these alerts say that it never read one.
fn refuses_us(complaint: &rustls::Error) -> bool {
    use AlertDescription as A;
    matches!(
        complaint,
        rustls::Error::AlertReceived(
            A::CertificateRequired
                | A::BadCertificate
                | A::UnsupportedCertificate
                | A::CertificateRevoked
                | A::CertificateExpired
                | A::CertificateUnknown
                | A::UnknownCA
                | A::AccessDenied
        )
    )
}

/// Something came back, and it is not HTTP.
fn unreadable(error: &(dyn Error + 'static)) -> bool {
    let mut hyper = http_client::causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>());
    hyper.any(hyper::Error::is_parse)
}

fn says(code: FaultCode) -> &'static str {
    match code {
        FaultCode::ReceiverCertificate => "was not trusted, or did not trust us",
        FaultCode::ReceiverMisplaced => "may not be reached there",
        FaultCode::ConnectFailed => "was not reached, nothing was sent",
        FaultCode::AnswerUnreadable => "answered something that is not HTTP",
        _ => "was sent the message and gave no answer",
    }
}
