//! [`Problems`]: everything that is wrong with an object, each with its place.

use std::cell::RefCell;
use std::fmt;

use super::path::{FieldPath, Segment};

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub path: FieldPath,
    /// What, and what would be right.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.segments().is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.path, self.text)
        }
    }
}

/// All that is wrong with an object; empty when it is right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    /// How many more there were than are kept.
    more: usize,
}

impl Problems {
    /// How many problems of one object are kept: enough to mend a file, few enough to read.
    pub const LIMIT: usize = 64;

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems, in the order in which they were found.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there were beyond those that are kept.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// Keeps those for which the condition holds.
    pub fn retain(&mut self, keep: impl FnMut(&Problem) -> bool) {
        self.list.retain(keep);
    }

    fn push(&mut self, problem: Problem) {
        if self.list.len() < Self::LIMIT {
            self.list.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Collects what a check finds.
    pub fn of(check: impl FnOnce(&At<'_>)) -> Self {
        let problems = RefCell::new(Self::default());
        check(&At { step: Step::Root, parent: None, problems: &problems });
        problems.into_inner()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { list: vec![problem], more: 0 }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.list.iter().enumerate() {
            let semicolon = if at > 0 { "; " } else { "" };
            write!(f, "{semicolon}{problem}")?;
        }
        if self.more > 0 {
            write!(f, "; and {} more", self.more)?;
        }
        Ok(())
    }
}

/// A place in an object that is being checked, where problems are reported.
///
/// It costs nothing to go to a place; its path is written out only when something is wrong there.
pub struct At<'a> {
    step: Step<'a>,
    parent: Option<&'a At<'a>>,
    problems: &'a RefCell<Problems>,
}

enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The place of a field, or of the entry under a key.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> At<'a> {
        At { step: Step::Field(name), parent: Some(self), problems: self.problems }
    }

    /// The place of an element of a list.
    #[must_use]
    pub fn index(&'a self, index: usize) -> At<'a> {
        At { step: Step::Index(index), parent: Some(self), problems: self.problems }
    }

    /// Checks each element of the list in a field.
    pub fn each<T>(&self, name: &str, list: &[T], mut check: impl FnMut(&At<'_>, &T)) {
        let list_at = self.field(name);
        for (index, element) in list.iter().enumerate() {
            check(&list_at.index(index), element);
        }
    }

    /// Reports that something is wrong here.
    pub fn problem(&self, text: impl Into<String>) {
        let mut segments = Vec::new();
        let mut at = Some(self);
        while let Some(place) = at {
            match place.step {
                Step::Root => {}
                Step::Field(name) => segments.push(Segment::Field(name.into())),
                Step::Index(index) => segments.push(Segment::Index(index)),
            }
            at = place.parent;
        }
        let path = segments.into_iter().rev().collect();
        self.problems.borrow_mut().push(Problem { path, text: text.into() });
    }

    /// Reports a problem here unless the condition holds.
    pub fn require(&self, condition: bool, text: impl Into<String>) {
        if !condition {
            self.problem(text);
        }
    }

    /// Reports that the value here is missing unless the condition holds.
    pub fn required(&self, given: bool) {
        self.require(given, "required, but not given");
    }

    /// Reports what a check of the value here found wrong.
    pub fn check(&self, verdict: Result<(), impl Into<String>>) {
        if let Err(wrong) = verdict {
            self.problem(wrong);
        }
    }

    /// Checks a text that must be given.
    pub fn name(&self, text: &str, rule: impl FnOnce(&str) -> Result<(), String>) {
        if text.is_empty() {
            self.required(false);
        } else {
            self.check(rule(text));
        }
    }

    /// Reports each element of the list in a field whose key an earlier one has already.
    pub fn distinct<'t, T, K: Ord + fmt::Display>(
        &self,
        name: &str,
        list: &'t [T],
        key: impl Fn(&'t T) -> K,
    ) {
        let mut seen = std::collections::BTreeSet::new();
        let list_at = self.field(name);
        for (index, element) in list.iter().enumerate() {
            let key = key(element);
            let text = format!("`{key}` is there already");
            if !seen.insert(key) {
                list_at.index(index).problem(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_knows_its_place() {
        let problems = Problems::of(|at| {
            at.field("spec").each("ports", &[1, 0, 3], |at, port| {
                at.field("port").require(*port > 0, "must be more than 0")
            });
            at.field("metadata").field("labels").field("a b").check(super::super::names::label_value("-"));
        });
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown[0], "spec.ports[1].port: must be more than 0");
        assert!(shown[1].starts_with("metadata.labels[\"a b\"]: `-` must be"), "{}", shown[1]);
    }

    #[test]
    fn no_more_are_kept_than_a_person_reads() {
        let problems = Problems::of(|at| (0..1000).for_each(|_| at.problem("wrong")));
        assert_eq!((problems.iter().len(), problems.more()), (Problems::LIMIT, 1000 - Problems::LIMIT));
    }
}
