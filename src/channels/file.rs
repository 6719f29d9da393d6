//! A file in a folder that the receiver empties: whole or not there, and never twice under another name.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{Channel, Consignment};
use crate::domain::{Fault, FaultCode, Outcome, attempt::Proof};
use layout::{Layout, Place};

mod layout;

/// A write that takes longer is given up, though the operating system may still finish it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Writes at once, the given-up ones included: a hanging network drive ties up no more threads than this.
const WRITES_MAX: usize = 4;

/// A receiver that reads files.
///
/// ```toml
/// [[receiver]]
/// party = "0707"
/// channel = "file"
/// folder = "/srv/kassebro/out/0707"
/// file_name = "{time:%Y%m%d-%H%M%S}_{delivery}"
/// folder_per_kind = true
/// marker = ".ok"
/// receipts = "/srv/kassebro/in/0707"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// An existing folder, absolute, on one file system. Names that begin with a dot are unfinished.
    pub folder: PathBuf,
    /// How files are named, before the ending that their content type gives them: `{receiver}`, `{kind}`,
    /// `{delivery}` (must be in it) and `{time:…}`, the message's arrival in Danish time, in the directions of
    /// `strftime`. Otherwise letters, digits, dot, underscore and hyphen.
    #[serde(default = "file_name")]
    pub file_name: String,
    /// Does each kind have a folder of its name in the folder? It is made where it is missing.
    #[serde(default)]
    pub folder_per_kind: bool,
    /// Added to a file's whole name it names an empty file, which is put there when the file is whole and on the disk.
    #[serde(default)]
    pub marker: Option<String>,
    /// An existing folder, absolute, in which the receiver puts `<delivery id>.<word>`, the word being KOMBIT's
    /// business receipt: `MODTAGET`, `AFLEVERET`, `ACCEPTERET`, `AFVIST` or `FEJLET`.
    #[serde(default)]
    pub receipts: Option<PathBuf>,
}

fn file_name() -> String {
    "{delivery}".to_owned()
}

impl Config {
    /// With every default, for that folder.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            file_name: file_name(),
            folder_per_kind: false,
            marker: None,
            receipts: None,
        }
    }
}

/// One receiver's folder.
pub struct Folder {
    path: PathBuf,
    layout: Layout,
    permits: Arc<Semaphore>,
}

impl Folder {
    /// # Errors
    /// A folder is not named from the root, or files cannot be named so.
    pub fn new(config: &Config, receiver: &str) -> Result<Self, String> {
        for (setting, folder) in [("folder", Some(&config.folder)), ("receipts", config.receipts.as_ref())] {
            if let Some(folder) = folder.filter(|folder| !folder.is_absolute()) {
                return Err(format!("{setting} {} is not an absolute path", folder.display()));
            }
        }
        if config.receipts.as_ref() == Some(&config.folder) {
            return Err("receipts are put in a folder of their own".into());
        }
        let layout =
            Layout::new(&config.file_name, config.folder_per_kind, config.marker.as_deref(), receiver)?;
        Ok(Self { path: config.folder.clone(), layout, permits: Arc::new(Semaphore::new(WRITES_MAX)) })
    }

    async fn write(&self, consignment: &Consignment) -> Outcome {
        let place = self.layout.place(consignment, extension(&consignment.parcel.content_type));
        let body = consignment.parcel.body.clone();
        match self.blocking(move |folder| put(folder, &place, &body)).await {
            Done::Yes(Ok(already_had_it)) => Outcome::Delivered(Proof {
                already_had_it,
                receipt_follows: true,
                in_transit: true,
                ..Proof::default()
            }),
            Done::Yes(Err(fault)) => Outcome::fault(fault),
            Done::NotBegun => Outcome::fault(self.hangs(FaultCode::ReceiverBusy)),
            Done::NotInTime => Outcome::fault(self.hangs(FaultCode::NoAnswer)),
        }
    }

    fn hangs(&self, code: FaultCode) -> Fault {
        Fault::new(code, format!("folder {} does not answer", self.path.display()))
    }

    /// Runs work on the folder where it may block, at most [`WRITES_MAX`] at once and [`WRITE_TIMEOUT`] long.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Path) -> T + Send + 'static) -> Done<T> {
        let permit = tokio::time::timeout(WRITE_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Done::NotBegun;
        };
        let folder = self.path.clone();
        let work = tokio::task::spawn_blocking(move || {
            let done = work(&folder);
            drop(permit);
            done
        });
        match tokio::time::timeout(WRITE_TIMEOUT, work).await {
            Ok(Ok(done)) => Done::Yes(done),
            _ => Done::NotInTime,
        }
    }
}

enum Done<T> {
    Yes(T),
    NotBegun,
    NotInTime,
}

impl Channel for Folder {
    fn send<'a>(&'a self, consignment: &'a Consignment) -> BoxFuture<'a, Outcome> {
        self.write(consignment).boxed()
    }

    /// Writes and removes an empty file: a folder that is there may still be full or closed to us.
    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        async {
            let probed = self.blocking(|folder| {
                let file = folder.join(format!(".kassebro-probe-{}", std::process::id()));
                let tried = write_new(&file, b"probe");
                // What was written is removed whatever came of it; what was not is not there to remove.
                let _ = std::fs::remove_file(&file);
                tried.map_err(|error| fault(folder, &error))
            });
            match probed.await {
                Done::Yes(probed) => probed,
                Done::NotBegun | Done::NotInTime => Err(self.hangs(FaultCode::ReceiverBusy)),
            }
        }
        .boxed()
    }
}

