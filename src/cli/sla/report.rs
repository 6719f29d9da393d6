//! `kassebro sla report`: key figures of a period, for people, for programs, and as a signed page.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::Value;

use super::super::{
    Context, Exit, Failure, Outcome, now,
    output::{Output, span},
    signature::{Signer, Verifier, beside},
};
use crate::{
    config::{Settings, calendar::calendars},
    domain::{Agreement, Party, figure::Interview},
    kinds::KINDS,
    store::figures::{Asked, GROUPS_MAX},
};
use model::Report;
use period::PeriodArgs;
use sheet::{Cell, Sheet, Table};

mod canonical;
mod chart;
mod csv;
mod html;
mod lines;
mod model;
mod period;
mod sheet;

/// No report is longer: the most lines that one has need less.
const FILE_MAX: u64 = 256 * 1024 * 1024;

/// A table for a terminal begins anew after so many lines: its columns are as wide as what is in them.
const LINES_MAX: usize = 500;

/// What the file beside a report ends with.
const SIGNATURE: &str = "sig";

pub(super) const EXAMPLES: &str = "Interviews count in the month in which they were held, and by whole months; everything else by when the \
     message was received, in Danish days. A record that names an earlier one of its sender as its cause replaces it. \
     An a-kasse's share is measured by the target (of = \"interviews_in_time\") that the agreement between the two sets in \
     that month, and marked where it is below it, or, where the target says so, below the jobcenter's own of the same month \
     and kind; where no agreement sets one, nothing is marked. Shares are rounded down. Times are at most a tenth too long. Everything is of one state of the store, and no \
     person's data is in it.\n\n\
     Examples:\n  kassebro sla report\n  kassebro sla report --quarter 2026-Q4 --jobcenter 0101\n  \
     kassebro sla report --half 2026-H2 --akasse 3f --csv --table timeliness > rettidighed.csv\n  \
     kassebro sla report --year 2026 --html rapport.html --sign report.key\n  \
     kassebro sla verify-report rapport.html --key report.key.pub\n\n\
     Exit codes: 0 done, also where there is nothing to count; 2 the period, a party or a kind is not one.";

