//! A folder of receipts: what a receiver that reads files says of its deliveries, in files too.
//!
//! The receiver writes `<delivery id>.tmp` and renames it to `<delivery id>.<word>`, the word being one of KOMBIT's
//! business receipts; the content is the reason, or nothing. What was taken moves to `done/`, what could not be
//! taken to `refused/` with the reason beside it. A file is moved only after it is committed: a crash in between
//! takes it again, and that changes nothing.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use tracing::info;

use super::{
    Intake,
    folder::{BATCH_MAX, LOOK_EVERY, Trouble, blocking, is_more},
};
use crate::{
    codec::{envelope::holds_cpr, text::is_forbidden},
    domain::{
        DeliveryId, Text,
        receipt::{Business, TEXT_CHARACTERS_MAX},
    },
    lifecycle::Stop,
    store::{Command, Commanded, StoreError},
};

/// Bytes of a reason that are read: more than may be in it.
const BYTES_MAX: u64 = 4 * TEXT_CHARACTERS_MAX as u64 + 1;

/// One folder, and whose deliveries these receipts may be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub path: PathBuf,
    /// The party's URN.
    pub party: String,
    /// Those of its receivers that name the folder.
    pub receivers: Vec<String>,
}

/// One receipt as it lies there.
struct Found {
    file: PathBuf,
    /// What is before the word in its name.
    delivery: String,
    business: Business,
    text: Vec<u8>,
}

/// Serves the folder until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn run(intake: Intake, folder: Folder, stop: Stop) -> Result<(), StoreError> {
    info!(folder = %folder.path.display(), party = %folder.party, "Taking receipts");
    while !stop.is_soft() {
        if !is_more(take(&intake, &folder).await, &folder.path)? {
            stop.unless_soft(intake.clock.sleep(LOOK_EVERY)).await;
        }
    }
    Ok(())
}

/// Takes what lies there, at most a batch. Says how many files it saw.
async fn take(intake: &Intake, folder: &Folder) -> Result<usize, Trouble> {
    let path = folder.path.clone();
    let found = blocking(move || read(&path)).await?;
    let seen = found.len();
    for receipt in found {
        let verdict = judge(intake, folder, &receipt).await.map_err(Trouble::Store)?;
        let path = folder.path.clone();
        blocking(move || put_away(&path, &receipt.file, verdict.err().as_ref())).await?;
    }
    Ok(seen)
}

/// The receipts by name. What has another name is somebody else's, or not finished.
fn read(folder: &Path) -> io::Result<Vec<Found>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let named = files.into_iter().filter_map(|file| {
        let (delivery, word) = file.file_name()?.to_str()?.rsplit_once('.')?;
        let (delivery, business) = (delivery.to_owned(), word.parse().ok()?);
        file.is_file().then_some((file, delivery, business))
    });
    let read = named.take(BATCH_MAX).map(|(file, delivery, business)| {
        let mut text = Vec::new();
        std::fs::File::open(&file)?.take(BYTES_MAX).read_to_end(&mut text)?;
        Ok(Found { file, delivery, business, text })
    });
    read.collect()
}

/// Gives the command that the receipt is, if it is one. That it came late or twice is no fault of the file's.
async fn judge(intake: &Intake, folder: &Folder, found: &Found) -> Result<Result<(), Text>, StoreError> {
    let unknown = || {
        Text::new(
            "Filens navn begynder ikke med nummeret på en af jeres leveringer.",
            "The file's name does not begin with the number of one of your deliveries.",
        )
    };
    let Ok(delivery) = found.delivery.parse::<DeliveryId>() else { return Ok(Err(unknown())) };
    let receiver = intake.store.delivery_receiver(delivery).await?;
    let Some(receiver) = receiver.filter(|receiver| folder.receivers.contains(receiver)) else {
        return Ok(Err(unknown()));
    };
    let text = match reason(&found.text) {
        Ok(text) => text,
        Err(problem) => return Ok(Err(problem)),
    };
    let by = folder.party.clone();
    let command = if found.business.takes() {
        Command::Confirm { delivery, receipt: None, by: by.clone() }
    } else {
        let fault = found.business.refusal(&receiver, text.as_deref(), None);
        Command::Refuse { delivery, fault, by: by.clone() }
    };
    Ok(match intake.store.command(command, by, intake.clock.now()).await? {
        Commanded::Done | Commanded::Already | Commanded::NotNow => Ok(()),
        Commanded::NotFound => Err(unknown()),
    })
}

/// The reason in the file, under the rules of `POST /v1/receipts`. White space around it is no part of it.
fn reason(bytes: &[u8]) -> Result<Option<String>, Text> {
    let Some(text) = std::str::from_utf8(bytes).ok().map(str::trim) else {
        return Err(Text::new("Filen er ikke UTF-8.", "The file is not UTF-8."));
    };
    if text.chars().count() > TEXT_CHARACTERS_MAX || text.chars().any(is_forbidden) {
        return Err(Text::new(
            format!("Begrundelsen er højst {TEXT_CHARACTERS_MAX} tegn uden styretegn."),
            format!("The reason is at most {TEXT_CHARACTERS_MAX} characters without control characters."),
        ));
    }
    if holds_cpr(text) {
        return Err(Text::new(
            "Begrundelsen indeholder et CPR-nummer; skriv det ikke her.",
            "The reason holds a CPR number; do not write it here.",
        ));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Moves a file that is done with, and writes beside it why it was not taken.
fn put_away(folder: &Path, file: &Path, problem: Option<&Text>) -> io::Result<()> {
    let place = folder.join(if problem.is_none() { "done" } else { "refused" });
    std::fs::create_dir_all(&place)?;
    let name = file.file_name().unwrap_or_default();
    if let Some(problem) = problem {
        let mut answer = name.to_owned();
        answer.push(".answer.json");
        std::fs::write(place.join(answer), serde_json::to_vec_pretty(problem).map_err(io::Error::other)?)?;
    }
    std::fs::rename(file, place.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_readable_and_without_a_cpr_number() {
        assert_eq!(reason(b"").unwrap(), None);
        assert_eq!(reason("  forkert kommune\r\n".as_bytes()).unwrap().as_deref(), Some("forkert kommune"));
        assert_eq!(reason("ø".repeat(500).as_bytes()).unwrap().unwrap().chars().count(), 500);
        for wrong in [
            "ø".repeat(501).as_bytes(),
            b"\xff",
            b"a\0b",
            b"see 010203-1234",
            &[b'a'; 4 * TEXT_CHARACTERS_MAX + 1],
        ] {
            assert!(reason(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_what_is_named_as_a_receipt_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.AFVIST", "a.MODTAGET", "a.tmp", "a", "a.modtaget", "AFVIST"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(folder.path().join("c.FEJLET")).unwrap();
        let found = read(folder.path()).unwrap();
        let named: Vec<_> = found.iter().map(|f| (f.delivery.as_str(), f.business)).collect();
        assert_eq!(named, [("a", Business::Modtaget), ("b", Business::Afvist)]);
    }
}
