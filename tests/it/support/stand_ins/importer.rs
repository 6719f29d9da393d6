//! A job centre's program that reads a folder of files, each under `<kind>/` in the agreed name with an empty marker
//! beside it. It takes what a marker stands by, and names what is against the layout.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Found, rule};

/// What stands behind the name of a file that is whole.
pub(crate) const MARKER: &str = ".ok";

/// The layout that was agreed: `<kind>/<receiver>_<kind>_<day>_<delivery>.<ending>`.
pub(crate) struct Importer<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) receiver: &'a str,
}

impl Importer<'_> {
    /// Reads everything that a marker stands by. The names of what was read, or the first deviation.
    pub(crate) fn read(&self) -> Result<Vec<PathBuf>, &'static str> {
        let (mut read, mut deliveries) = (Vec::new(), Vec::new());
        for entry in entries(self.folder) {
            rule(entry.is_dir(), "a file beside the kinds' folders")?;
            let kind = name_of(&entry);
            for file in entries(&entry) {
                let name = name_of(&file);
                // A draft: its writer has not finished.
                if name.starts_with('.') {
                    continue;
                }
                if let Some(of) = name.strip_suffix(MARKER) {
                    rule(file.with_file_name(of).exists(), "a marker without its file")?;
                    rule(fs::metadata(&file).unwrap().len() == 0, "a marker that is not empty")?;
                    continue;
                }
                rule(file.with_file_name(format!("{name}{MARKER}")).exists(), "a file without its marker")?;
                deliveries.push(self.delivery(&name, &kind)?);
                whole(&file)?;
                read.push(file);
            }
        }
        let count = deliveries.len();
        deliveries.sort_unstable();
        deliveries.dedup();
        rule(deliveries.len() == count, "two files of one delivery")?;
        Ok(read)
    }

    /// The delivery in a name that is as agreed.
    fn delivery(&self, name: &str, kind: &str) -> Result<uuid::Uuid, &'static str> {
        let (base, _) = name.rsplit_once('.').ok_or("a name without an ending")?;
        let rest = base.strip_prefix(&format!("{}_{kind}_", self.receiver));
        let (day, delivery) =
            rest.and_then(|rest| rest.split_once('_')).ok_or("a name that is not the agreed one")?;
        rule(day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()), "a name without its day")?;
        uuid::Uuid::try_parse(delivery).map_err(|_| "a name without its delivery")
    }
}

/// Whether the content is what the ending says, to its end.
fn whole(file: &Path) -> Found {
    let content = fs::read(file).unwrap();
    let reads = match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => serde_json::from_slice::<serde_json::Value>(&content).is_ok(),
        Some("xml") => ends_well(&content),
        _ => return Err("an ending that was not agreed"),
    };
    rule(reads, "content that is not whole")
}

fn ends_well(xml: &[u8]) -> bool {
    let mut reader = quick_xml::Reader::from_reader(xml);
    let mut elements = 0;
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Start(_)) => elements += 1,
            // Elements that are still open at the end are an error of the reader's own only where it is asked to say so.
            Ok(quick_xml::events::Event::End(_)) => elements -= 1,
            Ok(quick_xml::events::Event::Eof) => return elements == 0 && !xml.is_empty(),
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
