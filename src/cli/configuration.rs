//! `kassebro config`: what runs, what it was before, what another configuration would change, and going back.

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Context, Exit, Failure, Outcome, now,
    output::{joined, local},
};
use crate::{
    config::{self, File, Flat, Loaded, Overlay, hidden_passwords, loaded::value_text, schema},
    gateway,
    store::{
        Store,
        generations::{Generation, KeptGeneration, NodeReport},
    },
};

mod changes;
pub(super) mod effect;
mod reload;
mod rollback;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Have the running gateway read its configuration again: all of it comes into force, or nothing does.
    #[command(after_help = reload::EXAMPLES)]
    Reload(reload::Args),
    /// Configurations as they came into force, the newest first, and which node runs which.
    #[command(
        after_help = "Examples:\n  kassebro config generations\n  kassebro config generations --limit 200 --json"
    )]
    Generations {
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// A configuration's files, or every setting that is in force. Passwords in addresses are hidden.
    #[command(after_help = "Without an option it is the configuration as it lies in its files here.\n\n\
                      Examples:\n  kassebro config show --effective\n  kassebro config show --generation 7\n  \
                      kassebro config show --live --effective --json\n\n\
                      Exit codes: 0 done, 3 the files are not valid, 4 no such generation, or no gateway runs.")]
    Show {
        /// As that generation was read.
        #[arg(long, conflicts_with = "live")]
        generation: Option<u64>,
        /// As the running gateway says that it runs.
        #[arg(long)]
        live: bool,
        /// Every setting with its value, defaults among them.
        #[arg(long)]
        effective: bool,
    },
    /// What differs, setting by setting: from a generation (the newest unless one is named) to the files here, to another
    /// generation, or to a file.
    #[command(after_help = changes::EXAMPLES)]
    Diff(changes::Args),
    /// Put a generation's files back where they were, and have the running gateway read them.
    #[command(after_help = rollback::EXAMPLES)]
    Rollback(rollback::Args),
    /// Print the JSON Schema of the configuration, for editors.
    #[command(after_help = "Example:\n  kassebro config schema > /etc/kassebro/config.schema.json\n  \
                            # and, as the first line of kassebro.toml:\n  #:schema /etc/kassebro/config.schema.json")]
    Schema,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    super::block_on(async {
        match command {
            Command::Reload(args) => reload::run(context, args).await,
            Command::Generations { limit } => generations(context, limit).await,
            Command::Show { generation, live, effective } => show(context, generation, live, effective).await,
            Command::Diff(args) => changes::run(context, &args).await,
            Command::Rollback(args) => rollback::run(context, &args).await,
            Command::Schema => {
                context.output.raw(schema::text().trim_end());
                Ok(Exit::Done)
            }
        }
    })?
}

/// What a generation was read from, as the store keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Source {
    main: Option<PathBuf>,
    files: Vec<File>,
    environment: Vec<Overlay>,
}

/// The store, also where the files here are not valid: that may be why somebody asks.
fn open(context: &Context) -> Result<Arc<dyn Store>, Failure> {
    let environment = config::environment();
    let settings =
        context.settings().unwrap_or_else(|_| config::for_the_store(context.config.as_deref(), &environment));
    Ok(gateway::open_store(&settings)?)
}

/// A configuration, wherever it came from.
struct Configuration {
    /// `None`: it is no generation.
    generation: Option<u64>,
    source: Source,
    effective: Flat,
}

impl Configuration {
    fn of_files(loaded: &Loaded) -> Self {
        let environment = loaded.environment().to_vec();
        let source = Source { main: loaded.main.clone(), files: loaded.files(), environment };
        Self { generation: None, source, effective: loaded.effective() }
    }

    fn of_generation(kept: KeptGeneration) -> Result<Self, Failure> {
        let number = kept.line.number;
        Ok(Self {
            generation: Some(number),
            source: serde_json::from_value(kept.source)?,
            effective: serde_json::from_value(kept.effective)?,
        })
    }

    /// What a person calls it.
    fn name(&self) -> String {
        self.generation.map_or_else(|| "the files here".to_owned(), |number| format!("generation {number}"))
    }
}

