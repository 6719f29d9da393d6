//! A folder of files: for the oldest systems, and for trying things out.
//!
//! A sender writes `<name>.tmp` and renames it to `<name>.json` or `<name>.xml`. What was taken moves to
//! `done/`, what was refused to `refused/`, each with its answer beside it; a file is moved only after its
//! message is committed, so a crash in between takes it again, as a duplicate.

use std::{
    io,
    path::{Path, PathBuf},
};

use tracing::info;

use super::{
    Intake, RawMessage,
    folder::{BATCH_MAX, LOOK_EVERY, Trouble, blocking, is_more},
};
use crate::{
    lifecycle::Stop,
    store::{StoreError, Verdict, Way},
};

/// One folder, and the party whose files these are.
#[derive(Debug, Clone)]
pub struct Folder {
    pub path: PathBuf,
    pub party: String,
}

/// Serves the folder until the stop.
///
/// # Errors
/// The store cannot be used any more.
pub async fn run(intake: Intake, folder: Folder, stop: Stop) -> Result<(), StoreError> {
    info!(folder = %folder.path.display(), party = %folder.party, "Taking files");
    while !stop.is_soft() {
        if !is_more(take(&intake, &folder).await, &folder.path)? {
            stop.unless_soft(intake.clock.sleep(LOOK_EVERY)).await;
        }
    }
    Ok(())
}

/// Takes what lies there, at most a batch. Says how many files it saw.
async fn take(intake: &Intake, folder: &Folder) -> Result<usize, Trouble> {
    let body_max = intake.rules().limits.body_bytes;
    let path = folder.path.clone();
    let files = blocking(move || read(&path, body_max)).await?;
    if files.is_empty() {
        return Ok(0);
    }
    let raws = files
        .iter()
        .map(|(_, body)| RawMessage {
            party: folder.party.clone(),
            content_type: None,
            headers: vec![],
            body: body.clone().into(),
            sent: None,
        })
        .collect();
    let verdicts = intake.take(raws, Way::Spool).await.map_err(Trouble::Store)?;
    let taken = files.len();
    let path = folder.path.clone();
    blocking(move || {
        files.iter().zip(&verdicts).try_for_each(|((name, _), verdict)| put_away(&path, name, verdict))
    })
    .await?;
    Ok(taken)
}

/// The files by name, with at most one byte more than a body may have: enough to refuse it.
fn read(folder: &Path, body_max: usize) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "json" || e == "xml") && path.is_file())
        .collect();
    names.sort();
    names.truncate(BATCH_MAX);
    names
        .into_iter()
        .map(|path| {
            use io::Read as _;
            let mut body = Vec::new();
            std::fs::File::open(&path)?.take(body_max as u64 + 1).read_to_end(&mut body)?;
            Ok((path, body))
        })
        .collect()
}

/// Moves a file whose message is committed, and writes its answer beside it.
fn put_away(folder: &Path, file: &Path, verdict: &Verdict) -> io::Result<()> {
    let place = folder.join(match verdict {
        Verdict::Accepted(_) | Verdict::Duplicate(_) => "done",
        Verdict::Conflict(_) | Verdict::Rejected(_) => "refused",
    });
    std::fs::create_dir_all(&place)?;
    let name = file.file_name().unwrap_or_default();
    let answer = serde_json::to_vec_pretty(verdict.answer()).map_err(io::Error::other)?;
    let mut answer_name = name.to_owned();
    answer_name.push(".answer.json");
    std::fs::write(place.join(answer_name), answer)?;
    std::fs::rename(file, place.join(name))
}
