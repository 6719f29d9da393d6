//! No person's number in the repository.
//!
//! A number that looks like a CPR number may stand here only if it was published as a test number, or if it
//! fails modulus 11 on a birthday other than 1 January, and so was never given to anyone. (On 1 January numbers
//! that fail have been given out since 2007.)

use super::{assert_none, text_files};

/// Published test numbers.
const PUBLISHED: &[&str] =
    &["0707614285", "0103922852", "2509479989", "2311143995", "1509819996", "2512484916"];

/// Numbers of ten digits that are not of persons, and what they are.
const NOT_OF_PERSONS: &[(&str, &str)] = &[];

const WEIGHTS: [u32; 10] = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1];

/// Every CPR-looking number in `text` that may not stand there.
fn findings(text: &str) -> Vec<String> {
    candidates(text).into_iter().filter(|number| !may_stand(number)).collect()
}

/// Ten digits, or six and four with a hyphen or a space between, that begin with a day and a month. A CPR
/// number with 60 added to its day (a corrected question) counts too.
fn candidates(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for start in 0..bytes.len() {
        let alone_before = start == 0 || !joins(bytes[start - 1]);
        if !(alone_before && bytes[start].is_ascii_digit()) {
            continue;
        }
        for length in [10, 11] {
            let Some(window) = bytes.get(start..start + length) else {
                continue;
            };
            let alone_after = bytes.get(start + length).is_none_or(|next| !joins(*next));
            let parted = length == 10 || matches!(window[6], b'-' | b' ');
            let digits: String =
                window.iter().filter(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
            if alone_after && parted && digits.len() == 10 && has_birthday(&digits) {
                found.push(digits);
            }
        }
    }
    found
}

/// Whether a digit beside this byte is part of something longer: another number, a word, a UUID.
fn joins(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn has_birthday(digits: &str) -> bool {
    let day: u32 = digits[0..2].parse().expect("digits");
    let month: u32 = digits[2..4].parse().expect("digits");
    matches!(day, 1..=31 | 61..=91) && (1..=12).contains(&month)
}

fn may_stand(digits: &str) -> bool {
    let on_first_of_january = matches!(&digits[0..4], "0101" | "6101");
    PUBLISHED.contains(&digits)
        || NOT_OF_PERSONS.iter().any(|(number, _)| *number == digits)
        || (!passes_modulus_11(digits) && !on_first_of_january)
}

fn passes_modulus_11(digits: &str) -> bool {
    let weighted = digits.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight);
    weighted.sum::<u32>().is_multiple_of(11)
}

#[test]
fn no_persons_number_stands_in_the_repository() {
    let findings: Vec<_> = text_files()
        .iter()
        .flat_map(|file| {
            let lines = file.text.lines().enumerate();
            // Not the number itself: this text ends up in logs.
            let lines = lines.filter(|(_, line)| !findings(line).is_empty());
            lines.map(|(at, _)| format!("{}:{}", file.path, at + 1)).collect::<Vec<_>>()
        })
        .collect();
    assert_none(&findings, "a number that could be a person's; use a published test number:");
}

/// A number that begins so and passes modulus 11, made here so that it does not stand in this file.
#[cfg(test)]
fn valid(beginning: &str) -> String {
    (0..100)
        .map(|end| format!("{beginning}{end:02}"))
        .find(|number| passes_modulus_11(number))
        .expect("one in eleven passes")
}

#[test]
fn a_number_that_could_be_a_persons_is_caught() {
    let number = valid("12038512");
    let (birthday, serial) = number.split_at(6);
    for text in [
        number.clone(),
        format!("{birthday}-{serial}"),
        format!("<cpr>{birthday} {serial}</cpr>"),
        format!("{{\"cpr\":\"{number}\"}}"),
        format!("cpr={number}."),
        format!("{}{}", "010190", "1234"),
        valid("72038512"),
    ] {
        assert_eq!(findings(&text).len(), 1, "{}", text.len());
    }
}

#[test]
fn a_number_that_is_nobodys_may_stand() {
    let number = valid("12038512");
    let (rest, last) = number.split_at(9);
    let failing = format!("{rest}{}", (last.parse::<u32>().expect("a digit") + 1) % 10);
    for text in [
        failing,
        PUBLISHED.join(", "),
        format!("5{number}"),
        format!("{number}a"),
        format!("3213{}", &number[4..]),
        "0190163d-8694-739b-aea5-966c26f8ad91".to_owned(),
        "1234567".to_owned(),
    ] {
        assert_eq!(findings(&text), Vec::<String>::new());
    }
}
