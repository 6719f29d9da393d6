//! What is found in agreements, with both places; and that the agreements that ship are right.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{SMALL, first};
use crate::{
    config::{Invalid, Settings, agreements, load},
    kinds::KINDS,
};

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/agreements");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

/// What is wrong with the small deployment where `more` belongs to its agreement.
fn with(more: &str) -> String {
    first(&format!("{SMALL}{more}"))
}

#[test]
fn the_agreements_that_ship_are_valid_each_and_all_together() {
    let files = shipped();
    assert_eq!(files.len(), 6, "{files:?}");
    for file in &files {
        let alone = agreements(std::slice::from_ref(file)).unwrap_or_else(|e| panic!("{file:?}: {:?}", e.0));
        let agreement = alone.agreement[0].build(&BTreeMap::new()).unwrap();
        assert!(
            !agreement.particulars.title.is_empty() && !agreement.clauses.validity.is_empty(),
            "{file:?}"
        );
        assert_eq!(file.file_stem().unwrap().to_str().unwrap(), shipped_name(&agreement.id), "{file:?}");
    }
    let all = agreements(&files).unwrap_or_else(|e| panic!("{:?}", e.0));
    assert_eq!(all.agreement.len(), 6);
}

/// The clauses of the agreements, and how many each has.
const ROWS: [(&str, usize); 5] = [("S0", 29), ("S1", 10), ("S2", 25), ("S3", 15), ("S4", 6)];

#[test]
fn every_clause_is_served_by_something_that_is_there_or_says_why_it_is_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let readme = read("config/agreements/README.md");
    let mut sources = String::new();
    for folder in ["src", "tests/it"] {
        rust_text(&root.join(folder), &mut sources);
    }
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| S"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let ids: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    let all = ROWS.iter().flat_map(|(seed, most)| (1..=*most).map(move |number| format!("{seed}-{number}")));
    assert_eq!(ids, all.collect::<Vec<_>>());
    for row in rows {
        let [id, _, served, shown] = row[..] else { panic!("{row:?} has no four cells") };
        if shown == "–" {
            let reasons = ["outside messages", "text of law", "no public interface"];
            assert!(reasons.contains(&served), "{id} is not served and does not say why: {served}");
            continue;
        }
        for name in shown.split(", ").map(|name| name.trim_matches('`')) {
            let there = match name.strip_prefix("schemas/examples/") {
                Some(kind) => KINDS.iter().any(|known| known.id().to_string() == kind),
                None => is_test(&sources, name),
            };
            assert!(there, "{id} is shown by {name}, which is not there");
        }
    }
}

/// Whether there is a test of that name: a function that is marked as one, or a promise that each engine is tested by.
fn is_test(sources: &str, name: &str) -> bool {
    let Some((before, _)) = sources.split_once(&format!("fn {name}(")) else { return false };
    let marks = before.rsplit("\n\n").next().unwrap_or(before);
    let is_promised = sources.lines().any(|line| line.trim() == name);
    marks.contains("#[test]") || marks.contains("#[tokio::test") || is_promised
}

