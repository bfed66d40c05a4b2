//! [`Pod`]: containers that run together on one node, and the template that others make pods from.

use orchestra_macros::wire;

use super::container::{Container, ContainerRestartPolicy, Purpose, Resources};
use super::scheduling::{
    Affinity, PodExtension, SchedulingGate, Toleration, TopologySpread, check_node_selector,
};
use super::security::{Profile, SeLinuxOptions, check_profiles};
use super::volume::Volume;
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Condition, Few, IntoField, Kind, Map, Metadata, NameReference, Object, Quantity, Resource,
    Spec, Str, Timestamp, names,
};

/// Containers that run together on one node.
pub type Pod = Object<PodSpec>;

impl Spec for PodSpec {
    const KIND: Kind = Kind::namespaced("v1", "Pod");
    type Status = PodStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = PodStatus::SCHEMA;

    fn fill_in(pod: &mut Pod) {
        pod.spec.fill_in();
        // Of pods only, not of templates: what is written there is what was said.
        for container in pod.spec.init_containers.iter_mut().chain(&mut pod.spec.containers) {
            container.resources.fill_in();
        }
    }

    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        Wire::texts(&mut object.spec, see);
        Wire::texts(&mut object.status, see);
    }

    fn check(pod: &Pod, at: &At<'_>) {
        pod.spec.check(&at.field("spec"));
    }
}

/// What a pod is made of.
#[wire(spec, unsupported("ephemeralContainers", "evictionResponders", "resourceClaims", "schedulingGroup"))]
pub struct PodSpec {
    /// Directories that its containers can mount.
    #[wire(keys(name))]
    pub volumes: Few<Volume>,
    /// Containers that run to their end, one after the other, before the others begin; and sidecars.
    #[wire(keys(name))]
    pub init_containers: Few<Container>,
    /// What it is for.
    #[wire(keys(name))]
    pub containers: Vec<Container>,
    /// What happens when a container ends.
    #[wire(default = RestartPolicy::Always)]
    pub restart_policy: RestartPolicy,
    /// How long its processes are given to stop.
    #[wire(default = 30)]
    pub termination_grace_period_seconds: u32,
    /// How long it may be active.
    pub active_deadline_seconds: Option<u64>,
    /// Where names are looked up.
    #[wire(default = DnsPolicy::ClusterFirst)]
    pub dns_policy: DnsPolicy,
    /// Labels that its node must have.
    #[wire(atomic)]
    pub node_selector: Map<Str>,
    /// As whom it acts.
    pub service_account_name: Str,
    /// The old name of `service_account_name`; the two are kept the same.
    pub service_account: Str,
    /// Whether it is given a token of its service account.
    pub automount_service_account_token: Option<bool>,
    /// The node that it runs on; empty until it is scheduled.
    pub node_name: Str,
    /// Whether it uses the node's network.
    pub host_network: bool,
    /// Whether it sees the node's processes.
    #[wire(name = "hostPID")]
    pub host_pid: bool,
    /// Whether it uses the node's inter-process communication.
    #[wire(name = "hostIPC")]
    pub host_ipc: bool,
    /// Whether it has user ids of the node's own.
    pub host_users: Option<bool>,
    /// Whether its containers see each other's processes.
    pub share_process_namespace: bool,
    /// What its containers are allowed to do, where they do not say so themselves.
    pub security_context: Option<Box<PodSecurityContext>>,
    /// Secrets with which its images may be fetched.
    #[wire(keys(name))]
    pub image_pull_secrets: Few<NameReference>,
    /// The host name that it sees; its own name when it is empty.
    pub hostname: Str,
    /// The domain of that host name.
    pub subdomain: Str,
    /// The whole host name, instead.
    pub hostname_override: Str,
    /// Whether its host name is the whole one.
    #[wire(name = "setHostnameAsFQDN")]
    pub set_hostname_as_fqdn: bool,
    /// Which nodes it is drawn to, and which pods it keeps near or away from.
    pub affinity: Option<Box<Affinity>>,
    /// The scheduler that finds its node.
    #[wire(default = "default-scheduler")]
    pub scheduler_name: Str,
    /// Taints that it puts up with.
    #[wire(atomic)]
    pub tolerations: Few<Toleration>,
    /// Further lines of its hosts file.
    #[wire(keys(ip))]
    pub host_aliases: Few<HostAlias>,
    /// The name of its priority.
    pub priority_class_name: Str,
    /// Its priority, the greater the more important.
    pub priority: Option<i32>,
    /// Whether it may drive out others of less priority.
    pub preemption_policy: Option<PreemptionPolicy>,
    /// Settings of its resolver.
    pub dns_config: Option<Box<DnsConfig>>,
    /// Conditions that must hold, besides its containers', for it to be ready.
    #[wire(atomic)]
    pub readiness_gates: Few<ReadinessGate>,
    /// The class of runtime that it needs.
    pub runtime_class_name: Str,
    /// Whether its containers find Services in their environment.
    #[wire(default = true)]
    pub enable_service_links: bool,
    /// What running it takes beyond its containers.
    pub overhead: Map<Quantity>,
    /// How evenly pods like it are spread.
    #[wire(keys(topologyKey, whenUnsatisfiable))]
    pub topology_spread_constraints: Few<TopologySpread>,
    /// The operating system that it needs.
    pub os: Option<PodOs>,
    /// What must be taken away before it is scheduled.
    #[wire(keys(name))]
    pub scheduling_gates: Few<SchedulingGate>,
    /// What it asks for and may take as a whole.
    pub resources: Resources,
    /// What Orchestra adds.
    pub orchestra: Option<Box<PodExtension>>,
}

