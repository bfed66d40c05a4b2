//! From YAML to trees. The scanner is `saphyr-parser`'s; what a document means is settled here: YAML
//! 1.1 as Kubernetes reads it, aliases and merge keys, and limits on all of it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::scalar;
use super::tree::{Data, Entry, Limits, Mark, Node, Syntax};

/// The parts of a text that are separated by lines beginning with `---`, each with the number of
/// lines before it. As `kubectl` does, they are read apart, so that a mistake in one leaves the
/// others.
pub(crate) fn parts(text: &str) -> Vec<(u32, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut first_line, mut line) = (0, 0, 0);
    let mut at = 0;
    for piece in text.split_inclusive('\n') {
        let separates = piece
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if separates && at > start {
            parts.push((first_line, &text[start..at]));
            (start, first_line) = (at, line);
        }
        at += piece.len();
        line += 1;
    }
    parts.push((first_line, &text[start..]));
    // What holds nothing but comments and directives is no document.
    let is_blank = |line: &str| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        line.is_empty() || line.starts_with('#')
    };
    parts.retain(|(_, part)| part.lines().any(|line| !is_blank(line) && !line.starts_with('%')));
    parts
}

/// The documents in a part of a text. `budget` is the number of values that may still be made.
pub(crate) fn read(
    text: &str,
    first_line: u32,
    limits: &Limits,
    budget: &mut usize,
) -> Result<Vec<Node>, Syntax> {
    let mut parser = Parser::new_from_str(text);
    let mut composer = Composer {
        first_line,
        limits,
        budget,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        documents: Vec::new(),
    };
    loop {
        match parser.next_event() {
            None => return Ok(composer.documents),
            Some(Ok((Event::StreamEnd, _))) => return Ok(composer.documents),
            Some(Ok((event, span))) => {
                let mark = composer.mark(&span.start);
                composer.take(event, mark).map_err(|syntax| with_hint(text, syntax))?;
            }
            Some(Err(error)) => {
                let mark = composer.mark(error.marker());
                // The scanner looks ahead and has a limit of its own on brackets.
                if error.info().contains("recursion limit") {
                    return Err(Syntax::too_deep(mark, limits));
                }
                return Err(with_hint(text, Syntax::new(mark, format!("not YAML: {}", error.info()))));
            }
        }
    }
}

/// What the text looks like that is not YAML.
fn with_hint(text: &str, syntax: Syntax) -> Syntax {
    if text.contains("{{") {
        syntax.hint("this looks like a template; render it first")
    } else if text.lines().any(|line| line.trim_start_matches(' ').starts_with('\t')) {
        syntax.hint("YAML is indented with spaces; there is a tab at the beginning of a line")
    } else {
        syntax
    }
}

/// Puts events together.
struct Composer<'a> {
    first_line: u32,
    limits: &'a Limits,
    budget: &'a mut usize,
    /// The collections that are not closed yet, the innermost last.
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    documents: Vec<Node>,
}

struct Open {
    mark: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<Key>, merged: Vec<Node> },
}

struct Key {
    text: Box<str>,
    mark: Mark,
    /// Whether it is `<<`, which takes over the entries of another map.
    merges: bool,
}

