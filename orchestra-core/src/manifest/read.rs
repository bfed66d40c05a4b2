//! [`Reader`]: from a text to objects, with everything that there is to say about it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::decode::Mismatch;
use super::near::nearest;
use super::registry::Registry;
use super::tree::{Data, Limits, Mark, Node, Syntax};
use super::{json, yaml};
use crate::object::schema::Schema;
use crate::object::{AnyObject, Apply, FieldPath, Problems, Segment, UnknownField};
use crate::{Error, Result};

/// Reads manifests.
#[derive(Clone, Copy)]
pub struct Reader<'r> {
    registry: &'r Registry,
    /// How bad a field is that is not known.
    unknown_is: Severity,
    limits: Limits,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document was read, but not all of it has an effect.
    Warning,
    /// The document is refused.
    Error,
}

/// Something to say about a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// How bad it is.
    pub severity: Severity,
    /// The file, or whatever the text comes from.
    pub source: Arc<str>,
    /// The place in the text.
    pub mark: Mark,
    /// The document's number in the text, from 1.
    pub document: usize,
    /// How many documents the text has.
    pub documents: usize,
    /// The object, as far as it is known: `Deployment web`.
    pub object: String,
    /// The place in the object.
    pub path: FieldPath,
    /// What there is to say.
    pub text: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

/// What a text holds.
#[derive(Clone, Debug)]
pub struct Manifest {
    documents: Vec<Document>,
}

/// An object in a text, or what was meant to be one.
#[derive(Clone)]
pub struct Document {
    /// Its number in the text, from 1. The items of a `List` have the list's.
    pub number: usize,
    /// Where it begins.
    pub mark: Mark,
    /// The object, defaults filled in; `None` when the document was refused, or when it is a list, of
    /// whose items each is a document of its own.
    pub object: Option<AnyObject>,
    /// What there is to say about it.
    pub notices: Vec<Notice>,
    /// The fields that were written, without those that defaults filled in.
    fields: serde_json::Map<String, serde_json::Value>,
}

impl<'r> Reader<'r> {
    /// A reader that refuses documents with fields that are not known or not supported.
    #[must_use]
    pub fn strict(registry: &'r Registry) -> Self {
        Self { registry, unknown_is: Severity::Error, limits: Limits::default() }
    }

    /// A reader that warns of fields that are not known or not supported, and keeps them.
    #[must_use]
    pub fn lenient(registry: &'r Registry) -> Self {
        Self { unknown_is: Severity::Warning, ..Self::strict(registry) }
    }

    /// The same with other limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Reads a text, which may hold several documents of YAML or JSON, and `List`s of objects.
    ///
    /// `source` is what messages call the text: the file's name. No text makes it fail: what cannot
    /// be read is a [`Document`] that says why.
    #[must_use]
    pub fn read(&self, source: &str, text: impl AsRef<[u8]>) -> Manifest {
        let mut reading = Reading { reader: self, source: source.into(), documents: Vec::new(), number: 0 };
        match utf8(text.as_ref(), &self.limits) {
            Ok(text) => reading.text(&text),
            Err(syntax) => reading.refuse(syntax),
        }
        let total = reading.number;
        let mut documents = reading.documents;
        for notice in documents.iter_mut().flat_map(|document| &mut document.notices) {
            notice.documents = total;
        }
        Manifest { documents }
    }
}

/// The text that some bytes are.
pub(super) fn utf8<'t>(bytes: &'t [u8], limits: &Limits) -> Result<Cow<'t, str>, Syntax> {
    if bytes.len() > limits.bytes {
        let (size, limit) = (bytes.len(), limits.bytes);
        return Err(Syntax::new(
            Mark { line: 1, column: 1 },
            format!("{size} bytes, more than the limit of {limit}"),
        )
        .hint("split the file"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX);
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let mark = Mark { line, column: u32::try_from(column).unwrap_or(u32::MAX) };
            let syntax = Syntax::new(mark, "not text in UTF-8");
            let wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
            Err(if wide { syntax.hint("it looks like UTF-16; save it as UTF-8") } else { syntax })
        }
    }
}

/// A text that is being read.
struct Reading<'a> {
    reader: &'a Reader<'a>,
    source: Arc<str>,
    documents: Vec<Document>,
    number: usize,
}

