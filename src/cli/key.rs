//! `kassebro key`: an API key for a party, and the hash that configuration keeps; or keys that sign reports.

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Context, Exit, Outcome, signature};
use crate::units;

pub(super) const EXAMPLES: &str = "Examples:\n  kassebro key\n  kassebro key --json\n  kassebro key --signing report.key\n\n\
     Exit codes: 0 done, 1 the file exists or cannot be written.";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Make a pair of Ed25519 keys instead: the private one to this file, the public one to the same name with .pub
    /// behind it, both as PEM.
    #[arg(long, value_name = "FILE")]
    signing: Option<PathBuf>,
}

#[derive(Serialize)]
struct Key {
    /// For the party: it is shown once and kept nowhere.
    key: String,
    /// For `api_key_sha256` in the party's configuration.
    sha256: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    if let Some(file) = &args.signing {
        let public = signature::make(file)?;
        if context.output.json {
            context.output.value(&serde_json::json!({ "private": file, "public": public }));
        }
        context.output.line(format_args!("Private {}", file.display()));
        context
            .output
            .line("        Keep it: who has it signs in your name. kassebro sla report --sign takes it.");
        context.output.line(format_args!("Public  {}", public.display()));
        context.output.line("        To whoever is to check your reports, over a way they trust.");
        return Ok(Exit::Done);
    }
    let key = of_bytes(rand::random());
    if context.output.json {
        context.output.value(&key);
        return Ok(Exit::Done);
    }
    context.output.line(format_args!("Key     {}", key.key));
    context.output.line("        To the party, over a safe way; it sends it as Authorization: Bearer <key>.");
    context.output.line(format_args!("SHA-256 {}", key.sha256));
    context.output.line("        Into your configuration, at the party: api_key_sha256 = [\"<this>\"].");
    Ok(Exit::Done)
}

fn of_bytes(bytes: [u8; 32]) -> Key {
    let key = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let sha256 = units::hex(&Sha256::digest(key.as_bytes()));
    Key { key, sha256 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Access, Credentials},
        domain::Party,
    };

    #[test]
    fn the_hash_lets_the_key_in() {
        let Key { key, sha256 } = of_bytes([7; 32]);
        assert_eq!((key.len(), sha256.len()), (43, 64));
        let party = Party::from_code("3f").unwrap();
        let access = Access { party, api_key_sha256: vec![sha256], receivers: vec![] };
        let credentials = Credentials::new(vec![access]).unwrap();
        assert_eq!(credentials.find(key.as_bytes()).as_ref().map(Access::code), Some("3f"));
        assert!(credentials.find(b"another").is_none());
    }

    #[test]
    fn two_keys_are_not_the_same() {
        assert_ne!(of_bytes(rand::random()).key, of_bytes(rand::random()).key);
    }
}
