//! Detached Ed25519 signatures of files: keys as PEM, as OpenSSL reads and writes them, and the signature in base64
//! beside the file.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};

/// What stands before the 32 bytes of a private key (RFC 8410, section 7).
const PRIVATE: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// What stands before the 32 bytes of a public key (RFC 8410, section 4).
const PUBLIC: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// A key and a signature in their files are shorter than this.
const SMALL: u64 = 16 * 1024;

/// Makes a pair of keys: the private one to `file`, readable by its owner only, the public one beside it.
///
/// # Errors
/// Either file exists already, or cannot be written.
pub(super) fn make(file: &Path) -> anyhow::Result<PathBuf> {
    let seed: [u8; 32] = rand::random();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok().context("making a key")?;
    let public = beside(file, "pub");
    anyhow::ensure!(!public.exists(), "{} exists already", public.display());
    write_new(file, 0o600, &pem("PRIVATE KEY", &[&PRIVATE[..], &seed].concat()))?;
    write_new(&public, 0o644, &pem("PUBLIC KEY", &[&PUBLIC[..], pair.public_key().as_ref()].concat()))?;
    Ok(public)
}

/// The file of that name with `ending` added.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn write_new(file: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(file);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .with_context(|| format!("writing {}", file.display()))
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// A small file: no key, and no disk.
fn read_small(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(SMALL).read_to_end(&mut bytes));
    read.with_context(|| format!("reading {}", file.display()))?;
    Ok(bytes)
}

/// Signs what it is given.
pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    /// # Errors
    /// The file cannot be read, or holds no private Ed25519 key in PEM.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let wrong =
            || format!("{} holds no private Ed25519 key: kassebro key --signing makes one", file.display());
        let der = PrivatePkcs8KeyDer::from_pem_slice(&read_small(file)?).with_context(wrong)?;
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).ok().with_context(wrong)?;
        Ok(Self(pair))
    }

    /// The content of the file beside.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        BASE64_STANDARD.encode(self.0.sign(bytes)) + "\n"
    }
}

/// Checks what was signed.
pub(super) struct Verifier(Vec<u8>);

impl Verifier {
    /// # Errors
    /// The file cannot be read, or holds no public Ed25519 key in PEM.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let wrong = || format!("{} holds no public Ed25519 key", file.display());
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&read_small(file)?).with_context(wrong)?;
        let key = der.as_ref().strip_prefix(&PUBLIC[..]).filter(|key| key.len() == 32);
        Ok(Self(key.with_context(wrong)?.to_vec()))
    }

    /// Whether the file beside signs these bytes with the key.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read.
    pub(super) fn signs(&self, beside: &Path, bytes: &[u8]) -> anyhow::Result<bool> {
        let text = read_small(beside)?;
        let Ok(signature) = BASE64_STANDARD.decode(text.trim_ascii()) else { return Ok(false) };
        Ok(UnparsedPublicKey::new(&ED25519, &self.0).verify(bytes, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn what_is_signed_is_verified_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("key");
        let public = make(&private).unwrap();
        assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(make(&private).is_err(), "no key is written over");
        let sig = folder.path().join("report.sig");
        fs::write(&sig, Signer::read(&private).unwrap().sign(b"figures")).unwrap();
        let verifier = Verifier::read(&public).unwrap();
        assert!(verifier.signs(&sig, b"figures").unwrap());
        assert!(!verifier.signs(&sig, b"Figures").unwrap());
        fs::write(&sig, "not base64!").unwrap();
        assert!(!verifier.signs(&sig, b"figures").unwrap());
        assert!(verifier.signs(&folder.path().join("none"), b"figures").is_err());
        let other = make(&folder.path().join("other")).unwrap();
        fs::write(&sig, Signer::read(&private).unwrap().sign(b"figures")).unwrap();
        assert!(!Verifier::read(&other).unwrap().signs(&sig, b"figures").unwrap());
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("key");
        let public = make(&private).unwrap();
        assert!(Signer::read(&public).is_err() && Verifier::read(&private).is_err());
        fs::write(&private, pem("PRIVATE KEY", b"short")).unwrap();
        assert!(Signer::read(&private).is_err());
    }
}
