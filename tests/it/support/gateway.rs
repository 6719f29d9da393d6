//! The real binary, started the way an operator starts it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use jiff::SignedDuration;
use tempfile::TempDir;

use super::{eventually::eventually, folder, free_port, http, process::Process};

/// From start to `GET /readyz` answering 200.
const READY: Duration = Duration::from_secs(30);
/// From SIGTERM to the end of the process.
const STOP: Duration = Duration::from_secs(30);

/// A gateway that is not yet started: its folder, its address and its configuration.
pub(crate) struct Setup {
    /// The program and the arguments before the command's own.
    program: Vec<PathBuf>,
    folder: TempDir,
    address: String,
    configuration: String,
    environment: Vec<(String, String)>,
    clock: SignedDuration,
}

impl Setup {
    /// `configuration` is what the test is about, in TOML: parties, receivers, agreements, time limits. The
    /// store's file and the listening address are added to it, so it must not have the tables `[store]` and
    /// `[http]`; `{folder}` in it stands for the gateway's own folder.
    pub(crate) fn new(configuration: &str) -> Self {
        let folder = folder("gateway");
        let address = format!("127.0.0.1:{}", free_port());
        let configuration = format!(
            "[store]\nurl = \"sqlite:{{folder}}/kassebro.db\"\n\n[http]\nlisten = \"{address}\"\n\n{configuration}"
        )
        .replace("{folder}", &folder.path().display().to_string());
        let program = vec![PathBuf::from(env!("CARGO_BIN_EXE_kassebro"))];
        Self { program, folder, address, configuration, environment: Vec::new(), clock: SignedDuration::ZERO }
    }

