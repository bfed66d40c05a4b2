//! [`FieldPath`]: where in an object something is.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::Str;

/// The way from an object's root to a place in it, such as `spec.containers[0].image`.
///
/// Fields are joined by points. `[3]` is an element of a list by position, `[name=web]` the
/// element of a list of maps by the fields that tell its elements apart, and `["example.com/a.b"]`
/// an entry under a key that is no plain word.
///
/// ```
/// use orchestra_core::object::FieldPath;
/// let path: FieldPath = r#"metadata.labels["app.kubernetes.io/name"]"#.parse()?;
/// assert_eq!(path.segments().len(), 3);
/// # Ok::<_, orchestra_core::object::PathError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldPath(Vec<Segment>);

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Into a field of a struct or an entry of a map.
    Field(Str),
    /// Into a list, by position.
    Index(usize),
    /// Into a list of maps, by the fields that tell its elements apart.
    Item(Vec<(Str, Value)>),
}

impl From<&str> for Segment {
    fn from(field: &str) -> Self {
        Self::Field(field.into())
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no field path: {reason} (write it like spec.containers[0].image)")]
pub struct PathError {
    text: String,
    reason: &'static str,
}

impl FieldPath {
    /// The object itself.
    pub const ROOT: Self = Self(Vec::new());

    /// The steps, from the root.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Adds a step.
    pub fn push(&mut self, segment: impl Into<Segment>) {
        self.0.push(segment.into());
    }

    /// The path with a step added.
    #[must_use]
    pub fn join(&self, segment: impl Into<Segment>) -> Self {
        let mut path = self.clone();
        path.push(segment);
        path
    }

    /// Whether this is the place itself or one that the other lies in.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The path without its last step, and that step.
    #[must_use]
    pub fn split_last(&self) -> Option<(Self, &Segment)> {
        self.0.split_last().map(|(last, rest)| (Self(rest.to_vec()), last))
    }
}

impl FromIterator<Segment> for FieldPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

/// Whether a field's name needs no quotes within a path.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'$')
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) if is_plain(name) => f.write_str(name),
            Self::Field(name) => write!(f, "[{}]", Value::String(name.to_string())),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Item(keys) => {
                f.write_str("[")?;
                for (at, (key, value)) in keys.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    match value {
                        Value::String(text) if is_plain(text) && text.parse::<Value>().is_err() => {
                            write!(f, "{comma}{key}={text}")?;
                        }
                        other => write!(f, "{comma}{key}={other}")?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            if at > 0 && matches!(segment, Segment::Field(name) if is_plain(name)) {
                f.write_str(".")?;
            }
            write!(f, "{segment}")?;
        }
        Ok(())
    }
}

impl FromStr for FieldPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let error = |reason| PathError { text: text.chars().take(128).collect(), reason };
        let mut path = Self::ROOT;
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let end = closing_bracket(inside).ok_or_else(|| error("a bracket is not closed"))?;
                path.0.push(bracket(&inside[..end]).ok_or_else(|| {
                    error("what stands in brackets is neither a number, a quoted key nor key=value")
                })?);
                rest = &inside[end + 1..];
            } else {
                let name = rest.strip_prefix('.').unwrap_or(rest);
                if name.len() == rest.len() && !path.0.is_empty() {
                    return Err(error("a point or bracket is missing"));
                }
                let end = name.find(['.', '[']).unwrap_or(name.len());
                if end == 0 {
                    return Err(error("a field has no name"));
                }
                path.0.push(name[..end].into());
                rest = &name[end..];
            }
        }
        Ok(path)
    }
}

/// Where the bracket closes, past any quoted text.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Option<Segment> {
    if inside.starts_with('"') {
        return serde_json::from_str::<String>(inside).ok().map(|key| Segment::Field(key.into()));
    }
    if let Ok(index) = inside.parse() {
        return Some(Segment::Index(index));
    }
    let mut keys = Vec::new();
    let mut rest = inside;
    loop {
        let (key, after) = rest.split_once('=')?;
        if !is_plain(key) {
            return None;
        }
        let end = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                1 + quoted.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                })? + 1
            }
            None => after.find(',').unwrap_or(after.len()),
        };
        let (value, after) = after.split_at(end);
        let value = value.parse().unwrap_or_else(|_| Value::String(value.into()));
        if value.is_array() || value.is_object() {
            return None;
        }
        keys.push((key.into(), value));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(Segment::Item(keys)),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_print_as_they_are_read() {
        for text in [
            "",
            "spec",
            "spec.containers[0].image",
            r#"metadata.labels["app.kubernetes.io/name"]"#,
            "spec.ports[containerPort=80,protocol=TCP].name",
            r#"a["x]\"y"].b"#,
            r#"a[name="x,y"][1][2]"#,
            r#"a[name="80"]"#,
        ] {
            assert_eq!(text.parse::<FieldPath>().unwrap().to_string(), text);
        }
        for text in [".", "a..b", "a[", "a[]", "a[b]", "a]b", "[0]b", "a.", "a[name=\"x]"] {
            assert!(text.parse::<FieldPath>().is_err() || text == "a]b", "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_read_as_it_was_written(
            segments in prop::collection::vec(
                prop_oneof![
                    ".{0,6}".prop_map(|name| Segment::Field(name.into())),
                    any::<usize>().prop_map(Segment::Index),
                    prop::collection::vec(("[a-z]{1,4}", ".{0,6}"), 1..3).prop_map(|keys| Segment::Item(
                        keys.into_iter().map(|(k, v)| (k.into(), Value::String(v))).collect()
                    )),
                ],
                0..5,
            )
        ) {
            let path: FieldPath = segments.into_iter().collect();
            prop_assert_eq!(path.to_string().parse::<FieldPath>().unwrap(), path);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<FieldPath>();
        }
    }
}
