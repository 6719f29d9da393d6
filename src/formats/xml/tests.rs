//! Writing and reading back by a small table.

use serde_json::json;

use super::*;

const FIELDS: &[Field] = &[
    Field::new("text", "Tekst", Shape::Text { max: 100 }),
    Field::new("group", "Gruppe", Shape::Group(&[Field::new("number", "Tal", Shape::Integer { max: 9 })])),
    Field::new("items", "Post", Shape::Groups(&[Field::new("name", "Navn", Shape::Text { max: 9 })])),
    Field::new("points", "Punkt", Shape::Texts { max: 9 }),
    Field::new("owner", "Ejer", Shape::CodeOr { codes: &[("a", "A"), ("b", "B")], default: "b" }),
];

fn written(data: &Value) -> Result<String, Vec<Violation>> {
    let mut document = Document::new("Prove", "urn:prove", 0);
    let mut faults = Vec::new();
    document.fields(FIELDS, data.as_object().unwrap(), &Path::DATA, &mut faults);
    if faults.is_empty() { Ok(document.finish()) } else { Err(faults) }
}

fn reread(xml: &str, data: &Value) -> Result<(), String> {
    let mut reading = Reading::new(xml, "Prove", "urn:prove").map_err(|_| "root".to_owned())?;
    reading.fields(FIELDS, data.as_object().unwrap(), &Path::DATA).map_err(|v| v.pointer)?;
    reading.finish().map_err(|_| "end".to_owned())
}

fn sample() -> Value {
    json!({
        "text": " <b>\"Æ\" & 'ø'</b> ]]>\r\n\tå \u{1F600}",
        "group": {"number": 9},
        "items": [{"name": "x"}, {"name": "y"}],
        "points": ["p", "q"],
    })
}

#[test]
fn every_value_survives_the_writing_and_the_reading() {
    let xml = written(&sample()).unwrap();
    assert!(xml.contains("]]&gt;&#13;\n"), "{xml}");
    assert!(xml.ends_with("<Ejer>B</Ejer></Prove>"), "{xml}");
    assert_eq!(reread(&xml, &sample()), Ok(()));
}

#[test]
fn every_ascii_character_that_xml_can_carry_survives_wherever_it_stands() {
    for byte in 0..0x80_u8 {
        let character = char::from(byte);
        for before in [0, 1, 15, 16, 40] {
            let text = format!("{}{character}{}", "å".repeat(before), "x".repeat(40 - before));
            let data = json!({ "text": text });
            match written(&data) {
                Ok(xml) => assert_eq!(reread(&xml, &data), Ok(()), "{character:?} after {before}"),
                Err(faults) => {
                    assert!(byte < 0x20, "{character:?} after {before}");
                    assert_eq!(faults[0].rule, "format.control-character");
                }
            }
        }
    }
}

#[test]
fn a_document_that_says_something_else_is_noticed_where_it_does() {
    let xml = written(&sample()).unwrap();
    for (change, to, pointer) in [
        ("/text", json!("x"), "/data/text"),
        ("/group/number", json!(8), "/data/group/number"),
        ("/items/1/name", json!("z"), "/data/items/1/name"),
        ("/items", json!([{"name": "x"}]), "/data/points/0"),
        ("/points", json!(["p"]), "/data/owner"),
        ("/points", json!(["p", "r"]), "/data/points/1"),
    ] {
        let mut other = sample();
        *other.pointer_mut(change).unwrap() = to;
        assert_eq!(reread(&xml, &other), Err(pointer.to_owned()), "{change}");
    }
    let mut other = sample();
    other["owner"] = json!("a");
    assert_eq!(reread(&xml, &other), Err("/data/owner".to_owned()));
}

#[test]
fn a_property_without_a_place_is_refused_rather_than_left_out() {
    let mut data = sample();
    data["group"]["extra"] = json!(1);
    let faults = written(&data).unwrap_err();
    assert_eq!(
        (faults[0].pointer.as_str(), faults[0].rule.as_str()),
        ("/data/group/extra", "format.not-carried")
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let faults =
        written(&json!({"text": "\u{7}", "group": {"number": 10}, "points": ["0123456789"]})).unwrap_err();
    let pointers: Vec<_> = faults.iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(pointers, ["/data/text", "/data/group/number", "/data/points/0"]);
}

#[test]
fn another_root_namespace_or_tail_is_refused() {
    for xml in [
        "<?xml version=\"1.0\"?><Anden xmlns=\"urn:prove\"/>",
        "<?xml version=\"1.0\"?><Prove xmlns=\"urn:anden\"></Prove>",
        "<?xml version=\"1.0\"?><Prove></Prove>",
        "<Prove xmlns=\"urn:prove\"></Prove>",
        "",
    ] {
        assert!(Reading::new(xml, "Prove", "urn:prove").is_err(), "{xml}");
    }
    let xml = "<?xml version=\"1.0\"?><Prove xmlns=\"urn:prove\"><Ejer>B</Ejer></Prove> ";
    assert_eq!(reread(xml, &json!({})), Err("end".to_owned()));
}
