//! What is known of a configuration beside its settings.

use std::{fs, path::Path};

use super::super::{File, Loaded, calendar::calendars, read, read_kept, read_text};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn at(folder: &tempfile::TempDir) -> Loaded {
    read(Some(&folder.path().join("site.toml")), &[]).unwrap_or_else(|invalid| panic!("{:?}", invalid.0))
}

#[test]
fn fragments_are_merged_in_the_order_of_their_names_under_the_file() {
    let folder = folder(&[
        ("site.toml", "[retry]\nlongest = \"3h\"\n\n[[party]]\ncode = \"3f\"\n"),
        ("conf.d/20-later.toml", "[retry]\nfirst = \"20s\"\nlongest = \"2h\"\n\n[[party]]\ncode = \"hk\"\n"),
        (
            "conf.d/10-first.toml",
            "[retry]\nfirst = \"10s\"\nlast_before = \"11s\"\n\n[[party]]\ncode = \"foa\"\n",
        ),
        ("conf.d/30-no-toml.conf", "nonsense"),
    ]);
    let loaded = at(&folder);
    let retry = &loaded.settings.retry;
    assert_eq!(
        (retry.first.as_secs(), retry.last_before.as_secs(), retry.longest.as_secs()),
        (20, 11, 3 * 3600)
    );
    let codes: Vec<&str> = loaded.settings.party.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(codes, ["foa", "hk", "3f"], "lists are continued");
    let names: Vec<_> = loaded.files().iter().map(|f| f.path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["10-first.toml", "20-later.toml", "site.toml"]);
    fs::write(folder.path().join("conf.d/20-later.toml"), "[retry]\nfirst = \"soon\"\n").unwrap();
    let Err(invalid) = read(Some(&folder.path().join("site.toml")), &[]) else { panic!("it is not valid") };
    assert!(invalid.0[0].to_string().contains("conf.d/20-later.toml:2: retry.first"), "{:?}", invalid.0);
}

#[test]
fn what_was_kept_reads_as_it_did_whatever_lies_there_now() {
    let folder = folder(&[
        (
            "site.toml",
            "agreement_files = [\"deals/*.toml\"]\n\n[[party]]\ncode = \"3f\"\n\n[[receiver]]\nparty = \"0101\"\nchannel = \"mailbox\"\n",
        ),
        ("conf.d/a.toml", "[retry]\nfirst = \"9s\"\n"),
        (
            "deals/a.toml",
            "[[agreement]]\nid = \"a\"\nakasse = \"3f\"\njobcenter = \"0101\"\nvalid_from = \"2024-01-01\"\n",
        ),
    ]);
    let before = at(&folder);
    let kept: Vec<File> = before.files();
    fs::write(folder.path().join("conf.d/b.toml"), "[retry]\nfirst = \"1s\"\n").unwrap();
    fs::write(folder.path().join("deals/a.toml"), "nonsense").unwrap();
    let again = read_kept(before.main.as_deref(), &kept, &[]).unwrap_or_else(|e| panic!("{:?}", e.0));
    assert_eq!((again.hash(), again.files()), (before.hash(), kept));
    assert_eq!(again.settings.agreement[0].id, "a");
}

#[test]
fn the_same_settings_are_the_same_configuration_however_they_are_written() {
    let one = read_text("a.toml", "[retry]\nfirst = \"10s\"\n").unwrap();
    let same = read_text("b.toml", "# With a word.\nretry.first = \"10s\"\n").unwrap();
    let other = read_text("a.toml", "[retry]\nfirst = \"11s\"\n").unwrap();
    assert_eq!(one.hash(), same.hash());
    assert_ne!(one.hash(), other.hash());
    let default = read_text("a.toml", "").unwrap();
    assert_eq!(
        default.hash(),
        read_text("a.toml", "[retry]\nfirst = \"30s\"\n").unwrap().hash(),
        "its default"
    );
}

#[test]
fn a_file_that_is_named_and_changes_is_noticed_where_it_is_named() {
    let folder = folder(&[("secret", "one")]);
    let secret = folder.path().join("secret");
    let text = format!(
        "[amqp]\nurl = \"amqp://gw@broker.example\"\npassword_file = \"{}\"\n\n[[receiver]]\nname = \"a\"\nparty = \"0101\"\n\
         channel = \"mailbox\"\n",
        secret.display()
    );
    let loaded = read_text("a.toml", &text).unwrap();
    let prints = || (loaded.fingerprint(&["amqp."]), loaded.fingerprint(&["receiver[a]."]));
    let before = prints();
    assert_eq!(prints(), before);
    fs::write(Path::new(&secret), "two").unwrap();
    let after = prints();
    assert_ne!(after.0, before.0, "the password is another");
    assert_eq!(after.1, before.1, "and the receiver is the same");
}

