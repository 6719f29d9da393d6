//! What was measured, as a table, as lines or as JSON: middle, least and most over the rounds.

use comfy_table::{Table, presets};
use kassebro::tools::bench::figures::Spread;
use serde::Serialize;
use serde_json::json;

use crate::{Form, Plan, contestants::Contestant, latency, nodes, scenarios, throughput::Run};

/// What was measured, in words.
struct Report {
    /// What each column holds; the first names the row.
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Report {
    fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// `rows` have as many cells as there are columns.
    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    fn print(&self, plan: &Plan, what: &str, runs: &impl Serialize) -> anyhow::Result<()> {
        match plan.form() {
            Form::Json => {
                let all = json!({"what": what, "messages": plan.messages, "rounds": plan.rounds,
                    "ids": format!("{:?}", plan.ids).to_lowercase(), "connections": plan.connections,
                    "cores": std::thread::available_parallelism()?.get(), "runs": runs});
                println!("{}", serde_json::to_string_pretty(&all)?);
            }
            Form::Table => {
                let mut table = Table::new();
                table.load_style(presets::NOTHING);
                table.set_header(self.columns);
                table.add_rows(&self.rows);
                println!("{table}");
            }
            Form::Lines => {
                for row in &self.rows {
                    let figures = self.columns.iter().zip(row).skip(1).filter(|(_, figure)| *figure != NONE);
                    let figures: Vec<_> =
                        figures.map(|(column, figure)| format!("{column} {figure}")).collect();
                    println!("{what}: {}\t{}", row[0], figures.join(", "));
                }
            }
        }
        Ok(())
    }
}

/// Where nothing was measured.
const NONE: &str = "-";

/// `12300 (11000-12900)`, or `-` where nothing was measured.
fn spread(values: impl IntoIterator<Item = f64>, decimals: usize) -> String {
    Spread::of(values).map_or_else(
        || NONE.to_owned(),
        |Spread { median, min, max }| format!("{median:.decimals$} ({min:.decimals$}-{max:.decimals$})"),
    )
}

/// The runs of each in the order in which they first ran.
fn grouped<T>(runs: &[T], name: impl Fn(&T) -> String) -> Vec<(String, Vec<&T>)> {
    let mut groups: Vec<(String, Vec<&T>)> = Vec::new();
    for run in runs {
        let name = name(run);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(run),
            None => groups.push((name, vec![run])),
        }
    }
    groups
}

/// Each run's value as a multiple of that of another contestant on the same store in the same round.
fn against(other: fn(&str) -> Contestant, group: &[&Run], runs: &[Run], value: fn(&Run) -> f64) -> Vec<f64> {
    let beside = |of: &Run| {
        let name = other(of.contestant).name();
        runs.iter().find(|run| run.round == of.round && run.contestant == name)
    };
    group.iter().filter_map(|run| Some(value(run) / value(beside(run)?))).collect()
}

pub(crate) fn throughput(plan: &Plan, runs: &[Run]) -> anyhow::Result<()> {
    let mut report = Report::new(&[
        "who",
        "messages/s",
        "x reference",
        "x Node.js",
        "CPU us",
        "x reference",
        "peak MiB",
        "broker us",
        "inbox us",
        "PostgreSQL us",
        "WAL bytes",
        "commits",
        "other cores",
        "left",
        "twice",
    ]);
    for (name, group) in grouped(runs, |run| run.contestant.to_owned()) {
        let each = |value: fn(&Run) -> f64| spread(group.iter().map(|run| value(run)), 0);
        let some = |value: fn(&Run) -> Option<f64>, decimals| {
            spread(group.iter().filter_map(|run| value(run)), decimals)
        };
        report.row([
            name,
            each(|run| run.messages_per_second),
            spread(against(Contestant::reference_of, &group, runs, |run| run.messages_per_second), 2),
            spread(against(Contestant::node_of, &group, runs, |run| run.messages_per_second), 2),
            each(|run| run.cpu_microseconds),
            spread(against(Contestant::reference_of, &group, runs, |run| run.cpu_microseconds), 2),
            each(|run| run.peak_memory_mebibytes),
            some(|run| run.broker_cpu_microseconds, 0),
            each(|run| run.inbox_cpu_microseconds),
            some(|run| run.postgres_cpu_microseconds, 0),
            some(|run| run.wal_bytes, 0),
            some(|run| run.commits, 3),
            some(|run| run.other_cores, 2),
            group.iter().map(|run| run.left_in_queue).sum::<u32>().to_string(),
            group.iter().map(|run| run.duplicates).sum::<u64>().to_string(),
        ]);
    }
    report.print(plan, "throughput", &runs)
}

