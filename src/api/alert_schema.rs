//! The schema of a notice of alerts, as it lies in a queue: written by [`crate::watch`], described here.

use serde_json::{Value, json};

use crate::domain::alert::{Change, EVENT_TYPE, Reason};

/// The event.
pub(super) fn alert_event() -> Value {
    let change = json!({
        "type": "object",
        "required": ["id", "at", "change", "alert"],
        "properties": {
            "id": { "description": "The change's own id: what was told twice repeats it.", "type": "string" },
            "at": { "type": "string", "format": "date-time" },
            "change": { "enum": Change::ALL.map(Change::name) },
            "by": { "description": "Who did it, where a person did.", "type": "string" },
            "note": { "type": "string" },
            "to": { "description": "To whom it was assigned.", "type": "string" },
            "until": { "description": "Until when it is snoozed.", "type": "string", "format": "date-time" },
            "targets": { "description": "To whom it went on.", "type": "array", "items": { "type": "string" } },
            "alert": alert(),
        },
    });
    json!({
        "title": "Notice of alerts",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": { "type": "string" },
            "source": { "const": "urn:dk:kassebro" },
            "type": { "const": EVENT_TYPE },
            "time": { "type": "string", "format": "date-time" },
            "datacontenttype": { "const": "application/json" },
            "data": {
                "type": "object",
                "required": ["id", "target", "at", "reason", "changes", "openCount"],
                "properties": {
                    "id": { "type": "string" },
                    "target": { "description": "Who is told.", "type": "string" },
                    "at": { "type": "string", "format": "date-time" },
                    "reason": { "enum": Reason::ALL.map(Reason::name) },
                    "changes": { "description": "In the order in which they happened.", "type": "array", "items": change },
                    "open": { "description": "Of a repeat: what is open still.", "type": "array", "items": alert() },
                    "openCount": { "type": "integer", "minimum": 0 },
                    "inPlaceOf": { "description": "The target that could not be told.", "type": "string" },
                },
            },
        },
    })
}

fn alert() -> Value {
    json!({
        "type": "object",
        "required": ["key", "name", "urgency", "labels", "summary", "description", "since"],
        "properties": {
            "key": { "description": "The same key is the same alert while it is open.", "type": "string" },
            "name": { "type": "string" },
            "urgency": { "enum": ["info", "warning", "critical"] },
            "labels": { "description": "Receiver, kind, promise, step: never a message or a person.", "type": "object", "additionalProperties": { "type": "string" } },
            "summary": { "type": "string" },
            "description": { "type": "string" },
            "since": { "description": "When it truly began.", "type": "string", "format": "date-time" },
        },
    })
}
