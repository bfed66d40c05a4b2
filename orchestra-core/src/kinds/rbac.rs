//! Who may do what: [`Role`], [`ClusterRole`], and their bindings.

use orchestra_macros::wire;

use crate::object::names::{self, Verdict};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{At, Kind, LabelSelector, NoStatus, Object, Spec, Str};

const GROUP: &str = "rbac.authorization.k8s.io";
const API_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// What is allowed, within one namespace.
pub type Role = Object<RoleSpec>;

/// What is allowed, in the cluster as a whole or wherever it is bound.
pub type ClusterRole = Object<ClusterRoleSpec>;

/// Who has a role within one namespace.
pub type RoleBinding = Object<RoleBindingSpec>;

/// Who has a role in the cluster as a whole.
pub type ClusterRoleBinding = Object<ClusterRoleBindingSpec>;

impl Spec for RoleSpec {
    const KIND: Kind = Kind::namespaced(API_VERSION, "Role").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(role: &Role, at: &At<'_>) {
        at.each("rules", &role.spec.rules, |at, rule| {
            rule.check(at);
            at.field("nonResourceURLs")
                .require(rule.non_resource_urls.is_empty(), "may be given in a ClusterRole only");
        });
    }

    fn check_name(name: &str) -> Verdict {
        names::path_segment(name)
    }
}

/// What a role allows.
#[wire(spec)]
pub struct RoleSpec {
    /// What is allowed.
    #[wire(required, atomic)]
    pub rules: Vec<PolicyRule>,
}

impl Spec for ClusterRoleSpec {
    const KIND: Kind = Kind::cluster(API_VERSION, "ClusterRole").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(role: &ClusterRole, at: &At<'_>) {
        at.each("rules", &role.spec.rules, |at, rule| rule.check(at));
        if let Some(aggregation) = &role.spec.aggregation_rule {
            let at = at.field("aggregationRule");
            let selectors = &aggregation.cluster_role_selectors;
            at.field("clusterRoleSelectors").required(!selectors.is_empty());
            at.each("clusterRoleSelectors", selectors, |at, selector| selector.check(at));
        }
    }

    fn check_name(name: &str) -> Verdict {
        names::path_segment(name)
    }
}

/// What a role of the cluster allows.
#[wire(spec)]
pub struct ClusterRoleSpec {
    /// What is allowed.
    #[wire(required, atomic)]
    pub rules: Vec<PolicyRule>,
    /// Other roles that it is made of: `rules` is then filled by a controller.
    pub aggregation_rule: Option<AggregationRule>,
}

/// The roles that another one is made of.
#[wire]
pub struct AggregationRule {
    /// Roles that any of these selects.
    #[wire(atomic)]
    pub cluster_role_selectors: Vec<LabelSelector>,
}

/// Some verbs that are allowed on some resources. `*` stands for all.
#[wire]
pub struct PolicyRule {
    /// What may be done: `get`, `list`, `create`, …
    #[wire(required, atomic)]
    pub verbs: Vec<Str>,
    /// The resources' groups; empty text for the core group.
    #[wire(atomic)]
    pub api_groups: Vec<Str>,
    /// The resources: `pods`, `pods/log`, …
    #[wire(atomic)]
    pub resources: Vec<Str>,
    /// The objects' names; any when none is named.
    #[wire(atomic)]
    pub resource_names: Vec<Str>,
    /// Paths of the API that are no resources, such as `/healthz`.
    #[wire(name = "nonResourceURLs", atomic)]
    pub non_resource_urls: Vec<Str>,
}

impl PolicyRule {
    fn check(&self, at: &At<'_>) {
        at.field("verbs").required(!self.verbs.is_empty());
        if self.non_resource_urls.is_empty() {
            at.field("apiGroups").required(!self.api_groups.is_empty());
            at.field("resources").required(!self.resources.is_empty());
        } else {
            let only =
                self.api_groups.is_empty() && self.resources.is_empty() && self.resource_names.is_empty();
            at.field("nonResourceURLs").require(only, "may not be given beside resources");
        }
    }
}

impl Spec for RoleBindingSpec {
    const KIND: Kind = Kind::namespaced(API_VERSION, "RoleBinding").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn fill_in(binding: &mut RoleBinding) {
        binding.spec.role_ref.fill_in();
        binding.spec.subjects.iter_mut().for_each(Subject::fill_in);
    }

    fn check(binding: &RoleBinding, at: &At<'_>) {
        binding.spec.role_ref.check(&at.field("roleRef"));
        at.each("subjects", &binding.spec.subjects, |at, subject| subject.check(at));
    }