    /// Sets a variable of the process's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where its clock stands at first, from the real one.
    pub(crate) fn clock(mut self, offset: SignedDuration) -> Self {
        self.clock = offset;
        self
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(self) -> Gateway {
        let mut gateway = self.start_unready();
        gateway.ready().await;
        gateway
    }

    /// Starts it and does not wait: for a gateway that should refuse to start.
    pub(crate) fn start_unready(self) -> Gateway {
        let file = self.folder.path().join("kassebro.toml");
        fs::write(file, &self.configuration).expect("the folder can be written");
        set_clock(self.folder.path(), self.clock);
        let process = self.spawn();
        Gateway { setup: self, process }
    }

    fn spawn(&self) -> Process {
        let mut command = self.command();
        command.arg("run");
        Process::spawn("kassebro", &mut command, self.folder.path())
    }

    /// The binary with this gateway's configuration, for any of its commands.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KASSEBRO_"))
        {
            command.env_remove(name);
        }
        command
            .env("KASSEBRO_CONFIG", self.folder.path().join("kassebro.toml"))
            .env("KASSEBRO_TEST_CLOCK", clock_file(self.folder.path()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path());
        command
    }
}

/// A running gateway. Dropping it kills it; if its test is failing, the end of its log is shown.
pub(crate) struct Gateway {
    process: Process,
    setup: Setup,
}

impl Gateway {
    /// Waits until it says that it is ready, and fails at once if it ends instead.
    pub(crate) async fn ready(&mut self) {
        eventually("the gateway is ready", READY, async || {
            if let Some(status) = self.process.ended() {
                panic!("the gateway ended before it was ready ({status}):\n{}", self.process.log());
            }
            let answer = self.http().get("/readyz").ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// `127.0.0.1:<port>`
    pub(crate) fn address(&self) -> &str {
        &self.setup.address
    }

    pub(crate) fn http(&self) -> http::Server {
        http::Server::at(self.address())
    }

    /// Where its configuration, store and log lie.
    pub(crate) fn folder(&self) -> &Path {
        self.setup.folder.path()
    }

    /// One of its commands with the same configuration: `gateway.command(&["doctor", "--json"]).output()`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.setup.command();
        command.args(arguments);
        command
    }

    /// What it wrote to standard output and error, over all its starts.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Moves its clock to `offset` from the real one. Needs the feature `test-clock`.
    pub(crate) fn set_clock(&self, offset: SignedDuration) {
        set_clock(self.folder(), offset);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGHUP: it reads its configuration again.
    pub(crate) fn hang_up(&self) {
        self.process.signal("HUP");
    }

    /// SIGSTOP: it stands still, and knows nothing of it.
    pub(crate) fn pause(&self) {
        self.process.signal("STOP");
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) {
        self.process.signal("CONT");
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.process.terminate();
        self.process.end(STOP).await
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        self.process.end(STOP).await
    }

    /// Sets a variable of the process's environment from its next start on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.setup.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Leaves a variable out of the process's environment from its next start on.
    pub(crate) fn unset(&mut self, name: &str) {
        self.setup.environment.retain(|(known, _)| known != name);
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory it has held so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes * 1024
    }

    /// As [`Gateway::restart`], and does not wait: for a gateway that will die before it is ready.
    pub(crate) fn restart_unready(&mut self) {
        assert!(self.process.ended().is_some(), "a gateway that runs is not restarted");
        self.process = self.setup.spawn();
    }

    /// Starts it again after [`Gateway::kill`], [`Gateway::stop`] or [`Gateway::end`], on the same store, and
    /// waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        self.restart_unready();
        self.ready().await;
    }
}

fn clock_file(folder: &Path) -> PathBuf {
    folder.join("clock")
}

/// Writes beside and renames, so that a reader never sees half a number.
fn set_clock(folder: &Path, offset: SignedDuration) {
    let draft = folder.join("clock.new");
    fs::write(&draft, offset.as_secs().to_string()).expect("the folder can be written");
    fs::rename(draft, clock_file(folder)).expect("the folder can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in for the binary: answers every call with the offset of its clock, and exits 7 when asked to
    /// stop.
    const STAND_IN: &str = r#"use strict; use IO::Socket::INET;
$| = 1;
exit 3 if $ENV{REFUSE};
sub slurp { local $/; open my $f, '<', $_[0] or die "$_[0]: $!"; my $text = <$f>; $text }
if ($ARGV[0] eq 'settings') { print slurp($ENV{KASSEBRO_CONFIG}); exit 0 }
my ($port) = slurp($ENV{KASSEBRO_CONFIG}) =~ /listen = "127.0.0.1:(\d+)"/ or die 'no address';
$SIG{TERM} = sub { print "stopping\n"; exit 7 };
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1)
  or die "listening: $!";
print "up $ENV{GREETING}\n";
while (my $client = $server->accept) {
    while (my $line = <$client>) { last if $line eq "\r\n" }
    print $client "HTTP/1.0 200 OK\r\n\r\n", slurp($ENV{KASSEBRO_TEST_CLOCK});
    close $client;
}
"#;

    fn stand_in(configuration: &str) -> Setup {
        let mut setup = Setup::new(configuration);
        let script = setup.folder.path().join("stand-in.pl");
        fs::write(&script, STAND_IN).expect("the folder can be written");
        setup.program = vec![PathBuf::from("perl"), script];
        setup
    }

    #[tokio::test]
    async fn a_gateway_starts_stops_dies_and_comes_back_on_the_same_address() {
        let mut gateway = stand_in("").env("GREETING", "again").start().await;
        assert_eq!(gateway.stop().await.code(), Some(7));
        gateway.restart().await;
        gateway.kill();
        gateway.restart().await;
        assert!(gateway.http().get("/livez").is_ok());
        assert_eq!(gateway.log().matches("up again").count(), 3);
        assert_eq!(gateway.log().matches("stopping").count(), 1);
    }

    #[tokio::test]
    async fn a_gateways_clock_is_moved_while_it_runs() {
        let gateway = stand_in("").clock(SignedDuration::from_hours(-1)).start().await;
        assert_eq!(gateway.http().get("/").expect("it answers").body, "-3600");
        gateway.set_clock(SignedDuration::from_hours(24));
        assert_eq!(gateway.http().get("/").expect("it answers").body, "86400");
    }

    #[tokio::test]
    async fn a_command_sees_the_gateways_configuration() {
        let gateway = stand_in("[files]\nfolder = \"{folder}/out\"\n").start().await;
        let printed = gateway.command(&["settings"]).output().expect("it runs");
        let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
        assert!(printed.contains(&format!("folder = \"{}/out\"", gateway.folder().display())), "{printed}");
        assert!(printed.contains(gateway.address()), "{printed}");
    }

    #[tokio::test]
    async fn a_gateway_that_refuses_to_start_says_with_which_code() {
        let mut gateway = stand_in("").env("REFUSE", "1").start_unready();
        assert_eq!(gateway.end().await.code(), Some(3));
    }

    #[tokio::test]
    #[should_panic(expected = "the gateway ended before it was ready")]
    async fn a_gateway_that_ends_is_not_waited_for() {
        stand_in("").env("REFUSE", "1").start().await;
    }
}
