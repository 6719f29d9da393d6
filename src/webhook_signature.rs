//! Signatures by Standard Webhooks 1.0: HMAC-SHA256 over id, time and body. For parcels and for notices of alerts.

use std::{fmt, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// More secrets than this are not read from a file: the old and the new one, and room for a slip.
const SECRETS_MAX: usize = 4;

/// A shared secret of 24 to 64 bytes. Does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// Reads `whsec_` and base64.
    ///
    /// # Errors
    /// A sentence without the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = text.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
        bytes
            .filter(|bytes| (24..=64).contains(&bytes.len()))
            .map(Self)
            .ok_or_else(|| "a webhook secret is whsec_ and 24 to 64 bytes in base64".to_owned())
    }

    /// Reads a file of one to four secrets, one a line.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn read_file(file: &Path) -> Result<Vec<Self>, String> {
        let text =
            std::fs::read_to_string(file).map_err(|error| format!("reading {}: {error}", file.display()))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets: Result<Vec<_>, _> = lines.map(Self::parse).collect();
        let secrets = secrets.map_err(|error| format!("{}: {error}", file.display()))?;
        if (1..=SECRETS_MAX).contains(&secrets.len()) {
            Ok(secrets)
        } else {
            Err(format!("{} holds {} secrets; 1 to {SECRETS_MAX} are wanted", file.display(), secrets.len()))
        }
    }

    /// `v1,` and the signature in base64.
    pub fn sign(&self, id: &str, at: i64, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(self.over(id, at, body).finalize().into_bytes()))
    }

    /// Is one of the signatures in the header ours? Compared in constant time.
    pub fn verify(&self, header: &str, id: &str, at: i64, body: &[u8]) -> bool {
        let signatures = header.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
        signatures.into_iter().any(|signature| self.over(id, at, body).verify_slice(&signature).is_ok())
    }

    fn over(&self, id: &str, at: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body);
        mac
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// The header: one signature per secret, a space between. `None` without secrets.
pub fn header(secrets: &[WebhookSecret], id: &str, at: i64, body: &[u8]) -> Option<String> {
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(id, at, body)).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 bytes, as published with the standard's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_standards_own_example_comes_out() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn another_id_time_body_or_secret_is_another_signature() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        let other = WebhookSecret(vec![7; 24]);
        let header = format!("v1,bm90aGluZw== {}", secret.sign("a", 1, b"body"));
        assert!(secret.verify(&header, "a", 1, b"body"));
        for (id, at, body) in [("b", 1, "body"), ("a", 2, "body"), ("a", 1, "bodY")] {
            assert!(!secret.verify(&header, id, at, body.as_bytes()));
        }
        assert!(!other.verify(&header, "a", 1, b"body"));
    }

    #[test]
    fn a_secret_has_its_form_and_does_not_show_itself() {
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_%%%"] {
            let error = WebhookSecret::parse(text).unwrap_err();
            assert!(text.is_empty() || text == "whsec_" || !error.contains(text));
        }
        assert_eq!(format!("{:?}", WebhookSecret::parse(SECRET).unwrap()), "WebhookSecret(…)");
    }

    #[test]
    fn a_file_may_hold_the_old_and_the_new_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        for (text, count) in [
            (format!("{SECRET}\n"), Some(1)),
            (format!("{SECRET}\n\n{SECRET}"), Some(2)),
            (String::new(), None),
        ] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(WebhookSecret::read_file(&file).ok().map(|secrets| secrets.len()), count, "{text:?}");
        }
    }
}
