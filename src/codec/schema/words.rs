//! What each keyword of JSON Schema says to a sender, in Danish and English.

use crate::domain::Text;

/// The sentence for a violated keyword; `expected` is what it asks for.
pub(super) fn message(keyword: &str, expected: &str) -> Text {
    let x = expected;
    match keyword {
        "required" => Text::new("Feltet skal udfyldes, men mangler.", "The field is required but missing."),
        "additionalProperties" | "unevaluatedProperties" => Text::new(
            "Feltet kendes ikke i denne beskedtype.",
            "The field is not known in this kind of message.",
        ),
        "type" => Text::new(
            format!("Værdien har en forkert type; der ventes {}.", danish_types(x)),
            format!("The value has the wrong type; {x} is expected."),
        ),
        "pattern" => Text::new(
            format!("Værdien har ikke den rette form: {x}."),
            format!("The value does not have the form asked for: {x}."),
        ),
        "format" => Text::new(
            format!("Værdien er ikke {}.", danish_format(x)),
            format!("The value is not {}.", english_format(x)),
        ),
        "enum" => Text::new(
            format!("Værdien er ikke en af de tilladte: {x}."),
            format!("The value is not one of those allowed: {x}."),
        ),
        "const" => Text::new(format!("Værdien skal være {x}."), format!("The value must be {x}.")),
        "minLength" => Text::new(
            format!("Teksten er for kort; mindst {x} tegn."),
            format!("The text is too short; at least {x} characters."),
        ),
        "maxLength" => Text::new(
            format!("Teksten er for lang; højst {x} tegn."),
            format!("The text is too long; at most {x} characters."),
        ),
        "minimum" => Text::new(
            format!("Tallet er for lille; mindst {x}."),
            format!("The number is too small; at least {x}."),
        ),
        "maximum" => Text::new(
            format!("Tallet er for stort; højst {x}."),
            format!("The number is too large; at most {x}."),
        ),
        "exclusiveMinimum" => Text::new(
            format!("Tallet skal være større end {x}."),
            format!("The number must be greater than {x}."),
        ),
        "exclusiveMaximum" => Text::new(
            format!("Tallet skal være mindre end {x}."),
            format!("The number must be less than {x}."),
        ),
        "multipleOf" => Text::new(
            format!("Tallet skal kunne deles med {x}."),
            format!("The number must be a multiple of {x}."),
        ),
        "minItems" => Text::new(
            format!("Listen er for kort; mindst {x} elementer."),
            format!("The list is too short; at least {x} items."),
        ),
        "maxItems" | "additionalItems" => Text::new(
            format!("Listen er for lang; højst {x} elementer."),
            format!("The list is too long; at most {x} items."),
        ),
        "uniqueItems" => {
            Text::new("Listen indeholder det samme to gange.", "The list holds the same item twice.")
        }
        "contains" => {
            Text::new("Listen mangler et påkrævet element.", "The list lacks an item that is required.")
        }
        "minProperties" => Text::new(
            format!("Der er for få felter; mindst {x}."),
            format!("There are too few fields; at least {x}."),
        ),
        "maxProperties" => Text::new(
            format!("Der er for mange felter; højst {x}."),
            format!("There are too many fields; at most {x}."),
        ),
        "propertyNames" => Text::new("Et feltnavn er ikke tilladt.", "The name of a field is not allowed."),
        "oneOf" => Text::new(
            "Værdien skal passe til netop én af de mulige former.",
            "The value must fit exactly one of the possible forms.",
        ),
        "anyOf" => Text::new(
            "Værdien skal passe til mindst én af de mulige former.",
            "The value must fit at least one of the possible forms.",
        ),
        "not" => {
            Text::new("Værdien har en form, som er udelukket.", "The value has a form that is excluded.")
        }
        "falseSchema" => Text::new("Feltet må ikke være med her.", "The field may not be here."),
        "contentEncoding" | "contentMediaType" => {
            Text::new(format!("Indholdet er ikke {x}."), format!("The content is not {x}."))
        }
        _ => Text::new(
            "Værdien passer ikke til beskedtypens skema.",
            "The value does not fit the kind's schema.",
        ),
    }
}

fn danish_types(types: &str) -> String {
    let danish = |name| match name {
        "string" => "tekst",
        "integer" => "et heltal",
        "number" => "et tal",
        "boolean" => "true eller false",
        "object" => "et objekt",
        "array" => "en liste",
        other => other,
    };
    types.split(" | ").map(danish).collect::<Vec<_>>().join(" eller ")
}

fn danish_format(format: &str) -> &str {
    match format {
        "date" => "en dato (ÅÅÅÅ-MM-DD)",
        "date-time" => "et tidspunkt med tidszone (RFC 3339)",
        "time" => "et klokkeslæt",
        "email" | "idn-email" => "en e-mailadresse",
        "uri" => "en webadresse",
        "uuid" => "et UUID",
        other => other,
    }
}

fn english_format(format: &str) -> &str {
    match format {
        "date" => "a date (YYYY-MM-DD)",
        "date-time" => "a time with its offset (RFC 3339)",
        "time" => "a time of day",
        "email" | "idn-email" => "an e-mail address",
        "uri" => "a web address",
        "uuid" => "a UUID",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_keywords_have_sentences_of_their_own() {
        let fallback = message("no-such-keyword", "");
        for keyword in [
            "required",
            "additionalProperties",
            "type",
            "pattern",
            "format",
            "enum",
            "const",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minItems",
            "maxItems",
            "uniqueItems",
            "contains",
            "minProperties",
            "maxProperties",
            "propertyNames",
            "oneOf",
            "anyOf",
            "not",
            "falseSchema",
        ] {
            let text = message(keyword, "5");
            assert_ne!(text, fallback, "{keyword}");
            assert_ne!(text.da, text.en, "{keyword}");
        }
    }

    #[test]
    fn types_and_formats_are_named_in_danish() {
        assert_eq!(
            message("type", "integer | null").da,
            "Værdien har en forkert type; der ventes et heltal eller null."
        );
        assert_eq!(message("format", "date").da, "Værdien er ikke en dato (ÅÅÅÅ-MM-DD).");
    }
}
