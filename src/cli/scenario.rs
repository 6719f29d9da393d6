//! `kassebro demo --scenario`: days that are played, and whether what was expected came true.

use std::path::{Path, PathBuf};

use super::{Context, Exit, Failure, Outcome, block_on_one_thread, output::Output};
use crate::{
    config::Invalid,
    telemetry,
    tools::scenario::{self, Report, junit},
};

pub(super) fn run(context: &Context, files: &[PathBuf], seed: Option<u64>, junit: Option<&Path>) -> Outcome {
    // What the gateway warns of is what the scenario is about, and bears the time of this machine.
    telemetry::start("error", telemetry::LogFormat::Text)
        .map_err(|e| Failure::new(Exit::Failed, anyhow::anyhow!(e)))?;
    let (mut reports, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match block_on_one_thread(scenario::play(file, seed))? {
            Ok(report) => {
                if !context.output.json {
                    show(context, &report);
                }
                reports.push(report);
            }
            Err(error) => match error.downcast::<Invalid>() {
                Ok(Invalid(more)) => problems.extend(more),
                Err(error) => {
                    return Err(Failure::new(Exit::Failed, error.context(file.display().to_string())));
                }
            },
        }
    }
    if !problems.is_empty() {
        return Err(Invalid(problems).into());
    }
    if context.output.json {
        context.output.value(&reports);
    }
    if let Some(path) = junit {
        std::fs::write(path, junit::document(&reports))?;
    }
    Ok(if reports.iter().all(|report| report.kept) { Exit::Done } else { Exit::Failed })
}

fn show(context: &Context, report: &Report) {
    context.output.heading(&report.title);
    let rows = report.checks.iter().map(|check| {
        let kept = if check.kept { "✓ as expected" } else { "✗ not as expected" };
        vec![
            check.about.clone(),
            check.what.to_owned(),
            check.expected.clone(),
            check.found.clone(),
            kept.to_owned(),
        ]
    });
    context.output.line(Output::table(&["ABOUT", "WHAT", "EXPECTED", "FOUND", ""], rows));
    let wrong = report.checks.iter().filter(|check| !check.kept).count();
    let all = report.checks.len();
    context.output.line(if wrong == 0 {
        format!("{all} of {all} as expected (seed {})", report.seed)
    } else {
        format!("{wrong} of {all} not as expected (seed {})", report.seed)
    });
}
