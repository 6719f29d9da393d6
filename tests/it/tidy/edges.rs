//! Who may know whom: the two tables of `src/ARCHITECTURE.md`, compared with the paths in the code.

use std::collections::{BTreeMap, BTreeSet};

use super::{TextFile, assert_none, root, rust_files, source};

/// What the tables allow.
struct Edges {
    /// For each module, the modules it may use.
    modules: BTreeMap<String, BTreeSet<String>>,
    /// For each outside crate that is fenced, where it may stand.
    crates: BTreeMap<String, Fence>,
}

enum Fence {
    OnlyIn(Vec<String>),
    NotIn(Vec<String>),
}

/// May use every module there is.
const ALL: &str = "all";

impl Edges {
    /// Reads the tables between `<!-- edges: modules -->` or `<!-- edges: crates -->` and `<!-- end -->`.
    fn read(architecture: &str) -> Self {
        let modules = table(architecture, "<!-- edges: modules -->")
            .into_iter()
            .flat_map(|(modules, may_use)| {
                let may_use: BTreeSet<_> = quoted(&may_use).into_iter().collect();
                quoted(&modules).into_iter().map(move |module| (module, may_use.clone())).collect::<Vec<_>>()
            })
            .collect();
        let crates = table(architecture, "<!-- edges: crates -->")
            .into_iter()
            .flat_map(|(crates, place)| {
                quoted(&crates).into_iter().map(move |name| (name, Fence::read(&place))).collect::<Vec<_>>()
            })
            .collect();
        Self { modules, crates }
    }

    /// What `file` does that no row allows, a line each.
    fn findings(&self, file: &TextFile) -> Vec<String> {
        let Some(place) = file.path.strip_prefix("src/") else {
            return Vec::new();
        };
        let module = module_of(place);
        let mut findings = BTreeSet::new();
        for path in source::paths(&source::code_of(&file.text)) {
            if let Some(used) = used_module(place, &path)
                && self.modules.contains_key(used)
                && !self.may_use(module, used)
            {
                findings.insert(format!("{}: `{module}` may not use `{used}`", file.path));
            }
            if let Some(fence) = path.first().and_then(|name| self.crates.get(name))
                && !fence.lets(place)
            {
                findings.insert(format!("{}: the crate {} may not stand here", file.path, path[0]));
            }
        }
        findings.into_iter().collect()
    }

    fn may_use(&self, module: &str, used: &str) -> bool {
        // The two roots only name the modules.
        module == used
            || ["lib", "main"].contains(&module)
            || self.modules.get(module).is_some_and(|may| may.contains(used) || may.contains(ALL))
    }
}

impl Fence {
    fn read(place: &str) -> Self {
        let places = quoted(place);
        if place.trim_start().starts_with("not in") { Self::NotIn(places) } else { Self::OnlyIn(places) }
    }

    /// Whether the file at `place`, counted from `src/`, is on the right side.
    fn lets(&self, place: &str) -> bool {
        match self {
            Self::OnlyIn(patterns) => patterns.iter().any(|pattern| matches(pattern, place)),
            Self::NotIn(patterns) => !patterns.iter().any(|pattern| matches(pattern, place)),
        }
    }
}

/// `codec` is the whole module, file or folder, `x/y.rs` one file, and a `*` in a file's name anything.
fn matches(pattern: &str, place: &str) -> bool {
    if let Some((before, after)) = pattern.split_once('*') {
        let middle = place.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        return middle.is_some_and(|middle| !middle.contains('/'));
    }
    place == pattern || place.starts_with(&format!("{pattern}/")) || place == format!("{pattern}.rs")
}

/// The module a file belongs to: `store` for `store/sqlite/lease.rs`, `clock` for `clock.rs`.
fn module_of(place: &str) -> &str {
    place.split('/').next().unwrap_or(place).trim_end_matches(".rs")
}

/// The module of ours that a path in the file at `place` names, if it names one by its root.
fn used_module<'a>(place: &str, path: &'a [String]) -> Option<&'a str> {
    let first = path.first()?.as_str();
    let climbs = path.iter().take_while(|part| *part == "super").count();
    // How many `super` lead to the root: one for each part of the file's own path of modules.
    let depth = place.split('/').filter(|part| *part != "mod.rs").count();
    match first {
        "crate" | "kassebro" => path.get(1).map(String::as_str),
        "super" if climbs == depth => path.get(climbs).map(String::as_str),
        _ => None,
    }
}

/// The first two cells of every row of the table after `marker`.
fn table(text: &str, marker: &str) -> Vec<(String, String)> {
    let rest = text.split_once(marker).unwrap_or_else(|| panic!("src/ARCHITECTURE.md has no {marker}")).1;
    let (table, _) = rest.split_once("<!-- end -->").unwrap_or_else(|| panic!("{marker} has no end"));
    let rows: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
        })
        .collect();
    assert!(!rows.is_empty(), "the table after {marker} is empty");
    rows
}

/// What stands between back-ticks; a word without them is prose.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(|name| name.replace('-', "_")).collect()
}

/// Where the modules under `#[cfg(test)]` that `files` declare lie, files and folders.
fn test_places(files: &[TextFile]) -> Vec<String> {
    let declared = files.iter().flat_map(|file| {
        let folder = file.path.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/lib");
        let modules = source::test_modules(&file.text).into_iter();
        modules.map(move |module| format!("{folder}/{module}"))
    });
    declared.flat_map(|place| [format!("{place}.rs"), format!("{place}/")]).collect()
}

fn without_test_files(files: Vec<TextFile>) -> Vec<TextFile> {
    let tests = test_places(&files);
    let is_test = |file: &TextFile| tests.iter().any(|place| file.path.starts_with(place));
    files.into_iter().filter(|file| !is_test(file)).collect()
}

