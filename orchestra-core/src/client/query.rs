//! [`Query`] and [`List`]: which objects of a kind are meant, and what they are at one revision.

use super::{Client, scope_in, scope_of, stored};
use crate::object::{Kind, Resource, Revision, Selector, SelectorError, Str};
use crate::store::{Cursor, Key, Page, Scope};
use crate::{Error, Result};

/// Which objects of a kind are meant: of all namespaces or one, with which labels, and how many at once.
///
/// ```
/// use orchestra_core::client::Query;
/// let query = Query::namespace("prod").labels("app in (web, api), !canary").limit(100);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Query {
    namespace: Option<Str>,
    selector: Selector,
    /// Why the selector is none; told when the query is used.
    wrong: Option<SelectorError>,
    limit: Option<usize>,
    from: Option<Cursor>,
}

/// Objects of a kind, all as they were at one revision.
#[derive(Clone, Debug)]
pub struct List<R> {
    /// The revision: what happens after it, a watch tells.
    pub revision: Revision,
    /// The objects, in the order of their keys.
    pub items: Vec<R>,
    /// What stands among them and cannot be read. One such object hides no other.
    pub unreadable: Vec<Unreadable>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// A value in a store that is no object of the kind whose key it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// Its key.
    pub key: Key,
    /// Why it cannot be read. What it says is not told: it may be secret.
    pub reason: String,
}

impl Query {
    /// All objects of the kind.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Those of a namespace; of the default one if it is empty.
    #[must_use]
    pub fn namespace(namespace: impl Into<Str>) -> Self {
        Self { namespace: Some(namespace.into()), ..Self::default() }
    }

    /// Only those with such labels. What is no selector is an error of the query's use.
    #[must_use]
    pub fn labels(self, selector: &str) -> Self {
        match selector.parse::<Selector>() {
            Ok(selector) => self.select(selector),
            Err(wrong) => Self { wrong: Some(wrong), ..self },
        }
    }

    /// Only those that a selector selects.
    #[must_use]
    pub fn select(self, selector: impl Into<Selector>) -> Self {
        Self { selector: selector.into(), ..self }
    }

    /// At most so many at once (one at least): the list says where the next page begins.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit.max(1)), ..self }
    }

    /// The page that begins here.
    #[must_use]
    pub fn from(self, cursor: Cursor) -> Self {
        Self { from: Some(cursor), ..self }
    }

    pub(super) fn parts(&self, kind: &Kind) -> Result<(Scope, &Selector)> {
        if let Some(wrong) = &self.wrong {
            return Err(Error::Refused { object: kind.to_string(), reason: wrong.to_string() });
        }
        let scope = match &self.namespace {
            Some(namespace) => scope_in(kind, namespace)?,
            None => scope_of(kind),
        };
        Ok((scope, &self.selector))
    }
}

impl Query {
    /// How many entries to ask for at once. Of those that a selector passes over, more are needed; so
    /// many that a sparse selection does not take a question an object.
    fn page(&self) -> Option<usize> {
        const FEW: usize = 500;
        let limit = self.limit?;
        Some(if self.selector.requirements().is_empty() { limit } else { limit.max(FEW) })
    }
}

impl<R> List<R> {
    /// The objects, if every one could be read.
    ///
    /// # Errors
    /// [`Error::Stored`], which names the first that could not.
    pub fn complete(self) -> Result<Vec<R>>
    where
        R: Resource,
    {
        match self.unreadable.into_iter().next() {
            None => Ok(self.items),
            Some(Unreadable { key, reason }) => Err(Error::Stored {
                key: key.to_string(),
                source: Box::new(Error::Decode { kind: R::KIND.name(), reason }),
            }),
        }
    }
}

impl Unreadable {
    pub(super) fn new(key: &Key, error: Error) -> Self {
        let reason = match error {
            Error::Stored { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        Self { key: key.clone(), reason }
    }
}

impl Client {
    /// The objects that a query means, all at one revision, however many pages of the store they take.
    /// With a [limit](Query::limit), at most so many, and where the next page begins.
    ///
    /// An object that cannot be read is [named beside the others](List::unreadable), in their place in
    /// the count; whatever its labels are, it cannot be told whether it is meant.
    ///
    /// # Errors
    /// When the store does not answer, the selector is none, or the history that a page continues is not
    /// held any more: begin again.
    pub async fn list<R: Resource>(&self, query: &Query) -> Result<List<R>> {
        let (scope, selector) = query.parts(&R::KIND)?;
        let revision = Revision::default();
        let mut list = List { revision, items: Vec::new(), unreadable: Vec::new(), next: None };
        let mut from = query.from.clone();
        loop {
            let listing = self.store().list(&scope, Page { limit: query.page(), from }).await?;
            list.revision = listing.revision;
            for (at, entry) in listing.entries.iter().enumerate() {
                match stored::read::<R>(entry) {
                    Ok(object) if selector.matches(object.labels()) => list.items.push(object),
                    Ok(_) => continue,
                    Err(error) => list.unreadable.push(Unreadable::new(&entry.key, error)),
                }
                if query.limit.is_some_and(|limit| list.items.len() + list.unreadable.len() >= limit) {
                    let here = Cursor { revision: listing.revision, after: Some(entry.key.clone()) };
                    list.next = if at + 1 < listing.entries.len() { Some(here) } else { listing.next };
                    return Ok(list);
                }
            }
            if listing.next.is_none() {
                return Ok(list);
            }
            from = listing.next;
        }
    }
}
