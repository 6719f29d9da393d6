//! What is wrong with a message, in Danish or English, as people read it in a terminal.

use clap::ValueEnum;

use super::output::{Output, counted};
use crate::domain::Violation;

/// The language of the sentences. Pointers and rules are the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Da,
    En,
}

/// The option that several commands have.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct LanguageArg {
    /// Language of the sentences; otherwise the terminal's (`LC_ALL`, `LC_MESSAGES`, `LANG`).
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

impl LanguageArg {
    pub(super) fn language(self) -> Language {
        self.lang.unwrap_or_else(|| Language::of_locale(&locale()))
    }
}

impl Language {
    /// Danish where the locale says so.
    fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("da") { Self::Da } else { Self::En }
    }
}

#[expect(clippy::disallowed_methods, reason = "the terminal's language is no setting")]
fn locale() -> String {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.into_iter().find(|value| !value.is_empty()).unwrap_or_default()
}

/// A line with the count, then each violation in three lines at most.
pub(super) fn print(output: &Output, name: &str, violations: &[Violation], language: Language) {
    output.line(format_args!("{name}: {}", summary(violations, language)));
    for violation in violations {
        for line in lines(violation, language) {
            output.line(line);
        }
    }
}

/// The same beside the output: for a command whose output is something else.
pub(super) fn note(output: &Output, name: &str, violations: &[Violation], language: Language) {
    output.note(format_args!("{name}: {}", summary(violations, language)));
    for line in violations.iter().flat_map(|violation| lines(violation, language)) {
        output.note(line);
    }
}

/// `valid`, or what was found, counted.
fn summary(violations: &[Violation], language: Language) -> String {
    let errors = violations.iter().filter(|v| v.is_error()).count();
    let warnings = violations.len() - errors;
    let danish = language == Language::Da;
    let mut parts = vec![match (errors, danish) {
        (0, true) => "gyldig".to_owned(),
        (0, false) => "valid".to_owned(),
        (_, true) => counted(errors, "fejl", "fejl"),
        (_, false) => counted(errors, "error", "errors"),
    }];
    if warnings > 0 {
        parts.push(if danish {
            counted(warnings, "advarsel", "advarsler")
        } else {
            counted(warnings, "warning", "warnings")
        });
    }
    parts.join(", ")
}

fn lines(violation: &Violation, language: Language) -> Vec<String> {
    let danish = language == Language::Da;
    let severity = match (violation.is_error(), danish) {
        (true, true) => "fejl",
        (true, false) => "error",
        (false, true) => "advarsel",
        (false, false) => "warning",
    };
    let pointer = if violation.pointer.is_empty() { "(all)" } else { &violation.pointer };
    let (text, expected, actual) = if danish {
        (&violation.message.da, "forventet", "fik")
    } else {
        (&violation.message.en, "expected", "came")
    };
    let mut lines = vec![
        format!("  {severity}  {pointer}  {} ({})", violation.rule, violation.code),
        format!("    {text}"),
    ];
    let mut facts = Vec::new();
    if !violation.expected.is_empty() {
        facts.push(format!("{expected}: {}", violation.expected));
    }
    if let Some(came) = &violation.actual {
        facts.push(format!("{actual}: {came}"));
    }
    if !facts.is_empty() {
        lines.push(format!("    {}", facts.join("; ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FaultCode, Text};

    fn violation() -> Violation {
        Violation::error("/id", "envelope.id", FaultCode::EnvelopeWrong, Text::new("Forkert.", "Wrong."))
            .expected("1-46 characters")
            .actual("(80 characters)")
    }

    #[test]
    fn a_violation_is_told_in_either_language() {
        assert_eq!(
            lines(&violation(), Language::En),
            [
                "  error  /id  envelope.id (GW1009)",
                "    Wrong.",
                "    expected: 1-46 characters; came: (80 characters)"
            ]
        );
        assert_eq!(
            lines(&violation(), Language::Da)[..2],
            ["  fejl  /id  envelope.id (GW1009)", "    Forkert."]
        );
    }

    #[test]
    fn warnings_alone_are_valid() {
        let warning = Violation { severity: crate::domain::Severity::Warning, ..violation() };
        assert_eq!(summary(&[], Language::Da), "gyldig");
        assert_eq!(summary(std::slice::from_ref(&warning), Language::En), "valid, 1 warning");
        assert_eq!(summary(&[violation(), violation(), warning], Language::Da), "2 fejl, 1 advarsel");
    }

    #[test]
    fn the_terminals_language_is_taken() {
        for (locale, language) in
            [("da_DK.UTF-8", Language::Da), ("C.UTF-8", Language::En), ("", Language::En)]
        {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }
}
