//! XML that is read, and the long list of XML that is not.

use proptest::prelude::*;

use super::*;
use crate::domain::FaultCode;

fn tree(text: &str) -> Result<Element, Box<Violation>> {
    read(text.as_bytes(), &Limits::default()).map_err(|broken| Box::new(broken.violation))
}

fn leaf(text: &str) -> String {
    tree(text).unwrap().text
}

#[test]
fn elements_are_known_by_their_namespace_and_not_by_their_prefix() {
    for text in [
        "<A xmlns='urn:x'><B>1</B></A>",
        "<p:A xmlns:p='urn:x'><p:B>1</p:B></p:A>",
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<!-- c --><p:A xmlns:p='urn:x'>\n <q:B xmlns:q='urn:x'>1</q:B>\n</p:A>\n<!-- d -->",
        "<?xml version=\"1.0\" ?><A\n xmlns = \"urn:x\" ><B >1</B\n></A >",
        "<A xmlns='urn:x' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='urn:x http://127.0.0.1:1/x.xsd'><B>1</B></A>",
    ] {
        let root = tree(text).unwrap();
        assert!(root.is("urn:x", "A"), "{text}");
        assert!(root.children[0].is("urn:x", "B"), "{text}");
        assert_eq!(root.children[0].text, "1", "{text}");
        assert_eq!(root.text, "", "{text}");
    }
    assert!(tree("<A xmlns='urn:x'><B xmlns=''/></A>").unwrap().children[0].is("", "B"));
    assert!(tree("<A xmlns='urn:x'><B xmlns='urn:y'/></A>").unwrap().children[0].is("urn:y", "B"));
}

#[test]
fn text_is_kept_as_it_stands() {
    for (text, value) in [
        ("<a/>", ""),
        ("<a> x </a>", " x "),
        ("<a>\r\nx\ry</a>", "\nx\ny"),
        ("<a>x&#13;&#xA;y</a>", "x\r\ny"),
        ("<a>&lt;&gt;&amp;&quot;&apos;&#230;&#x1F600;</a>", "<>&\"'æ😀"),
        ("<a><![CDATA[<b>&amp;]]></a>", "<b>&amp;"),
        ("<a><!-- only a comment --></a>", ""),
    ] {
        assert_eq!(leaf(text), value, "{text}");
    }
}

/// What it is, how it is written, and the code it is refused with.
const HOSTILE: &[(&str, &str, FaultCode)] = &[
    ("nothing", "", FaultCode::NotReadable),
    ("only text", "x", FaultCode::NotReadable),
    ("only a comment", "<!-- c -->", FaultCode::NotReadable),
    ("two roots", "<a/><a/>", FaultCode::NotReadable),
    ("text after the root", "<a/>x", FaultCode::NotReadable),
    ("reference after the root", "<a/>&amp;", FaultCode::NotReadable),
    ("CDATA after the root", "<a/><![CDATA[x]]>", FaultCode::NotReadable),
    ("unclosed", "<a><b></b>", FaultCode::NotReadable),
    ("crossed", "<a><b></a></b>", FaultCode::NotReadable),
    ("end first", "</a>", FaultCode::NotReadable),
    ("cut short", "<a", FaultCode::NotReadable),
    ("dangling ampersand", "<a>x & y</a>", FaultCode::NotReadable),
    ("end of CDATA in text", "<a>]]></a>", FaultCode::NotReadable),
    ("double hyphen in comment", "<a><!-- x -- y --></a>", FaultCode::NotReadable),
    (
        "billion laughs",
        "<!DOCTYPE a [<!ENTITY l 'lol'><!ENTITY m '&l;&l;&l;'>]><a>&m;</a>",
        FaultCode::DtdRefused,
    ),
    (
        "external entity",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
        FaultCode::DtdRefused,
    ),
    ("document type alone", "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>", FaultCode::DtdRefused),
    ("unknown entity", "<a>&x;</a>", FaultCode::DtdRefused),
    ("entity of HTML", "<a>&nbsp;</a>", FaultCode::DtdRefused),
    ("processing instruction", "<?xml-stylesheet href='x'?><a/>", FaultCode::NotReadable),
    ("late declaration", "<a/><?xml version='1.0'?>", FaultCode::NotReadable),
    ("space before the declaration", " <?xml version='1.0'?><a/>", FaultCode::NotReadable),
    ("declaration without version", "<?xml encoding='UTF-8'?><a/>", FaultCode::NotReadable),
    (
        "declaration out of order",
        "<?xml version='1.0' standalone='no' encoding='UTF-16'?><a/>",
        FaultCode::NotReadable,
    ),
    ("misspelt encoding", "<?xml version='1.0' encding='UTF-16'?><a/>", FaultCode::NotReadable),
    ("broken encoding", "<?xml version='1.0' 'encoding='UTF-16'?><a/>", FaultCode::NotReadable),
    ("attributes without space", "<a xmlns='urn:x'xmlns:p='urn:y'/>", FaultCode::NotReadable),
    ("reference in a namespace", "<a xmlns='&x;'/>", FaultCode::NotReadable),
    ("empty prefix", "<a xmlns:='urn:x'/>", FaultCode::NotReadable),
    ("version 1.1", "<?xml version='1.1'?><a/>", FaultCode::NotReadable),
    ("Latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", FaultCode::NotUtf8),
    ("UTF-16 by name", "<?xml version='1.0' encoding='UTF-16'?><a/>", FaultCode::NotUtf8),
    ("byte order mark", "\u{feff}<a/>", FaultCode::NotUtf8),
    ("comment in text", "<a>1<!-- -->2</a>", FaultCode::NotReadable),
    ("comment before text", "<a><!-- --> 2</a>", FaultCode::NotReadable),
    ("CDATA beside text", "<a>1<![CDATA[2]]></a>", FaultCode::NotReadable),
    ("two CDATA sections", "<a><![CDATA[1]]><![CDATA[2]]></a>", FaultCode::NotReadable),
    ("CDATA beside an element", "<a><![CDATA[ ]]><b/></a>", FaultCode::NotReadable),
    ("mixed content", "<a>x<b/></a>", FaultCode::NotReadable),
    ("undeclared prefix", "<p:a/>", FaultCode::NotReadable),
    ("prefix without namespace", "<p:a xmlns:p=''/>", FaultCode::NotReadable),
    ("prefix out of scope", "<a><b xmlns:p='urn:x'/><p:c/></a>", FaultCode::NotReadable),
    ("xmlns rebound", "<a xmlns:xmlns='urn:x'/>", FaultCode::NotReadable),
    ("xml rebound", "<a xmlns:xml='urn:x'/>", FaultCode::NotReadable),
    ("two colons", "<p:q:a xmlns:p='urn:x'/>", FaultCode::NotReadable),
    ("strange name", "<a\u{b7}b/>", FaultCode::NotReadable),
    ("attribute", "<a id='1'/>", FaultCode::NotReadable),
    ("xml:base", "<a xml:base='http://127.0.0.1/'/>", FaultCode::NotReadable),
    (
        "type attribute",
        "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='b'/>",
        FaultCode::NotReadable,
    ),
    ("schema location in no namespace", "<a schemaLocation='urn:x x.xsd'/>", FaultCode::NotReadable),
    ("duplicate declaration", "<a xmlns='urn:x' xmlns='urn:y'/>", FaultCode::NotReadable),
    ("unquoted attribute", "<a xmlns=urn:x/>", FaultCode::NotReadable),
    ("less-than in attribute", "<a xmlns='<'/>", FaultCode::NotReadable),
    ("control character", "<a>\u{1}</a>", FaultCode::ControlCharacter),
    ("control character in a comment", "<a><!--\u{1}--></a>", FaultCode::ControlCharacter),
    ("control character by reference", "<a>&#1;</a>", FaultCode::ControlCharacter),
    ("NUL by reference", "<a>&#0;</a>", FaultCode::NotReadable),
    ("surrogate by reference", "<a>&#xD800;</a>", FaultCode::NotReadable),
    ("beyond Unicode", "<a>&#x110000;</a>", FaultCode::NotReadable),
    ("non-character by reference", "<a>&#xFFFE;</a>", FaultCode::ControlCharacter),
    ("negative reference", "<a>&#-1;</a>", FaultCode::NotReadable),
];

