//! Files: each says what it is for, stays small, and is part of the program.

use std::collections::{BTreeMap, BTreeSet};

use super::{TextFile, assert_none, root, rust_files, source};

/// A file beyond this has a second subject.
const LINES_MAX: usize = 400;
/// The files that were longer when the rule came, and how long they are. It may only shrink.
const RATCHET: &str = "tests/it/tidy.ratchet";
/// Folders that are lists of like things, one file each, named in the folder's `mod.rs`.
const LISTS: &[&str] = &["src/kinds", "src/channels", "src/formats", "src/watch"];

fn opening_findings(files: &[TextFile]) -> Vec<String> {
    let silent = files.iter().filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        first.strip_prefix("//! ").is_none_or(|sentence| sentence.trim().is_empty())
    });
    silent.map(|file| file.path.clone()).collect()
}

fn length_findings(files: &[TextFile], ratchet: &str) -> Vec<String> {
    let mut allowed: BTreeMap<_, usize> = ratchet
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (path, lines) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{RATCHET}: {line:?}"));
            (path, lines.parse().unwrap_or_else(|_| panic!("{RATCHET}: {line:?}")))
        })
        .collect();
    let mut findings = Vec::new();
    for file in files {
        let lines = file.text.lines().count();
        match allowed.remove(file.path.as_str()) {
            None if lines > LINES_MAX => {
                findings.push(format!("{}: {lines} lines; split it by its subjects", file.path));
            }
            Some(limit) if lines > limit => {
                findings.push(format!("{}: {lines} lines, and it may only shrink from {limit}", file.path));
            }
            Some(_) if lines <= LINES_MAX => {
                findings.push(format!("{}: {lines} lines; take it out of {RATCHET}", file.path));
            }
            Some(limit) if lines < limit => {
                findings.push(format!("{}: {lines} lines; say so in {RATCHET}", file.path));
            }
            _ => {}
        }
    }
    findings
        .extend(allowed.into_keys().map(|path| format!("{path}: is not there; take it out of {RATCHET}")));
    findings
}

/// Files of the folder `list` that its `mod.rs` does not declare.
fn list_findings(list: &str, files: &[TextFile]) -> Vec<String> {
    let inside = |file: &&TextFile| file.path.starts_with(&format!("{list}/"));
    let list_file = format!("{list}/mod.rs");
    let Some(declaring) = files.iter().find(|file| file.path == list_file) else {
        return files
            .iter()
            .filter(inside)
            .map(|file| format!("{}: {list}/mod.rs is missing", file.path))
            .collect();
    };
    let declared = declared_modules(&declaring.text);
    let items: BTreeSet<_> = files
        .iter()
        .filter(inside)
        .map(|file| file.path[list.len() + 1..].split('/').next().unwrap_or_default().trim_end_matches(".rs"))
        .filter(|item| *item != "mod")
        .collect();
    items.into_iter().filter(|item| !declared.contains(*item)).map(|item| format!("{list}: {item}")).collect()
}

/// What `mod x;` declares in `text`, tests included.
fn declared_modules(text: &str) -> BTreeSet<String> {
    source::without_literals(text)
        .split(';')
        .filter_map(|statement| {
            let mut words = statement.split_whitespace().rev();
            let (name, keyword) = (words.next()?, words.next()?);
            (keyword == "mod").then(|| name.to_owned())
        })
        .collect()
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    assert_none(&opening_findings(&rust_files()), "these do not open with `//!` and a sentence:");
}

#[test]
fn files_stay_small() {
    let ratchet = std::fs::read_to_string(root().join(RATCHET)).expect(RATCHET);
    assert_none(&length_findings(&rust_files(), &ratchet), "a file holds one subject:");
}

#[test]
fn every_item_of_a_list_is_declared() {
    let files = rust_files();
    let findings: Vec<_> = LISTS.iter().flat_map(|list| list_findings(list, &files)).collect();
    assert_none(&findings, "these are not declared in their folder's mod.rs, so nothing compiles them:");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_for_is_caught() {
        for (text, caught) in
            [("//! Says it.\n", false), ("// Says it.\n", true), ("//!\n", true), ("", true)]
        {
            assert_eq!(opening_findings(&[file("src/a.rs", text)]).len() == 1, caught, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_grows_is_caught_and_so_is_a_ratchet_that_lags() {
        let cases = [
            (400, "", 0),
            (401, "", 1),
            (450, "# long once\nsrc/a.rs 450\n", 0),
            (451, "src/a.rs 450\n", 1),
            (449, "src/a.rs 450\n", 1),
            (400, "src/a.rs 450\n", 1),
            (400, "src/gone.rs 450\n", 1),
        ];
        for (lines, ratchet, expected) in cases {
            let findings = length_findings(&[file("src/a.rs", &"x\n".repeat(lines))], ratchet);
            assert_eq!(findings.len(), expected, "{lines} lines, {ratchet:?}: {findings:?}");
        }
    }

    #[test]
    fn an_item_that_nobody_declares_is_caught() {
        let list = |text: &str| {
            let files = [
                file("src/kinds/mod.rs", text),
                file("src/kinds/one.rs", ""),
                file("src/kinds/two/mod.rs", ""),
            ];
            list_findings("src/kinds", &files).len()
        };
        assert_eq!(list("use a::b;\n\npub mod one;\nmod two;\n"), 0);
        assert_eq!(list("mod one; // mod two;"), 1);
        assert_eq!(list("mod one { } mod two_more;"), 2);
        assert_eq!(list_findings("src/kinds", &[file("src/kinds/one.rs", "")]).len(), 1);
    }
}