impl Reading<'_> {
    fn text(&mut self, text: &str) {
        let limits = &self.reader.limits;
        let mut budget = limits.nodes;
        if text.trim_start().starts_with('{') {
            match json::read(text, limits, &mut budget) {
                Ok(nodes) => return nodes.into_iter().for_each(|node| self.document(node)),
                // Too much is too much in any language.
                Err(syntax) if syntax.is_limit => return self.refuse(syntax),
                // A map in braces may be YAML. If it is neither, JSON's objection is the better one.
                Err(syntax) => {
                    budget = limits.nodes;
                    let nodes: Result<Vec<_>, _> = yaml::parts(text)
                        .into_iter()
                        .map(|(first_line, part)| yaml::read(part, first_line, limits, &mut budget))
                        .collect();
                    return match nodes {
                        Ok(nodes) => nodes.into_iter().flatten().for_each(|node| self.document(node)),
                        Err(_) => self.refuse(syntax),
                    };
                }
            }
        }
        for (first_line, part) in yaml::parts(text) {
            match yaml::read(part, first_line, limits, &mut budget) {
                Ok(nodes) => nodes.into_iter().for_each(|node| self.document(node)),
                Err(syntax) => self.refuse(syntax),
            }
        }
    }

    /// Whether there is room for one more document. The one too many says that there is not.
    fn has_room(&mut self, mark: Mark) -> bool {
        let limit = self.reader.limits.documents;
        if self.documents.len() == limit {
            let mut about = About::new(self, mark);
            let text = format!("more than {limit} documents, the limit");
            about.say(Severity::Error, mark, FieldPath::ROOT, text, Some("split the file".into()));
            self.documents.push(about.without_object());
        }
        self.documents.len() < limit
    }

    /// A document that is not even a tree.
    fn refuse(&mut self, syntax: Syntax) {
        if !self.has_room(syntax.mark) {
            return;
        }
        self.number += 1;
        let mut about = About::new(self, syntax.mark);
        about.say(Severity::Error, syntax.mark, FieldPath::ROOT, syntax.text, syntax.hint);
        self.documents.push(about.without_object());
    }

    fn document(&mut self, mut node: Node) {
        if matches!(node.data, Data::Null) || !self.has_room(node.mark) {
            return;
        }
        self.number += 1;
        let duplicates = node.drop_duplicates();
        let mut about = About::new(self, node.mark);
        about.object = name_of(&node);
        for (mark, path) in duplicates.into_iter().take(Problems::LIMIT) {
            let text = "this key stands twice in one map; the last one counts".into();
            about.say(self.reader.unknown_is, mark, path, text, None);
        }
        self.object(&node, about, &FieldPath::ROOT);
    }

    /// An object, or a list of them. `path` is where in its document it stands.
    fn object(&mut self, node: &Node, mut about: About, path: &FieldPath) {
        let Data::Map(_) = node.data else {
            let text = format!("expected an object (a map with apiVersion and kind), found {}", node.sort());
            about.say(Severity::Error, node.mark, path.clone(), text, None);
            return self.documents.push(about.without_object());
        };
        if let serde_json::Value::Object(fields) = node.to_value() {
            about.fields = fields;
        }
        let mut head = |name: &str| match node.get(name).map(|value| (value.as_str(), value)) {
            Some((Some(text), _)) if !text.is_empty() => Some(text.to_string()),
            Some((None, value)) if !matches!(value.data, Data::Null) => {
                let text = format!("expected a string, found {}", value.sort());
                about.say(Severity::Error, value.mark, path.join(name), text, None);
                None
            }
            _ => {
                let Data::Map(entries) = &node.data else { return None };
                let near = nearest(
                    name,
                    entries
                        .iter()
                        .map(|entry| &*entry.key)
                        .filter(|key| !matches!(*key, "kind" | "apiVersion")),
                );
                let hint = near.map(|near| format!("is `{near}` meant to be it?"));
                about.say(
                    Severity::Error,
                    node.mark,
                    path.join(name),
                    "required, but not given".into(),
                    hint,
                );
                None
            }
        };
        let (Some(api_version), Some(kind)) = (head("apiVersion"), head("kind")) else {
            return self.documents.push(about.without_object());
        };
        about.object = name_of(node);
        if let (Some(item_kind), Some(items)) = (kind.strip_suffix("List"), node.get("items")) {
            return self.list(node, about, path, &api_version, item_kind, items);
        }
        match self.reader.registry.get(&api_version, &kind) {
            None => {
                let text = format!("the kind `{kind}` of `{api_version}` is not supported");
                let field = if self.reader.registry.kinds().any(|known| known.name() == kind) {
                    "apiVersion"
                } else {
                    "kind"
                };
                let mark = node.get(field).map_or(node.mark, |value| value.mark);
                about.say(
                    Severity::Error,
                    mark,
                    path.join(field),
                    text,
                    self.reader.registry.suggest(&api_version, &kind),
                );
                self.documents.push(about.without_object());
            }
            Some(known) => match (known.decode)(node) {
                Err(Mismatch { path: at, mark, text, hint }) => {
                    let path = path.segments().iter().chain(at.segments()).cloned().collect();
                    about.say(Severity::Error, mark, path, text, hint);
                    self.documents.push(about.without_object());
                }
                Ok(object) => self.documents.push(about.read(self.reader.unknown_is, node, object, path)),
            },
        }
    }

    /// Each item of a list is an object of its own. Those of a `PodList` need not say that they are Pods.
    fn list(
        &mut self,
        node: &Node,
        mut about: About,
        path: &FieldPath,
        api_version: &str,
        kind: &str,
        items: &Node,
    ) {
        let list = match &items.data {
            Data::List(list) => Some(list.as_slice()),
            Data::Null => Some([].as_slice()),
            _ => None,
        };
        let Some(list) = list else {
            let text = format!("expected a list, found {}", items.sort());
            about.say(Severity::Error, items.mark, path.join("items"), text, None);
            return self.documents.push(about.without_object());
        };
        if !path.segments().is_empty() {
            about.say(
                Severity::Error,
                node.mark,
                path.clone(),
                "a list cannot stand within a list".into(),
                None,
            );
            return self.documents.push(about.without_object());
        }
        if !about.notices.is_empty() {
            self.documents.push(about.without_object());
        }
        for (index, item) in list.iter().enumerate() {
            if !self.has_room(item.mark) {
                return;
            }
            let mut item = item.clone();
            if let Data::Map(entries) = &mut item.data
                && !kind.is_empty()
            {
                for (key, text) in [("apiVersion", api_version), ("kind", kind)] {
                    if !entries.iter().any(|entry| &*entry.key == key) {
                        let value = Node { mark: item.mark, data: Data::Text(text.into()) };
                        entries.push(super::tree::Entry { key: key.into(), mark: item.mark, value });
                    }
                }
            }
            let about = About::new(self, item.mark);
            self.object(&item, about, &path.join("items").join(index));
        }
    }
}