    fn check_name(name: &str) -> Verdict {
        names::path_segment(name)
    }
}

/// Who has which role.
#[wire(spec)]
pub struct RoleBindingSpec {
    /// Who.
    #[wire(atomic)]
    pub subjects: Vec<Subject>,
    /// Which role: one of the same namespace, or one of the cluster.
    #[wire(required)]
    pub role_ref: RoleRef,
}

impl Spec for ClusterRoleBindingSpec {
    const KIND: Kind = Kind::cluster(API_VERSION, "ClusterRoleBinding").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn fill_in(binding: &mut ClusterRoleBinding) {
        binding.spec.role_ref.fill_in();
        binding.spec.subjects.iter_mut().for_each(Subject::fill_in);
    }

    fn check(binding: &ClusterRoleBinding, at: &At<'_>) {
        let role = &binding.spec.role_ref;
        role.check(&at.field("roleRef"));
        at.field("roleRef")
            .field("kind")
            .require(role.kind != RoleKind::Role, "must be ClusterRole in a ClusterRoleBinding");
        at.each("subjects", &binding.spec.subjects, |at, subject| {
            subject.check(at);
            let known = subject.kind != SubjectKind::ServiceAccount || !subject.namespace.is_empty();
            at.field("namespace").required(known);
        });
    }

    fn check_name(name: &str) -> Verdict {
        names::path_segment(name)
    }
}

/// Who has which role of the cluster.
#[wire(spec)]
pub struct ClusterRoleBindingSpec {
    /// Who.
    #[wire(atomic)]
    pub subjects: Vec<Subject>,
    /// Which role.
    #[wire(required)]
    pub role_ref: RoleRef,
}

/// Which role is bound.
#[wire(atomic)]
pub struct RoleRef {
    /// The role's group.
    #[wire(default = GROUP.into())]
    pub api_group: Str,
    /// Whether it is a role of a namespace or of the cluster.
    #[wire(required)]
    pub kind: RoleKind,
    /// Its name.
    #[wire(required)]
    pub name: Str,
}

impl RoleRef {
    /// An empty group is the only one there is.
    fn fill_in(&mut self) {
        if self.api_group.is_empty() {
            self.api_group = GROUP.into();
        }
    }
}

impl RoleRef {
    /// The role of this name in the binding's namespace.
    #[must_use]
    pub fn role(name: impl Into<Str>) -> Self {
        Self { kind: RoleKind::Role, name: name.into(), ..Self::default() }
    }

    /// The role of this name in the cluster.
    #[must_use]
    pub fn cluster_role(name: impl Into<Str>) -> Self {
        Self { kind: RoleKind::ClusterRole, name: name.into(), ..Self::default() }
    }

    fn check(&self, at: &At<'_>) {
        at.field("apiGroup").require(self.api_group == GROUP, format!("must be {GROUP}"));
        at.field("kind").required(self.kind != RoleKind::Unset);
        at.field("name").name(&self.name, names::path_segment);
    }
}

/// What sort of role is bound.
#[wire]
pub enum RoleKind {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// One of the binding's namespace.
    Role,
    /// One of the cluster.
    ClusterRole,
}

/// Somebody who has a role.
#[wire(atomic)]
pub struct Subject {
    /// What they are.
    #[wire(required)]
    pub kind: SubjectKind,
    /// Their group of the API: empty for a service account.
    pub api_group: Str,
    /// Their name.
    #[wire(required)]
    pub name: Str,
    /// The namespace of a service account.
    pub namespace: Str,
}

impl Subject {
    /// The user of this name.
    #[must_use]
    pub fn user(name: impl Into<Str>) -> Self {
        Self {
            name: name.into(),
            api_group: GROUP.into(),
            kind: SubjectKind::User,
            namespace: Str::default(),
        }
    }

    /// The users of the group of this name.
    #[must_use]
    pub fn group(name: impl Into<Str>) -> Self {
        Self { kind: SubjectKind::Group, ..Self::user(name) }
    }

    /// The service account of this name.
    #[must_use]
    pub fn service_account(namespace: impl Into<Str>, name: impl Into<Str>) -> Self {
        Self {
            kind: SubjectKind::ServiceAccount,
            name: name.into(),
            namespace: namespace.into(),
            api_group: Str::default(),
        }
    }

    fn fill_in(&mut self) {
        if self.api_group.is_empty() && matches!(self.kind, SubjectKind::User | SubjectKind::Group) {
            self.api_group = GROUP.into();
        }
    }