impl PodSpec {
    /// Fills in what follows from other fields.
    pub fn fill_in(&mut self) {
        for container in self.init_containers.iter_mut().chain(&mut self.containers) {
            container.fill_in();
        }
        self.volumes.iter_mut().for_each(Volume::fill_in);
        if self.service_account_name.is_empty() {
            self.service_account_name = self.service_account.clone();
        }
        self.service_account = self.service_account_name.clone();
        if self.host_network {
            for port in self.init_containers.iter_mut().chain(&mut self.containers).flat_map(|c| &mut c.ports)
            {
                if port.host_port == 0 {
                    port.host_port = port.container_port;
                }
            }
        }
    }

    /// Checks it as Kubernetes does.
    pub fn check(&self, at: &At<'_>) {
        at.field("containers").required(!self.containers.is_empty());
        at.each("initContainers", &self.init_containers, |at, container| container.check(at, Purpose::Init));
        at.each("containers", &self.containers, |at, container| container.check(at, Purpose::Main));
        at.each("volumes", &self.volumes, |at, volume| volume.check(at));
        at.distinct("volumes", &self.volumes, |volume| volume.name.clone());
        self.check_names(at);
        self.check_mounts(at);
        check_node_selector(&self.node_selector, &at.field("nodeSelector"));
        if let Some(context) = &self.security_context {
            let at = at.field("securityContext");
            check_profiles(context.seccomp_profile.as_deref(), context.app_armor_profile.as_deref(), &at);
        }
        let own_resolver = self.dns_config.as_ref().is_some_and(|config| !config.nameservers.is_empty());
        at.field("dnsConfig")
            .field("nameservers")
            .required(self.dns_policy != DnsPolicy::None || own_resolver);
        if let Some(affinity) = &self.affinity {
            affinity.check(&at.field("affinity"));
        }
        at.each("tolerations", &self.tolerations, |at, toleration| toleration.check(at));
        at.each("topologySpreadConstraints", &self.topology_spread_constraints, |at, spread| {
            spread.check(at)
        });
        at.each("schedulingGates", &self.scheduling_gates, |at, gate| {
            at.field("name").name(&gate.name, names::qualified_name)
        });
        self.resources.check(&at.field("resources"));
        at.field("activeDeadlineSeconds")
            .require(self.active_deadline_seconds != Some(0), "must be more than 0");
        for (name, label) in [("hostname", &self.hostname), ("subdomain", &self.subdomain)] {
            if !label.is_empty() {
                at.field(name).check(names::dns_label(label));
            }
        }
        if let Some(extension) = &self.orchestra {
            extension.check(&at.field("orchestra"));
        }
    }

    /// A name is taken by one container only, be it an init container or not.
    fn check_names(&self, at: &At<'_>) {
        let mut names = std::collections::BTreeSet::new();
        for (field, list) in [("initContainers", &self.init_containers[..]), ("containers", &self.containers)]
        {
            at.each(field, list, |at, container| {
                let new = container.name.is_empty() || names.insert(container.name.clone());
                at.field("name")
                    .require(new, format!("another container is called `{}` already", container.name));
            });
        }
    }