fn rust_text(folder: &Path, text: &mut String) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            rust_text(&path, text);
        } else if path.extension().is_some_and(|e| e == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The file's name for an agreement's id: without the a-kasse that was put into the blank.
fn shipped_name(id: &str) -> String {
    match id {
        "koebenhavn-hk-2009" => "koebenhavn-2009".to_owned(),
        "norddjurs-foa-2024" => "norddjurs-2024".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn the_agreements_that_ship_take_every_kind_of_the_contract_between_them() {
    let mut taken = BTreeSet::new();
    for file in shipped().into_iter().filter(|f| !f.ends_with("example-2025.toml")) {
        taken.extend(agreements(&[file]).unwrap().agreement[0].kinds.clone());
    }
    let all: BTreeSet<String> = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
    assert_eq!(taken, all);
}

#[test]
fn files_of_agreements_add_to_the_main_file_and_are_blamed_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (site, below) = (folder.path().join("site.toml"), folder.path().join("agreements"));
    fs::create_dir(&below).unwrap();
    let write = |name: &str, text: &str| fs::write(below.join(name), text).unwrap();
    let other = |id: &str, to: &str| {
        format!(
            "[[agreement]]\nid = \"{id}\"\nakasse = \"3f\"\njobcenter = \"{to}\"\nvalid_from = \"2024-01-01\"\n"
        )
    };
    fs::write(&site, format!("agreement_files = [\"agreements/*.toml\"]\n{SMALL}")).unwrap();
    let told = || match load(Some(&site), &[]) {
        Ok(Settings { agreement, .. }) => agreement.into_iter().map(|a| a.id).collect::<Vec<_>>(),
        Err(Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
    };
    assert!(told()[0].contains("agreement_files[0]: \"agreements/*.toml\" names no file"), "{:?}", told());
    write("a.toml", &other("norddjurs", "0707"));
    write("b.toml", &other("aarhus", "0751"));
    write("readme.txt", "not read");
    assert_eq!(told(), ["kbh-3f", "norddjurs", "aarhus"]);

    write("b.toml", &format!("\n{}", other("norddjurs", "0751")));
    let (a, b) = (below.join("a.toml"), below.join("b.toml"));
    let twice = format!(
        "{}:3: agreement[2].id: \"norddjurs\" is configured twice, first at {}:2",
        b.display(),
        a.display()
    );
    assert_eq!(told(), [twice]);
    write("b.toml", &format!("{}color = 1\n", other("aarhus", "0751")));
    assert!(
        told()[0].starts_with(&format!("{}:6: agreement[2].color: unknown field", b.display())),
        "{:?}",
        told()
    );
    write("b.toml", "[http]\nlisten = \"\"\n");
    assert_eq!(
        told(),
        [format!("{}:1: http: a file of agreements has [[agreement]] and nothing else", b.display())]
    );
    write("b.toml", "[[agreement]\n");
    assert!(told()[0].starts_with(&format!("{}:1: ", b.display())), "{:?}", told());
    fs::remove_file(b).unwrap();
    fs::write(&site, format!("agreement_files = [\"agreements/a.toml\", \"none.toml\"]\n{SMALL}")).unwrap();
    assert!(told()[0].starts_with(&folder.path().join("none.toml").display().to_string()), "{:?}", told());
}

#[test]
fn two_in_force_at_once_for_the_same_kind_are_refused_unless_one_is_under_the_other() {
    let second = |more: &str| {
        first(&format!(
            "{SMALL}\n[[agreement]]\nid = \"kbh-more\"\nakasser = [\"3f\", \"foa\"]\njobcenters = [\"*\"]\n\
             valid_from = \"2025-01-01\"\n{more}"
        ))
    };
    let told = second("");
    assert!(
        told.starts_with("site.toml:18: agreement[1].id: kbh-more and kbh-3f (site.toml:12) are in force"),
        "{told}"
    );
    assert!(told.contains("for every kind"), "{told}");
    assert!(
        second("kinds = [\"job_order\"]").contains("for job_order"),
        "{}",
        second("kinds = [\"job_order\"]")
    );
    assert_eq!(
        first(&format!(
            "{SMALL}under = \"kbh-more\"\n\n[[agreement]]\nid = \"kbh-more\"\nakasser = [\"*\"]\n\
                               jobcenters = [\"*\"]\nvalid_from = \"2025-01-01\"\n"
        )),
        ""
    );
    assert_eq!(second("framework = true"), "");
    assert_eq!(first(&SMALL.replace("valid_from", "valid_to = \"2024-12-31\"\nvalid_from")), "");
    assert!(with("under = \"none\"\n").contains("agreement[0].under: no agreement has the id \"none\""));
    assert!(with("under = \"kbh-3f\"\n").contains("an agreement is not under itself"));
    let narrow = second("under = \"kbh-3f\"");
    assert!(
        narrow.contains("agreement[1].under: kbh-3f (site.toml:12) is not between all the parties"),
        "{narrow}"
    );
}

#[test]
fn what_an_agreement_contradicts_by_itself_is_found_with_both_places() {
    for (more, told) in [
        (
            "valid_to = \"2023-12-31\"",
            "site.toml:16: agreement[0].valid_to: the last day lies before the first",
        ),
        (
            "kinds = [\"klage\"]",
            "site.toml:16: agreement[0].kinds[0]: no kind is called \"klage\"; the kinds are recommendation, ",
        ),
        (
            "kinds = [\"complaint\"]\npromises = { job_order = \"8h\" }",
            "site.toml:17: agreement[0].promises.job_order: it promises job_order, which is not among the kinds it takes (site.toml:16)",
        ),
        (
            "kinds = [\"complaint\"]\n[agreement.rules.job_order]\nformat = \"jobag\"\nclause = \"x\"",
            "site.toml:17: agreement[0].rules.job_order: it has rules for job_order, which is not among the kinds it takes (site.toml:16)",
        ),
        (
            "promises = { complaint = \"soon\" }",
            "agreement[0].promises.complaint: \"soon\" is not a duration",
        ),
        (
            "promises = { complaint = \"0s\" }",
            "agreement[0].promises.complaint.within: a promise is longer than nothing",
        ),
        (
            "promises = { complaint = { within = \"8h\", calendar = \"office\" } }",
            "agreement[0].promises.complaint.calendar: the promise counts by the calendar \"office\", and there is none",
        ),
        ("outside_validity = \"perhaps\"", "agreement[0].outside_validity: unknown variant `perhaps`"),
        (
            "[[agreement.group]]\ncode = \"A\"\nfrom_age = 30\nto_age = 59\nclause = \"4\"\n[[agreement.group]]\ncode = \"B\"\nfrom_age = 59\nclause = \"4\"",
            "site.toml:21: agreement[0].group[1]: groups B (59-) and A (30-59, site.toml:16) share ages",
        ),
        (
            "[[agreement.group]]\ncode = \"A\"\nto_age = 29\nclause = \"4\"\n[[agreement.group]]\ncode = \"A\"\nfrom_age = 30\nclause = \"4\"",
            "site.toml:21: agreement[0].group[1].code: \"A\" is a group already, at site.toml:16",
        ),
        (
            "[[agreement.group]]\ncode = \"A\"\nfrom_age = 30\nto_age = 29\nclause = \"4\"",
            "group[0].to_age: the band ends before it begins",
        ),
        (
            "[[agreement.group]]\ncode = \"A\"\nlimit = \"26\"\nclause = \"4\"",
            "agreement[0].group[0].limit: \"26\" is no period",
        ),
        (
            "valid_to = \"2024-12-31\"\n[[agreement.phase]]\nname = \"2\"\nfrom = \"2025-01-01\"\nkinds = [\"complaint\"]\nclause = \"x\"",
            "agreement[0].phase[0].from: the phase begins after the agreement's last day (site.toml:16)",
        ),
        (
            "[[agreement.phase]]\nname = \"2\"\nfrom = \"2025-01-01\"\ngroups = [\"A\"]\nclause = \"x\"",
            "agreement[0].phase[0].groups: no group has the code \"A\"",
        ),
        (
            "[[agreement.phase]]\nname = \"2\"\nfrom = \"2025-01-01\"\nclause = \"x\"",
            "a phase names the kinds or the groups",
        ),
        (
            "[agreement.rules.job_order]\nformat = \"jobag\"",
            "rules.job_order.clause: a format or channel that is demanded needs its clause",
        ),
        (
            "[agreement.rules.job_order]\nformat = \"klagesag\"\nclause = \"x\"",
            "agreement[0].rules.job_order.format: job_order does not become klagesag",
        ),
        (
            "[agreement.rules.job_order]\nchannels = [\"fax\"]\nclause = \"x\"",
            "channels[0]: no channel is called \"fax\"",
        ),
        (
            "[[agreement.rules.complaint.field]]\npointer = \"citizen\"\nclause = \"x\"",
            "field[0].pointer: a pointer begins with /data/",
        ),
        (
            "[[agreement.rules.complaint.field]]\npointer = \"/data/a\"\nclause = \"\"",
            "field[0].clause: a rule names the clause",
        ),
        (
            "[[agreement.rules.complaint.field]]\npointer = \"/data/a\"\nclause = \"x\"\nequals = 1\nat_most = 2",
            "of equals, one_of and at_most",
        ),
        (
            "[[agreement.rules.complaint.field]]\npointer = \"/data/a\"\nclause = \"x\"\nequals = [1]",
            "a value is a text, a number, true or false",
        ),
        (
            "[[agreement.cap]]\nkinds = [\"course\"]\nclause = \"x\"",
            "agreement[0].cap[0].kinds: no kind is called \"course\"",
        ),
        (
            "[[agreement.cadence]]\nwhat = \"x\"\nevery = \"quarter\"\nclause = \"x\"",
            "agreement[0].cadence[0].every: \"quarter\" is no period",
        ),
        (
            "[agreement.notice]\nordinary = \"3 months\"\nbreech = \"1 month\"\nclause = \"8\"",
            "agreement[0].notice.breech: unknown field",
        ),
    ] {
        assert!(with(more).contains(told), "{more}\n{}", with(more));
    }
}

#[test]
fn what_an_agreement_says_for_people_names_its_clause_and_can_be() {
    for (more, told) in [
        (
            "[[agreement.group]]\ncode = \"A\"\nclause = \" \"",
            "site.toml:18: agreement[0].group[0].clause: it names the clause it comes from",
        ),
        (
            "special_effort = { clause = \"\" }",
            "agreement[0].special_effort.clause: it names the clause it comes from",
        ),
        (
            "[[agreement.cap]]\nkinds = [\"complaint\"]\nclause = \"x\"",
            "agreement[0].cap[0].kinds: a cap counts prices, and complaint has none",
        ),
        (
            "[[agreement.cadence]]\nwhat = \"x\"\nevery = \"1 month\"\nfrom = \"2025-01-01\"\nuntil = \"2024-12-31\"\nclause = \"x\"",
            "site.toml:20: agreement[0].cadence[0].until: it ends before it begins (site.toml:19)",
        ),
        (
            "[[agreement.contact]]\nof = \"0101\"\ngln = \"5798009710179\"\nclause = \"x\"",
            "agreement[0].contact[0].gln: an EAN number is thirteen digits",
        ),
        (
            "[[agreement.contact]]\nof = \"0101\"\nemail = \"a b@c.dk\"\nclause = \"x\"",
            "agreement[0].contact[0].email: it is no mail address",
        ),
    ] {
        assert!(with(more).contains(told), "{more}\n{}", with(more));
    }
}

#[test]
fn the_sides_of_an_agreement_are_parties_of_the_right_kind() {
    let sides = |sides: &str| {
        let (head, _) = SMALL.split_once("akasse = ").unwrap();
        first(&format!("{head}valid_from = \"2024-01-01\"\n{sides}"))
    };
    for (lines, told) in [
        ("jobcenter = \"0101\"", "it names no akasse"),
        ("akasser = [\"0101\"]\njobcenter = \"0101\"", "agreement[0].akasser[0]: \"0101\" is no akasse"),
        ("akasser = [\"3f\"]\njobcenters = [\"0411\"]", "agreement[0].jobcenters[0]: \"0411\" is neither"),
        ("akasse = \"hk\"\njobcenter = \"0101\"", "agreement[0].akasse: no party has the code \"hk\""),
        ("akasser = [\"hk\", \"foa\"]\njobcenter = \"0101\"", "no party has any of these codes"),
        ("akasser = [\"hk\", \"3f\"]\njobcenter = \"0101\"", ""),
        ("akasser = [\"*\"]\njobcenters = [\"*\"]", ""),
    ] {
        let found = sides(lines);
        assert!(if told.is_empty() { found.is_empty() } else { found.contains(told) }, "{lines}: {found}");
    }
}

#[test]
fn a_receiver_goes_the_way_that_is_agreed() {
    let deployment = |receiver: &str, rules: &str| {
        first(&format!(
            "{}\n{rules}",
            SMALL.replace("channel = \"mailbox\"\n", &format!("{receiver}\nchannel = \"mailbox\"\n"))
        ))
    };
    let jobag = "[agreement.rules.job_order]\nformat = \"jobag\"\nclause = \"kun JobAG\"";
    assert_eq!(deployment("", jobag), "", "it reads what is agreed");
    assert_eq!(deployment("format = \"jobag\"\nkinds = [\"job_order\"]", jobag), "");
    assert_eq!(
        deployment("format = \"cloudevents\"", jobag),
        "site.toml:9: receiver[0].format: it reads cloudevents, and agreement kbh-3f (site.toml:19) has job_order go \
         as jobag only: kun JobAG"
    );
    assert_eq!(
        deployment("format = \"klagesag\"\nkinds = [\"complaint\"]", jobag),
        "",
        "it takes no job order"
    );
    let http = "[agreement.rules.complaint]\nchannels = [\"http\", \"file\"]\nclause = \"x\"";
    assert_eq!(
        deployment("", http),
        "site.toml:10: receiver[0].channel: it is reached by mailbox, and agreement kbh-3f (site.toml:19) has \
         complaint go by http or file only: x"
    );
    let back = "[agreement.rules.decision]\nchannels = [\"http\"]\nclause = \"x\"";
    assert_eq!(deployment("", back), "", "a decision goes the other way");
    assert_eq!(
        deployment("format = \"jobag\"\nkinds = [\"complaint\"]", ""),
        "site.toml:9: receiver[0].format: complaint, which it takes (site.toml:10), does not become jobag"
    );
}
