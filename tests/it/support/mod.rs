//! What the tests stand on: services, processes, and waiting with a bound.

pub(crate) mod alertmanager;
pub(crate) mod broker;
pub(crate) mod certificates;
pub(crate) mod chaos;
pub(crate) mod cluster;
pub(crate) mod collector;
pub(crate) mod command;
pub(crate) mod consignment;
pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod eventually;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod http_channel;
pub(crate) mod kept;
pub(crate) mod mail_server;
pub(crate) mod node;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod raw_amqp;
pub(crate) mod receiver;
pub(crate) mod scene;
pub(crate) mod session;
pub(crate) mod site;
pub(crate) mod stand_ins;
pub(crate) mod world;

use std::path::PathBuf;

use tempfile::TempDir;

/// What `tests/run` set for the tests.
pub(crate) fn setting(name: &str) -> String {
    setting_if_any(name).unwrap_or_else(|| {
        panic!(
            "{name} is not set: run tests/run, or start the services with `tests/run --services` and paste \
             the lines it prints"
        )
    })
}

#[expect(clippy::disallowed_methods, reason = "the one place where the tests read the environment")]
pub(crate) fn setting_if_any(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How often a test repeats what it repeats: `usual`, times what `KASSEBRO_TEST_ROUNDS` says.
pub(crate) fn rounds(usual: usize) -> usize {
    let times = setting_if_any("KASSEBRO_TEST_ROUNDS").map_or(1, |text| text.parse().expect("a number"));
    usual * times
}

/// A folder of the test's own, where `tests/run` finds what a killed test leaves.
pub(crate) fn folder(name: &str) -> TempDir {
    let parent = setting_if_any("KASSEBRO_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::Builder::new().prefix(name).tempdir_in(parent).expect("a temporary folder can be made")
}

/// A loopback port nobody listens on, below the range that outgoing connections draw from, so that it stays
/// free while its owner is down. No two calls in one run of the tests get the same.
pub(crate) fn free_port() -> u16 {
    use std::{
        net::TcpListener,
        sync::atomic::{AtomicU32, Ordering},
    };
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 10_000;
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(7919);
    (0..COUNT)
        .map(|_| start.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST)
        .map(|port| u16::try_from(port).expect("below 20000"))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of ten thousand ports is free")
}

#[test]
fn two_free_ports_are_not_the_same() {
    assert_ne!(free_port(), free_port());
}

#[test]
#[should_panic(expected = "tests/run --services")]
fn a_missing_service_says_how_to_start_it() {
    setting("KASSEBRO_TEST_OF_NOTHING");
}
