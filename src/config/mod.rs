//! Configuration: default → conf.d → file → environment, checked as a whole before anything starts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use files::Files;

pub mod agreement;
pub mod alerting;
mod build;
pub mod calendar;
mod check;
pub mod diff;
mod files;
mod flat;
mod implied;
mod layers;
pub mod loaded;
mod profiles;
pub mod promise;
pub mod schema;
pub mod settings;

pub use alerting::{ladders, targets, wants_broker};
pub use build::{Built, Served, broker, build, retention, rules, topology};
pub use flat::{Flat, hidden_passwords};
pub use loaded::{File, Loaded, Overlay};
pub use settings::Settings;

/// Every setting's default, with its explanation.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file, or `environment`.
    pub file: String,
    /// Counted from 1; `None` where no line can be named.
    pub line: Option<usize>,
    /// The setting, e.g. `receiver[1].url`.
    pub key: String,
    pub problem: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.problem)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " ({suggestion})")?;
        }
        Ok(())
    }
}

/// The configuration cannot be used. Every problem that was found.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not valid")]
pub struct Invalid(pub Vec<Problem>);

/// Loads the settings: the file if one is named, and the environment's overlay.
///
/// # Errors
/// Every problem found, with file and line.
pub fn load(file: Option<&Path>, environment: &[(String, String)]) -> Result<Settings, Invalid> {
    Ok(read(file, environment)?.settings)
}

/// As [`load`], with what the settings were read from.
///
/// # Errors
/// As [`load`].
pub fn read(file: Option<&Path>, environment: &[(String, String)]) -> Result<Loaded, Invalid> {
    loaded::of(layers::Layers::read(file, environment, Files::Disk)?, file, environment)
}

/// As [`read`], from files that were kept: what is on the disk does not count, but for what settings name besides
/// (secrets, certificates).
///
/// # Errors
/// As [`load`].
pub fn read_kept(
    main: Option<&Path>,
    files: &[File],
    environment: &[(String, String)],
) -> Result<Loaded, Invalid> {
    let kept = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    loaded::of(layers::Layers::read(main, environment, Files::Kept(kept))?, main, environment)
}

/// Loads settings from text, as if it were a file of that name.
///
/// # Errors
/// As [`load`].
pub fn from_text(name: &str, text: &str) -> Result<Settings, Invalid> {
    Ok(read_text(name, text)?.settings)
}

/// As [`from_text`], with what the settings were read from.
///
/// # Errors
/// As [`load`].
pub fn read_text(name: &str, text: &str) -> Result<Loaded, Invalid> {
    let texts = vec![(PathBuf::from(name), text.to_owned())];
    loaded::of(layers::Layers::of(texts, &[], Files::Disk)?, Some(Path::new(name)), &[])
}

/// Where the store is, also in a configuration that is not valid, as far as that can be read: what cannot is as in the
/// defaults. For commands that mend it.
///
/// # Panics
/// The defaults cannot be read; a test reads them.
pub fn for_the_store(file: Option<&Path>, environment: &[(String, String)]) -> Settings {
    let mut settings = from_text("", "").expect("the defaults are valid");
    if let Some(store) = layers::store(file, environment) {
        settings.store = store;
    }
    settings
}

fn checked(layers: &layers::Layers) -> Result<(Settings, Vec<loaded::Beside>), Invalid> {
    let mut settings = layers.settings()?;
    let (beside, mut problems) = calendar::read_files(&mut settings, layers);
    problems.extend(check::check(&settings, layers));
    if problems.is_empty() {
        implied::add_receivers(&mut settings);
        Ok((settings, beside))
    } else {
        Err(Invalid(problems))
    }
}

/// The agreements of files that hold nothing else, checked by themselves: among each other, and not against the
/// parties and receivers of a deployment.
///
/// # Errors
/// As [`load`].
pub fn agreements(files: &[PathBuf]) -> Result<Settings, Invalid> {
    let mut layers = layers::Layers::of(vec![], &[], Files::Disk)?;
    let problems: Vec<Problem> =
        files.iter().filter_map(|file| layers.add_agreements(file.clone()).err()).collect();
    if !problems.is_empty() {
        return Err(Invalid(problems));
    }
    let settings = layers.settings()?;
    let problems = check::agreements_alone(&settings, &layers);
    if problems.is_empty() { Ok(settings) } else { Err(Invalid(problems)) }
}

/// The environment's own overlay: what begins with `KASSEBRO__`.
pub fn environment() -> Vec<(String, String)> {
    let mut overlay: Vec<(String, String)> =
        std::env::vars().filter(|(name, _)| name.starts_with(layers::PREFIX)).collect();
    overlay.sort();
    overlay
}

#[cfg(test)]
mod tests;