pub(super) const VERIFY_EXAMPLES: &str = "The signature is Ed25519 (base64) in the file of that name with .sig behind it. With OpenSSL the same is:\n  \
     base64 -d rapport.html.sig > s && openssl pkeyutl -verify -pubin -inkey report.key.pub -rawin -in rapport.html -sigfile s\n\n\
     Example:\n  kassebro sla verify-report rapport.html --key report.key.pub\n\n\
     Exit codes: 0 it is as it was signed, 4 there is no signature beside it, 5 it is not as it was signed.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    period: PeriodArgs,
    /// Only this a-kasse, by its code. The jobcenters' own interviews stay what it is measured by.
    #[arg(long, value_name = "CODE")]
    akasse: Option<String>,
    /// Only this jobcenter, by its four digits.
    #[arg(long, value_name = "CODE")]
    jobcenter: Option<String>,
    /// Only what went under this agreement, by its id.
    #[arg(long, value_name = "ID")]
    agreement: Option<String>,
    /// Only this kind of message, e.g. recommendation. Interviews are counted all the same.
    #[arg(long)]
    kind: Option<String>,
    /// Only this kind of interview, e.g. cvInterview.
    #[arg(long, value_name = "CODE")]
    interview: Option<String>,
    /// One table as CSV; see --table.
    #[arg(long, conflicts_with = "html")]
    csv: bool,
    /// The table that --csv writes.
    #[arg(long, requires = "csv", value_enum, default_value_t = Table::Summary)]
    table: Table,
    /// A page to print, in Danish: one file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write to this file and not to the terminal.
    #[arg(long, value_name = "FILE", conflicts_with = "html")]
    out: Option<PathBuf>,
    /// Write a signature beside the file, made with this private key (kassebro key --signing makes one).
    #[arg(long, value_name = "KEY FILE")]
    sign: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct VerifyArgs {
    /// The report; its signature lies beside it.
    file: PathBuf,
    /// The public key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) async fn report(context: &Context, args: &Args) -> Outcome {
    let usage = |problem: String| Failure::new(Exit::Usage, anyhow::anyhow!(problem));
    let file = args.html.as_deref().or(args.out.as_deref());
    if args.sign.is_some() && file.is_none() {
        return Err(usage("--sign writes beside a file: give --html or --out".into()));
    }
    // Before the store is asked, which may take its time.
    let signer = args.sign.as_deref().map(Signer::read).transpose()?;
    let now = now();
    let period = args.period.period(now).map_err(usage)?;
    let (from, to) = period.instants();
    let asked = Asked {
        months: period.months(),
        from,
        to,
        akasse: party(args.akasse.as_ref(), "an a-kasse").map_err(usage)?,
        jobcenter: party(args.jobcenter.as_ref(), "a jobcenter").map_err(usage)?,
        agreement: args.agreement.clone(),
        kind: kind(args.kind.as_ref()).map_err(usage)?,
        interview: interview(args.interview.as_ref()).map_err(usage)?,
        now,
    };
    let settings = context.settings()?;
    if let Some(id) = &args.agreement
        && !settings.agreement.iter().any(|agreement| agreement.id == *id)
    {
        context.output.note(format_args!(
            "no agreement {id:?} is configured; what once went under one of that id is counted"
        ));
    }
    let found = context.store()?.key_figures(asked.clone()).await?;
    let groups = found.interviews.len();
    if groups >= GROUPS_MAX {
        return Err(usage(format!(
            "there are {groups} groups of interviews or more: ask for less at one time"
        )));
    }
    let report = Report::new(&asked, &period, found, with_targets(&settings)?);
    let Some(file) = file else {
        context.output.stream(|out| content(out, context, args, &report));
        return Ok(Exit::Done);
    };
    let writing = || format!("writing {}", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(writing)?);
    content(&mut out, context, args, &report).and_then(|()| out.flush()).with_context(writing)?;
    if let Some(signer) = signer {
        let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        write(&beside(file, SIGNATURE), signer.sign(&bytes).as_bytes())?;
    }
    context.output.line(format_args!("{}: figures {}", file.display(), report.figures_sha256));
    Ok(Exit::Done)
}

/// The agreements whose targets interviews are measured by.
fn with_targets(settings: &Settings) -> Result<Vec<Agreement>, Failure> {
    let calendars = calendars(settings).map_err(Failure::configuration)?;
    let measured = settings.agreement.iter().filter(|a| a.targets.iter().any(|target| target.of.is_some()));
    measured.map(|agreement| agreement.build(&calendars).map_err(Failure::configuration)).collect()
}

/// A code of a party on that side, as it was given.
fn party(code: Option<&String>, side: &str) -> Result<Option<String>, String> {
    let Some(code) = code else { return Ok(None) };
    let fits = match Party::from_code(code) {
        Ok(Party::Akasse(_)) => side == "an a-kasse",
        Ok(Party::Jobcenter(_)) => side == "a jobcenter",
        Ok(Party::Gateway) | Err(_) => false,
    };
    if fits { Ok(Some(code.clone())) } else { Err(format!("{code:?} is not the code of {side}")) }
}

/// A kind of message, with or without its version: one that is misspelt was never sent, and would be counted as none.
fn kind(name: Option<&String>) -> Result<Option<String>, String> {
    let Some(name) = name else { return Ok(None) };
    let known = KINDS.iter().any(|kind| kind.name == name || kind.id().to_string() == *name);
    if known {
        return Ok(Some(name.clone()));
    }
    Err(format!("no kind is called {name:?}; see `kassebro schemas list`"))
}

/// A kind of interview: whichever codes records have had.
fn interview(code: Option<&String>) -> Result<Option<String>, String> {
    let Some(code) = code else { return Ok(None) };
    Interview::try_from(code.clone()).map(|code| Some(code.as_str().to_owned())).map_err(str::to_owned)
}