pub(crate) fn latency(plan: &Plan, runs: &[latency::Run]) -> anyhow::Result<()> {
    let mut report =
        Report::new(&["who", "messages/s", "p50 ms", "p99 ms", "max ms", "CPU us", "other cores"]);
    for (name, group) in grouped(runs, |run| run.contestant.to_owned()) {
        report.row([
            name,
            plan.rate.to_string(),
            spread(group.iter().map(|run| run.latency.p50), 2),
            spread(group.iter().map(|run| run.latency.p99), 2),
            spread(group.iter().map(|run| run.latency.max), 1),
            spread(group.iter().map(|run| run.cpu_microseconds), 0),
            spread(group.iter().filter_map(|run| run.other_cores), 2),
        ]);
    }
    report.print(plan, "latency", &runs)
}

pub(crate) fn pending(plan: &Plan, found: &[scenarios::Backlog]) -> anyhow::Result<()> {
    let mut report = Report::new(&["pending", "MiB now", "of it anonymous", "MiB peak", "MiB store"]);
    for at in found {
        report.row([
            at.pending.to_string(),
            format!("{:.0}", at.memory_mebibytes.resident),
            format!("{:.0}", at.memory_mebibytes.anonymous),
            format!("{:.0}", at.memory_mebibytes.peak),
            format!("{:.0}", at.store_mebibytes),
        ]);
    }
    report.print(plan, "pending for a dead receiver", &found)
}

pub(crate) fn restart(plan: &Plan, found: &[scenarios::Restarted]) -> anyhow::Result<()> {
    let mut report = Report::new(&["pending", "ms to ready"]);
    for (pending, group) in grouped(found, |run| run.pending.to_string()) {
        report.row([pending, spread(group.iter().map(|run| run.ready_milliseconds), 0)]);
    }
    report.print(plan, "start after SIGKILL, pending", &found)
}

pub(crate) fn dead_of_five(plan: &Plan, found: &[scenarios::Neighbours]) -> anyhow::Result<()> {
    let mut report =
        Report::new(&["the fifth receiver", "messages/s", "p50 ms of the four", "p99 ms", "max ms"]);
    for (fifth, group) in grouped(found, |run| run.fifth.to_owned()) {
        report.row([
            fifth,
            plan.rate.to_string(),
            spread(group.iter().map(|run| run.latency.p50), 2),
            spread(group.iter().map(|run| run.latency.p99), 2),
            spread(group.iter().map(|run| run.latency.max), 1),
        ]);
    }
    report.print(plan, "four beside a fifth that", &found)
}

pub(crate) fn nodes(plan: &Plan, found: &[nodes::Run]) -> anyhow::Result<()> {
    let mut report = Report::new(&[
        "inbox and nodes",
        "messages/s",
        "x one node",
        "CPU us",
        "PostgreSQL us",
        "other cores",
        "left",
        "twice",
    ]);
    for (name, group) in grouped(found, nodes::Run::name) {
        let one = |of: &nodes::Run| {
            found.iter().find(|run| run.nodes == 1 && run.inbox == of.inbox && run.round == of.round)
        };
        let ratio = |run: &nodes::Run| Some(run.messages_per_second / one(run)?.messages_per_second);
        report.row([
            name,
            spread(group.iter().map(|run| run.messages_per_second), 0),
            spread(group.iter().copied().filter_map(ratio), 2),
            spread(group.iter().map(|run| run.cpu_microseconds), 0),
            spread(group.iter().filter_map(|run| run.postgres_cpu_microseconds), 0),
            spread(group.iter().filter_map(|run| run.other_cores), 2),
            group.iter().map(|run| run.left_in_queue).sum::<u32>().to_string(),
            group.iter().map(|run| run.duplicates).sum::<u64>().to_string(),
        ]);
    }
    report.print(plan, "nodes on one PostgreSQL", &found)
}
