//! What a container is allowed to do: [`SecurityContext`].

use orchestra_macros::wire;

use crate::object::{At, Str};

/// What a container is allowed to do.
#[wire(unsupported("windowsOptions"))]
pub struct SecurityContext {
    /// Capabilities to add and to drop.
    pub capabilities: Capabilities,
    /// Whether it may do nearly all that the node may.
    pub privileged: bool,
    /// Its SELinux label.
    pub se_linux_options: Option<Box<SeLinuxOptions>>,
    /// The user it runs as.
    pub run_as_user: Option<u64>,
    /// The group it runs as.
    pub run_as_group: Option<u64>,
    /// Whether it is refused to run as root.
    pub run_as_non_root: Option<bool>,
    /// Whether its root file system is read-only.
    pub read_only_root_filesystem: bool,
    /// Whether a process may gain more rights than its parent.
    pub allow_privilege_escalation: Option<bool>,
    /// How `/proc` is mounted.
    pub proc_mount: Str,
    /// Which system calls it may make.
    pub seccomp_profile: Option<Box<Profile>>,
    /// Its AppArmor profile.
    pub app_armor_profile: Option<Box<Profile>>,
}

impl Profile {
    fn check(&self, at: &At<'_>) {
        at.field("type").required(self.kind != ProfileKind::Unset);
        let named = !self.localhost_profile.is_empty();
        let local = self.kind == ProfileKind::Localhost;
        at.field("localhostProfile")
            .require(named == local, "must be given when the type is Localhost, and only then");
    }
}

/// Checks the profiles of a container or a pod.
pub(super) fn check_profiles(seccomp: Option<&Profile>, app_armor: Option<&Profile>, at: &At<'_>) {
    for (name, profile) in [("seccompProfile", seccomp), ("appArmorProfile", app_armor)] {
        if let Some(profile) = profile {
            profile.check(&at.field(name));
        }
    }
}

impl SecurityContext {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("allowPrivilegeEscalation").require(
            !(self.privileged && self.allow_privilege_escalation == Some(false)),
            "cannot be false for a privileged container",
        );
        check_profiles(self.seccomp_profile.as_deref(), self.app_armor_profile.as_deref(), at);
    }
}

/// Capabilities of the kernel.
#[wire]
pub struct Capabilities {
    /// To add.
    #[wire(atomic)]
    pub add: Vec<Str>,
    /// To drop.
    #[wire(atomic)]
    pub drop: Vec<Str>,
}

/// A SELinux label.
#[wire]
pub struct SeLinuxOptions {
    /// The user.
    pub user: Str,
    /// The role.
    pub role: Str,
    /// The type.
    #[wire(name = "type")]
    pub kind: Str,
    /// The level.
    pub level: Str,
}

/// A seccomp or AppArmor profile.
#[wire]
pub struct Profile {
    /// Where it comes from.
    #[wire(required, name = "type")]
    pub kind: ProfileKind,
    /// The name of one that lies on the node.
    pub localhost_profile: Str,
}

/// Where a profile comes from.
#[wire]
pub enum ProfileKind {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// There is none.
    Unconfined,
    /// The runtime's own.
    RuntimeDefault,
    /// One that lies on the node.
    Localhost,
}
