//! Settings with what they were read from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Invalid, Problem, Settings,
    files::whole_path,
    flat::{self, Flat},
    layers::{Layers, PREFIX},
};
use crate::units;

/// A file of a configuration, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// From the root.
    pub path: PathBuf,
    pub text: String,
}

/// One setting of the environment, as far as it may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    pub name: String,
    /// `None` where it may hold a secret.
    pub value: Option<String>,
    /// Of the value, in hexadecimal.
    pub sha256: String,
}

/// A configuration that is valid.
pub struct Loaded {
    pub settings: Settings,
    /// The file that was named, from the root; those of `conf.d` lie beside it.
    pub main: Option<PathBuf>,
    layers: Layers,
    /// The files of calendars, each with the setting that names it.
    beside: Vec<Beside>,
    environment: Vec<Overlay>,
    /// No file that a setting names is read.
    alone: bool,
}

/// A file that a setting names and that belongs to the configuration like those with settings.
pub(super) struct Beside {
    pub(super) setting: String,
    pub(super) file: File,
}

pub(super) fn of(
    layers: Layers,
    main: Option<&Path>,
    environment: &[(String, String)],
) -> Result<Loaded, Invalid> {
    let (settings, beside) = super::checked(&layers)?;
    let environment = environment.iter().map(|(name, value)| overlay(name, value)).collect();
    Ok(Loaded { settings, main: main.map(whole_path), layers, beside, environment, alone: false })
}

fn overlay(name: &str, value: &str) -> Overlay {
    let key = name.trim_start_matches(PREFIX).replace("__", ".").to_lowercase();
    // An address may hold a password, and a table anything.
    let may_hold_secret = flat::is_secret(&key) || value.contains("://") || value.contains(['{', '[']);
    let sha256 = units::hex(&Sha256::digest(value));
    Overlay { name: name.to_owned(), value: (!may_hold_secret).then(|| value.to_owned()), sha256 }
}

impl Loaded {
    /// With these settings in the place of those that were read: for a process that plays a deployment in a world of
    /// its own. No file with a secret is read for it.
    #[must_use]
    pub fn in_a_world_of(self, settings: Settings) -> Self {
        Self { settings, alone: true, ..self }
    }

    /// Its files, in order of rising precedence, those with agreements, and those of calendars.
    pub fn files(&self) -> Vec<File> {
        let mut files: Vec<File> = self.settings_files().collect();
        // Two calendars may name one file.
        for Beside { file, .. } in &self.beside {
            if files.iter().all(|known| known.path != file.path) {
                files.push(file.clone());
            }
        }
        files
    }

    /// The files with settings: those that count because they lie there, or that name others.
    pub fn settings_files(&self) -> impl Iterator<Item = File> {
        let own = self.layers.texts.iter().skip(1);
        own.map(|layer| File { path: whole_path(&layer.file), text: layer.text.clone() })
    }

    /// What the environment set.
    pub fn environment(&self) -> &[Overlay] {
        &self.environment
    }

    /// Every setting with the value that is in force, with no secret in it.
    pub fn effective(&self) -> Flat {
        flat::without_secrets(&self.all())
    }

    /// Every setting with the value that is in force, for comparing within the process. A calendar's file is its
    /// digest.
    pub(super) fn all(&self) -> Flat {
        let mut all = flat::flat(&self.layers.merged);
        let digest = |beside: &Beside| units::hex(&Sha256::digest(&beside.file.text)).into();
        all.extend(self.beside.iter().map(|beside| (format!("{}_sha256", beside.setting), digest(beside))));
        all
    }

    /// The same for two configurations that come to the same, whatever their files look like and whichever node
    /// reads them.
    pub fn hash(&self) -> String {
        flat::hash(&self.all())
    }

    /// Where a setting stands, for a sentence about it.
    pub(super) fn at(&self, key: &str) -> Problem {
        self.layers.at(key)
    }

    /// The same as long as no setting whose name begins with one of `beginnings` changes, nor the content of a file
    /// that such a setting names: a secret, a certificate. In a world of its own no such file is read.
    pub fn fingerprint(&self, beginnings: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (name, value) in self.all() {
            if !beginnings.iter().any(|beginning| name.starts_with(beginning)) {
                continue;
            }
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(value.to_string());
            hash.update([0]);
            if let (true, Some(path)) = (names_file(&name) && !self.alone, value.as_str()) {
                match std::fs::read(path) {
                    Ok(content) => hash.update(Sha256::digest(content)),
                    Err(error) => hash.update(error.kind().to_string()),
                }
            }
        }
        hash.finalize().into()
    }
}

/// Whether a setting names a file that is read: `password_file`, `client_certificate`, `client_key`.
fn names_file(name: &str) -> bool {
    ["_file", "certificate", "_key"].iter().any(|ending| name.ends_with(ending))
}

/// A value as one short word or list for a table.
pub fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
