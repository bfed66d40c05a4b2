//! [`ObjectName`]: which object is meant, and under which key of a store it stands.
//!
//! An object's key is `{group}/{plural}/{namespace}/{name}`: `apps/deployments/default/web`,
//! `/pods/default/web` (the core group has no name) and `/nodes//n1` (the cluster is no namespace). No
//! part has a `/` in it, so a key is one object's only, and the objects of a kind, or of a kind and
//! namespace, are those whose keys begin alike.

use std::fmt;

use crate::object::{Kind, Str, names};
use crate::store::{Key, Scope};
use crate::{Error, Result};

/// The namespace that is meant when none is given.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Which object: its kind, namespace and name.
///
/// ```
/// use orchestra_core::client::ObjectName;
/// use orchestra_core::kinds::DeploymentSpec;
/// use orchestra_core::object::Spec;
/// let web = ObjectName::new(DeploymentSpec::KIND, "", "web")?;
/// assert_eq!(web.to_string(), "Deployment default/web");
/// assert_eq!(web.key().to_string(), "apps/deployments/default/web");
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    kind: Kind,
    namespace: Str,
    name: Str,
}

impl ObjectName {
    /// The object of this kind and name. Without a namespace the [default one](DEFAULT_NAMESPACE) is
    /// meant, if the kind has namespaces.
    ///
    /// # Errors
    /// [`Error::Refused`] when these are no names, or a namespace is given for a kind that has none.
    pub fn new(kind: Kind, namespace: impl Into<Str>, name: impl Into<Str>) -> Result<Self> {
        let (mut namespace, name) = (namespace.into(), name.into());
        if kind.is_namespaced() && namespace.is_empty() {
            namespace = DEFAULT_NAMESPACE.into();
        }
        let this = Self { kind, namespace, name };
        let refuse = |what: &str, wrong: String| Err(this.refused(format!("its {what} {wrong}")));
        if let Err(wrong) = check_namespace(&kind, &this.namespace) {
            return refuse("namespace", wrong);
        }
        if let Err(wrong) = names::path_segment(&this.name) {
            return refuse("name", wrong);
        }
        Ok(this)
    }

    /// The object of a kind that stands under a key; `None` when it is another kind's.
    #[must_use]
    pub fn of_key(kind: Kind, key: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(key).ok()?;
        let (namespace, name) = text.strip_prefix(&prefix(&kind))?.split_once('/')?;
        let this = Self::new(kind, namespace, name).ok()?;
        (this.namespace == namespace).then_some(this)
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The namespace; empty for an object of the cluster.
    #[must_use]
    pub const fn namespace(&self) -> &Str {
        &self.namespace
    }

    /// The name within the namespace.
    #[must_use]
    pub const fn name(&self) -> &Str {
        &self.name
    }

    /// Under which key the object stands.
    #[must_use]
    pub fn key(&self) -> Key {
        // A key is asked for several times in every change: it is made at one go.
        let mut key = prefix(&self.kind);
        for part in [&*self.namespace, "/", &*self.name] {
            key.push_str(part);
        }
        Key::from(key.as_str())
    }

    pub(super) fn refused(&self, reason: impl Into<String>) -> Error {
        Error::Refused { object: self.to_string(), reason: reason.into() }
    }

    pub(super) fn conflict(&self, reason: impl Into<String>) -> Error {
        Error::Conflict { object: self.to_string(), reason: reason.into() }
    }

    pub(super) fn not_found(&self) -> Error {
        Error::NotFound { object: self.to_string() }
    }

    /// The name as it stands in `Error::Invalid`, which names the kind itself.
    pub(super) fn short(&self) -> String {
        if self.namespace.is_empty() {
            self.name.to_string()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.short())
    }
}

/// All objects of a kind.
#[must_use]
pub fn scope_of(kind: &Kind) -> Scope {
    Scope::prefix(prefix(kind))
}

/// All objects of a kind in a namespace; the [default one](DEFAULT_NAMESPACE) if it is empty. For a
/// kind that has no namespaces, all its objects.
///
/// # Errors
/// [`Error::Refused`] when this is no namespace.
pub fn scope_in(kind: &Kind, namespace: &str) -> Result<Scope> {
    let namespace = match namespace {
        "" if kind.is_namespaced() => DEFAULT_NAMESPACE,
        other => other,
    };
    check_namespace(kind, namespace).map_err(|wrong| Error::Refused {
        object: format!("{kind} of {namespace}"),
        reason: format!("the namespace {wrong}"),
    })?;
    Ok(Scope::prefix(format!("{}{namespace}/", prefix(kind))))
}

fn prefix(kind: &Kind) -> String {
    let mut key = String::with_capacity(96); // most keys are shorter
    key.push_str(kind.group());
    key.push('/');
    kind.push_plural(&mut key);
    key.push('/');
    key
}

fn check_namespace(kind: &Kind, namespace: &str) -> names::Verdict {
    match (kind.is_namespaced(), namespace) {
        (true, namespace) => names::dns_label(namespace),
        (false, "") => Ok(()),
        (false, _) => Err(format!("cannot be: a {kind} belongs to no namespace")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: Kind = Kind::namespaced("v1", "Pod");
    const NODE: Kind = Kind::cluster("v1", "Node");
    const WEB: Kind = Kind::namespaced("apps/v1", "Deployment");

    #[test]
    fn a_key_is_one_objects() {
        for (kind, namespace, name, key) in [
            (POD, "", "web", "/pods/default/web"),
            (POD, "prod", "web.1", "/pods/prod/web.1"),
            (NODE, "", "n1", "/nodes//n1"),
            (WEB, "default", "web", "apps/deployments/default/web"),
            (
                Kind::cluster("rbac.authorization.k8s.io/v1", "ClusterRole"),
                "",
                "system:node",
                "rbac.authorization.k8s.io/clusterroles//system:node",
            ),
        ] {
            let object = ObjectName::new(kind, namespace, name).unwrap();
            assert_eq!(object.key().to_string(), key);
            assert_eq!(ObjectName::of_key(kind, key.as_bytes()), Some(object.clone()));
            assert_eq!(ObjectName::of_key(Kind::cluster("v1", "Other"), key.as_bytes()), None);
            assert!(scope_of(&kind).contains(key.as_bytes()));
            assert!(scope_in(&kind, object.namespace()).unwrap().contains(key.as_bytes()));
        }
        assert!(!scope_in(&POD, "def").unwrap().contains(b"/pods/default/web"));
        for key in ["/pods/default", "/pods//web", "/pods/a/b/c", "pods/default/web", "/pods/A/web"] {
            assert_eq!(ObjectName::of_key(POD, key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (kind, namespace, name, reason) in [
            (POD, "", "", "its name must not be empty"),
            (POD, "", "a/b", "neither `/` nor `%`"),
            (POD, "a/b", "web", "its namespace `a/b` must be"),
            (NODE, "default", "n1", "a Node belongs to no namespace"),
        ] {
            let error = ObjectName::new(kind, namespace, name).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(scope_in(&NODE, "a").is_err() && scope_in(&POD, "../x").is_err());
    }
}
