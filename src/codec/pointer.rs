//! JSON Pointers (RFC 6901) that stay short, whatever names a sender invents.

/// Characters of a member's name that a pointer shows.
const SEGMENT_CHARACTERS_MAX: usize = 64;

/// Appends `/segment`, escaped. A longer name is cut and ends in `…`.
pub fn push(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for (index, character) in segment.chars().enumerate() {
        if index == SEGMENT_CHARACTERS_MAX {
            pointer.push('…');
            return;
        }
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            control if control.is_control() => pointer.push('\u{fffd}'),
            other => pointer.push(other),
        }
    }
}

/// The value at a pointer whose names need no escape (ours do not).
pub fn at<'v>(value: &'v serde_json::Value, pointer: &str) -> Option<&'v serde_json::Value> {
    debug_assert!(!pointer.contains('~'), "{pointer:?} holds an escape");
    pointer.split('/').skip(1).try_fold(value, |value, name| match value {
        serde_json::Value::Object(members) => members.get(name),
        serde_json::Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// `pointer` with one more segment.
pub fn join(pointer: &str, segment: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + segment.len().min(SEGMENT_CHARACTERS_MAX) + 2);
    joined.push_str(pointer);
    push(&mut joined, segment);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_stands() {
        let value = serde_json::json!({ "a": { "b": [10, { "c": true }] } });
        for pointer in ["", "/a", "/a/b/0", "/a/b/1/c", "/a/b/2", "/a/c", "/a/b/c", "/a/b/0/d"] {
            assert_eq!(at(&value, pointer), value.pointer(pointer), "{pointer}");
        }
    }

    #[test]
    fn a_segment_is_escaped_and_cut() {
        assert_eq!(join("/data", "a/b~c"), "/data/a~1b~0c");
        assert_eq!(join("", &"x".repeat(1000)).chars().count(), 1 + SEGMENT_CHARACTERS_MAX + 1);
        assert_eq!(join("", "a\nb"), "/a\u{fffd}b");
    }
}