    /// What is mounted must be there.
    fn check_mounts(&self, at: &At<'_>) {
        for (field, list) in [("initContainers", &self.init_containers[..]), ("containers", &self.containers)]
        {
            at.each(field, list, |at, container| {
                at.each("volumeMounts", &container.volume_mounts, |at, mount| {
                    let known =
                        mount.name.is_empty() || self.volumes.iter().any(|volume| volume.name == mount.name);
                    at.field("name").require(known, format!("the pod has no volume `{}`", mount.name));
                });
            });
        }
    }

    /// What is set aside for the pod: of each resource the more of what its containers ask for
    /// together and what an init container asks for while it runs, and the overhead.
    ///
    /// `None` when the sum of some resource is more than can be counted.
    #[must_use]
    pub fn total_requests(&self) -> Option<Map<Quantity>> {
        fn add(total: &mut Map<Quantity>, more: &Map<Quantity>) -> Option<()> {
            for (name, amount) in more {
                let sum = total.get(name).copied().unwrap_or_default().checked_add(*amount)?;
                total.insert(name.clone(), sum);
            }
            Some(())
        }
        fn raise(total: &mut Map<Quantity>, to: &Map<Quantity>) {
            for (name, amount) in to {
                let more = total.get(name).copied().unwrap_or_default().max(*amount);
                total.insert(name.clone(), more);
            }
        }
        // Sidecars that have started run beside each later init container, and beside the others.
        let (mut sidecars, mut starting) = (Map::new(), Map::new());
        for container in &self.init_containers {
            let mut now = sidecars.clone();
            add(&mut now, &container.resources.requests)?;
            raise(&mut starting, &now);
            if container.is_sidecar() {
                sidecars = now;
            }
        }
        let mut total = sidecars;
        for container in &self.containers {
            add(&mut total, &container.resources.requests)?;
        }
        raise(&mut total, &starting);
        // What is said for the pod as a whole stands in for the sum.
        for (name, amount) in &self.resources.requests {
            total.insert(name.clone(), *amount);
        }
        add(&mut total, &self.overhead)?;
        Some(total)
    }
}

/// A pod as others make it: a Deployment, a Job.
#[wire]
pub struct PodTemplate {
    /// Labels and annotations of the pods.
    pub metadata: Metadata,
    /// What they are made of.
    #[wire(required)]
    pub spec: PodSpec,
}

impl PodTemplate {
    /// Fills in what follows from other fields.
    pub fn fill_in(&mut self) {
        self.spec.fill_in();
    }

    /// Checks it as Kubernetes does.
    pub fn check(&self, at: &At<'_>) {
        crate::object::check_labels(&self.metadata.labels, &at.field("metadata").field("labels"));
        self.spec.check(&at.field("spec"));
    }
}

/// A kind that is a pod or makes pods, so that what is said of pods can be said of it.
pub trait PodCarrier: Resource {
    /// Where the pod's spec stands.
    const POD_SPEC: &'static str;
    /// Where the pod's metadata stand.
    const POD_METADATA: &'static str;
}

impl PodCarrier for Pod {
    const POD_SPEC: &'static str = "spec";
    const POD_METADATA: &'static str = "metadata";
}

/// What can be said of any object that is a pod or makes pods.
impl<R: PodCarrier> Apply<R> {
    /// Adds a container.
    #[must_use]
    pub fn container(self, container: impl IntoField<Container>) -> Self {
        self.append(R::POD_SPEC, "containers", container.into_field())
    }

    /// Adds a container that runs to its end before the others begin.
    #[must_use]
    pub fn init_container(self, container: impl IntoField<Container>) -> Self {
        self.append(R::POD_SPEC, "initContainers", container.into_field())
    }

    /// Adds a container that starts before the others and runs beside them.
    #[must_use]
    pub fn sidecar(self, container: Apply<Container>) -> Self {
        self.init_container(container.restart_policy(ContainerRestartPolicy::Always))
    }

    /// Adds a volume.
    #[must_use]
    pub fn volume(self, volume: impl IntoField<Volume>) -> Self {
        self.append(R::POD_SPEC, "volumes", volume.into_field())
    }

