//! [`Kind`]: what sort of thing an object is.

use std::fmt;

/// A sort of object: its API group and version, its name, and whether it lives in a namespace.
///
/// ```
/// use orchestra_core::object::Kind;
/// const WEBSITE: Kind = Kind::namespaced("example.com/v1", "Website");
/// assert_eq!((WEBSITE.group(), WEBSITE.version()), ("example.com", "v1"));
/// assert_eq!(WEBSITE.plural(), "websites");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    api_version: &'static str,
    name: &'static str,
    plural: Option<&'static str>,
    scope: Scope,
    layout: Layout,
}

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Each lives in a namespace and its name is unique there.
    Namespaced,
    /// There is one of each name in the cluster.
    Cluster,
}

/// Where the content of an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Layout {
    Nested,
    Flat,
}

impl Kind {
    /// A kind whose objects live in namespaces: `Kind::namespaced("apps/v1", "Deployment")`.
    #[must_use]
    pub const fn namespaced(api_version: &'static str, name: &'static str) -> Self {
        Self { api_version, name, plural: None, scope: Scope::Namespaced, layout: Layout::Nested }
    }

    /// A kind whose objects belong to the cluster as a whole: `Kind::cluster("v1", "Node")`.
    #[must_use]
    pub const fn cluster(api_version: &'static str, name: &'static str) -> Self {
        Self { scope: Scope::Cluster, ..Self::namespaced(api_version, name) }
    }

    /// The same kind with another plural than the rules of English give.
    #[must_use]
    pub const fn with_plural(self, plural: &'static str) -> Self {
        Self { plural: Some(plural), ..self }
    }

    /// The same kind with its content beside `metadata` rather than under `spec`, as a ConfigMap has it.
    #[must_use]
    pub const fn flat(self) -> Self {
        Self { layout: Layout::Flat, ..self }
    }

    /// Group and version as they stand in an object: `apps/v1`, or `v1` for the core group.
    #[must_use]
    pub const fn api_version(&self) -> &'static str {
        self.api_version
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version within the group.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.api_version.split_once('/').map_or(self.api_version, |(_, version)| version)
    }

    /// The kind's name: `Deployment`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The name of a collection of them: `deployments`.
    #[must_use]
    pub fn plural(&self) -> String {
        let mut plural = String::new();
        self.push_plural(&mut plural);
        plural
    }

    /// The same, behind what is there.
    pub(crate) fn push_plural(&self, text: &mut String) {
        if let Some(plural) = self.plural {
            return text.push_str(plural);
        }
        let start = text.len();
        text.push_str(self.name);
        match self.name.is_ascii() {
            true => text[start..].make_ascii_lowercase(),
            false => text.replace_range(start.., &self.name.to_lowercase()),
        }
        let singular = &text[start..];
        if singular.ends_with(['s', 'x']) || singular.ends_with("ch") || singular.ends_with("sh") {
            return text.push_str("es");
        }
        match singular.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => {
                text.pop();
                text.push_str("ies");
            }
            _ => text.push('s'),
        }
    }

    /// Whether its objects live in namespaces.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether its objects live in namespaces.
    #[must_use]
    pub const fn is_namespaced(&self) -> bool {
        matches!(self.scope, Scope::Namespaced)
    }

    /// Whether the content stands beside `metadata` rather than under `spec`.
    #[must_use]
    pub const fn is_flat(&self) -> bool {
        matches!(self.layout, Layout::Flat)
    }

    /// The field that holds the content; empty for a flat kind.
    #[must_use]
    pub const fn spec_prefix(&self) -> &'static str {
        if self.is_flat() { "" } else { "spec" }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_those_of_kubernetes() {
        for (name, plural) in [
            ("Pod", "pods"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("StorageClass", "storageclasses"),
            ("PriorityClass", "priorityclasses"),
            ("Gateway", "gateways"),
            ("EndpointSlice", "endpointslices"),
            ("Prefix", "prefixes"),
        ] {
            assert_eq!(Kind::namespaced("v1", name).plural(), plural);
        }
        assert_eq!(Kind::namespaced("v1", "Endpoints").with_plural("endpoints").plural(), "endpoints");
    }
}
