//! A calendar under the name by which configuration knows it, and under an id by which the store does.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Calendar;

/// A calendar with its name. The id follows from what the calendar is, so that one that is changed under its old name
/// is another one to whoever counts by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    /// 32 hexadecimal digits.
    pub id: String,
    pub calendar: Calendar,
    /// Every message that is promised something by it is stored with it.
    text: Arc<str>,
}

impl Named {
    pub fn new(name: impl Into<String>, calendar: Calendar) -> Self {
        let text: Arc<str> = serde_json::to_string(&calendar).expect("plain data of ours serialises").into();
        let digest = Sha256::digest(&*text);
        let head: [u8; 16] = digest[..16].try_into().expect("a SHA-256 has 32 bytes");
        Self { name: name.into(), id: format!("{:032x}", u128::from_be_bytes(head)), calendar, text }
    }

    /// The calendar as text, which reads back as the same.
    pub fn written(&self) -> &str {
        &self.text
    }
}
