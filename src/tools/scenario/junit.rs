//! What came of scenarios, in the XML that build servers read (`JUnit`).

use std::fmt::Write as _;

use super::Report;
use crate::codec::xml::escape_into;

/// A suite for each scenario, a case for each claim.
pub fn document(reports: &[Report]) -> String {
    let failed = |report: &Report| report.checks.iter().filter(|check| !check.kept).count();
    let (tests, failures): (usize, usize) = reports
        .iter()
        .fold((0, 0), |(tests, failures), report| (tests + report.checks.len(), failures + failed(report)));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"kassebro\" tests=\"{tests}\" failures=\"{failures}\">");
    for report in reports {
        let (title, file) = (attribute(&report.title), attribute(&report.file));
        let (tests, failures) = (report.checks.len(), failed(report));
        let _ = writeln!(xml, "  <testsuite name=\"{title}\" tests=\"{tests}\" failures=\"{failures}\">");
        for check in &report.checks {
            let name = attribute(&format!("{} {} {}", check.about, check.what, check.expected));
            let _ = write!(xml, "    <testcase classname=\"{file}\" name=\"{name}\"");
            if check.kept {
                xml.push_str("/>\n");
            } else {
                let message = attribute(&format!("expected {}, found {}", check.expected, check.found));
                let _ = writeln!(xml, ">\n      <failure message=\"{message}\"/>\n    </testcase>");
            }
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// A text as it stands between double quotes; what XML has no word for is left out.
fn attribute(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let mut escaped = String::new();
    escape_into(&mut escaped, &text);
    escaped.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use quick_xml::events::Event;

    use super::*;
    use crate::tools::scenario::Check;

    #[test]
    fn each_claim_is_a_case_and_what_does_not_hold_a_failure() {
        let check = |kept| Check {
            about: "klage-1".into(),
            what: "attempts",
            expected: "80 or less".into(),
            found: "\"<81>\" & more".into(),
            kept,
        };
        let report = Report {
            title: "A \"good\" day".into(),
            file: "day.toml".into(),
            seed: 1,
            kept: false,
            checks: vec![check(true), check(false)],
        };
        let text = document(&[report]);
        assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
        assert!(text.contains("found &quot;&lt;81&gt;&quot; &amp; more"), "{text}");
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut cases = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(tag) | Event::Empty(tag) => {
                    cases += usize::from(tag.name().as_ref() == "testcase");
                    assert!(tag.attributes().all(|attribute| attribute.is_ok()), "{text}");
                }
                _ => {}
            }
        }
        assert_eq!(cases, 2);
    }
}