/// What an object is called, as far as it says: `Deployment web`.
fn name_of(node: &Node) -> String {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_string();
    let metadata = node.get("metadata");
    let name = metadata.and_then(|metadata| metadata.get("name").or_else(|| metadata.get("generateName")));
    [text(node.get("kind")), text(name)].join(" ").trim().into()
}

/// A document about which things are being said.
struct About {
    number: usize,
    source: Arc<str>,
    mark: Mark,
    object: String,
    notices: Vec<Notice>,
    fields: serde_json::Map<String, serde_json::Value>,
}

impl About {
    fn new(reading: &Reading<'_>, mark: Mark) -> Self {
        Self {
            number: reading.number,
            source: reading.source.clone(),
            mark,
            object: String::new(),
            notices: Vec::new(),
            fields: serde_json::Map::new(),
        }
    }

    fn say(&mut self, severity: Severity, mark: Mark, path: FieldPath, text: String, hint: Option<String>) {
        let (source, document, object) = (self.source.clone(), self.number, self.object.clone());
        let documents = 0; // not known before the text is read to its end
        self.notices.push(Notice { severity, source, mark, document, documents, object, path, text, hint });
    }

    fn without_object(self) -> Document {
        let Self { number, mark, notices, fields, .. } = self;
        Document { number, mark, object: None, notices, fields }
    }

