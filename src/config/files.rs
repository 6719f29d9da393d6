//! Where the files of a configuration are read: from the disk, or from what was kept of an earlier generation.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// The files that a configuration may name.
pub(super) enum Files {
    Disk,
    /// Texts by their whole paths; there is no other file.
    Kept(BTreeMap<PathBuf, String>),
}

impl Files {
    pub(super) fn read(&self, path: &Path) -> io::Result<String> {
        match self {
            Self::Disk => std::fs::read_to_string(path),
            Self::Kept(texts) => texts.get(&whole_path(path)).cloned().ok_or(io::ErrorKind::NotFound.into()),
        }
    }

    /// The same, of at most so many bytes.
    pub(super) fn read_within(&self, path: &Path, bytes_max: usize) -> io::Result<String> {
        // What is larger on the disk is not read at all.
        let is_larger = match self {
            Self::Disk => std::fs::metadata(path)?.len() > bytes_max as u64,
            Self::Kept(_) => false,
        };
        let text = if is_larger { None } else { Some(self.read(path)?) };
        let fits = text.filter(|text| text.len() <= bytes_max);
        fits.ok_or_else(|| io::Error::other(format!("the file is larger than {bytes_max} bytes")))
    }

    /// The folder's `*.toml`, in the order of their names. An empty path is the working directory.
    pub(super) fn toml(&self, folder: &Path) -> Vec<PathBuf> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut files: Vec<PathBuf> = match self {
            Self::Disk => {
                let entries = std::fs::read_dir(folder).into_iter().flatten();
                entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
            }
            Self::Kept(texts) => {
                let whole = whole_path(folder);
                texts.keys().filter(|path| path.parent() == Some(&whole)).cloned().collect()
            }
        };
        files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
        files.sort();
        files
    }
}

/// The path from the root, whether or not it exists. Two ways of writing one path that differ by `..` stay two.
pub(super) fn whole_path(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_and_listed_like_a_disk() {
        let paths = [
            "/etc/k/kassebro.toml",
            "/etc/k/conf.d/20-b.toml",
            "/etc/k/conf.d/10-a.toml",
            "/etc/k/conf.d/a.txt",
        ];
        let files = Files::Kept(paths.map(|path| (PathBuf::from(path), path.to_owned())).into());
        assert_eq!(files.read(Path::new("/etc/k/kassebro.toml")).unwrap(), "/etc/k/kassebro.toml");
        assert_eq!(files.read(Path::new("/etc/k/other.toml")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let listed = files.toml(Path::new("/etc/k/conf.d"));
        assert_eq!(listed, ["/etc/k/conf.d/10-a.toml", "/etc/k/conf.d/20-b.toml"].map(PathBuf::from));
    }
}
