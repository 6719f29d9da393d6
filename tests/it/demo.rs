//! `kassebro demo`: the whole on an embedded store, with every kind.

use kassebro::kinds::KINDS;

use crate::support::{
    command::{kassebro, run},
    folder,
};

#[test]
fn the_demo_sends_every_kind_and_settles_every_message() {
    let place = folder("demo");
    let told = run(&mut kassebro(place.path(), &["demo", "--exit"])).exits(0).out;
    for line in
        ["60 messages were sent: 57 accepted, 3 rejected", "57 delivered and answered, 0 pending, 0 dead."]
    {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let kinds = told.lines().find_map(|line| line.strip_prefix("Of each kind: ")).unwrap();
    let named: Vec<&str> =
        kinds.trim_end_matches('.').split(", ").filter_map(|one| one.split(' ').next()).collect();
    let mut all: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    all.sort_unstable();
    assert_eq!(named, all);
}