    fn read(
        mut self,
        unknown_is: Severity,
        node: &Node,
        mut object: AnyObject,
        path: &FieldPath,
    ) -> Document {
        let full = |inner: &FieldPath| {
            path.segments().iter().chain(inner.segments()).cloned().collect::<FieldPath>()
        };
        for field in object.unknown().iter().take(Problems::LIMIT) {
            let (text, hint) = explain_unknown(field, object.schema(), unknown_is);
            self.say(unknown_is, node.locate(field.place()), full(field.path()), text, hint);
        }
        if let Some(more) =
            object.unknown().iter().count().checked_sub(Problems::LIMIT).filter(|more| *more > 0)
        {
            self.say(unknown_is, node.mark, path.clone(), format!("and {more} more unknown fields"), None);
        }
        object.fill_in();
        let problems = object.problems();
        let more = problems.more();
        for problem in problems {
            self.say(Severity::Error, node.locate(&problem.path), full(&problem.path), problem.text, None);
        }
        if more > 0 {
            self.say(Severity::Error, node.mark, path.clone(), format!("and {more} more problems"), None);
        }
        self.notices.sort_by_key(|notice| (notice.mark.line, notice.mark.column));
        let refused = self.notices.iter().any(|notice| notice.severity == Severity::Error);
        Document { object: (!refused).then_some(object), ..self.without_object() }
    }
}

/// What to say about a field that the type does not have.
fn explain_unknown(
    field: &UnknownField,
    schema: &'static Schema,
    severity: Severity,
) -> (String, Option<String>) {
    let Some((parent, Segment::Field(name))) = field.path().split_last() else {
        return ("unknown field".into(), None);
    };
    let parent_schema = parent.segments().iter().fold(schema, |schema, segment| match segment {
        Segment::Field(name) => schema.child(name),
        Segment::Index(_) | Segment::Item(_) => schema.item(),
    });
    let kept = if severity == Severity::Warning { ", kept but not used" } else { "" };
    if parent_schema.is_unsupported(name) {
        return (format!("this field of Kubernetes is not supported{kept}"), None);
    }
    let beside = parent_schema.names().unwrap_or_else(|| field.beside().to_vec());
    let hint = match nearest(name, beside.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None => parent_schema.find(name).map(|below| format!("it belongs under `{}`", below.join("."))),
    };
    (format!("unknown field{kept}"), hint)
}

impl Manifest {
    /// The documents, in the order in which they stand in the text.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Everything that there is to say, in the order of the text.
    pub fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.documents.iter().flat_map(|document| &document.notices)
    }

    /// Whether a document was refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.documents.iter().any(Document::is_refused)
    }

    /// The objects, if none was refused.
    ///
    /// # Errors
    /// [`Error::Manifest`] with everything that is wrong.
    pub fn into_objects(self) -> Result<Vec<AnyObject>> {
        if self.is_refused() {
            let errors =
                self.notices().filter(|notice| notice.severity == Severity::Error).map(ToString::to_string);
            return Err(Error::Manifest { errors: errors.collect::<Vec<_>>().join("\n") });
        }
        Ok(self.documents.into_iter().filter_map(|document| document.object).collect())
    }
}

impl Document {
    /// Whether there is something wrong with it, so that it was not read.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.notices.iter().any(|notice| notice.severity == Severity::Error)
    }

    /// The fields that were written, without those that defaults filled in.
    #[must_use]
    pub fn fields(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.fields
    }

    /// Exactly the fields that were written, to be applied.
    #[must_use]
    pub fn to_apply(&self) -> Apply<AnyObject> {
        Apply::from_fields(self.fields.clone().into())
    }
}

/// Shows the object as its own `Debug` does, so that a Secret's values stay hidden.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("number", &self.number)
            .field("object", &self.object)
            .field("notices", &self.notices)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// `web.yaml:7:3: error: Deployment web: spec.replica: unknown field (did you mean `replicas`?)`
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, source, mark, document, documents, object, path, text, hint } = self;
        write!(f, "{source}:{}:{}: {severity}: ", mark.line, mark.column)?;
        if *documents > 1 {
            write!(f, "document {document} of {documents}: ")?;
        }
        if !object.is_empty() {
            write!(f, "{object}: ")?;
        }
        if !path.segments().is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(text)?;
        match hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}