    /// Adds a label of the pods.
    #[must_use]
    pub fn pod_label(self, key: impl Into<Str>, value: impl Into<Str>) -> Self {
        let labels = [R::POD_METADATA, "labels"].join(".");
        self.put_under(&labels, &key.into(), value.into().into_field())
    }

    /// Adds an annotation of the pods.
    #[must_use]
    pub fn pod_annotation(self, key: impl Into<Str>, value: impl Into<Str>) -> Self {
        let annotations = [R::POD_METADATA, "annotations"].join(".");
        self.put_under(&annotations, &key.into(), value.into().into_field())
    }

    /// Sets fields of the pods, each in the place of what was said of it before.
    #[must_use]
    pub fn pod(self, spec: impl IntoField<PodSpec>) -> Self {
        self.put_under(R::POD_SPEC, "", spec.into_field())
    }
}

/// What happens when a container ends.
#[wire]
pub enum RestartPolicy {
    /// It is started again.
    #[default]
    Always,
    /// It is started again if it failed.
    OnFailure,
    /// Nothing.
    Never,
}

/// Where names are looked up.
#[wire]
pub enum DnsPolicy {
    /// In the cluster, then as the node does.
    #[default]
    ClusterFirst,
    /// The same for a pod that uses the node's network.
    ClusterFirstWithHostNet,
    /// As the node does.
    Default,
    /// As the pod's own settings say.
    None,
}

/// Whether a pod may drive out others of less priority.
#[wire]
pub enum PreemptionPolicy {
    /// It may.
    #[default]
    PreemptLowerPriority,
    /// It may not.
    Never,
}

/// What a pod's containers are allowed to do.
#[wire(unsupported("windowsOptions"))]
pub struct PodSecurityContext {
    /// Their SELinux label.
    pub se_linux_options: Option<Box<SeLinuxOptions>>,
    /// The user they run as.
    pub run_as_user: Option<u64>,
    /// The group they run as.
    pub run_as_group: Option<u64>,
    /// Whether they are refused to run as root.
    pub run_as_non_root: Option<bool>,
    /// Further groups.
    #[wire(atomic)]
    pub supplemental_groups: Vec<u64>,
    /// Whether the image's groups count too.
    pub supplemental_groups_policy: Str,
    /// The group that owns their volumes.
    pub fs_group: Option<u64>,
    /// When the volumes' owner is changed.
    pub fs_group_change_policy: Str,
    /// When the volumes' SELinux label is changed.
    pub se_linux_change_policy: Str,
    /// Settings of the kernel.
    #[wire(atomic)]
    pub sysctls: Vec<Sysctl>,
    /// Which system calls they may make.
    pub seccomp_profile: Option<Box<Profile>>,
    /// Their AppArmor profile.
    pub app_armor_profile: Option<Box<Profile>>,
}

/// A setting of the kernel.
#[wire]
pub struct Sysctl {
    /// Its name.
    #[wire(required)]
    pub name: Str,
    /// Its value.
    #[wire(required)]
    pub value: Str,
}

/// A line of a pod's hosts file.
#[wire]
pub struct HostAlias {
    /// The address.
    #[wire(required)]
    pub ip: Str,
    /// Its names.
    #[wire(atomic)]
    pub hostnames: Vec<Str>,
}

/// Settings of a pod's resolver.
#[wire]
pub struct DnsConfig {
    /// Servers that are asked.
    #[wire(atomic)]
    pub nameservers: Vec<Str>,
    /// Domains that names are completed with.
    #[wire(atomic)]
    pub searches: Vec<Str>,
    /// Options.
    #[wire(atomic)]
    pub options: Vec<DnsOption>,
}

/// An option of a resolver.
#[wire]
pub struct DnsOption {
    /// Its name.
    pub name: Str,
    /// Its value.
    pub value: Option<Str>,
}

/// A condition that must hold for a pod to be ready.
#[wire]
pub struct ReadinessGate {
    /// The condition's type.
    #[wire(required)]
    pub condition_type: Str,
}

/// The operating system that a pod needs.
#[wire]
pub struct PodOs {
    /// `linux` or `windows`.
    #[wire(required)]
    pub name: Str,
}

