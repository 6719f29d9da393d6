//! What we build on, judged by the published advisories of the day in `tests/advisories/`.
//!
//! The snapshot makes the judgement the same everywhere, without network. Renewing it is replacing the file.

use std::{cmp::Ordering, fs, path::Path};

use serde::Deserialize;

/// An advisory we live with, and until when.
struct Exception {
    id: &'static str,
    reason: &'static str,
    /// Who answers for it.
    owner: &'static str,
    /// The snapshot that is this new, or newer, asks again.
    review: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        id: "RUSTSEC-2025-0012",
        reason: "backoff is unmaintained, not vulnerable. It was asked for by name, paces reconnecting in memory \
                 and is fenced into src/reconnect.rs; durable retries are rows and our own function.",
        owner: "the maintainers of Kassebro",
        review: "2027-05-01",
    },
    Exception {
        id: "RUSTSEC-2024-0384",
        reason: "instant is unmaintained, not vulnerable. It comes with backoff, which uses it only to read the \
                 clock.",
        owner: "the maintainers of Kassebro",
        review: "2027-05-01",
    },
];

#[derive(Deserialize)]
struct Advisory {
    package: String,
    id: String,
    title: String,
    patched: Vec<String>,
    unaffected: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Reads the newest snapshot and the day it is of.
fn advisories() -> (String, Vec<Advisory>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/advisories");
    let names = fs::read_dir(&folder).expect("the folder of snapshots").filter_map(|entry| {
        let name = entry.expect("a readable folder").file_name().into_string().ok()?;
        Some(name.strip_prefix("rustsec-")?.strip_suffix(".json")?.to_owned())
    });
    let day = names.max().expect("a snapshot");
    let text = fs::read_to_string(folder.join(format!("rustsec-{day}.json"))).expect("a readable snapshot");
    (day, serde_json::from_str(&text).expect("a list of advisories"))
}

fn packages() -> Vec<Package> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let text = fs::read_to_string(file).expect("Cargo.lock");
    toml::from_str::<Lock>(&text).expect("a lock file").package
}

/// One line for each advisory that holds for a package and is not in patched or unaffected versions.
fn hits<'a>(packages: &'a [Package], advisories: &'a [Advisory]) -> Vec<(&'a str, String)> {
    let mut found = Vec::new();
    for package in packages {
        for advisory in advisories.iter().filter(|a| a.package == package.name) {
            let version = Version::read(&package.version).expect("Cargo writes versions");
            let safe = advisory.patched.iter().chain(&advisory.unaffected);
            if !safe.into_iter().any(|requirement| version.satisfies(requirement)) {
                let line =
                    format!("{} {}: {} {}", package.name, package.version, advisory.id, advisory.title);
                found.push((advisory.id.as_str(), line));
            }
        }
    }
    found
}

/// A version as Cargo orders them: three numbers, and what comes before a release.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    before_release: Vec<Identifier>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    /// Missing numbers are zero. `None` where it is not a version.
    fn read(text: &str) -> Option<Self> {
        let text = text.split('+').next()?;
        let (numbers, before) = text.split_once('-').unwrap_or((text, ""));
        let mut parsed = [0; 3];
        for (index, number) in numbers.split('.').enumerate() {
            *parsed.get_mut(index)? = number.parse().ok()?;
        }
        let identifiers = before.split('.').filter(|word| !word.is_empty());
        let before_release = identifiers
            .map(|word| word.parse().map_or_else(|_| Identifier::Word(word.to_owned()), Identifier::Number))
            .collect();
        Some(Self { numbers: parsed, before_release })
    }

    /// Whether it meets all comparisons of `>= 1.2, < 1.4`.
    fn satisfies(&self, requirement: &str) -> bool {
        requirement.split(',').all(|comparison| self.meets(comparison.trim()))
    }

    fn meets(&self, comparison: &str) -> bool {
        let digits = comparison.find(|c: char| c.is_ascii_digit()).unwrap_or(comparison.len());
        let (operator, text) = comparison.split_at(digits);
        let bound = Self::read(text).unwrap_or_else(|| panic!("{comparison:?} is not a comparison"));
        let given = text.split('-').next().unwrap_or(text).split('.').count();
        match operator.trim() {
            ">=" => *self >= bound,
            ">" => *self > bound,
            "<=" => *self <= bound,
            "<" => *self < bound,
            "=" => *self == bound,
            "^" | "" => *self >= bound && self.numbers < bound.after_compatible(given),
            "~" => *self >= bound && self.numbers < bound.after_similar(given),
            other => panic!("{other:?} is not a comparison"),
        }
    }

    /// The first release that `^` leaves out: the leftmost number that is not zero goes up.
    fn after_compatible(&self, given: usize) -> [u64; 3] {
        match (self.numbers, given) {
            ([0, 0, patch], 3) => [0, 0, patch + 1],
            ([0, minor, _], 2 | 3) => [0, minor + 1, 0],
            ([major, ..], _) => [major + 1, 0, 0],
        }
    }

    /// The first release that `~` leaves out: the last number but the patch goes up.
    fn after_similar(&self, given: usize) -> [u64; 3] {
        match (self.numbers, given) {
            ([major, ..], 1) => [major + 1, 0, 0],
            ([major, minor, _], _) => [major, minor + 1, 0],
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let released = |version: &Self| version.before_release.is_empty();
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| released(self).cmp(&released(other)))
            .then_with(|| self.before_release.cmp(&other.before_release))
    }
}