impl Composer<'_> {
    fn mark(&self, marker: &Marker) -> Mark {
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX).saturating_add(self.first_line);
        Mark { line, column: u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(1) }
    }

    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Syntax> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.expects_key() {
                    return self.key(&text, style, tag.as_deref(), mark);
                }
                let data = scalar_data(&text, style, tag.as_deref(), mark)?;
                self.complete(Node { mark, data }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(mark, anchor, tag.as_deref(), Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), key: None, merged: Vec::new() };
                self.begin(mark, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Syntax::new(mark, "the alias refers to a value that contains it"));
                };
                if self.open.len() + depth(node) > self.limits.depth {
                    return Err(Syntax::too_deep(mark, self.limits));
                }
                let size = size(node);
                let node = node.clone();
                self.spend(size, mark)?;
                match (self.expects_key(), node.data) {
                    (true, Data::Text(text)) => self.key(&text, ScalarStyle::DoubleQuoted, None, mark),
                    (true, _) => Err(Syntax::new(mark, "a key must be a word")),
                    (false, data) => self.complete(Node { mark, data }, 0),
                }
            }
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn spend(&mut self, count: usize, mark: Mark) -> Result<(), Syntax> {
        *self.budget = self.budget.checked_sub(count).ok_or_else(|| Syntax::too_many(mark, self.limits))?;
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, mark: Mark) -> Result<(), Syntax> {
        // A key is a string in JSON, whatever it means in YAML: `yes:` is "true", `1:` is "1".
        let text = match scalar_data(text, style, tag, mark)? {
            Data::Text(text) => text,
            Data::Null => "null".into(),
            Data::Bool(value) => value.to_string().into(),
            Data::Number(number) => number.to_string().into(),
            Data::List(_) | Data::Map(_) => return Err(Syntax::new(mark, "a key must be a word")),
        };
        if let Some(Open { content: Content::Map { key, .. }, .. }) = self.open.last_mut() {
            let merges = style == ScalarStyle::Plain && &*text == "<<";
            *key = Some(Key { text, mark, merges });
        }
        Ok(())
    }

    fn begin(
        &mut self,
        mark: Mark,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Syntax> {
        if self.expects_key() {
            return Err(Syntax::new(mark, "a key must be a word, not a list or map")
                .hint("text in braces or brackets must be quoted"));
        }
        if self.open.len() >= self.limits.depth {
            return Err(Syntax::too_deep(mark, self.limits));
        }
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(&*tag.suffix, "map" | "seq"))
        {
            return Err(unknown_tag(mark));
        }
        self.spend(1, mark)?;
        self.open.push(Open { mark, anchor, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Syntax> {
        let Some(Open { mark, anchor, content }) = self.open.pop() else { return Ok(()) };
        let data = match content {
            Content::List(list) => Data::List(list),
            Content::Map { entries, merged, .. } => Data::Map(self.merge(entries, merged)?),
        };
        self.place(Node { mark, data }, anchor)
    }

    /// The entries of a map with those that `<<` takes over from others, which its own override.
    fn merge(&self, mut entries: Vec<Entry>, merged: Vec<Node>) -> Result<Vec<Entry>, Syntax> {
        if merged.is_empty() {
            return Ok(entries);
        }
        let mut known: BTreeSet<_> = entries.iter().map(|entry| entry.key.clone()).collect();
        for source in merged {
            let maps = match source.data {
                Data::List(list) => list,
                _ => vec![source],
            };
            for map in maps {
                let Data::Map(others) = map.data else {
                    return Err(Syntax::new(map.mark, "`<<` takes a map or a list of maps"));
                };
                entries.extend(others.into_iter().filter(|other| known.insert(other.key.clone())));
            }
        }
        Ok(entries)
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Syntax> {
        self.spend(1, node.mark)?;
        self.place(node, anchor)
    }

    /// Puts a value where it belongs: into the innermost collection, or at the end of the documents.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Syntax> {
        if anchor > 0 {
            self.spend(size(&node), node.mark)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.documents.push(node),
            Some(Content::List(list)) => list.push(node),
            Some(Content::Map { entries, key, merged }) => match key.take() {
                Some(key) if key.merges => merged.push(node),
                Some(key) => entries.push(Entry { key: key.text, mark: key.mark, value: node }),
                None => return Err(Syntax::new(node.mark, "a key must be a word")),
            },
        }
        Ok(())
    }
}

/// The tag itself is not shown: an unquoted password may begin with `!`.
fn unknown_tag(mark: Mark) -> Syntax {
    Syntax::new(mark, "this tag is not known here").hint("put a text that begins with `!` in quotes")
}

fn scalar_data(text: &str, style: ScalarStyle, tag: Option<&Tag>, mark: Mark) -> Result<Data, Syntax> {
    let wrong = |reason: &str| Syntax::new(mark, reason);
    let Some(tag) = tag else {
        return match style {
            ScalarStyle::Plain => scalar::resolve(text).map_err(wrong),
            _ => Ok(Data::Text(text.into())),
        };
    };
    if tag.handle == "!" && tag.suffix.is_empty() {
        return Ok(Data::Text(text.into()));
    }
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(mark));
    }
    match &*tag.suffix {
        "str" | "timestamp" => Ok(Data::Text(text.into())),
        "binary" => {
            let digits: String = text.split_ascii_whitespace().collect();
            let bytes = STANDARD.decode(digits).map_err(|_| wrong("not base64, as its tag says"))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| wrong("bytes that are no text cannot be a value here"))?;
            Ok(Data::Text(text.into()))
        }
        "null" => Ok(Data::Null),
        "bool" => {
            scalar::boolean(text).map(Data::Bool).ok_or_else(|| wrong("not a boolean, as its tag says"))
        }
        "int" | "float" => match scalar::number(text) {
            Ok(Some(number)) => Ok(Data::Number(number)),
            _ => Err(wrong("not a number, as its tag says")),
        },
        _ => Err(unknown_tag(mark)),
    }
}

/// How many values a tree has. Long texts count as several: an alias would copy them.
fn size(node: &Node) -> usize {
    fn of_text(text: &str) -> usize {
        text.len() / 64
    }
    match &node.data {
        Data::List(list) => 1 + list.iter().map(size).sum::<usize>(),
        Data::Map(entries) => {
            1 + entries.iter().map(|entry| of_text(&entry.key) + size(&entry.value)).sum::<usize>()
        }
        Data::Text(text) => 1 + of_text(text),
        _ => 1,
    }
}

/// How deep a tree is.
fn depth(node: &Node) -> usize {
    match &node.data {
        Data::List(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Data::Map(entries) => 1 + entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
        _ => 0,
    }
}