/// What is observed of a pod.
#[wire(unsupported(
    "allocatedResources",
    "nodeAllocatableResourceClaimStatuses",
    "volumeHealth",
    "ephemeralContainerStatuses",
    "extendedResourceClaimStatus",
    "resize",
    "resourceClaimStatuses",
    "resources"
))]
pub struct PodStatus {
    /// The generation of the pod that was looked at.
    pub observed_generation: u64,
    /// How far its life has come.
    pub phase: PodPhase,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
    /// Why it is as it is, for people.
    pub message: Str,
    /// Why it is as it is, in one word.
    pub reason: Str,
    /// The node that others are driven out of for it.
    pub nominated_node_name: Str,
    /// Its node's address.
    #[wire(name = "hostIP")]
    pub host_ip: Str,
    /// Its node's addresses.
    #[wire(name = "hostIPs", atomic)]
    pub host_ips: Vec<HostIp>,
    /// Its address.
    #[wire(name = "podIP")]
    pub pod_ip: Str,
    /// Its addresses.
    #[wire(name = "podIPs", keys(ip))]
    pub pod_ips: Vec<HostIp>,
    /// When its node took it up.
    pub start_time: Option<Timestamp>,
    /// Its init containers.
    #[wire(atomic)]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// Its containers.
    #[wire(atomic)]
    pub container_statuses: Vec<ContainerStatus>,
    /// How its resources are guaranteed.
    pub qos_class: Option<QosClass>,
}

/// How far a pod's life has come.
#[wire]
pub enum PodPhase {
    /// Not observed yet.
    #[default]
    #[wire(name = "")]
    Unset,
    /// It waits for a node, an image or an init container.
    Pending,
    /// At least one container runs or is being restarted.
    Running,
    /// All containers ended with success.
    Succeeded,
    /// All containers ended, one of them with failure.
    Failed,
    /// Its node does not answer.
    Unknown,
}

/// How a pod's resources are guaranteed.
#[wire]
pub enum QosClass {
    /// It has all that it may take.
    Guaranteed,
    /// It has some of it.
    Burstable,
    /// It takes what is left.
    BestEffort,
}

/// An address.
#[wire]
pub struct HostIp {
    /// The address.
    #[wire(required)]
    pub ip: Str,
}

/// What is observed of a container.
#[wire(unsupported("allocatedResourcesStatus", "stopSignal", "user", "volumeMounts"))]
pub struct ContainerStatus {
    /// Its name.
    #[wire(required)]
    pub name: Str,
    /// What it is doing.
    pub state: ContainerState,
    /// What it was doing before it was last restarted.
    pub last_state: ContainerState,
    /// Whether it is ready.
    #[wire(required)]
    pub ready: bool,
    /// How often it was restarted.
    #[wire(required)]
    pub restart_count: u32,
    /// Its image, as it was asked for.
    #[wire(required)]
    pub image: Str,
    /// Its image, as it is.
    #[wire(required, name = "imageID")]
    pub image_id: Str,
    /// Its id within the runtime.
    #[wire(name = "containerID")]
    pub container_id: Str,
    /// Whether it has started: its startup probe has succeeded.
    pub started: Option<bool>,
    /// What was set aside for it.
    pub allocated_resources: Map<Quantity>,
    /// What it has and may take.
    pub resources: Option<Box<Resources>>,
}

/// What a container is doing.
#[wire(one_of)]
pub enum ContainerState {
    /// That is not known.
    #[default]
    Unset,
    /// It waits.
    Waiting(Waiting),
    /// It runs.
    Running(Running),
    /// It has ended.
    Terminated(Box<Terminated>),
}

/// A container that waits.
#[wire]
pub struct Waiting {
    /// Why, in one word.
    pub reason: Str,
    /// Why, for people.
    pub message: Str,
}

/// A container that runs.
#[wire]
pub struct Running {
    /// Since when.
    pub started_at: Option<Timestamp>,
}

/// A container that has ended.
#[wire]
pub struct Terminated {
    /// With which code.
    #[wire(required)]
    pub exit_code: i32,
    /// By which signal.
    pub signal: i32,
    /// Why, in one word.
    pub reason: Str,
    /// Its last words.
    pub message: Str,
    /// When it had started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its id within the runtime.
    #[wire(name = "containerID")]
    pub container_id: Str,
}