#[test]
fn nothing_we_build_on_has_an_open_advisory() {
    let (day, advisories) = advisories();
    let packages = packages();
    let open: Vec<_> = hits(&packages, &advisories)
        .into_iter()
        .filter(|(id, _)| !EXCEPTIONS.iter().any(|exception| exception.id == *id))
        .map(|(_, line)| line)
        .collect();
    assert!(open.is_empty(), "as of {day}:\n{}", open.join("\n"));
}

#[test]
fn every_exception_is_needed_explained_and_not_overdue() {
    let (day, advisories) = advisories();
    let packages = packages();
    let hits = hits(&packages, &advisories);
    for Exception { id, reason, owner, review } in EXCEPTIONS {
        assert!(hits.iter().any(|(hit, _)| hit == id), "{id} excuses nothing: remove it");
        assert!(!reason.is_empty() && !owner.is_empty());
        assert!(*review > day.as_str(), "{id} was to be looked at again on {review}");
    }
}

/// One TLS provider, ring: with two, rustls refuses to choose, and the second is a C build of its own.
#[test]
fn one_tls_provider_is_built() {
    let forbidden = ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"];
    let built: Vec<_> =
        packages().into_iter().map(|p| p.name).filter(|n| forbidden.contains(&n.as_str())).collect();
    assert!(built.is_empty(), "{built:?}");
}

#[test]
fn a_version_with_a_hole_is_found_and_a_mended_one_is_not() {
    let advisory = |patched: &[&str], unaffected: &[&str]| Advisory {
        package: "leaky".to_owned(),
        id: "RUSTSEC-2000-0001".to_owned(),
        title: "it leaks".to_owned(),
        patched: patched.iter().map(ToString::to_string).collect(),
        unaffected: unaffected.iter().map(ToString::to_string).collect(),
    };
    let cases: &[(&str, &[&str], &[&str], bool)] = &[
        ("1.2.3", &[], &[], true),
        ("1.2.3", &[">= 1.2.4"], &[], true),
        ("1.2.4", &[">= 1.2.4"], &[], false),
        ("1.3.0-rc.1", &[">= 1.3.0"], &[], true),
        ("1.2.3", &[">= 1.2.4"], &["< 1.2.0"], true),
        ("1.1.9", &[">= 1.2.4"], &["< 1.2.0"], false),
        ("1.1.9", &["^1.1.9", ">= 2"], &[], false),
        ("1.9.0", &["~1.1.9", ">= 2"], &[], true),
        ("0.4.9", &["^0.4.3"], &[], false),
        ("0.5.0", &["^0.4.3"], &[], true),
        ("0.0.4", &["^0.0.3"], &[], true),
        ("2.0.0", &[">= 1.0, < 2.0"], &[], true),
        ("3.1.0", &["3.0.2"], &[], false),
        ("3.0.2", &["=3.0.2"], &[], false),
    ];
    for (version, patched, unaffected, found) in cases {
        let package = Package { name: "leaky".to_owned(), version: (*version).to_owned() };
        let advisories = [advisory(patched, unaffected)];
        let hits = hits(std::slice::from_ref(&package), &advisories);
        assert_eq!(hits.len() == 1, *found, "{version} {patched:?} {unaffected:?}");
    }
}

#[test]
fn every_requirement_of_the_snapshot_can_be_read() {
    let (_, advisories) = advisories();
    assert!(advisories.len() > 500, "the snapshot is whole");
    let version = Version::read("1.0.0").expect("a version");
    for requirement in advisories.iter().flat_map(|a| a.patched.iter().chain(&a.unaffected)) {
        version.satisfies(requirement);
    }
}
