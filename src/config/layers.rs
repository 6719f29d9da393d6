//! The layers of configuration, merged, each value still knowing its file and line.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use toml::{Spanned, Table, Value, de::DeTable, de::DeValue};

use super::{DEFAULT, Invalid, Problem, Settings, files::Files};

/// What the environment's settings begin with.
pub(super) const PREFIX: &str = "KASSEBRO__";
/// Lists that every file adds to instead of replacing.
pub(super) const LISTS: [&str; 5] = ["party", "receiver", "agreement", "spool", "target"];

/// Problems with values that are told at once.
const PROBLEMS_MAX: usize = 50;

/// One file's text.
pub(super) struct Layer {
    pub(super) file: PathBuf,
    pub(super) text: String,
    /// How many entries of each list came before this file's.
    before: [usize; LISTS.len()],
}

/// All files, and what they come to together.
pub(super) struct Layers {
    pub(super) texts: Vec<Layer>,
    pub(super) merged: Table,
    /// Where further files are read.
    pub(super) files: Files,
}

impl Layers {
    /// Reads the file, and `conf.d/*.toml` beside it in the order of their names.
    pub(super) fn read(
        file: Option<&Path>,
        environment: &[(String, String)],
        files: Files,
    ) -> Result<Self, Invalid> {
        let mut texts = Vec::new();
        if let Some(file) = file {
            let fragments = files.toml(&file.parent().unwrap_or(Path::new(".")).join("conf.d"));
            for path in fragments.into_iter().chain([file.to_owned()]) {
                let text = files.read(&path).map_err(|e| Invalid(vec![whole(&path, &e.to_string())]))?;
                texts.push((path, text));
            }
        }
        Self::of(texts, environment, files)
    }

    /// Merges texts in order of rising precedence, over the defaults and under the environment.
    pub(super) fn of(
        texts: Vec<(PathBuf, String)>,
        environment: &[(String, String)],
        files: Files,
    ) -> Result<Self, Invalid> {
        let mut merged: Table = DEFAULT.parse().expect("a test reads the defaults");
        let mut layers = vec![Layer {
            file: PathBuf::from("config/default.toml (built in)"),
            text: DEFAULT.to_owned(),
            before: [0; LISTS.len()],
        }];
        let mut problems = Vec::new();
        let folder = texts.last().and_then(|(file, _)| file.parent()).unwrap_or(Path::new("")).to_owned();
        for (file, text) in texts {
            if let Err(problem) = add(&mut layers, &mut merged, file, text) {
                problems.push(problem);
            }
        }
        for (name, value) in environment {
            if let Err(problem) = overlay(&mut merged, name, value) {
                problems.push(problem);
            }
        }
        let mut all = Self { texts: layers, merged, files };
        for file in all.agreement_files(&folder, &mut problems) {
            if let Err(problem) = all.add_agreements(file) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(all) } else { Err(Invalid(problems)) }
    }

    /// The files that `agreement_files` names, seen from the configuration's folder.
    fn agreement_files(&self, folder: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
        let named = self.merged.get("agreement_files").and_then(Value::as_array);
        let named = named.into_iter().flatten().filter_map(Value::as_str).enumerate();
        let mut files = Vec::new();
        for (place, name) in named {
            let path = folder.join(name);
            let found = match path.file_name().and_then(|last| last.to_str()) {
                Some("*.toml") => self.files.toml(path.parent().unwrap_or(folder)),
                _ if name.contains('*') => vec![],
                _ => vec![path],
            };
            if found.is_empty() {
                let problem =
                    format!("{name:?} names no file; write a file, or a folder's \"<folder>/*.toml\"");
                problems.push(Problem { problem, ..self.at(&format!("agreement_files[{place}]")) });
            }
            files.extend(found);
        }
        files
    }

    /// Adds a file that holds agreements and nothing else.
    pub(super) fn add_agreements(&mut self, file: PathBuf) -> Result<(), Problem> {
        let text = self.files.read(&file).map_err(|e| whole(&file, &e.to_string()))?;
        let table: Table = text.parse().map_err(|error| unread(&file, &text, &error))?;
        if let Some(other) = table.keys().find(|key| *key != "agreement") {
            let line = Layer { file: file.clone(), text: text.clone(), before: [0; LISTS.len()] }
                .line(&steps(other));
            let problem = "a file of agreements has [[agreement]] and nothing else";
            return Err(Problem { line, key: other.clone(), ..whole(&file, problem) });
        }
        add(&mut self.texts, &mut self.merged, file, text)
    }

