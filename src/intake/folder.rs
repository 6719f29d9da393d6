//! What every folder that files are taken from has in common: how often it is looked at, and what goes wrong there.

use std::{io, path::Path, time::Duration};

use tracing::warn;

use crate::store::StoreError;

/// How often the folder is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Files taken in one go.
pub(super) const BATCH_MAX: usize = 64;

pub(super) enum Trouble {
    Io(io::Error),
    Store(StoreError),
}

/// Whether to look again at once: as much lay there as is taken in one go.
///
/// # Errors
/// The store cannot be used any more. What may pass by itself is told, and tried again.
pub(super) fn is_more(taken: Result<usize, Trouble>, folder: &Path) -> Result<bool, StoreError> {
    match taken {
        Ok(taken) => return Ok(taken == BATCH_MAX),
        Err(Trouble::Store(error @ StoreError::Unusable(_))) => return Err(error),
        Err(Trouble::Store(error)) => warn!(error = %error, "The store cannot commit; files wait"),
        Err(Trouble::Io(error)) => {
            warn!(folder = %folder.display(), error = %error, "The folder cannot be used; trying again");
        }
    }
    Ok(false)
}

/// Works on files, apart from the tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Trouble> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Trouble::Io(io::Error::other(error)))?.map_err(Trouble::Io)
}