fn edges() -> Edges {
    let path = root().join("src/ARCHITECTURE.md");
    Edges::read(&std::fs::read_to_string(path).expect("src/ARCHITECTURE.md"))
}

#[test]
fn nobody_knows_more_than_the_tables_allow() {
    let edges = edges();
    let findings: Vec<_> =
        without_test_files(rust_files()).iter().flat_map(|file| edges.findings(file)).collect();
    assert_none(
        &findings,
        "src/ARCHITECTURE.md says who may use whom; take another way, or argue with a row:",
    );
}

#[test]
fn every_module_has_a_row() {
    let edges = edges();
    let modules: BTreeSet<_> = rust_files()
        .iter()
        .filter_map(|file| file.path.strip_prefix("src/").map(|place| module_of(place).to_owned()))
        .filter(|module| !["lib", "main"].contains(&module.as_str()))
        .collect();
    let missing: Vec<_> = modules.into_iter().filter(|module| !edges.modules.contains_key(module)).collect();
    assert_none(&missing, "src/ARCHITECTURE.md has no row for these modules:");
}

/// A row that names a crate nobody depends on fences nothing.
#[test]
fn every_fenced_crate_is_a_dependency() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = toml::from_str(&manifest).expect("a manifest");
    let dependencies = manifest["dependencies"].as_table().expect("dependencies");
    let known: BTreeSet<_> = dependencies.keys().map(|name| name.replace('-', "_")).collect();
    let unknown: Vec<_> = edges().crates.into_keys().filter(|name| !known.contains(name)).collect();
    assert_none(&unknown, "these crates are fenced and not in Cargo.toml:");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "
<!-- edges: modules -->
| module | may use | why |
|---|---|---|
| [`domain`] | – | words |
| [`clock`], [`codec`] | `domain` | |
| [`store`] | `domain`, `clock` | |
| [`cli`] | `all` | |
<!-- end -->
<!-- edges: crates -->
| outside crate | only in |
|---|---|
| `lapin` | `intake/broker`, `channels/amqp*.rs` |
| `quick-xml` | `codec` |
| `tokio` | not in `domain`, `codec` |
<!-- end -->
";

    fn findings(path: &str, text: &str) -> usize {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        Edges::read(TABLES).findings(&file).len()
    }

    #[test]
    fn a_use_that_no_row_allows_is_caught() {
        let cases = [
            ("src/domain/a.rs", "use crate::store::Store;", 1),
            ("src/domain/a.rs", "use crate::{domain::B, store::{C, D}};", 1),
            ("src/domain/a.rs", "fn f(s: &crate::store::Store) {}", 1),
            ("src/domain/a.rs", "use super::super::store::Store;", 1),
            ("src/domain/mod.rs", "use super::store::Store;", 1),
            ("src/domain/b/c.rs", "use super::super::super::{clock, store};", 2),
            ("src/clock.rs", "use super::store::Store;", 1),
            ("src/codec/mod.rs", "use crate::clock::Clock;", 1),
            ("src/store/sqlite/a.rs", "use crate::{clock, domain, store};", 0),
            ("src/store/a.rs", "use super::cli;", 0),
            ("src/domain/a.rs", "#[cfg(test)] mod t { use crate::store; }", 0),
            ("src/domain/a.rs", "// use crate::store;", 0),
            ("src/cli/run.rs", "use crate::{clock, codec, domain, store};", 0),
            ("src/main.rs", "use kassebro::cli;", 0),
            ("tests/it/a.rs", "use kassebro::store;", 0),
        ];
        for (path, text, expected) in cases {
            assert_eq!(findings(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn a_crate_outside_its_fence_is_caught() {
        let cases = [
            ("src/store/a.rs", "use lapin::Channel;", 1),
            ("src/intake/mod.rs", "fn f() { lapin::Connection::connect() }", 1),
            ("src/intake/broker.rs", "use lapin::Channel;", 0),
            ("src/intake/broker/session.rs", "use lapin::Channel;", 0),
            ("src/intake/brokers.rs", "use lapin::Channel;", 1),
            ("src/channels/amqp_answers.rs", "use lapin::Channel;", 0),
            ("src/channels/amqp/deep.rs", "use lapin::Channel;", 1),
            ("src/codec/xml.rs", "use quick_xml::Reader;", 0),
            ("src/kinds/a.rs", "use quick_xml::Reader;", 1),
            ("src/domain/a.rs", "async fn f() { tokio::select! {} }", 1),
            ("src/codec.rs", "use tokio as t;", 1),
            ("src/store/a.rs", "use tokio::sync::mpsc;", 0),
        ];
        for (path, text, expected) in cases {
            assert_eq!(findings(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn files_of_tests_are_left_out_and_no_others() {
        let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
        let files = vec![
            file("src/kinds/mod.rs", "mod one;\n#[cfg(test)]\npub(crate) mod testing;\n"),
            file("src/kinds/one.rs", "#[cfg(test)]\nmod tests;\n#[cfg(test)] mod inline {}\nmod inner;"),
            file("src/kinds/one/inner.rs", ""),
            file("src/kinds/one/tests.rs", ""),
            file("src/kinds/testing.rs", ""),
            file("src/kinds/testing_more.rs", ""),
        ];
        let left: Vec<_> = without_test_files(files).into_iter().map(|file| file.path).collect();
        let expected = ["kinds/mod.rs", "kinds/one.rs", "kinds/one/inner.rs", "kinds/testing_more.rs"];
        assert_eq!(left, expected.map(|place| format!("src/{place}")));
    }

    #[test]
    #[should_panic(expected = "has no <!-- edges: modules -->")]
    fn an_architecture_without_tables_is_caught() {
        Edges::read("# Nothing");
    }
}
