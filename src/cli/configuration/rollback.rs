//! `kassebro config rollback`: a generation's files where they were, and the running gateway told to read them.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::{Configuration, Source, changes, expect_buildable, generation, reload};
use crate::{
    cli::{Context, Exit, Failure, Outcome, now, who},
    config::{diff, diff::Diff},
    store::generations::{How, Order},
    units,
};

pub(in crate::cli) const EXAMPLES: &str = "The files that are there now are kept beside, with the time in their \
    names; what the generation had not, in conf.d or among the agreements, is taken away in the same manner. Secrets \
    are in files of their own, and the environment is the process's: neither is touched. Each machine has its own \
    files: run it where they lie.\n\n\
    Examples:\n  kassebro config rollback 6 --dry-run\n  kassebro config rollback 6\n\n\
    Exit codes: 0 it is in force again, 1 the files are back and no gateway runs or answered, 3 it would not be valid \
    now, 4 no such generation, 5 it was read from elsewhere, or needs a restart.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The generation to go back to.
    generation: u64,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait for the running gateway.
    #[arg(long, default_value = "2m", value_parser = units::parse_duration)]
    wait: Duration,
}

/// What is done with one file.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    path: PathBuf,
    /// `write`, `replace` or `take-away`.
    what: &'static str,
    /// Where the present one is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_as: Option<PathBuf>,
    #[serde(skip)]
    text: Option<String>,
}

pub(in crate::cli) async fn run(context: &Context, args: &Args) -> Outcome {
    let store = super::open(context)?;
    let number = args.generation;
    let back = generation(&*store, number).await?;
    let present = context.loaded().ok();
    let here = context.config.as_ref().map(std::path::absolute).transpose()?;
    if back.source.main != here {
        let from =
            back.source.main.as_ref().map_or_else(|| "no file".to_owned(), |f| f.display().to_string());
        let what = anyhow::anyhow!("generation {number} was read from {from}: name that file with --config");
        return Err(Failure::new(Exit::Conflict, what));
    }
    let loaded = changes::again(&back)?;
    expect_buildable(&loaded)?;
    if let Some(present) = &present {
        let fixed = diff::needs_restart(present, &loaded);
        if !fixed.is_empty() {
            let told: Vec<String> = fixed.iter().map(ToString::to_string).collect();
            return Err(Failure::new(Exit::Conflict, anyhow::anyhow!("{}", told.join("; "))));
        }
    }
    // What is not valid now still lies where it lies.
    let now_there = present
        .as_ref()
        .map_or_else(|| there(&back.source), |p| p.settings_files().map(|f| f.path).collect());
    let steps = steps(&back.source, &now_there, &now().strftime("%Y%m%dT%H%M%SZ").to_string());
    tell(context, &back, present.as_ref().map(Configuration::of_files).as_ref(), &steps, args.dry_run);
    if args.dry_run {
        return Ok(Exit::Done);
    }
    let like = back.source.main.as_deref();
    steps.iter().try_for_each(|step| perform(step, like))?;
    let about = serde_json::json!({ "generation": number, "files": steps }).to_string();
    store.configure(Order::Audit { what: "rolled_back", about, by: who(), now: now() }).await?;
    reload::ask(context, &*store, (How::Rollback, Some(number)), None, args.wait).await
}

fn tell(context: &Context, back: &Configuration, present: Option<&Configuration>, steps: &[Step], dry: bool) {
    if context.output.json {
        if dry {
            context.output.value(&serde_json::json!({ "generation": back.generation, "files": steps }));
        }
        return;
    }
    if let Some(present) = present {
        let diff = Diff::between(&present.effective, &back.effective);
        changes::print(&context.output, &diff, &present.name(), &back.name());
    }
    for Step { path, what, kept_as, .. } in steps {
        let kept = kept_as.as_ref().map(|as_| format!(", kept as {}", as_.display())).unwrap_or_default();
        context.output.line(format_args!("{what} {}{kept}", path.display()));
    }
}

/// The main file and those of `conf.d` that are there, where they cannot be read as a configuration.
fn there(source: &Source) -> Vec<PathBuf> {
    let Some(main) = &source.main else { return vec![] };
    let folder = main.with_file_name("conf.d");
    let beside = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let toml = beside.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    toml.chain([main.clone()]).collect()
}

/// What has to be done so that the files are what they were.
fn steps(source: &Source, now_there: &[PathBuf], time: &str) -> Vec<Step> {
    let kept_as = |path: &Path| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".before-rollback-{time}"));
        path.with_file_name(name)
    };
    let mut steps = Vec::new();
    for file in &source.files {
        let present = fs::read_to_string(&file.path).ok();
        if present.as_ref() == Some(&file.text) {
            continue;
        }
        let is_there = file.path.exists();
        steps.push(Step {
            path: file.path.clone(),
            what: if is_there { "replace" } else { "write" },
            kept_as: is_there.then(|| kept_as(&file.path)),
            text: Some(file.text.clone()),
        });
    }
    for path in now_there.iter().filter(|path| source.files.iter().all(|file| file.path != **path)) {
        steps.push(Step { path: path.clone(), what: "take-away", kept_as: Some(kept_as(path)), text: None });
    }
    steps
}

