//! Puts a schema inside a larger document, so that its references still find what they name.

use serde_json::Value;

/// A whole schema as a part of a document: its `$schema` and `$id` taken off, and every reference into itself
/// (`#/…`) led to where it stands now (`at`, e.g. `#/components/schemas/complaint.v1`).
pub(super) fn embedded(schema: &str, at: &str) -> Value {
    let mut schema: Value = serde_json::from_str(schema).expect("every schema that ships is JSON");
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.remove("$id");
    }
    lead(&mut schema, at);
    schema
}

fn lead(value: &mut Value, at: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(reference) if name == "$ref" => {
                        if let Some(inside) = reference.strip_prefix('#') {
                            *reference = format!("{at}{inside}");
                        }
                    }
                    other => lead(other, at),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| lead(item, at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_into_the_schema_are_led_to_its_place() {
        let schema = r##"{"$id": "x", "$schema": "y", "items": [{"$ref": "#/$defs/a"}, {"$ref": "other"}], "not": {"$ref": "#"}}"##;
        let expected =
            json!({"items": [{"$ref": "#/at/$defs/a"}, {"$ref": "other"}], "not": {"$ref": "#/at"}});
        assert_eq!(embedded(schema, "#/at"), expected);
    }
}
