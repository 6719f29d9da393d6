//! Processes that end with the one that started them.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use kassebro::clock::{Clock, System};

/// How long a process may take to stop once it was asked.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Of what a process wrote, so much is told when it failed.
const TAIL_LINES: usize = 20;

/// A running process. Dropping it kills it.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command. What it writes goes to `<folder>/<name>.log`; its standard input stays open as long as
    /// this lives.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> anyhow::Result<Self> {
        Self::start_with(name, folder, command, None)
    }

    /// The same, and what it writes to standard output is for one reader.
    pub(crate) fn start_talking(
        name: &str,
        folder: &Path,
        command: &mut Command,
    ) -> anyhow::Result<(Self, impl Read + use<>)> {
        let mut process = Self::start_with(name, folder, command, Some(Stdio::piped()))?;
        let output = process.child.stdout.take();
        Ok((process, output.ok_or_else(|| anyhow::anyhow!("{name} has no output"))?))
    }

    fn start_with(
        name: &str,
        folder: &Path,
        command: &mut Command,
        output: Option<Stdio>,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        // Settings of the shell this runs in are not what is measured.
        for (variable, _) in kassebro::config::environment() {
            command.env_remove(variable);
        }
        let file = File::options().create(true).append(true).open(&log)?;
        let output = output.unwrap_or(file.try_clone()?.into());
        let child = command.stdin(Stdio::piped()).stdout(output).stderr(file).spawn()?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// # Errors
    /// It has ended; the end of what it wrote is told.
    pub(crate) fn must_live(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        anyhow::bail!("{} ended: {status}\n{tail}", self.name)
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        anyhow::ensure!(asked.success(), "{} cannot be asked to stop", self.name);
        let until = System.monotonic() + STOP_MAX;
        while self.child.try_wait()?.is_none() {
            anyhow::ensure!(System.monotonic() < until, "{} does not stop", self.name);
            System.sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Ends it as SIGKILL does: it gets no word in.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill and nothing to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends this process when its standard input does: whoever started it is gone.
pub(crate) fn end_with_standard_input() {
    std::thread::spawn(|| {
        let mut input = std::io::stdin().lock();
        let mut byte = [0];
        while input.read(&mut byte).is_ok_and(|read| read > 0) {}
        std::process::exit(0);
    });
}
