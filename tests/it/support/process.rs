//! A child process that ends with its test, and whose output can be read.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use super::eventually::eventually;

/// Of the output, this much is shown when a test fails.
const TAIL_LINES: usize = 60;

/// A running child process. Dropping it kills it; if its test is failing, the end of its output is shown.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Holds the process id while the process lives: what `tests/run` ends if the test cannot.
    pid_file: PathBuf,
}

impl Process {
    /// Starts `command` with standard output and error appended to `<folder>/<name>.log`.
    pub(crate) fn spawn(name: &'static str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let open = || File::options().create(true).append(true).open(&log).expect("the log can be opened");
        let child = command
            .env("KASSEBRO_TEST_FOLDER", folder)
            .stdin(Stdio::null())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}: {command:?}"));
        let pid_file = folder.join(format!("{name}.pid"));
        fs::write(&pid_file, child.id().to_string()).expect("the folder can be written");
        Self { name, child, log, pid_file }
    }

    /// Everything it and its predecessors in the same folder wrote.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child can be asked");
        if status.is_some() {
            fs::remove_file(&self.pid_file).ok();
        }
        status
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(&mut self, within: Duration) -> ExitStatus {
        eventually(&format!("{} ended", self.name), within, async || self.ended()).await
    }

    /// SIGTERM: asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Any signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", r#"kill -"$2" "$1""#, "sh", &id, name]).status();
        assert!(sent.expect("sh can be started").success(), "{} takes signals", self.name);
    }

    /// SIGKILL: it has no say.
    pub(crate) fn kill(&mut self) {
        if self.ended().is_none() {
            self.child.kill().expect("a child can be killed");
            self.child.wait().expect("a killed child can be waited for");
            fs::remove_file(&self.pid_file).ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("--- {}: the end of {} lines", self.name, lines.len());
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)) {
                eprintln!("{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::support::folder;

    fn shell(script: &str, folder: &Path) -> Process {
        Process::spawn("shell", Command::new("sh").args(["-c", script]), folder)
    }

    #[tokio::test]
    async fn a_process_is_asked_to_stop_and_says_how_it_ended() {
        let folder = folder("process");
        let mut process =
            shell("trap 'echo asked; exit 7' TERM; echo up; while :; do sleep 0.02; done", folder.path());
        eventually("it is up", Duration::from_secs(10), async || process.log().contains("up").then_some(()))
            .await;
        process.terminate();
        assert_eq!(process.end(Duration::from_secs(10)).await.code(), Some(7));
        assert!(process.log().contains("asked"));
    }

    #[test]
    fn a_dropped_process_is_gone_and_its_id_with_it() {
        let folder = folder("process");
        let process = shell("exec sleep 600", folder.path());
        let pid_file = folder.path().join("shell.pid");
        let entry = format!("/proc/{}", fs::read_to_string(&pid_file).expect("its id is written"));
        assert!(Path::new(&entry).exists());
        drop(process);
        assert!(!Path::new(&entry).exists());
        assert!(!pid_file.exists());
    }

    #[tokio::test]
    async fn a_killed_process_has_no_say() {
        let folder = folder("process");
        let mut process = shell("trap '' TERM; exec sleep 600", folder.path());
        process.kill();
        assert_eq!(process.end(Duration::from_secs(10)).await.signal(), Some(9));
    }
}
