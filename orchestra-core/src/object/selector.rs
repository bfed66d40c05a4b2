//! Selecting objects by their labels: [`LabelSelector`] as it stands in objects, [`Selector`] as
//! people type it.

use std::fmt;
use std::str::FromStr;

use orchestra_macros::wire;

use super::{At, Few, IntoField, Map, Setting, Str, names};

/// Which objects are meant: those that have all these labels and meet all these requirements.
/// An empty selector selects everything.
#[wire(atomic)]
pub struct LabelSelector {
    /// Labels that an object must have.
    pub match_labels: Map<Str>,
    /// Requirements that its labels must meet.
    #[wire(atomic)]
    pub match_expressions: Few<Requirement>,
}

/// What is required of one label.
#[wire]
pub struct Requirement {
    /// The label's key.
    #[wire(required)]
    pub key: Str,
    /// How its value is compared.
    #[wire(required)]
    pub operator: Operator,
    /// What it is compared with.
    #[wire(atomic)]
    pub values: Vec<Str>,
}

/// How a label is compared.
#[wire]
pub enum Operator {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// The label's value is one of the values.
    In,
    /// The label's value is none of the values, or there is no such label.
    NotIn,
    /// There is such a label.
    Exists,
    /// There is no such label.
    DoesNotExist,
    /// The label's value is a number greater than the value. For nodes only.
    Gt,
    /// The label's value is a number less than the value. For nodes only.
    Lt,
}

impl<K: Into<Str>, V: Into<Str>, const N: usize> IntoField<LabelSelector> for [(K, V); N] {
    fn into_field(self) -> Setting {
        LabelSelector::from_iter(self).into_field()
    }
}

impl LabelSelector {
    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &Map<Str>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether everything is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Checks it as Kubernetes does.
    pub fn check(&self, at: &At<'_>) {
        check_labels(&self.match_labels, &at.field("matchLabels"));
        at.each("matchExpressions", &self.match_expressions, |at, requirement| {
            requirement.check(at);
            let of_nodes = matches!(requirement.operator, Operator::Gt | Operator::Lt);
            at.field("operator").require(!of_nodes, "must be one of In, NotIn, Exists, DoesNotExist");
        });
    }
}

impl<K: Into<Str>, V: Into<Str>> FromIterator<(K, V)> for LabelSelector {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let match_labels = labels.into_iter().map(|(key, value)| (key, value.into())).collect();
        Self { match_labels, match_expressions: Few::new() }
    }
}

/// Checks labels as Kubernetes does.
pub fn check_labels(labels: &Map<Str>, at: &At<'_>) {
    for (key, value) in labels {
        let at = at.field(key);
        at.check(names::qualified_name(key));
        at.check(names::label_value(value));
    }
}

