//! JSON that is read, JSON that is refused, and JSON that serde writes.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::FaultCode;

fn read(text: &str) -> Result<Value, Box<Violation>> {
    parse(text.as_bytes(), &Limits::default())
}

fn refused(bytes: &[u8]) -> (FaultCode, String) {
    let violation = parse(bytes, &Limits::default()).unwrap_err();
    (violation.code, violation.pointer)
}

#[test]
fn what_is_json_is_read_as_it_stands() {
    let text =
        r#" { "a" : [ 1 , -2.5 , true , false , null , "x\ny\u00e6\ud83d\ude00\/\"" ] , "" : {} , "b":[] } "#;
    assert_eq!(read(text), Ok(json!({"a": [1, -2.5, true, false, null, "x\nyæ😀/\""], "": {}, "b": []})));
    assert_eq!(read("7"), Ok(json!(7)));
}

#[test]
fn what_is_hostile_is_refused_where_it_stands() {
    let cases: &[(&str, FaultCode, &str)] = &[
        ("", FaultCode::NotReadable, ""),
        ("{", FaultCode::NotReadable, ""),
        ("{}{}", FaultCode::NotReadable, ""),
        ("{} x", FaultCode::NotReadable, ""),
        ("[1,]", FaultCode::NotReadable, "/1"),
        ("[1 2]", FaultCode::NotReadable, "/1"),
        (r#"{"a":1,}"#, FaultCode::NotReadable, ""),
        (r#"{"a" 1}"#, FaultCode::NotReadable, ""),
        ("{a:1}", FaultCode::NotReadable, ""),
        ("{'a':1}", FaultCode::NotReadable, ""),
        (r#"{"a":tru}"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":NaN}"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":-Infinity}"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":01}"#, FaultCode::NotReadable, ""),
        (r#"{"a":1.}"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":"x"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":"\"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":"\x"}"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":"\u12"}"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":"\u12æ"}"#, FaultCode::NotReadable, "/a"),
        (r#"{"a":"\u"#, FaultCode::NotReadable, "/a"),
        ("{\"a\":\"x\ny\"}", FaultCode::NotReadable, "/a"),
        ("// c\n{}", FaultCode::NotReadable, ""),
        (r#"{"a":1,"a":2}"#, FaultCode::DuplicateKey, "/a"),
        (r#"{"a":1,"\u0061":2}"#, FaultCode::DuplicateKey, "/a"),
        (r#"{"x":[0,{"y":{"k":1,"l":2,"k":1}}]}"#, FaultCode::DuplicateKey, "/x/1/y/k"),
        (r#"{"a":"\u0000"}"#, FaultCode::ControlCharacter, "/a"),
        (r#"{"a":"\b"}"#, FaultCode::ControlCharacter, "/a"),
        (r#"{"a":["\f"]}"#, FaultCode::ControlCharacter, "/a/0"),
        ("{\"a\":\"x\u{1}\"}", FaultCode::ControlCharacter, "/a"),
        ("{\"a\":\"æ\u{85}\"}", FaultCode::ControlCharacter, "/a"),
        ("{\"a\":\"\u{ffff}\"}", FaultCode::ControlCharacter, "/a"),
        ("{\"a\\u0007b\":1}", FaultCode::ControlCharacter, ""),
        (r#"{"a":"\ud800"}"#, FaultCode::NotUtf8, "/a"),
        (r#"{"a":"\udc00"}"#, FaultCode::NotUtf8, "/a"),
        (r#"{"a":"\ud800\ud800"}"#, FaultCode::NotUtf8, "/a"),
        (r#"{"a":"\ud800x"}"#, FaultCode::NotUtf8, "/a"),
        (r#"{"a":"\ud800\n"}"#, FaultCode::NotUtf8, "/a"),
        (r#"{"a":[1,12345678901234567890123]}"#, FaultCode::NumberNotExact, "/a/1"),
        (r#"{"a":1e400}"#, FaultCode::NumberNotExact, "/a"),
    ];
    for (text, code, pointer) in cases {
        assert_eq!(refused(text.as_bytes()), (*code, (*pointer).to_owned()), "{text:?}");
    }
    assert_eq!(refused(b"{\"a\":\"\xc0\xaf\"}").0, FaultCode::NotUtf8);
    assert_eq!(refused(b"\xef\xbb\xbf{}").0, FaultCode::NotUtf8);
}

#[test]
fn nesting_ends_at_the_limit_and_never_at_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(read(&nested(64)).is_ok());
        assert_eq!(read(&nested(65)).unwrap_err().code, FaultCode::TooDeep);
        assert_eq!(read(&nested(100_000)).unwrap_err().code, FaultCode::TooDeep);
        assert_eq!(read(&open.repeat(100_000)).unwrap_err().code, FaultCode::TooDeep);
        let deep = Limits { depth: usize::MAX, ..Limits::default() };
        assert_eq!(parse(nested(100_000).as_bytes(), &deep).unwrap_err().code, FaultCode::TooDeep);
    }
}

#[test]
fn the_number_of_values_and_bytes_is_bounded() {
    let limits = Limits { nodes: 10, body_bytes: 40, ..Limits::default() };
    let list = |values: usize| format!("[{}]", vec!["1"; values].join(","));
    assert!(parse(list(9).as_bytes(), &limits).is_ok());
    assert_eq!(parse(list(10).as_bytes(), &limits).unwrap_err().code, FaultCode::TooDeep);
    assert_eq!(parse(list(30).as_bytes(), &limits).unwrap_err().code, FaultCode::TooLarge);
}

#[test]
fn what_was_read_before_the_fault_is_kept() {
    let broken =
        parse_or_partial(br#"{"id":"a-1","source":"s","data":{"x":[1,"#, &Limits::default()).unwrap_err();
    assert_eq!(Value::Object(broken.read), json!({"id": "a-1", "source": "s"}));
}

#[test]
fn a_pointer_stays_short() {
    let text = format!(r#"{{"{}":nope}}"#, "k".repeat(100_000));
    assert!(read(&text).unwrap_err().pointer.len() < 100);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000i32..1_000_000).prop_map(|thousandths| json!(f64::from(thousandths * 2 + 1) / 4.0)),
        "[ -~æøåÆØÅ€😀\t\n\r]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[ -~æ\n]{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_writes_is_read_back(value in any_json()) {
        prop_assert_eq!(read(&value.to_string()), Ok(value.clone()));
        prop_assert_eq!(read(&serde_json::to_string_pretty(&value).unwrap()), Ok(value));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &Limits::default());
    }

    /// Texts of JSON's own characters: where we read one, serde reads the same.
    #[test]
    fn whatever_is_read_serde_reads_alike(text in r#"[\[\]{}:,"\\ua0-9.eE+\-tfn \nrlsbdæ]{0,30}"#) {
        if let Ok(ours) = read(&text) {
            let theirs: Value = serde_json::from_str(&text).unwrap();
            let again = read(&theirs.to_string()).unwrap();
            prop_assert_eq!(ours, again, "{}", text);
        }
    }

    #[test]
    fn a_document_cut_anywhere_is_refused(value in any_json(), cut in 0.0..1.0f64) {
        let text = json!({"id": "x", "data": value}).to_string();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short text")]
        let at = (text.len() as f64 * cut) as usize;
        prop_assert!(parse(&text.as_bytes()[..at], &Limits::default()).is_err());
    }
}