#[test]
fn what_is_hostile_is_refused() {
    for (name, text, code) in HOSTILE {
        match tree(text) {
            Ok(element) => panic!("{name} was read as {element:?}"),
            Err(violation) => assert_eq!(violation.code, *code, "{name}: {violation:?}"),
        }
    }
}

#[test]
fn depth_elements_attributes_and_namespaces_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(tree(&nested(64)).is_ok());
    for depth in [65, 100_000] {
        assert_eq!(tree(&nested(depth)).unwrap_err().code, FaultCode::TooDeep);
    }
    assert_eq!(tree(&"<a>".repeat(100_000)).unwrap_err().code, FaultCode::TooDeep);
    assert_eq!(tree(&format!("<a>{}</a>", "<b/>".repeat(20_000))).unwrap_err().code, FaultCode::TooDeep);
    let declarations = |count: usize| {
        let all: Vec<String> = (0..count).map(|i| format!(" xmlns:n{i}='urn:{i}'")).collect();
        all.concat()
    };
    assert!(tree(&format!("<a{}/>", declarations(64))).is_ok());
    for count in [65, 40_000] {
        assert!(tree(&format!("<a{}/>", declarations(count))).is_err());
    }
    let attributes: Vec<String> = (0..80_000).map(|i| format!(" a{i}=''")).collect();
    let attributes = attributes.concat();
    assert!(tree(&format!("<a{attributes}/>")).is_err());
    let limits = Limits { body_bytes: 10, ..Limits::default() };
    assert_eq!(read(b"<abcdefgh/>", &limits).unwrap_err().violation.code, FaultCode::TooLarge);
}

#[test]
fn what_was_read_before_the_fault_is_kept() {
    let broken = read(b"<a><b>1</b><c><d>2</d><e>&x;</e></c></a>", &Limits::default()).unwrap_err();
    let root = broken.read.unwrap();
    assert_eq!(root.children[0].text, "1");
    assert_eq!(root.children[1].children[0].text, "2");
}

proptest! {
    #[test]
    fn any_text_is_read_back_from_what_is_written(text in "[ -~æøå€😀\t\n\r]{0,40}") {
        let mut xml = String::from("<a>");
        escape_into(&mut xml, &text);
        xml.push_str("</a>");
        prop_assert_eq!(leaf(&xml), text);
    }

    #[test]
    fn no_text_makes_it_panic(text in r"[<>/a:x='! &;#\[\]CDAT?\-\nml\u{1}æ]{0,60}") {
        let _ = tree(&text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &Limits::default());
    }
}