/// Keeps the present file beside, and puts the other in its place by a rename, so that nobody reads half of one. It
/// belongs to whom the present one belongs, and is read by whom that is; where there is none, by whom `like` is.
fn perform(step: &Step, like: Option<&Path>) -> io::Result<()> {
    let Step { path, kept_as, text, .. } = step;
    let Some(text) = text else {
        return kept_as.as_ref().map_or(Ok(()), |kept| fs::rename(path, kept));
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut draft = path.file_name().unwrap_or_default().to_owned();
    draft.push(".rollback");
    let draft = path.with_file_name(draft);
    let mut file = private(&draft)?;
    file.write_all(text.as_bytes())?;
    if let Some(kept) = kept_as {
        // A copy, so that there is a file under that name at every instant.
        fs::copy(path, kept)?;
    }
    let like = if kept_as.is_some() { Some(path.as_path()) } else { like };
    if let Some(like) = like.filter(|like| like.exists()) {
        be_like(&file, like)?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// An empty file that nobody else reads. One that was left there is taken away: who has it open does not see this one.
fn private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path),
    }
}

/// Gives the file the other's owner and group, and only then lets them read it.
fn be_like(file: &File, other: &Path) -> io::Result<()> {
    let (own, other) = (file.metadata()?, fs::metadata(other)?);
    if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
        fchown(file, Some(other.uid()), Some(other.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(other.mode() & 0o7777))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File as Kept;

    #[test]
    fn the_present_files_are_kept_and_what_was_not_there_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("conf.d")).unwrap();
        for (name, text) in [("k.toml", "new"), ("conf.d/same.toml", "same"), ("conf.d/more.toml", "more")] {
            fs::write(at(name), text).unwrap();
        }
        let file = |name: &str, text: &str| Kept { path: at(name), text: text.into() };
        let source = Source {
            main: Some(at("k.toml")),
            files: vec![
                file("conf.d/same.toml", "same"),
                file("conf.d/less.toml", "less"),
                file("k.toml", "old"),
            ],
            environment: vec![],
        };
        let steps = steps(&source, &there(&source), "T");
        let told: Vec<_> = steps
            .iter()
            .map(|s| (s.what, s.path.strip_prefix(folder.path()).unwrap().to_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [("write", "conf.d/less.toml"), ("replace", "k.toml"), ("take-away", "conf.d/more.toml")]
        );
        steps.iter().try_for_each(|step| perform(step, None)).unwrap();
        let read = |name: &str| fs::read_to_string(at(name)).unwrap_or_else(|_| "-".into());
        assert_eq!(
            ["k.toml", "conf.d/less.toml", "conf.d/same.toml", "conf.d/more.toml"].map(read),
            ["old", "less", "same", "-"]
        );
        assert_eq!(
            ["k.toml.before-rollback-T", "conf.d/more.toml.before-rollback-T"].map(read),
            ["new", "more"]
        );
        assert!(super::steps(&source, &there(&source), "T").is_empty(), "there is nothing left to do");
    }

    #[test]
    fn what_is_put_back_is_read_by_whom_the_file_was_read_and_by_nobody_before() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("k.toml"), "new").unwrap();
        fs::set_permissions(at("k.toml"), Permissions::from_mode(0o640)).unwrap();
        // Only root may give files away; for everybody else the owner stays the same.
        let own = fs::metadata(at("k.toml")).unwrap();
        let (uid, gid) = if own.uid() == 0 { (4711, 4712) } else { (own.uid(), own.gid()) };
        fchown(File::open(at("k.toml")).unwrap(), Some(uid), Some(gid)).unwrap();
        for (name, kept_as) in [("k.toml", Some(at("k.toml.kept"))), ("more.toml", None)] {
            let step = Step { path: at(name), what: "write", kept_as, text: Some("old".into()) };
            // Left by a rollback that broke off, and read by everybody.
            fs::write(at(&format!("{name}.rollback")), "x").unwrap();
            perform(&step, Some(&at("k.toml"))).unwrap();
            let about = fs::metadata(at(name)).unwrap();
            assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (uid, gid, 0o640), "{name}");
            assert_eq!(fs::read_to_string(at(name)).unwrap(), "old");
        }
        fs::write(at("draft"), "read by everybody").unwrap();
        let draft = private(&at("draft")).unwrap();
        assert_eq!(draft.metadata().unwrap().mode() & 0o7777, 0o600);
    }
}
