//! What processes have used of the machine, as Linux tells it in `/proc`.

use std::{collections::HashMap, fs, io};

/// Linux counts CPU time in hundredths of a second on every platform that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;
const KIBIBYTES_PER_MEBIBYTE: f64 = 1024.0;

/// CPU time in seconds, user and system, of a process and all its descendants; those that ended and were waited
/// for are in it. A process that is gone has used nothing.
///
/// # Errors
/// There is no `/proc`.
pub fn cpu_of(pid: u32) -> io::Result<f64> {
    let mut processes: HashMap<u32, (u32, f64)> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // Gone between listing and reading: its parent has its time.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        processes.extend(parent_and_cpu(&stat).map(|found| (id, found)));
    }
    let belongs = |id: &u32| {
        let line = std::iter::successors(Some(*id), |id| processes.get(id).map(|(parent, _)| *parent));
        line.take(processes.len()).any(|id| id == pid)
    };
    Ok(processes.iter().filter(|(id, _)| belongs(id)).map(|(_, (_, cpu))| cpu).sum())
}

/// The parent and the CPU seconds, children that were waited for included, of a line of `/proc/<pid>/stat`.
fn parent_and_cpu(stat: &str) -> Option<(u32, f64)> {
    // The name stands in brackets and may hold anything, brackets too.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Some((fields.get(1)?.parse().ok()?, ticks / TICKS_PER_SECOND))
}

/// CPU time in seconds that everything on this machine has used together.
///
/// # Errors
/// There is no `/proc/stat`.
pub fn cpu_of_machine() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, (idle, iowait), irq, softirq. What guests use is in user already.
    let used = [0, 1, 2, 5, 6].iter().filter_map(|place| ticks.get(*place)).sum::<f64>();
    Ok(used / TICKS_PER_SECOND)
}

/// Memory of a process in MiB, shared pages included.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub resident: f64,
    /// Of that, what is no file's: what the process itself asked for.
    pub anonymous: f64,
    /// The most it ever was, or since [`forget_peak`].
    pub peak: f64,
}

/// # Errors
/// There is no such process.
pub fn memory_of(pid: u32) -> io::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name| mebibytes(&status, name);
    Ok(Memory { resident: of("VmRSS:"), anonymous: of("RssAnon:"), peak: of("VmHWM:") })
}

fn mebibytes(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    kibibytes / KIBIBYTES_PER_MEBIBYTE
}

/// Lets this process's peak begin anew. Where the system does not allow it, the old peak stands.
pub fn forget_peak() {
    if let Err(error) = fs::write("/proc/self/clear_refs", "5") {
        tracing::warn!(%error, "The peak of memory counts from the start of the process");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_past_a_name_with_brackets() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194304 100 0 0 0 150 50 25 25 20 0 4 0 100 1 1";
        assert_eq!(parent_and_cpu(line), Some((7, 2.5)));
        assert_eq!(parent_and_cpu("42 (a)"), None);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let memory = memory_of(std::process::id()).unwrap();
        assert!(1.0 < memory.anonymous && memory.anonymous < memory.resident, "{memory:?}");
        assert!(memory.resident <= memory.peak, "{memory:?}");
        assert!(cpu_of(std::process::id()).unwrap() <= cpu_of_machine().unwrap());
        assert!(memory_of(0).is_err());
    }
}
