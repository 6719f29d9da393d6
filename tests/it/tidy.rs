//! The house rules a machine can check, each with a snippet that it must catch.
//!
//! A rule here is a promise of `src/ARCHITECTURE.md` or of the house style; a test that fails names the file
//! and what to do.

mod edges;
mod faults;
mod files;
mod people;
mod source;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The top of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders that hold what was built or is not ours.
const NOT_OURS: &[&str] = &["target", ".git", ".run"];

/// A text file of the repository: its path from the top, and its text.
struct TextFile {
    path: String,
    text: String,
}

/// Every text file of the repository, sorted by path.
fn text_files() -> Vec<TextFile> {
    let mut files = Vec::new();
    walk(root(), &mut files);
    let mut texts: Vec<_> = files
        .into_iter()
        .filter_map(|path| {
            let text = String::from_utf8(fs::read(&path).expect("a readable file")).ok()?;
            let path = path.strip_prefix(root()).expect("below the top").display().to_string();
            Some(TextFile { path, text })
        })
        .collect();
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(texts.len() > 50, "the repository is more than {} files", texts.len());
    texts
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let kind = entry.file_type().expect("a kind of file");
        let ours = !(folder == root() && NOT_OURS.iter().any(|name| entry.file_name() == *name));
        if kind.is_dir() && ours {
            walk(&entry.path(), files);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
}

/// The Rust files of the repository.
fn rust_files() -> Vec<TextFile> {
    text_files().into_iter().filter(|file| has_extension(&file.path, "rs")).collect()
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Fails with every finding at once.
fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}\n{}", findings.join("\n"));
}