    /// The settings, if every value fits. What does not fit is taken away once it is told, or has its default
    /// again, so that what is wrong behind it is told too.
    pub(super) fn settings(&self) -> Result<Settings, Invalid> {
        let mut merged = Value::Table(self.merged.clone());
        let mut problems: Vec<Problem> = Vec::new();
        while problems.len() < PROBLEMS_MAX {
            match serde_path_to_error::deserialize(merged.clone()) {
                Ok(settings) if problems.is_empty() => return Ok(settings),
                Ok(_) => break,
                Err(error) => {
                    let problem = self.problem(&error);
                    let mended = mend(&mut merged, &problem);
                    problems.push(problem);
                    if !mended {
                        break;
                    }
                }
            }
        }
        Err(Invalid(problems))
    }

    /// What the deserialiser says, with the place it means.
    fn problem(&self, error: &serde_path_to_error::Error<toml::de::Error>) -> Problem {
        let message = error.inner().message().to_owned();
        let mut path = error.path().to_string();
        if path == "." {
            path.clear();
        }
        let unknown = quoted(&message, "unknown field `").map(str::to_owned);
        if let Some(unknown) = &unknown {
            let inside = path.rsplit('.').next().is_some_and(|last| last == unknown);
            if !inside {
                let dot = if path.is_empty() { "" } else { "." };
                let _ = write!(path, "{dot}{unknown}");
            }
        }
        let suggestion = unknown.as_deref().and_then(|u| nearest(u, &message));
        let problem = message.lines().next().unwrap_or_default().to_owned();
        Problem { problem, suggestion, ..self.at(&path) }
    }

    /// Where a setting stands: the last file that sets it. The problem itself is the caller's to fill in.
    pub(super) fn at(&self, key: &str) -> Problem {
        let steps = steps(key);
        for layer in self.texts.iter().rev() {
            if let Some(line) = layer.line(&steps) {
                return Problem {
                    file: layer.file.display().to_string(),
                    line: Some(line),
                    key: key.to_owned(),
                    problem: String::new(),
                    suggestion: None,
                };
            }
        }
        let file = self.texts.last().map_or_else(String::new, |l| l.file.display().to_string());
        Problem { file, line: None, key: key.to_owned(), problem: String::new(), suggestion: None }
    }
}

impl Layer {
    /// The line of a setting in this file; where only its beginning stands here, that line.
    fn line(&self, steps: &[Step<'_>]) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut found = None;
        let mut here: Option<&Spanned<DeValue<'_>>> = None;
        let mut table = Some(table.get_ref());
        for (depth, step) in steps.iter().enumerate() {
            match step {
                Step::Name(name) => {
                    let (key, value) = table?.iter().find(|(key, _)| key.get_ref() == name)?;
                    found = Some(line_of(&self.text, key.span().start));
                    here = Some(value);
                    table = value.get_ref().as_table();
                }
                Step::Place(place) => {
                    let list = steps.first().and_then(|s| {
                        if let Step::Name(n) = s { LISTS.iter().position(|l| l == n) } else { None }
                    });
                    let before = if depth == 1 { list.map_or(0, |l| self.before[l]) } else { 0 };
                    let value = here?.get_ref().as_array()?.get(place.checked_sub(before)?)?;
                    found = Some(line_of(&self.text, value.span().start));
                    here = Some(value);
                    table = value.get_ref().as_table();
                }
            }
            // A key that is missing has no line of its own; its table's is near enough.
            if let (Some(Step::Name(next)), Some(t)) = (steps.get(depth + 1), table)
                && depth > 0
                && !t.iter().any(|(key, _)| key.get_ref() == next)
            {
                return found;
            }
        }
        found
    }
}

enum Step<'a> {
    Name(&'a str),
    Place(usize),
}

/// `receiver[1].url` in steps.
fn steps(key: &str) -> Vec<Step<'_>> {
    key.split('.')
        .flat_map(|part| {
            let mut pieces = part.split('[');
            let name = pieces.next().map(Step::Name);
            name.into_iter()
                .chain(pieces.filter_map(|p| p.trim_end_matches(']').parse().ok().map(Step::Place)))
        })
        .collect()
}

