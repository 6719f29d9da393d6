//! What tracing systems of a sender's want carried along: `tracestate`, as W3C Trace Context writes it (3.3).

use std::collections::BTreeSet;

/// Everybody carries so much; what is longer is dropped as a whole.
pub const CHARACTERS_MAX: usize = 512;
/// Entries of one list.
const ENTRIES_MAX: usize = 32;
/// Characters of a key, of its tenant and of its system, and of a value.
const KEY_MAX: usize = 256;
const TENANT_MAX: usize = 241;
const SYSTEM_MAX: usize = 14;
const VALUE_MAX: usize = 256;

/// Whether it is a list of keys with values, each key once. One that is not is dropped, and refuses no message.
pub fn is_well_formed(text: &str) -> bool {
    let mut keys = BTreeSet::new();
    let mut entries =
        text.split(',').map(|entry| entry.trim_matches([' ', '\t'])).filter(|entry| !entry.is_empty());
    let fits = entries.all(|entry| {
        let Some((key, value)) = entry.split_once('=') else { return false };
        is_key(key) && is_value(value) && keys.insert(key) && keys.len() <= ENTRIES_MAX
    });
    text.len() <= CHARACTERS_MAX && fits && !keys.is_empty()
}

/// `<key>` or `<tenant>@<system>`.
fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_name(key, KEY_MAX) && !key.starts_with(|first: char| first.is_ascii_digit()),
        Some((tenant, system)) => {
            let starts = !system.starts_with(|first: char| first.is_ascii_digit());
            is_name(tenant, TENANT_MAX) && is_name(system, SYSTEM_MAX) && starts
        }
    }
}

/// Begins with a small letter or a digit.
fn is_name(name: &str, most: usize) -> bool {
    let begins = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let goes_on = |byte: u8| begins(byte) || b"_-*/".contains(&byte);
    name.len() <= most && name.bytes().next().is_some_and(begins) && name.bytes().all(goes_on)
}

fn is_value(value: &str) -> bool {
    let shows = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    (1..=VALUE_MAX).contains(&value.len()) && value.bytes().all(shows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_keys_with_values_is_carried_and_anything_else_is_not() {
        for good in [
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
            "congo=t61rcWkgMzE , ,rojo=1",
            "fw529a3039@dt=FfAAAQAAAAIA, a-b/c*d_e=with space inside",
            &format!("a={}", "x".repeat(VALUE_MAX)),
        ] {
            assert!(is_well_formed(good), "{good}");
        }
        let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        let long = format!("a={},b={}", "x".repeat(VALUE_MAX), "y".repeat(VALUE_MAX));
        for bad in [
            "",
            ",",
            "a",
            "a=",
            "=b",
            "A=b",
            "1a=b",
            "a@1b=c",
            "a@=c",
            "a=b=c",
            "a=b,a=c",
            "a=\u{e6}",
            "a=b\nc",
            &format!("a={}", "x".repeat(VALUE_MAX + 1)),
            &many,
            &long,
        ] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