impl Requirement {
    /// Whether an object with these labels meets it.
    #[must_use]
    pub fn matches(&self, labels: &Map<Str>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.numbers(value).is_some_and(|(value, bound)| value > bound),
            Operator::Lt => self.numbers(value).is_some_and(|(value, bound)| value < bound),
            Operator::Unset => false,
        }
    }

    /// The label's value and what it is compared with, where both are whole numbers.
    fn numbers(&self, value: Option<&Str>) -> Option<(i64, i64)> {
        let [bound] = self.values.as_slice() else { return None };
        Some((value?.parse().ok()?, bound.parse().ok()?))
    }

    /// Checks it as Kubernetes does.
    pub fn check(&self, at: &At<'_>) {
        at.field("key").name(&self.key, names::qualified_name);
        let values = at.field("values");
        match self.operator {
            Operator::Unset => at.field("operator").required(false),
            Operator::In | Operator::NotIn => {
                values.require(
                    !self.values.is_empty(),
                    format!("required when the operator is {}", self.operator),
                );
                at.each("values", &self.values, |at, value| at.check(names::label_value(value)));
            }
            Operator::Exists | Operator::DoesNotExist => {
                values.require(
                    self.values.is_empty(),
                    format!("may not be given when the operator is {}", self.operator),
                );
            }
            Operator::Gt | Operator::Lt => {
                let number = matches!(self.values.as_slice(), [value] if value.parse::<i64>().is_ok());
                values.require(
                    number,
                    format!("must be one whole number when the operator is {}", self.operator),
                );
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let values = self.values.join(",");
        match (self.operator, self.values.as_slice()) {
            (Operator::In, [value]) => write!(f, "{key}={value}"),
            (Operator::NotIn, [value]) => write!(f, "{key}!={value}"),
            (Operator::In, _) => write!(f, "{key} in ({values})"),
            (Operator::NotIn, _) => write!(f, "{key} notin ({values})"),
            (Operator::Exists, _) => write!(f, "{key}"),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
            (Operator::Gt, _) => write!(f, "{key}>{values}"),
            (Operator::Lt, _) => write!(f, "{key}<{values}"),
            (Operator::Unset, _) => write!(f, "{key} ? ({values})"),
        }
    }
}

/// A selector as people type it: `app in (a,b),!x,tier!=cache`.
///
/// ```
/// use orchestra_core::object::{Map, Selector};
/// let selector: Selector = "app in (web, api), !canary".parse()?;
/// assert!(selector.matches(&Map::from([("app", "web".into())])));
/// assert_eq!(selector.to_string(), "app in (web,api),!canary");
/// # Ok::<_, orchestra_core::object::SelectorError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector(Vec<Requirement>);

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no label selector: {reason} at character {at} (write it like `app in (a,b),!x,tier=web`)"
)]
pub struct SelectorError {
    text: String,
    reason: String,
    at: usize,
}

impl Selector {
    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &Map<Str>) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }

    /// What is required.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }
}

