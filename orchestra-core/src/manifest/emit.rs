//! From JSON values to YAML that every reader of YAML, 1.1 or 1.2, reads as those values.

use std::fmt::Write;

use serde_json::Value;

use super::scalar;

/// A value as YAML, in block style, with a line break at the end.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => map_entries(&mut out, map, 0),
        Value::Array(list) if !list.is_empty() => list_items(&mut out, list, 0),
        other => {
            scalar_text(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn map_entries(out: &mut String, map: &serde_json::Map<String, Value>, depth: usize) {
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            indent(out, depth);
        }
        text(out, key);
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                indent(out, depth + 1);
                map_entries(out, inner, depth + 1);
            }
            // As kubectl writes it: the elements of a list stand below the key, not to its right.
            Value::Array(list) if !list.is_empty() => {
                out.push('\n');
                indent(out, depth);
                list_items(out, list, depth);
            }
            other => {
                out.push(' ');
                scalar_text(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn list_items(out: &mut String, list: &[Value], depth: usize) {
    for (at, value) in list.iter().enumerate() {
        if at > 0 {
            indent(out, depth);
        }
        out.push_str("- ");
        match value {
            Value::Object(inner) if !inner.is_empty() => map_entries(out, inner, depth + 1),
            Value::Array(inner) if !inner.is_empty() => list_items(out, inner, depth + 1),
            other => {
                scalar_text(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn scalar_text(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::String(content) if is_block(content) => block(out, content, depth),
        Value::String(content) => text(out, content),
        other => _ = write!(out, "{other}"),
    }
}

/// A string in one line, quoted unless it is plainly a string to every reader.
fn text(out: &mut String, content: &str) {
    if is_plain(content) { out.push_str(content) } else { quoted(out, content) }
}

/// Whether a string needs no quotes, by no version of YAML: `1500m` and `web:1.10` do not, while
/// `12:30` is a number in base 60 to some, and `2026-11-21` a date.
fn is_plain(content: &str) -> bool {
    let beginning = match content.as_bytes().first() {
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'/') => true,
        // A letter or sign that stands in no number, date or time.
        Some(b'0'..=b'9') => {
            content.bytes().any(|b| b.is_ascii_alphabetic() && !b"eExXoObBtTzZ".contains(&b) || b == b'%')
        }
        _ => false,
    };
    beginning
        && content.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./ ()@+,=%:".contains(&b))
        && !content.contains(": ")
        && !content.ends_with([' ', ':'])
        && !scalar::is_special(content)
}

/// A string in double quotes. What JSON escapes, YAML reads alike; beyond that, line separators and
/// the like are escaped, which YAML 1.1 takes for line breaks, and what is not printable.
fn quoted(out: &mut String, content: &str) {
    out.push('"');
    for c in content.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~'
            | '\u{a0}'..='\u{2027}'
            | '\u{202a}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fefe}'
            | '\u{ff00}'..='\u{fffd}' => {
                out.push(c);
            }
            c if u32::from(c) > 0xffff => out.push(c),
            c => _ = write!(out, "\\u{:04x}", u32::from(c)),
        }
    }
    out.push('"');
}

/// Whether a string is best shown as it is, line by line.
fn is_block(content: &str) -> bool {
    content.contains('\n')
        && !content.starts_with([' ', '\n', '\t'])
        && content.chars().all(|c| {
            c == '\n' || c == '\t' || (' '..='~').contains(&c) || ('\u{a0}'..'\u{2028}').contains(&c)
        })
        && content.lines().all(|line| !line.ends_with([' ', '\t']))
        && !content.ends_with("\n\n")
}

fn block(out: &mut String, content: &str, depth: usize) {
    out.push_str(if content.ends_with('\n') { "|" } else { "|-" });
    for line in content.lines() {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::manifest::tree::{Limits, Node};
    use crate::manifest::yaml;

    fn read(text: &str) -> Vec<Value> {
        let mut budget = 1 << 20;
        let read =
            |(first, part): (u32, &str)| yaml::read(part, first, &Limits::default(), &mut budget).unwrap();
        yaml::parts(text).into_iter().flat_map(read).map(|node: Node| node.to_value()).collect()
    }

    #[test]
    fn looks_as_kubectl_writes_it() {
        let value = json!({
            "kind": "Pod", "spec": { "containers": [{ "args": ["-c", "yes", "a: b"], "name": "a" }], "list": [], "map": {} },
            "text": "one\ntwo\n", "mode": 420, "version": "1.10", "time": "2026-11-21T08:00:00Z",
        });
        assert_eq!(
            to_yaml(&value),
            "kind: Pod\nmode: 420\nspec:\n  containers:\n  - args:\n    - \"-c\"\n    - \"yes\"\n    - \"a: b\"\n    name: a\n  \
             list: []\n  map: {}\ntext: |\n  one\n  two\ntime: \"2026-11-21T08:00:00Z\"\nversion: \"1.10\"\n"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-z -:#]{0,8}",
            "\\PC{0,8}",
            "(yes|no|~|0644|1e3|null|---|- a|a: b|!x|&a|\\*a|<<)",
            "[a\n \t]{0,8}",
            ".{0,6}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn is_read_as_it_was_written(value in values()) {
            let text = to_yaml(&value);
            prop_assert_eq!(read(&text), vec![value], "{}", text);
        }
    }
}