/// Takes away a setting that is not known, gives one that does not fit its default again, and else leaves out
/// the entry of a list with those behind it (so that the places of those before stay). False where nothing of
/// that can be: what it says of the rest would be guesswork.
fn mend(merged: &mut Value, problem: &Problem) -> bool {
    let steps = steps(&problem.key);
    if let [before @ .., Step::Name(last)] = &steps[..] {
        let mut default = Value::Table(DEFAULT.parse().expect("a test reads the defaults"));
        let default = value_at(&mut default, before).and_then(|section| section.get(*last).cloned());
        let section = value_at(merged, before).and_then(Value::as_table_mut);
        let mended = match (section, default) {
            (Some(section), Some(value)) => {
                section.insert((*last).to_owned(), value.clone()).is_some_and(|was| was != value)
            }
            (Some(section), None) => {
                problem.problem.contains("unknown field") && section.remove(*last).is_some()
            }
            (None, _) => false,
        };
        if mended {
            return true;
        }
    }
    let [Step::Name(_), Step::Place(place), ..] = &steps[..] else { return false };
    let list = value_at(merged, &steps[..1]).and_then(Value::as_array_mut);
    list.filter(|list| *place < list.len()).map(|list| list.truncate(*place)).is_some()
}

fn value_at<'v>(root: &'v mut Value, steps: &[Step<'_>]) -> Option<&'v mut Value> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Name(name) => value.as_table_mut()?.get_mut(*name),
        Step::Place(place) => value.as_array_mut()?.get_mut(*place),
    })
}

/// The section of the store, of whatever can be read: of a file that is not TOML what stands before the mistake.
pub(super) fn store(file: Option<&Path>, environment: &[(String, String)]) -> Option<super::settings::Store> {
    let mut merged: Table = DEFAULT.parse().ok()?;
    let fragments =
        file.map(|file| Files::Disk.toml(&file.parent().unwrap_or(Path::new(".")).join("conf.d")));
    for path in fragments.into_iter().flatten().chain(file.map(Path::to_owned)) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let table = text.parse::<Table>().or_else(|error| {
            let until = error.span().map_or(0, |span| text[..span.start].rfind('\n').map_or(0, |at| at + 1));
            text[..until].parse()
        });
        merge(&mut merged, table.unwrap_or_default());
    }
    for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("KASSEBRO__STORE__")) {
        overlay(&mut merged, name, value).ok()?;
    }
    merged.remove("store")?.try_into().ok()
}

/// Lays a file over those before it.
fn add(layers: &mut Vec<Layer>, merged: &mut Table, file: PathBuf, text: String) -> Result<(), Problem> {
    let table: Table = text.parse().map_err(|error| unread(&file, &text, &error))?;
    let before = LISTS.map(|list| merged.get(list).and_then(Value::as_array).map_or(0, Vec::len));
    merge(merged, table);
    layers.push(Layer { file, text, before });
    Ok(())
}

/// The text is not TOML.
fn unread(file: &Path, text: &str, error: &toml::de::Error) -> Problem {
    Problem { line: error.span().map(|span| line_of(text, span.start)), ..whole(file, error.message()) }
}

fn whole(file: &Path, problem: &str) -> Problem {
    Problem {
        file: file.display().to_string(),
        line: None,
        key: String::new(),
        problem: problem.to_owned(),
        suggestion: None,
    }
}

/// Tables are merged, the known lists are continued, everything else is replaced.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (Some(Value::Array(under)), Value::Array(over)) if LISTS.contains(&key.as_str()) => {
                under.extend(over);
            }
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Lays one setting of the environment over the rest. Its value is TOML, or plain text where it is not.
fn overlay(merged: &mut Table, name: &str, text: &str) -> Result<(), Problem> {
    let path: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
    let wrong = |problem: &str| Problem {
        file: "environment".into(),
        line: None,
        key: name.to_owned(),
        problem: problem.to_owned(),
        suggestion: None,
    };
    let [sections @ .., key] = &path[..] else { return Err(wrong("no setting is named")) };
    let mut table = merged;
    for section in sections {
        table = table
            .entry(section.clone())
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(|| wrong("not a section of settings"))?;
    }
    let value = format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    table.insert(key.clone(), value.unwrap_or_else(|| Value::String(text.to_owned())));
    Ok(())
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

/// What stands between the opening words and the next backtick.
fn quoted<'a>(message: &'a str, opening: &str) -> Option<&'a str> {
    let rest = &message[message.find(opening)? + opening.len()..];
    rest.split('`').next()
}

/// The name among those in the message that is nearest to what was written.
fn nearest(wrong: &str, message: &str) -> Option<String> {
    let expected = message.split("expected").nth(1)?;
    let names = expected.split('`').skip(1).step_by(2);
    let best = names.map(|name| (distance(wrong, name), name)).min()?;
    (best.0 <= 3).then(|| format!("did you mean `{}`?", best.1))
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