/// Written as it is made: what is written may be far larger than what is in memory.
fn content(out: &mut dyn Write, context: &Context, args: &Args, report: &Report) -> io::Result<()> {
    if args.html.is_some() {
        html::html(out, report)
    } else if args.csv {
        let chosen = report.figures.sheets().into_iter().find(|sheet| sheet.table == args.table);
        chosen.map_or(Ok(()), |mut sheet| csv::csv(out, &mut sheet, &report.figures_sha256))
    } else if context.output.json {
        serde_json::to_writer_pretty(&mut *out, report)?;
        writeln!(out)
    } else {
        text(out, report)
    }
}

/// All tables for a terminal.
fn text(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let figures = &report.figures;
    let period = &figures.period;
    writeln!(out, "Key figures for {}: {} to {}", period.name, period.first_day, period.last_day)?;
    for mut sheet in figures.sheets() {
        writeln!(out, "\n{}", sheet.title.en)?;
        table(out, &mut sheet)?;
    }
    writeln!(
        out,
        "\nlast message {}, configuration {}, figures SHA-256 {}",
        figures.last_message, figures.generation, report.figures_sha256
    )
}

fn table(out: &mut dyn Write, sheet: &mut Sheet<'_>) -> io::Result<()> {
    if sheet.rows.peek().is_none() {
        return writeln!(out, "{}", sheet.none.en);
    }
    let header: Vec<&str> = sheet.columns.iter().map(|column| column.words.en).collect();
    while sheet.rows.peek().is_some() {
        let rows = sheet.rows.by_ref().take(LINES_MAX).map(|row| row.iter().map(cell).collect());
        writeln!(out, "{}", Output::table(&header, rows))?;
    }
    Ok(())
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) if text.is_empty() => "-".to_owned(),
        Cell::Text(text) | Cell::Jobcenter(text) | Cell::Interview(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Share(share) => share.map_or_else(|| "-".to_owned(), |share| format!("{share} %")),
        Cell::Span(seconds) => seconds.map_or_else(
            || "over a year".to_owned(),
            |seconds| span(jiff::SignedDuration::from_secs(seconds)),
        ),
        Cell::Goal(goal) => goal.map_or_else(|| "-".to_owned(), |goal| format!("{goal} %")),
        Cell::Mark(mark) => match mark {
            Some(true) => "yes",
            Some(false) => "",
            None => "-",
        }
        .to_owned(),
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))?;
    Ok(())
}

/// Checks the signature, and that a report in JSON has the fingerprint it names.
pub(super) fn verify(context: &Context, args: &VerifyArgs) -> Outcome {
    let file = args.file.display();
    let length = fs::metadata(&args.file).with_context(|| format!("reading {file}"))?.len();
    if length > FILE_MAX {
        return Err(Failure::new(Exit::Conflict, anyhow::anyhow!("{file} is longer than any report")));
    }
    let bytes = fs::read(&args.file).with_context(|| format!("reading {file}"))?;
    let verifier = Verifier::read(&args.key)?;
    let signature = beside(&args.file, SIGNATURE);
    if !signature.exists() {
        return Err(Failure::not_found(format!("{}: there is no such file", signature.display())));
    }
    let differs = |what: String| Err(Failure::new(Exit::Conflict, anyhow::anyhow!(what)));
    if !verifier.signs(&signature, &bytes)? {
        return differs(format!("{file} is not what was signed with this key"));
    }
    if let Ok(mut report) = serde_json::from_slice::<Value>(&bytes) {
        let figures = report.get_mut("figures").map(Value::take).unwrap_or_default();
        let stated = report["figuresSha256"].as_str().unwrap_or_default();
        if stated != canonical::fingerprint(figures) {
            return differs(format!(
                "{file} is signed, and its figures have another fingerprint than it says"
            ));
        }
    }
    context.output.line(format_args!("{file} is as it was signed"));
    if context.output.json {
        context.output.value(&serde_json::json!({ "file": args.file, "verified": true }));
    }
    Ok(Exit::Done)
}
