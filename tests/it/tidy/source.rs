//! Rust source as the other rules read it: without comments, texts and tests, as words and paths.

/// `text` with comments, the insides of string and character literals, and items under `#[cfg(test)]` blanked.
/// Lines stay where they are.
pub(super) fn code_of(text: &str) -> String {
    without_tests(&without_literals(text))
}

/// `text` with comments and the insides of literals blanked.
pub(super) fn without_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if let Some(end) = end {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends. `None` where none begins.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let follows_word = at > 0 && is_word(chars[at - 1]);
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => quoted_length(rest, '"'),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => quoted_length(rest, '\''),
        ['r', '"' | '#', ..] if !follows_word => raw_length(rest, 1)?,
        ['b', 'r', '"' | '#', ..] if !follows_word => raw_length(rest, 2)?,
        _ => return None,
    };
    Some(at + length)
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `prefix` is the length of `r` or `br`. `None` where it is a raw identifier (`r#type`).
fn raw_length(rest: &[char], prefix: usize) -> Option<usize> {
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let closed =
        |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    Some((open + 1..rest.len()).find(closed).map_or(rest.len(), |at| at + 1 + hashes))
}

/// `code` (literals blanked already) with every item under `#[cfg(test)]` or `#[test]` blanked.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"] {
        while let Some(start) = out.find(attribute) {
            let end = start + item_length(&out[start..]);
            let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            out.replace_range(start..end, &blank);
        }
    }
    out
}

/// The modules in files of their own that `text` declares under `#[cfg(test)]`.
pub(super) fn test_modules(text: &str) -> Vec<String> {
    let code = without_literals(text);
    let items = code.split("#[cfg(test)]").skip(1).map(|rest| &rest[..item_length(rest)]);
    items
        .filter_map(|item| {
            let (before, name) = item.strip_suffix(';')?.rsplit_once("mod ")?;
            (before.is_empty() || before.ends_with(char::is_whitespace)).then(|| name.trim().to_owned())
        })
        .collect()
}

/// The length of the item at the start of `code`: to its `;`, or to the end of its block.
fn item_length(code: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth < 0 {
                    return at;
                }
                if c == '}' && depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, `::`, and single other characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Every path in `code` with at least two parts, and every path a `use` names, with groups multiplied out:
/// `use a::{b, c::d}` gives `a::b` and `a::c::d`.
pub(super) fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts_path = tokens.get(at + 1) == Some(&"::") && tokens[at].starts_with(is_word);
        if tokens[at] == "use" || (tokens[at] == "crate" && at > 0 && tokens[at - 1] == "extern") {
            at = tree(&tokens, at + 1, &[], &mut found).max(at + 1);
        } else if starts_path && (at == 0 || tokens[at - 1] != "::") {
            at = tree(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path or group at `at`, below `prefix`. Gives where it ends.
fn tree(tokens: &[&str], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    if tokens.get(at) == Some(&"::") {
        at += 1;
    }
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    at = if tokens[at] == "," { at + 1 } else { tree(tokens, at, &path, found).max(at + 1) };
                }
                return at + 1;
            }
            Some(word) if word.starts_with(is_word) => path.push((*word).to_owned()),
            _ => {}
        }
        if tokens.get(at + 1) != Some(&"::") {
            found.push(path);
            let renamed = tokens.get(at + 1) == Some(&"as");
            return if renamed { at + 3 } else { at + 1 };
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths_of(code: &str) -> Vec<String> {
        paths(&code_of(code)).into_iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn comments_literals_and_tests_are_no_code() {
        let cases = [
            ("a::b(); // c::d", "a::b"),
            ("/* c::d /* e::f */ g::h */ a::b()", "a::b"),
            (r#"a::b("c::d \" e::f")"#, "a::b"),
            (r##"a::b(r#"c::d " e::f"#)"##, "a::b"),
            (r##"a::b(br#"c::d"#, '"', '\'', b'"')"##, "a::b"),
            ("fn f<'a>(x: &'a a::b) {}", "a::b"),
            ("a::b(r#type)", "a::b"),
            ("#[cfg(test)]\nmod tests { use c::d; fn f() { e::f() } }\nuse a::b;", "a::b"),
            ("#[cfg(test)]\nuse c::d;\nuse a::b;", "a::b"),
            ("#[test]\nfn f() { c::d() }\nuse a::b;", "a::b"),
        ];
        for (code, expected) in cases {
            assert_eq!(paths_of(code), [expected], "{code}");
        }
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a\n/* b\nc */ \"d\ne\" f\n#[cfg(test)]\nmod t {\n}\ng";
        assert_eq!(code_of(text).lines().count(), text.lines().count());
    }

    #[test]
    fn a_group_is_multiplied_out() {
        assert_eq!(
            paths_of("use a::{b, c::{self, d as e}, f::*};"),
            ["a::b", "a::c::self", "a::c::d", "a::f"]
        );
        assert_eq!(paths_of("pub use {a, b::c};"), ["a", "b::c"]);
        assert_eq!(paths_of("use ::a::b; extern crate c;"), ["a::b", "c"]);
    }

    #[test]
    fn a_path_in_an_expression_a_type_or_an_attribute_is_seen() {
        assert_eq!(paths_of("let x: Vec<a::B> = c::d::e(f::<G>(1));"), ["a::B", "c::d::e", "f"]);
        assert_eq!(paths_of("#[a::main] async fn f() { b::select! {} }"), ["a::main", "b::select"]);
        assert_eq!(paths_of("pub(in crate::a) fn f() {}"), ["crate::a"]);
    }
}
