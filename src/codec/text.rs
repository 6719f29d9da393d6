//! Bytes to text: UTF-8 without a byte order mark, and without the characters that no receiver can hold.

use crate::domain::{FaultCode, Text, Violation};

/// Reads a body as UTF-8.
///
/// # Errors
/// A byte order mark (of UTF-8 too: a reader that keeps it and one that drops it see two messages), UTF-16 and
/// UTF-32 by their marks or zero bytes, and whatever else is not UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str, Box<Violation>> {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(not_utf8(
            "Fjern byte order mark (BOM) foran indholdet.",
            "Remove the byte order mark (BOM).",
        ));
    }
    let wide = bytes.starts_with(&[0xfe, 0xff])
        || bytes.starts_with(&[0xff, 0xfe])
        || bytes.iter().take(4).any(|byte| *byte == 0);
    if wide {
        return Err(not_utf8(
            "Indholdet ligner UTF-16 eller UTF-32; send UTF-8.",
            "The body looks like UTF-16 or UTF-32; send UTF-8.",
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        not_utf8(
            format!("Indholdet er ikke UTF-8 fra byte {at}."),
            format!("The body is not UTF-8 from byte {at} on."),
        )
    })
}

fn not_utf8(da: impl Into<String>, en: impl Into<String>) -> Box<Violation> {
    Box::new(Violation::error("", "text.utf-8", FaultCode::NotUtf8, Text::new(da, en)).expected("UTF-8"))
}

/// Whether a character may not stand in any text: every control character but TAB, LF and CR (XML 1.0 cannot
/// carry most of them, `PostgreSQL` not NUL), and the two non-characters that XML excludes.
pub fn is_forbidden(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        other => other.is_control(),
    }
}

/// The violation for the first forbidden character of a text that stands at `pointer`.
pub fn forbidden(pointer: &str, character: char) -> Box<Violation> {
    let code = u32::from(character);
    let text = Text::new(
        format!("Teksten indeholder styretegnet U+{code:04X}, som ikke kan sendes videre."),
        format!("The text holds the control character U+{code:04X}, which cannot be passed on."),
    );
    Box::new(
        Violation::error(pointer, "text.control-character", FaultCode::ControlCharacter, text)
            .expected("no control characters but TAB, LF and CR")
            .actual(format!("U+{code:04X}")),
    )
}

/// The first character of a text that may not stand in it.
pub fn first_forbidden(text: &str) -> Option<char> {
    // Most texts hold none of the bytes with which such a character begins.
    if !holds(text, [(0, 0x1f), (0x7f, 0x7f), (0xc2, 0xc2), (0xef, 0xef)]) {
        return None;
    }
    text.chars().find(|character| is_forbidden(*character))
}

/// Whether a text holds a byte of one of these ranges, first and last. All of it is looked at, however early one is found:
/// many bytes at a time are quicker than one by one, and most texts hold none.
pub fn holds<const N: usize>(text: &str, ranges: [(u8, u8); N]) -> bool {
    let such = |byte| ranges.iter().fold(false, |any, (first, last)| any | (*first..=*last).contains(&byte));
    text.as_bytes().iter().fold(false, |found, byte| found | such(*byte))
}

/// Refuses a text with a forbidden character.
pub fn check(pointer: &str, text: &str) -> Result<(), Box<Violation>> {
    match first_forbidden(text) {
        Some(character) => Err(forbidden(pointer, character)),
        None => Ok(()),
    }
}

/// At most `characters_max` characters of a text, fit to be shown: control characters are replaced.
pub fn excerpt(text: &str, characters_max: usize) -> String {
    text.chars().take(characters_max).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_utf_8_is_read() {
        assert_eq!(utf8("æøå".as_bytes()), Ok("æøå"));
        let cases: [(&str, &[u8]); 8] = [
            ("byte order mark", b"\xef\xbb\xbf{}"),
            ("UTF-16 big-endian", b"\xfe\xff\0{\0}"),
            ("UTF-16 little-endian", b"\xff\xfe{\0}\0"),
            ("UTF-16 without a mark", b"\0{\0}"),
            ("overlong slash", b"{\"a\":\"\xc0\xaf\"}"),
            ("surrogate", b"{\"a\":\"\xed\xa0\x80\"}"),
            ("above U+10FFFF", b"{\"a\":\"\xf4\x90\x80\x80\"}"),
            ("cut short", b"{\"a\":\"\xc3"),
        ];
        for (name, bytes) in cases {
            assert_eq!(utf8(bytes).unwrap_err().code, FaultCode::NotUtf8, "{name}");
        }
    }

    #[test]
    fn every_forbidden_character_is_found_wherever_it_stands() {
        for code in 0..=0x1_0ffff {
            let Some(character) = char::from_u32(code) else { continue };
            let found = first_forbidden(&format!("æ{character}å"));
            assert_eq!(found, is_forbidden(character).then_some(character), "U+{code:04X}");
        }
    }

    #[test]
    fn control_characters_are_forbidden_but_three() {
        for (character, forbidden) in [
            ('\0', true),
            ('\u{8}', true),
            ('\t', false),
            ('\n', false),
            ('\u{b}', true),
            ('\r', false),
            ('\u{1f}', true),
            (' ', false),
            ('\u{7f}', true),
            ('\u{85}', true),
            ('å', false),
            ('\u{2028}', false),
            ('\u{fffd}', false),
            ('\u{fffe}', true),
            ('\u{1f600}', false),
        ] {
            assert_eq!(is_forbidden(character), forbidden, "{character:?}");
        }
    }
}
