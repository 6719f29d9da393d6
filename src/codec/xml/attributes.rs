//! The XML declaration and the attributes of a tag, split more strictly than the reader does.

use super::refusals::{encoding, syntax};
use crate::domain::Violation;

const SPACES: [char; 4] = [' ', '\t', '\n', '\r'];

/// Checks `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`: these, in this order, and nothing else, or
/// readers could disagree on the encoding.
pub(super) fn check_declaration(declaration: &str) -> Result<(), Box<Violation>> {
    let inner = declaration.strip_prefix("<?xml").and_then(|rest| rest.strip_suffix("?>"));
    let pairs = inner.and_then(pairs).unwrap_or_default();
    let mut pairs = pairs.into_iter().peekable();
    if pairs.next() != Some(("version", "1.0")) {
        return Err(syntax(0, "XML-version 1.0", "XML version 1.0"));
    }
    if let Some((_, named)) = pairs.next_if(|(name, _)| *name == "encoding")
        && !named.eq_ignore_ascii_case("utf-8")
    {
        return Err(encoding());
    }
    pairs.next_if(|(name, value)| *name == "standalone" && matches!(*value, "yes" | "no"));
    match pairs.next() {
        None => Ok(()),
        Some(_) => Err(syntax(0, "en velformet XML-erklæring", "a well-formed XML declaration")),
    }
}

/// Splits ` name="value" name='value' `, each with space before it; `None` where the text is anything else, or a
/// value holds `<` or a reference.
pub(super) fn pairs(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        let next = rest.trim_start_matches(SPACES);
        if next.is_empty() {
            return Some(pairs);
        }
        let spaced = next.len() < rest.len();
        let (name, value) = next.split_once('=')?;
        let value = value.trim_start_matches(SPACES);
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, after) = value[1..].split_once(quote)?;
        let name = name.trim_end_matches(SPACES);
        if !spaced || name.is_empty() || name.contains(SPACES) || value.contains(['<', '&']) {
            return None;
        }
        pairs.push((name, value));
        rest = after;
    }
}
