//! [`read_as`]: a text that holds one thing which is no object, such as a program's configuration.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decode::{Mismatch, decode};
use super::read::utf8;
use super::tree::{Data, Limits, Mark, Node, Syntax};
use super::{json, yaml};
use crate::{Error, Result};

/// Reads one value of any type from YAML or JSON, as Kubernetes reads them, within the default [`Limits`].
///
/// `source` is what messages call the text: the file's name. What is wrong is told with its place, and with
/// what could stand there; a type that is to refuse fields it does not know says `deny_unknown_fields`.
///
/// ```
/// use orchestra_core::manifest::read_as;
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Config { workers: u32 }
///
/// assert_eq!(read_as::<Config>("app.yaml", "workers: 3")?.workers, 3);
/// let error = read_as::<Config>("app.yaml", "wokers: 3").err().map(|it| it.to_string());
/// assert_eq!(error.as_deref(), Some("app.yaml:1:1: wokers: unknown field `wokers`, expected `workers`"));
/// # Ok::<_, orchestra_core::Error>(())
/// ```
pub fn read_as<T: DeserializeOwned>(source: &str, text: impl AsRef<[u8]>) -> Result<T> {
    let refused = |mark: Mark, text: String, hint: Option<String>| {
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        Error::Manifest { errors: format!("{source}:{}:{}: {text}{hint}", mark.line, mark.column) }
    };
    let mut node = one(text.as_ref()).map_err(|it| refused(it.mark, it.text, it.hint))?;
    if let Some((mark, path)) = node.drop_duplicates().into_iter().next() {
        return Err(refused(mark, format!("{path}: this key stands twice in one map"), None));
    }
    decode(&node).map_err(|it| refused(it.mark, told(&it), it.hint))
}

/// The same for what was read already, as a part of something: `place` is where that stands.
pub fn value_as<T: DeserializeOwned>(place: &str, value: Value) -> Result<T> {
    decode(&Node::from(value)).map_err(|it| {
        let hint = it.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let dot = if it.path.segments().is_empty() { ": " } else { "." };
        Error::Manifest { errors: format!("{place}{dot}{}{hint}", told(&it)) }
    })
}

fn told(mismatch: &Mismatch) -> String {
    match mismatch.path.segments() {
        [] => mismatch.text.clone(),
        _ => format!("{}: {}", mismatch.path, mismatch.text),
    }
}

/// The one document of a text.
fn one(bytes: &[u8]) -> Result<Node, Syntax> {
    let limits = Limits::default();
    let text = utf8(bytes, &limits)?;
    let in_braces = text.trim_start().starts_with('{');
    let nodes = match in_braces.then(|| json::read(&text, &limits, &mut limits.nodes.clone())) {
        Some(Ok(nodes)) => nodes,
        Some(Err(syntax)) if syntax.is_limit => return Err(syntax),
        // A map in braces may be YAML. If it is neither, JSON's objection is the better one.
        Some(Err(syntax)) => from_yaml(&text, &limits).map_err(|_| syntax)?,
        None => from_yaml(&text, &limits)?,
    };
    let mut nodes = nodes.into_iter().filter(|node| !matches!(node.data, Data::Null));
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => Ok(node),
        (None, _) => Err(Syntax::new(Mark { line: 1, column: 1 }, "there is nothing in it")),
        (_, Some(more)) => Err(Syntax::new(more.mark, "a second document, where one is expected")),
    }
}

fn from_yaml(text: &str, limits: &Limits) -> Result<Vec<Node>, Syntax> {
    let (mut nodes, mut budget) = (Vec::new(), limits.nodes);
    for (first_line, part) in yaml::parts(text) {
        nodes.extend(yaml::read(part, first_line, limits, &mut budget)?);
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn error(text: &str) -> String {
        read_as::<BTreeMap<String, u32>>("a", text).unwrap_err().to_string()
    }

    #[test]
    fn one_document_is_read_and_anything_else_has_a_place() {
        let two = BTreeMap::from([("a".to_string(), 1), ("b".to_string(), 2)]);
        for text in ["a: 1\nb: 2", "{\"a\": 1, \"b\": 2}", "{a: 1, b: 2}", "---\na: 1\nb: 0x2\n---\n"] {
            assert_eq!(read_as::<BTreeMap<String, u32>>("a", text).unwrap(), two, "{text}");
        }
        assert_eq!(error(""), "a:1:1: there is nothing in it");
        assert_eq!(error("a: 1\n---\nb: 2"), "a:3:1: a second document, where one is expected");
        assert_eq!(error("a: 1\na: 2"), "a:1:1: a: this key stands twice in one map");
        assert!(error("a: 1\nb: x").starts_with("a:2:4: b: "), "{}", error("a: 1\nb: x"));
        assert!(error("a: [").starts_with("a:2:1: not YAML: "), "{}", error("a: ["));
    }
}