/// Puts the file where it belongs, and then the marker that says so. `true`: the file was there.
fn put(folder: &Path, Place { folder: below, name, marker }: &Place, body: &[u8]) -> Result<bool, Fault> {
    let folder = match below {
        Some(below) => &subfolder(folder, below).map_err(|error| fault(folder, &error))?,
        None => folder,
    };
    let was_there = place(folder, name, body)?;
    if let Some(marker) = marker {
        mark(folder, marker).map_err(|error| fault(folder, &error))?;
    }
    Ok(was_there)
}

/// The folder below the receiver's, which must be there itself: a drive that is not mounted is not written to.
fn subfolder(folder: &Path, below: &str) -> io::Result<PathBuf> {
    let path = folder.join(below);
    match std::fs::create_dir(&path) {
        Ok(()) => sync(folder)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok(path)
}

/// An empty file, on the disk when this returns. One that is there says the same.
fn mark(folder: &Path, name: &str) -> io::Result<()> {
    let marker = folder.join(name);
    if !marker.try_exists()? {
        write_new(&marker, b"")?;
    }
    sync(folder)
}

/// Puts the file there, or finds it there already. `true`: it was there.
///
/// Until the rename nothing is there under the final name; from the rename on the receiver may have read it.
fn place(folder: &Path, name: &str, body: &[u8]) -> Result<bool, Fault> {
    let (unfinished, finished) = (folder.join(format!(".{name}.tmp")), folder.join(name));
    let before = |error: io::Error| fault(folder, &error);
    if let Some(same) = holds(&finished, body).map_err(before)? {
        if !same {
            let detail = format!("folder {} holds another file named {name}", folder.display());
            return Err(Fault::new(FaultCode::ReceiverBusy, detail));
        }
        sync(&finished).and_then(|()| sync(folder)).map_err(before)?;
        return Ok(true);
    }
    if let Err(error) = write_new(&unfinished, body) {
        // Room is given back at once: on a full disk it is what the others wait for.
        let _ = std::fs::remove_file(&unfinished);
        return Err(before(error));
    }
    std::fs::rename(&unfinished, &finished).map_err(before)?;
    sync(folder).map_err(|error| {
        let detail = format!("file {name} is in place, but may not survive a power failure: {error}");
        Fault::new(FaultCode::NoAnswer, detail)
    })?;
    Ok(false)
}

/// Does the file hold exactly these bytes? `None`: there is no such file.
fn holds(file: &Path, body: &[u8]) -> io::Result<Option<bool>> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut there = Vec::with_capacity(body.len() + 1);
    // One byte more than expected is enough to see that it is another.
    opened.take(body.len() as u64 + 1).read_to_end(&mut there)?;
    Ok(Some(there == body))
}

/// Writes the file anew, readable to owner and group, and waits until it is on the disk.
fn write_new(file: &Path, body: &[u8]) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(file)?;
    opened.write_all(body)?;
    opened.sync_all()
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What an error of the file system says about the folder.
fn fault(folder: &Path, error: &io::Error) -> Fault {
    let (code, says) = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            (FaultCode::ReceiverUnroutable, "is not there")
        }
        ErrorKind::PermissionDenied => (FaultCode::ReceiverUnauthorised, "is closed to us"),
        ErrorKind::ReadOnlyFilesystem => (FaultCode::ReceiverUnauthorised, "cannot be written"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (FaultCode::ReceiverBusy, "is full"),
        _ => (FaultCode::ReceiverBusy, "did not take the file"),
    };
    Fault::new(code, format!("folder {} {says}: {error}", folder.display()))
}

/// What a file of that content type ends with.
fn extension(content_type: &str) -> &'static str {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    match essence {
        "application/xml" | "text/xml" => "xml",
        "text/plain" => "txt",
        "text/html" => "html",
        _ if essence.ends_with("json") => "json",
        _ if essence.ends_with("+xml") => "xml",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_has_its_ending() {
        for (content_type, ending) in [
            ("application/json", "json"),
            ("application/cloudevents+json", "json"),
            ("application/xml; charset=utf-8", "xml"),
            ("application/soap+xml", "xml"),
            ("text/plain; charset=utf-8", "txt"),
            ("application/octet-stream", "bin"),
        ] {
            assert_eq!(extension(content_type), ending);
        }
    }

    #[test]
    fn every_error_of_the_file_system_has_its_code() {
        for (kind, code) in [
            (ErrorKind::NotFound, FaultCode::ReceiverUnroutable),
            (ErrorKind::NotADirectory, FaultCode::ReceiverUnroutable),
            (ErrorKind::PermissionDenied, FaultCode::ReceiverUnauthorised),
            (ErrorKind::StorageFull, FaultCode::ReceiverBusy),
            (ErrorKind::QuotaExceeded, FaultCode::ReceiverBusy),
            (ErrorKind::Other, FaultCode::ReceiverBusy),
        ] {
            assert_eq!(fault(Path::new("/srv"), &kind.into()).code, code, "{kind}");
        }
    }

    #[test]
    fn a_folder_is_named_from_the_root() {
        assert!(Folder::new(&Config::of("out"), "kbh").is_err());
        assert!(Folder::new(&Config { receipts: Some("in".into()), ..Config::of("/out") }, "kbh").is_err());
        assert!(Folder::new(&Config { receipts: Some("/out".into()), ..Config::of("/out") }, "kbh").is_err());
    }

    #[test]
    fn a_full_disk_leaves_nothing_behind() {
        // /dev/full takes a file to be opened and refuses every byte.
        let error = write_new(Path::new("/dev/full"), b"parcel").unwrap_err();
        assert_eq!(fault(Path::new("/srv"), &error).code, FaultCode::ReceiverBusy);
    }
}