impl From<&LabelSelector> for Selector {
    fn from(selector: &LabelSelector) -> Self {
        let labels = selector.match_labels.iter().map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.clone()],
        });
        Self(labels.chain(selector.match_expressions.iter().cloned()).collect())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut parser = Parser { text, at: 0 };
        let mut requirements = Vec::new();
        parser.space();
        if parser.rest().is_empty() {
            return Ok(Self::default());
        }
        loop {
            requirements.push(parser.requirement()?);
            if parser.rest().is_empty() {
                return Ok(Self(requirements));
            }
            if !parser.eat(",") {
                return Err(parser.error("a comma is missing"));
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_ascii_start().len();
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
            self.space();
        }
        found
    }

    /// A key, value or keyword; empty when a symbol stands here.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '(' | ')' | '!' | '=' | '<' | '>'))
            .unwrap_or(rest.len());
        self.at += end;
        self.space();
        &rest[..end]
    }

    fn error(&self, reason: impl Into<String>) -> SelectorError {
        let text = self.text.chars().take(256).collect();
        SelectorError { text, reason: reason.into(), at: self.text[..self.at].chars().count() + 1 }
    }

    fn key(&mut self) -> Result<Str, SelectorError> {
        let start = self.at;
        let key = self.word();
        match names::qualified_name(key) {
            Ok(()) => Ok(key.into()),
            Err(reason) => {
                self.at = start;
                Err(self.error(format!("a label's key {reason}")))
            }
        }
    }

    fn value(&mut self) -> Result<Str, SelectorError> {
        let start = self.at;
        let value = self.word();
        match names::label_value(value) {
            Ok(()) => Ok(value.into()),
            Err(reason) => {
                self.at = start;
                Err(self.error(format!("a label's value {reason}")))
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        if self.eat("!") {
            return Ok(Requirement {
                key: self.key()?,
                operator: Operator::DoesNotExist,
                values: Vec::new(),
            });
        }
        let key = self.key()?;
        let (operator, values) = if self.eat("!=") {
            (Operator::NotIn, vec![self.value()?])
        } else if self.eat("==") || self.eat("=") {
            (Operator::In, vec![self.value()?])
        } else if self.eat(">") {
            (Operator::Gt, vec![self.number()?])
        } else if self.eat("<") {
            (Operator::Lt, vec![self.number()?])
        } else {
            let start = self.at;
            match self.word() {
                "" => (Operator::Exists, Vec::new()),
                "in" => (Operator::In, self.values()?),
                "notin" => (Operator::NotIn, self.values()?),
                other => {
                    self.at = start;
                    return Err(self.error(format!("`{other}` is no operator")));
                }
            }
        };
        Ok(Requirement { key, operator, values })
    }

    fn number(&mut self) -> Result<Str, SelectorError> {
        let start = self.at;
        let value = self.word();
        if value.parse::<i64>().is_err() {
            self.at = start;
            return Err(self.error("a whole number is missing"));
        }
        Ok(value.into())
    }

    fn values(&mut self) -> Result<Vec<Str>, SelectorError> {
        if !self.eat("(") {
            return Err(self.error("`(` is missing"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            if self.eat(")") {
                return Ok(values);
            }
            if !self.eat(",") {
                return Err(self.error("`,` or `)` is missing"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(text: &str) -> Map<Str> {
        text.split(',').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k, Str::from(v))).collect()
    }

    #[test]
    fn selects_as_kubernetes_does() {
        for (selector, all, yes) in [
            ("", "a=1", true),
            ("a", "a=1", true),
            ("a", "b=1", false),
            ("!a", "b=1", true),
            ("!a", "a=", false),
            ("a=1", "a=1", true),
            ("a==1", "a=2", false),
            ("a = 1 ,  b", "a=1,b=", true),
            ("a!=1", "a=2", true),
            ("a!=1", "b=1", true),
            ("a!=1", "a=1", false),
            ("a in (1,2)", "a=2", true),
            ("a in (1,2)", "b=2", false),
            ("a in ()", "a=", true),
            ("a notin (1,2)", "a=3", true),
            ("a notin (1,2)", "b=1", true),
            ("a notin (1,2)", "a=1", false),
            ("a>5", "a=6", true),
            ("a>5", "a=5", false),
            ("a<5", "a=4", true),
            ("a<5", "a=x", false),
            ("a<5", "b=4", false),
            ("a=", "a=", true),
            ("a=,b=1", "a=,b=1", true),
            ("example.com/a in(x)", "example.com/a=x", true),
            ("in in (in)", "in=in", true),
            ("notin", "notin=1", true),
        ] {
            let parsed: Selector = selector.parse().unwrap();
            assert_eq!(parsed.matches(&labels(all)), yes, "{selector} on {all}");
            assert_eq!(
                parsed.to_string().parse::<Selector>().unwrap().matches(&labels(all)),
                yes,
                "{parsed}"
            );
        }
    }

    #[test]
    fn errors_say_where() {
        for (text, reason) in [
            ("a,", "at character 3"),
            ("a b", "`b` is no operator at character 3"),
            ("a in 1", "`(` is missing at character 6"),
            ("a in (1", "`,` or `)` is missing at character 8"),
            ("=1", "a label's key must not be empty at character 1"),
            ("a=-", "at character 3"),
            ("a>x", "a whole number is missing at character 3"),
            ("a=1 b=2", "a comma is missing at character 5"),
            ("!", "at character 2"),
            ("a in (1)(", "a comma is missing"),
        ] {
            let error = text.parse::<Selector>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_structured_selector_is_both_its_halves() {
        let selector: LabelSelector = serde_json::from_str(
            r#"{"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"Exists"}]}"#,
        )
        .unwrap();
        assert!(selector.matches(&labels("a=1,b=2")));
        assert!(!selector.matches(&labels("a=1")));
        assert!(!selector.matches(&labels("b=2")));
        assert_eq!(Selector::from(&selector).to_string(), "a=1,b");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-c=!<>(),/ in-]{0,24}|.{0,24}") {
            if let Ok(selector) = text.parse::<Selector>() {
                prop_assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector);
            }
        }
    }
}
