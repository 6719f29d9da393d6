//! The binary run to its end: how it exited, and what it said.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().expect("a command ends by itself, not by a signal");
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Fails unless it exited so.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.out, self.err))
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Ended::of(&command.stdin(Stdio::null()).output().expect("the command can be started"))
}

/// Runs a command that reads `input`.
pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin.write_all(input).expect("the command reads");
    drop(stdin);
    Ended::of(&child.wait_with_output().expect("the command ends"))
}

/// The binary in `folder`, without a configuration and in English.
pub(crate) fn kassebro(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kassebro"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KASSEBRO_")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").current_dir(folder).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_reads_says_and_ends_with_is_seen() {
        let mut command = Command::new("sh");
        let ended = run_with_input(command.args(["-c", "cat; echo no >&2; exit 3"]), b"[1]").exits(3);
        assert_eq!(ended.json(), serde_json::json!([1]));
        assert_eq!(ended.err, "no\n");
        assert_eq!(run(Command::new("sh").args(["-c", "cat"])).code, 0);
    }
}