    fn check(&self, at: &At<'_>) {
        at.field("name").required(!self.name.is_empty());
        let group = at.field("apiGroup");
        match self.kind {
            SubjectKind::Unset => at.field("kind").required(false),
            SubjectKind::User | SubjectKind::Group => {
                group.require(self.api_group == GROUP, format!("must be {GROUP}"));
            }
            SubjectKind::ServiceAccount => {
                group.require(self.api_group.is_empty(), "must be empty for a service account");
                if !self.name.is_empty() {
                    at.field("name").check(names::dns_subdomain(&self.name));
                }
            }
        }
    }
}

/// What somebody who has a role is.
#[wire]
pub enum SubjectKind {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// A user.
    User,
    /// The users of a group.
    Group,
    /// A service account: a program.
    ServiceAccount,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::test::{check_table, object, problems};

    #[test]
    fn the_shorthands_say_what_they_say() {
        let binding = RoleBinding::new("readers")
            .role_ref(RoleRef::cluster_role("view"))
            .subjects([Subject::user("ann"), Subject::group("ops"), Subject::service_account("ci", "bot")])
            .build()
            .unwrap();
        assert_eq!(problems(&binding), "");
        let given = object::<RoleBindingSpec>(json!({
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [
                {"kind": "User", "name": "ann"},
                {"kind": "Group", "name": "ops"},
                {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
            ],
        }));
        assert_eq!(binding.spec, given.spec);
        assert_eq!(binding.spec.role_ref.api_group, GROUP);
        assert_eq!(RoleRef::role("a").kind, RoleKind::Role);
    }

    #[test]
    fn what_is_wrong_with_a_role_is_said() {
        let rules = |rule: serde_json::Value| json!({"rules": [rule]});
        let urls = rules(json!({"verbs": ["get"], "nonResourceURLs": ["/healthz"]}));
        check_table::<RoleSpec>(&[
            (rules(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]})), ""),
            (rules(json!({"apiGroups": [""], "resources": ["pods"]})), "rules[0].verbs: required"),
            (rules(json!({"verbs": ["get"], "resources": ["pods"]})), "rules[0].apiGroups: required"),
            (rules(json!({"verbs": ["get"], "apiGroups": [""]})), "rules[0].resources: required"),
            (urls.clone(), "rules[0].nonResourceURLs: may be given in a ClusterRole only"),
        ]);
        check_table::<ClusterRoleSpec>(&[
            (urls, ""),
            (
                rules(json!({"verbs": ["get"], "nonResourceURLs": ["/"], "resources": ["pods"]})),
                "rules[0].nonResourceURLs: may not be given beside resources",
            ),
            (json!({"aggregationRule": {}}), "aggregationRule.clusterRoleSelectors: required"),
            (
                json!({"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a b": ""}}]}}),
                "aggregationRule.clusterRoleSelectors[0].matchLabels",
            ),
        ]);
        assert_eq!(problems(&ClusterRole::new("system:node").build().unwrap()), "");
    }

    #[test]
    fn what_is_wrong_with_a_binding_is_said() {
        let bound = |subject: serde_json::Value| json!({"roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [subject]});
        check_table::<RoleBindingSpec>(&[
            (bound(json!({"kind": "ServiceAccount", "name": "bot"})), ""),
            (bound(json!({"name": "bot"})), "subjects[0].kind: required"),
            (bound(json!({"kind": "User"})), "subjects[0].name: required"),
            (
                bound(json!({"kind": "User", "name": "a", "apiGroup": "x"})),
                "subjects[0].apiGroup: must be rbac",
            ),
            (
                bound(json!({"kind": "ServiceAccount", "name": "a", "apiGroup": "x"})),
                "subjects[0].apiGroup: must be empty",
            ),
            (bound(json!({"kind": "ServiceAccount", "name": "A"})), "subjects[0].name: `A` must be"),
            (json!({"roleRef": {"name": "r"}}), "roleRef.kind: required"),
            (json!({"roleRef": {"kind": "Role"}}), "roleRef.name: required"),
            (
                json!({"roleRef": {"kind": "Role", "name": "r", "apiGroup": "x"}}),
                "roleRef.apiGroup: must be rbac",
            ),
        ]);
        check_table::<ClusterRoleBindingSpec>(&[
            (bound(json!({"kind": "ServiceAccount", "name": "bot"})), "subjects[0].namespace: required"),
            (bound(json!({"kind": "ServiceAccount", "name": "bot", "namespace": "ci"})), ""),
            (json!({"roleRef": {"kind": "Role", "name": "r"}}), "roleRef.kind: must be ClusterRole"),
        ]);
    }
}
