//! `kassebro config rollback`: a generation's files where they were, and the running gateway told to read them.

use std::{
    fs, io,
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
        .map_or_else(|| there(&back.source), |p| p.files().into_iter().map(|f| f.path).collect());
    let steps = steps(&back.source, &now_there, &now().strftime("%Y%m%dT%H%M%SZ").to_string());
    tell(context, &back, present.as_ref().map(Configuration::of_files).as_ref(), &steps, args.dry_run);
    if args.dry_run {
        return Ok(Exit::Done);
    }
    steps.iter().try_for_each(perform)?;
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

/// Keeps the present file beside, and puts the other in its place by a rename, so that nobody reads half of one.
fn perform(step: &Step) -> io::Result<()> {
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
    fs::write(&draft, text)?;
    if let Some(kept) = kept_as {
        // A copy, so that there is a file under that name at every instant.
        fs::copy(path, kept)?;
        fs::set_permissions(&draft, fs::metadata(path)?.permissions())?;
    }
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;

    #[test]
    fn the_present_files_are_kept_and_what_was_not_there_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("conf.d")).unwrap();
        for (name, text) in [("k.toml", "new"), ("conf.d/same.toml", "same"), ("conf.d/more.toml", "more")] {
            fs::write(at(name), text).unwrap();
        }
        let file = |name: &str, text: &str| File { path: at(name), text: text.into() };
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
        steps.iter().try_for_each(perform).unwrap();
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
}
