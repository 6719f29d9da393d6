//! Every fault code has a page, and every page a code.

use std::fs;

use kassebro::domain::FaultCode;

use super::{assert_none, root};

/// The sections of a page, in order.
const SECTIONS: [&str; 3] = ["What happened", "What the gateway does", "What you can do"];
/// A section says something, and not everything.
const SECTION_CHARS: std::ops::RangeInclusive<usize> = 40..=900;

/// What is wrong with the page of `title_line`, a line each.
fn findings(title_line: &str, page: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if page.lines().next() != Some(title_line) {
        findings.push(format!("does not open with {title_line:?}"));
    }
    let sections: Vec<_> =
        page.split("\n## ").skip(1).map(|s| s.split_once('\n').unwrap_or((s, ""))).collect();
    if sections.iter().map(|(name, _)| name.trim()).ne(SECTIONS) {
        findings.push(format!("does not have the sections {}", SECTIONS.join(", ")));
    }
    for (name, text) in sections {
        if !SECTION_CHARS.contains(&text.trim().chars().count()) {
            findings.push(format!("{name}: says too little or too much"));
        }
    }
    findings
}

#[test]
fn every_code_has_its_page() {
    let findings: Vec<_> = FaultCode::ALL
        .iter()
        .flat_map(|code| {
            let found = findings(&format!("# {code}: {}", code.title()), code.page());
            found.into_iter().map(move |finding| format!("{code}.md {finding}"))
        })
        .collect();
    assert_none(&findings, "pages of src/domain/faults:");
}

#[test]
fn every_page_has_its_code() {
    let folder = fs::read_dir(root().join("src/domain/faults")).expect("the folder of pages");
    let names =
        folder.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned());
    let strays: Vec<_> =
        names.filter(|name| !FaultCode::ALL.iter().any(|code| *name == format!("{code}.md"))).collect();
    assert_none(&strays, "src/domain/faults holds what is no code's page:");
}

#[test]
fn a_page_that_is_not_whole_is_caught() {
    let text = "A sentence that is long enough to say what it has to say.";
    let page = |sections: &[&str]| {
        let sections: Vec<_> = sections.iter().map(|name| format!("\n## {name}\n\n{text}\n")).collect();
        format!("# GW1: a\n{}", sections.concat())
    };
    let [happened, does, can] = SECTIONS;
    assert_eq!(findings("# GW1: a", &page(&SECTIONS)), Vec::<String>::new());
    assert_eq!(findings("# GW1: b", &page(&SECTIONS)).len(), 1);
    assert_eq!(findings("# GW1: a", &page(&[happened, does])).len(), 1);
    assert_eq!(findings("# GW1: a", &page(&[does, happened, can])).len(), 1);
    assert_eq!(findings("# GW1: a", &page(&SECTIONS).replace(text, "Short.")).len(), 3);
    assert_eq!(findings("# GW1: a", "# GW1: a\n").len(), 1);
}
