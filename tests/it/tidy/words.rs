//! Words that do not stand here: paths of one machine, promises to do it later, tests that do not run.

use super::{TextFile, assert_none, text_files};

/// What a forbidden word is, where it is looked for, and what to do instead.
struct Forbidden {
    word: &'static str,
    reach: Reach,
    instead: &'static str,
}

#[derive(Clone, Copy)]
enum Reach {
    /// Every text file.
    Everywhere,
    /// Rust files.
    Rust,
    /// Rust files but the one that waits for all.
    RustButOne(&'static str),
}

/// Each is put together of two, or this file would be the first to be found.
const FORBIDDEN: &[Forbidden] = &[
    Forbidden { word: concat!("/wo", "rk/"), reach: Reach::Everywhere, instead: "a path of one machine" },
    Forbidden { word: concat!("/ro", "ot/"), reach: Reach::Everywhere, instead: "a path of one machine" },
    Forbidden { word: concat!("/ho", "me/"), reach: Reach::Everywhere, instead: "a path of one machine" },
    Forbidden { word: concat!("TO", "DO"), reach: Reach::Everywhere, instead: "do it, or say what is so" },
    Forbidden { word: concat!("FIX", "ME"), reach: Reach::Everywhere, instead: "mend it, or say what is so" },
    Forbidden { word: concat!("unimple", "mented!"), reach: Reach::Rust, instead: "write it" },
    Forbidden { word: concat!("to", "do!("), reach: Reach::Rust, instead: "write it" },
    Forbidden { word: concat!("#[ig", "nore"), reach: Reach::Rust, instead: "a test runs, or goes" },
    Forbidden {
        word: concat!("thread::", "sleep"),
        reach: Reach::RustButOne("tests/it/support/eventually.rs"),
        instead: "wait for a condition with a deadline",
    },
];

fn findings(file: &TextFile) -> Vec<String> {
    let rust = super::has_extension(&file.path, "rs");
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for Forbidden { word, reach, instead } in FORBIDDEN {
            let looked_for = match reach {
                Reach::Everywhere => true,
                Reach::Rust => rust,
                Reach::RustButOne(one) => rust && file.path != *one,
            };
            if looked_for && stands_in(line, word) {
                findings.push(format!("{}:{}: {word}: {instead}", file.path, at + 1));
            }
        }
    }
    findings
}

/// A word that is made of letters only counts where it stands alone.
fn stands_in(line: &str, word: &str) -> bool {
    let letters = word.chars().all(char::is_alphabetic);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(letters && [before, after].into_iter().flatten().any(|c| c.is_alphanumeric() || c == '_'))
    })
}

#[test]
fn nothing_is_left_for_later_and_nothing_knows_this_machine() {
    let findings: Vec<_> = text_files().iter().flat_map(findings).collect();
    assert_none(&findings, "these words do not stand in the repository:");
}

#[test]
fn every_forbidden_word_is_caught() {
    for Forbidden { word, reach, .. } in FORBIDDEN {
        let file = |path: &str| TextFile { path: path.to_owned(), text: format!("first\n x({word}) y\n") };
        assert_eq!(findings(&file("src/a.rs")).len(), 1, "{word}");
        let in_prose = findings(&file("README.md")).len();
        assert_eq!(in_prose == 1, matches!(reach, Reach::Everywhere), "{word}");
        if let Reach::RustButOne(one) = reach {
            assert!(findings(&file(one)).is_empty(), "{word}");
        }
    }
}

#[test]
fn a_longer_word_is_another_word() {
    let text = concat!("TO", "DOS and METHO", "DO and M", "E/ho", "me.").to_owned();
    assert!(findings(&TextFile { path: "README.md".to_owned(), text }).is_empty());
}
