//! [`Registry`]: the kinds that a reader knows.

use std::collections::BTreeMap;

use super::decode::{self, Mismatch};
use super::near::nearest;
use super::tree::Node;
use crate::kinds;
use crate::object::{AnyObject, Kind, Model, Resource};

/// The kinds that a reader knows: the built-in ones, and yours.
///
/// ```
/// # use orchestra_core::object::{Kind, NoStatus, Object, Spec};
/// # #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
/// # struct WebsiteSpec { replicas: u32 }
/// # impl Spec for WebsiteSpec {
/// #     const KIND: Kind = Kind::namespaced("example.com/v1", "Website");
/// #     type Status = NoStatus;
/// # }
/// # type Website = Object<WebsiteSpec>;
/// use orchestra_core::manifest::{Reader, Registry};
///
/// let registry = Registry::builtin().with::<Website>();
/// let text = "{apiVersion: example.com/v1, kind: Website, metadata: {name: blog}, spec: {replicas: 3}}";
/// let manifest = Reader::strict(&registry).read("site.yaml", text);
/// assert_eq!(manifest.into_objects()?.len(), 1);
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    kinds: BTreeMap<(&'static str, &'static str), Known>,
}

/// A kind that is known.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    model: Model,
    pub(crate) decode: fn(&Node) -> Result<AnyObject, Mismatch>,
}

impl Registry {
    /// No kind at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self { kinds: BTreeMap::new() }
    }

    /// The built-in kinds.
    #[must_use]
    pub fn builtin() -> Self {
        kinds::register_all(Self::empty())
    }

    /// The same and one more kind, in the place of one with the same name.
    #[must_use]
    pub fn with<R: Resource>(mut self) -> Self {
        let decode = |node: &Node| decode::decode::<R>(node).map(AnyObject::from);
        self.kinds.insert((R::KIND.api_version(), R::KIND.name()), Known { model: Model::of::<R>(), decode });
        self
    }

    /// The kinds, by version and name.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.kinds.values().map(|known| known.model.kind())
    }

    /// What there is to know of a kind.
    #[must_use]
    pub fn model(&self, api_version: &str, kind: &str) -> Option<Model> {
        self.get(api_version, kind).map(|known| known.model)
    }

    pub(crate) fn get(&self, api_version: &str, kind: &str) -> Option<&Known> {
        // The keys are 'static, so the pair cannot be looked up by reference to shorter ones.
        self.kinds
            .iter()
            .find(|((version, name), _)| *version == api_version && *name == kind)
            .map(|(_, known)| known)
    }

    /// What somebody may have meant by a kind that is not known.
    pub(crate) fn suggest(&self, api_version: &str, kind: &str) -> Option<String> {
        let versions: Vec<_> =
            self.kinds.keys().filter(|(_, name)| *name == kind).map(|(version, _)| *version).collect();
        if let Some(near) = nearest(api_version, versions.iter().copied()).or(versions.first().copied()) {
            return Some(format!("it is read as `apiVersion: {near}`"));
        }
        nearest(kind, self.kinds.keys().map(|(_, name)| *name)).map(|near| format!("did you mean `{near}`?"))
    }
}
