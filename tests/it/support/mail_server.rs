//! A private mail server (Debian's exim4), as a municipality's relay: it takes mail for everybody and keeps it.

#![expect(clippy::unwrap_used, reason = "what is unwrapped is the test's own set-up")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use super::{
    certificates::Authority, command::run_with_input, eventually::eventually, folder, free_port,
    process::Process,
};

const READY: Duration = Duration::from_secs(30);
const PROGRAM: &str = "/usr/sbin/exim4";
/// Whom Debian's package makes for it: as root it refuses to work as root.
const USER: &str = "Debian-exim";

/// Who may send.
pub(crate) const LOGIN: (&str, &str) = ("kassebro", "password-of-the-gateway");
/// Mailboxes that are refused for good, and for now.
pub(crate) const NOBODY: &str = "nobody@jobcenter.example";
pub(crate) const LATER: &str = "later@jobcenter.example";

/// How it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    StartTls,
    Implicit,
    /// STARTTLS, and nothing newer than 1.1.
    OldTls,
    Plain,
}

/// A running server. Dropping it ends it.
pub(crate) struct MailServer {
    port: u16,
    authority: Authority,
    process: Process,
    folder: TempDir,
}

impl MailServer {
    pub(crate) async fn start(speaks: Speaks) -> Self {
        let (folder, authority, port) = (folder("mail"), Authority::new(), free_port());
        let (certificate, key) = authority.server_pems();
        let root = folder.path();
        for (name, text) in [
            ("certificate.pem", certificate),
            ("key.pem", key),
            ("exim.conf", configuration(root, port, speaks)),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        for name in ["spool", "log", "mail"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        if is_root() {
            for name in ["", "spool", "log", "mail", "certificate.pem", "key.pem"] {
                let (user, group) = ids();
                chown(root.join(name), Some(user), Some(group)).unwrap();
            }
        }
        let process = spawn(root);
        let mut server = Self { port, authority, process, folder };
        server.ready().await;
        server
    }

    async fn ready(&mut self) {
        eventually("the mail server greets", READY, async || {
            let ended = self.process.ended();
            assert!(ended.is_none(), "the mail server ended at once: {}", self.process.log());
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        })
        .await;
    }

    /// Ends it. Its port stays its own.
    pub(crate) fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`MailServer::stop`].
    pub(crate) async fn restart(&mut self) {
        self.process = spawn(self.folder.path());
        self.ready().await;
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }

    /// A file with the password of [`LOGIN`].
    pub(crate) fn password_file(&self) -> PathBuf {
        let file = self.folder.path().join("password");
        fs::write(&file, format!("{}\n", LOGIN.1)).unwrap();
        file
    }

    /// The settings of a receiver that is told by this server, but for `fetch_at`.
    pub(crate) fn settings(&self, to: &str) -> String {
        format!(
            "channel = \"mail\"\nhost = \"127.0.0.1\"\nport = {}\nca_file = \"{}\"\nuser = \"{}\"\npassword_file = \
             \"{}\"\nfrom = \"Kassebro <gateway@kassebro.example>\"\nto = \"{to}\"\n",
            self.port,
            self.ca_file().display(),
            LOGIN.0,
            self.password_file().display(),
        )
    }

    /// Every mail that it took and has in a mailbox, oldest first.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let entries = fs::read_dir(self.folder.path().join("mail/new")).into_iter().flatten();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .map(|file| (fs::metadata(&file).unwrap().modified().unwrap(), file))
            .collect();
        files.sort();
        files.into_iter().map(|(_, file)| Mail::read(&fs::read_to_string(file).unwrap())).collect()
    }

