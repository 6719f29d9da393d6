//! Message files as commands take them: bounded, and `-` is standard input.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::Context as _;

use super::Failure;
use crate::codec::Limits;

/// What people call the file: its path, or what `-` stands for.
pub(super) fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// At most one byte more than a body may have: enough to refuse it, never a whole disk.
pub(super) fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let most = limits.body_bytes as u64 + 1;
    let mut body = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut body)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut body))
    };
    read.with_context(|| format!("reading {}", name(path)))?;
    Ok(body)
}

/// The content type to send a body with, by its first character as every reader of ours does.
pub(super) fn content_type(body: &[u8]) -> &'static str {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'<') { "application/xml" } else { "application/cloudevents+json" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_tells_xml_from_json() {
        assert_eq!(content_type(b" \n<?xml version=\"1.0\"?>"), "application/xml");
        assert_eq!(content_type(b"{}"), "application/cloudevents+json");
        assert_eq!(content_type(b""), "application/cloudevents+json");
    }

    #[test]
    fn no_more_is_read_than_is_needed_to_refuse_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("long.json");
        std::fs::write(&file, vec![b' '; 1000]).unwrap();
        let limits = Limits { body_bytes: 10, ..Limits::default() };
        assert_eq!(read(&file, &limits).unwrap().len(), 11);
        let missing = read(&folder.path().join("none.json"), &limits).unwrap_err();
        assert!(format!("{:#}", missing.error).starts_with("reading "), "{:#}", missing.error);
    }
}
