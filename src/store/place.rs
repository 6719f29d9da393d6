//! Where a store is, as a setting names it, and how it is opened.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Mode, Store, StoreError, postgres, sqlite};

/// A store that is named, not yet opened. Shows itself without a password.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file of this machine: for one gateway.
    Sqlite(PathBuf),
    /// A database: for one or several.
    Postgres(Box<postgres::Address>),
}

impl Place {
    /// Reads `sqlite:<path>`, or `postgres://user@host/database` with a password and a private authority's
    /// certificates from files.
    ///
    /// # Errors
    /// A sentence that names what is wrong, and no password.
    pub fn parse(url: &str, password_file: Option<&Path>, ca_file: Option<&Path>) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("it is neither sqlite:<path> nor postgres://user@host/database".into());
        }
        let password = password_file.map(read).transpose()?;
        let password = password.as_deref().map(|text| text.trim_end_matches(['\r', '\n']));
        if let (Some(""), Some(file)) = (password, password_file) {
            return Err(format!("{} holds no password", file.display()));
        }
        let ca_pem = ca_file.map(read).transpose()?;
        postgres::Address::parse(url, password, ca_pem.as_deref())
            .map(|address| Self::Postgres(Box::new(address)))
    }

    /// Opens it. Blocks: at most some seconds.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] with where and why.
    pub fn open(&self, mode: Mode) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(sqlite::Sqlite::open(path, mode)?),
            Self::Postgres(address) => Arc::new(postgres::Postgres::open((**address).clone(), mode)?),
        })
    }
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("reading {}: {error}", file.display()))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_a_database_and_shows_no_password() {
        let shown = |url: &str| Place::parse(url, None, None).map(|place| place.to_string());
        assert_eq!(shown("sqlite:a/b.db").unwrap(), "sqlite:a/b.db");
        let told = shown("postgres://kb:hunter2@db.example/kassebro").unwrap();
        assert_eq!(told, "PostgreSQL at db.example:5432, database kassebro, user kb");
        for wrong in ["sqlite:", "mysql://kb:hunter2@db/x", "kassebro.db", "postgres://"] {
            assert!(!shown(wrong).unwrap_err().contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn a_password_may_stand_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let parse = |url: &str| Place::parse(url, Some(&file), None).map(|_| ());
        let url = "postgres://kb@db.example/kassebro";
        assert!(parse(url).unwrap_err().contains("password"), "the file is not there");
        fs::write(&file, "\n").unwrap();
        assert!(parse(url).unwrap_err().contains("holds no password"));
        fs::write(&file, "hunter2\n").unwrap();
        assert_eq!(parse(url), Ok(()));
        assert!(parse("postgres://kb:other@db.example/kassebro").is_err(), "there are two");
    }
}
