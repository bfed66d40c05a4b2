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

impl SecurityContext {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("allowPrivilegeEscalation").require(
            !(self.privileged && self.allow_privilege_escalation == Some(false)),
            "cannot be false for a privileged container",
        );
        at.field("runAsNonRoot").require(
            !(self.run_as_non_root == Some(true) && self.run_as_user == Some(0)),
            "contradicts runAsUser: 0",
        );
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
    /// There is none.
    #[default]
    Unconfined,
    /// The runtime's own.
    RuntimeDefault,
    /// One that lies on the node.
    Localhost,
}