async fn generation(store: &dyn Store, number: u64) -> Result<Configuration, Failure> {
    let kept = store.generation(Some(number)).await?;
    Configuration::of_generation(
        kept.ok_or_else(|| Failure::not_found(format_args!("there is no generation {number}")))?,
    )
}

/// The nodes that are there now.
async fn nodes(store: &dyn Store) -> Result<Vec<NodeReport>, Failure> {
    let now = now();
    let mut nodes = store.nodes().await?;
    nodes.retain(|node| node.is_there(now));
    Ok(nodes)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(flatten)]
    generation: Generation,
    /// Who runs it now.
    runs_on: Vec<String>,
}

async fn generations(context: &Context, limit: u32) -> Outcome {
    let store = open(context)?;
    let nodes = nodes(&*store).await?;
    let lines: Vec<Line> = store
        .generations(limit)
        .await?
        .into_iter()
        .map(|generation| {
            let runs = nodes.iter().filter(|node| node.generation == generation.number);
            Line { runs_on: runs.map(|node| node.node.clone()).collect(), generation }
        })
        .collect();
    context.output.list(&lines, &["generation", "in force from", "how", "by", "first on", "runs on"], |l| {
        let of = l.generation.of.map(|of| format!(" to {of}")).unwrap_or_default();
        vec![
            l.generation.number.to_string(),
            local(l.generation.activated),
            format!("{}{of}", l.generation.how.name()),
            l.generation.by.clone(),
            l.generation.node.clone(),
            joined(&l.runs_on, "-"),
        ]
    });
    for node in nodes.iter().filter(|node| !node.failed.is_null()) {
        let problems = node.failed["problems"].as_array().into_iter().flatten().filter_map(|p| p.as_str());
        let problems: Vec<&str> = problems.collect();
        context.output.note(format_args!(
            "{} runs generation {} on: its last reading of the configuration failed: {}",
            node.node,
            node.generation,
            problems.join("; ")
        ));
    }
    Ok(Exit::Done)
}

async fn show(context: &Context, number: Option<u64>, live: bool, effective: bool) -> Outcome {
    let shown = match number {
        Some(number) => generation(&*open(context)?, number).await?,
        None if live => {
            let store = open(context)?;
            let nodes = nodes(&*store).await?;
            let newest = nodes.iter().map(|node| node.generation).max();
            let newest = newest.ok_or_else(|| Failure::not_found("no gateway runs on this store"))?;
            for node in nodes.iter().filter(|node| node.generation != newest) {
                context.output.note(format_args!("{} runs generation {}", node.node, node.generation));
            }
            generation(&*store, newest).await?
        }
        None => Configuration::of_files(&context.loaded()?),
    };
    let Configuration { generation, mut source, effective: settings } = shown;
    source.files.iter_mut().for_each(|file| file.text = hidden_passwords(&file.text));
    if context.output.json {
        let Source { main, files, environment } = &source;
        context.output.value(&serde_json::json!({
            "generation": generation, "main": main, "files": files, "environment": environment, "effective": settings,
        }));
        return Ok(Exit::Done);
    }
    if effective {
        for (name, value) in &settings {
            context.output.line(format_args!("{name} = {value}"));
        }
        return Ok(Exit::Done);
    }
    for file in &source.files {
        context.output.line(format_args!("# {}\n{}", file.path.display(), file.text.trim_end()));
        context.output.line("");
    }
    for overlay in &source.environment {
        let value =
            overlay.value.clone().unwrap_or_else(|| format!("(hidden, sha256 {}…)", &overlay.sha256[..8]));
        context.output.line(format_args!("# environment: {}={value}", overlay.name));
    }
    Ok(Exit::Done)
}

/// A setting's value in a line for people.
fn word(value: Option<&serde_json::Value>) -> String {
    value.map_or_else(|| "-".to_owned(), value_text)
}

/// What `kassebro check` would say of it, as far as building tells.
fn expect_buildable(loaded: &Loaded) -> Result<(), Failure> {
    Ok(gateway::can_be_built(loaded)?)
}

/// A file with another configuration, with the environment's overlay.
fn of_file(file: &std::path::Path) -> Result<Loaded, Failure> {
    Ok(config::read(Some(file), &config::environment())?)
}