    /// Waits until it has that many mails.
    pub(crate) async fn has(&self, count: usize) -> Vec<Mail> {
        eventually(&format!("the server has {count} mails"), READY, async || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    /// Whether a client that wants TLS 1.1 gets it.
    pub(crate) fn speaks_tls_1_1(&self) -> bool {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-starttls", "smtp", "-tls1_1", "-cipher", "ALL@SECLEVEL=0", "-connect"]);
        let ended = run_with_input(client.arg(format!("127.0.0.1:{}", self.port)), b"QUIT\n");
        ended.out.contains("Protocol  : TLSv1.1") && !ended.out.contains("Cipher is (NONE)")
    }

    /// What it wrote down of its calls.
    pub(crate) fn log(&self) -> String {
        let logs = ["mainlog", "rejectlog", "paniclog"].map(|name| self.folder.path().join("log").join(name));
        logs.iter().filter_map(|log| fs::read_to_string(log).ok()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the mail server's log:\n{}", self.log());
        }
    }
}

/// One mail as it lies there.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    /// As it came, the server's own headers included.
    pub(crate) raw: String,
    /// The text as its reader sees it.
    pub(crate) text: String,
}

impl Mail {
    /// Reads one that a test wrote by hand.
    pub(crate) fn of(raw: &str) -> Self {
        Self::read(raw)
    }

    fn read(raw: &str) -> Self {
        let raw = raw.replace("\r\n", "\n");
        let (_, body) = raw.split_once("\n\n").unwrap();
        let text = if raw.to_lowercase().contains("content-transfer-encoding: quoted-printable") {
            from_quoted_printable(body)
        } else {
            body.to_owned()
        };
        Self { raw, text }
    }

    /// A header on one line.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.raw.split("\n\n").next()?.replace("\n ", " ").replace("\n\t", " ");
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    }
}

/// RFC 2045, 6.7.
fn from_quoted_printable(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend(before.bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap()
}

fn spawn(root: &Path) -> Process {
    let mut command = Command::new(PROGRAM);
    command.arg("-bdf").arg("-C").arg(root.join("exim.conf"));
    Process::spawn("exim", &mut command, root)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The user and the group that the server works as.
fn ids() -> (u32, u32) {
    let users = BufReader::new(fs::File::open("/etc/passwd").unwrap()).lines();
    let line = users.map(Result::unwrap).find(|line| line.starts_with(&format!("{USER}:"))).unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

fn configuration(root: &Path, port: u16, speaks: Speaks) -> String {
    // The folder is passed through by the user it works as.
    fs::set_permissions(root, fs::Permissions::from_mode(0o711)).unwrap();
    let (root, (user, password)) = (root.display(), LOGIN);
    let tls = match speaks {
        Speaks::Plain => "tls_advertise_hosts =".to_owned(),
        _ => format!(
            "tls_advertise_hosts = *\ntls_certificate = {root}/certificate.pem\ntls_privatekey = {root}/key.pem"
        ),
    };
    let more = match speaks {
        Speaks::Implicit => format!("tls_on_connect_ports = {port}"),
        // In the words of GnuTLS: everything that is needed for TLS 1.1, and no other version.
        Speaks::OldTls => "tls_require_ciphers = LEGACY:-VERS-ALL:+VERS-TLS1.1:+SHA1:%COMPAT".to_owned(),
        Speaks::StartTls | Speaks::Plain => String::new(),
    };
    let works_as = if is_root() { format!("user = {USER}") } else { String::new() };
    format!(
        "primary_hostname = mail.jobcenter.example
spool_directory = {root}/spool
log_file_path = {root}/log/%slog
pid_file_path = {root}/daemon.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
hosts_treat_as_local =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
acl_smtp_rcpt = rcpt
{tls}
{more}
begin acl
rcpt:
  deny !authenticated = *
       message = log in first
  deny local_parts = nobody
       message = 5.1.1 nobody@jobcenter.example does not live here
  defer local_parts = later
       message = come back later
  accept
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  directory = {root}/mail
  maildir_format
  {works_as}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
"
    )
}

#[test]
fn a_text_is_read_back_from_its_encoding() {
    assert_eq!(from_quoted_printable("h=C3=A6r =\ner\n=3D"), "hær er\n=");
}
