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
    fn a_segment_is_escaped_and_cut() {
        assert_eq!(join("/data", "a/b~c"), "/data/a~1b~0c");
        assert_eq!(join("", &"x".repeat(1000)).chars().count(), 1 + SEGMENT_CHARACTERS_MAX + 1);
        assert_eq!(join("", "a\nb"), "/a\u{fffd}b");
    }
}