#[test]
fn what_the_environment_may_hold_of_secrets_is_not_kept() {
    let set = |name: &str, value: &str| (format!("KASSEBRO__{name}"), value.to_owned());
    let environment = [
        set("AMQP__URL", "amqp://gw:hemmeligt@broker.example/x"),
        set("RETRY__FIRST", "9s"),
        set("ALERTS__WEBHOOK", "https://hooks.example/hemmeligt"),
        set("STORE__PASSWORD_FILE", "/run/p"),
    ];
    let loaded = read(None, &environment).unwrap_or_else(|e| panic!("{:?}", e.0));
    let kept = serde_json::to_string(loaded.environment()).unwrap()
        + &serde_json::to_string(&loaded.effective()).unwrap();
    assert!(!kept.contains("hemmeligt"), "{kept}");
    let shown: Vec<Option<&str>> = loaded.environment().iter().map(|o| o.value.as_deref()).collect();
    assert_eq!(shown, [None, Some("9s"), None, Some("/run/p")]);
}

#[test]
fn the_store_is_found_in_a_file_that_is_not_valid() {
    let folder = folder(&[
        ("site.toml", "[store]\nurl = \"sqlite:/srv/k.db\"\n\n[retry]\nfrist = 1\n\n[amqp\n"),
        ("conf.d/a.toml", "[store]\nurl = \"sqlite:/other.db\"\nca_file = \"/ca\"\n"),
    ]);
    let found = |environment: &[(String, String)]| {
        super::super::for_the_store(Some(&folder.path().join("site.toml")), environment).store
    };
    assert_eq!(found(&[]).url, "sqlite:/srv/k.db");
    assert_eq!(found(&[]).ca_file.as_deref(), Some(Path::new("/ca")));
    assert_eq!(found(&[("KASSEBRO__STORE__URL".into(), "sqlite:x".into())]).url, "sqlite:x");
}

#[test]
fn the_file_of_a_calendar_is_a_file_of_the_configuration() {
    let closed = |day: &str| {
        format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:{day}\nEND:VEVENT\nEND:VCALENDAR\n")
    };
    let office = "weekdays = [\"08:00-16:00\"]\nical = \"closed.ics\"\n";
    let site = format!("[calendar.office]\n{office}\n[calendar.other]\n{office}");
    let folder = folder(&[("site.toml", &site), ("closed.ics", &closed("20260605"))]);
    let before = at(&folder);
    let kept: Vec<File> = before.files();
    let names: Vec<_> = kept.iter().map(|file| file.path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["site.toml", "closed.ics"], "once, whoever names it");
    assert_eq!(before.settings_files().count(), 1);
    fs::write(folder.path().join("closed.ics"), closed("20260606")).unwrap();
    let after = at(&folder);
    assert_ne!(after.hash(), before.hash(), "other deadlines are another generation");
    let differ: Vec<String> =
        after.effective().into_keys().filter(|k| after.effective()[k] != before.effective()[k]).collect();
    assert_eq!(differ, ["calendar.office.ical_sha256", "calendar.other.ical_sha256"]);
    let again = read_kept(before.main.as_deref(), &kept, &[]).unwrap_or_else(|e| panic!("{:?}", e.0));
    assert_eq!((again.hash(), again.files()), (before.hash(), kept));
    let id = |loaded: &Loaded| calendars(&loaded.settings).unwrap()["office"].id.clone();
    assert_eq!(id(&again), id(&before));
    assert_ne!(id(&again), id(&after));
}

#[test]
fn in_a_world_of_its_own_no_file_with_a_secret_is_read() {
    let folder = folder(&[("secret", "one")]);
    let secret = folder.path().join("secret");
    let text =
        format!("[amqp]\nurl = \"amqp://gw@broker.example\"\npassword_file = \"{}\"\n", secret.display());
    let loaded = read_text("a.toml", &text).unwrap();
    let settings = loaded.settings.clone();
    let alone = loaded.in_a_world_of(settings);
    let before = alone.fingerprint(&[""]);
    fs::write(&secret, "two").unwrap();
    assert_eq!(alone.fingerprint(&[""]), before);
    fs::remove_file(&secret).unwrap();
    assert_eq!(alone.fingerprint(&[""]), before);
}
