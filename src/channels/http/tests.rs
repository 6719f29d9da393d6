//! What is refused before anything is sent. What happens on the wire is tested against real sockets, in
//! `tests/it/channels.rs`.

use super::*;

fn config(toml: &str) -> Result<Config, toml::de::Error> {
    toml::from_str(toml)
}

fn new(toml: &str) -> Result<Http, String> {
    Http::new(&config(toml).map_err(|error| error.to_string())?)
}

#[test]
fn the_least_configuration_is_an_address() {
    let config = config(r#"url = "https://jobcenter.example/inbox""#).unwrap();
    assert_eq!(config.total_timeout, Duration::from_secs(30));
    assert!(config.already_have.is_empty());
    Http::new(&config).map(|_| ()).unwrap();
}

#[test]
fn a_slip_in_the_configuration_is_named() {
    for (toml, names) in [
        (r#"url = "ftp://jobcenter.example""#, "https"),
        (r#"url = "https://user:word@jobcenter.example""#, "user or password"),
        (r#"url = "https://jobcenter.example/#a""#, "fragment"),
        (r#"url = "http://jobcenter.example""#, "TLS"),
        ("url = \"https://a.example\"\nurls = 1", "unknown field"),
        ("url = \"https://a.example\"\ntotal_timeout = 30", "string"),
        ("url = \"https://a.example\"\ntotal_timeout = \"5s\"", "grow in that order"),
        ("url = \"https://a.example\"\nconnect_timeout = \"0s\"", "over 0"),
        ("url = \"https://a.example\"\nalready_have = [500]", "500"),
        ("url = \"https://a.example\"\nheaders = { \"Idempotency-Key\" = \"x\" }", "gateway's own"),
        ("url = \"https://a.example\"\nheaders = { x-civilRegistrationIdentifier = \"x\" }", "gateway's own"),
        ("url = \"https://a.example\"\nheaders = { \"a b\" = \"x\" }", "not the name"),
        ("url = \"https://a.example\"\nheaders = { a = \"x\\ny\" }", "no header may"),
        ("url = \"https://a.example\"\nheader_files = { Authorization = \"/nowhere/x\" }", "/nowhere/x"),
        ("url = \"https://a.example\"\nwebhook_secret_file = \"/nowhere/y\"", "/nowhere/y"),
        ("url = \"https://a.example\"\nca_file = \"/nowhere/z\"", "/nowhere/z"),
    ] {
        let error = new(toml).err().unwrap_or_default();
        assert!(error.contains(names), "{toml}: {error:?} does not say {names:?}");
    }
}

#[test]
fn the_organisation_belongs_to_the_profile_star_and_has_its_form() {
    let with = |profile: &str, kind: &str, code: &str| {
        new(&format!(
            "url = \"https://a.example\"\n{profile}star = {{ organisation_type = \"{kind}\", organisation_codes = {{ 3f = \"{code}\" }} }}"
        ))
    };
    assert!(with("profile = \"star\"\n", "5", "067").is_ok());
    for (profile, kind, code, names) in [
        ("", "5", "067", "the profile star"),
        ("profile = \"kombit\"\n", "5", "067", "the profile star"),
        ("profile = \"star\"\n", "", "067", "organisation_type"),
        ("profile = \"star\"\n", "5", "0 67", "organisation_codes.3f"),
        ("profile = \"star\"\n", "5", "067-067-067-067-067-067", "organisation_codes.3f"),
    ] {
        let error = with(profile, kind, code).err().unwrap_or_default();
        assert!(error.contains(names), "{error:?} does not say {names:?}");
    }
}

#[test]
fn plain_http_is_for_this_machine_or_where_it_was_asked_for() {
    for toml in [
        r#"url = "http://127.0.0.1:8088/inbox""#,
        r#"url = "http://[::1]:8088/""#,
        r#"url = "http://localhost:8088/""#,
        "url = \"http://jobcenter.example/\"\nprivate_network = true",
    ] {
        assert!(new(toml).is_ok(), "{toml}");
    }
}

#[test]
fn an_address_shows_no_path_or_query() {
    let config = config(r#"url = "https://jobcenter.example:8443/inbox?key=hidden""#).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("https://jobcenter.example:8443"), "{shown}");
    assert!(!shown.contains("hidden"), "{shown}");
}
