//! A second opinion on JSON objects: a parser that lets names appear twice, and a count.

use serde_json::{Map, Value};

/// The object in this text, unless it is none, or a name appears twice in it, at any depth.
pub(crate) fn plain_object(text: &[u8]) -> Option<Map<String, Value>> {
    let object: Map<String, Value> = serde_json::from_slice(text).ok()?;
    // Of two members of one name, the parser has kept one.
    let kept = members_of(&object);
    (kept == colons_outside_strings(text)).then_some(object)
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(object) => members_of(object),
        _ => 0,
    }
}

fn members_of(object: &Map<String, Value>) -> usize {
    object.len() + object.values().map(members).sum::<usize>()
}

/// How many members the text of an object has.
fn colons_outside_strings(text: &[u8]) -> usize {
    let (mut inside, mut escaped, mut colons) = (false, false, 0);
    for byte in text {
        match (inside, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => inside = !inside,
            (false, b':') => colons += 1,
            _ => {}
        }
    }
    colons
}
