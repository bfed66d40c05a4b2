//! What runs in a pod: [`Container`], its ports and its limits.

use orchestra_macros::wire;

use super::env::{EnvFrom, EnvSource, EnvVar};
use super::probe::{Lifecycle, Probe};
use super::security::SecurityContext;
use super::volume::{VolumeDevice, VolumeMount};
use crate::object::{Apply, At, Few, IntoField, Map, PortRef, Quantity, Str, names};

/// A process, or a few, from an image, within a pod.
#[wire(unsupported("restartPolicyRules"))]
pub struct Container {
    /// Its name, unique within the pod.
    #[wire(required)]
    pub name: Str,
    /// The image that it is made from.
    pub image: Str,
    /// What is run in place of the image's entry point.
    #[wire(atomic)]
    pub command: Few<Str>,
    /// What is passed to it.
    #[wire(atomic)]
    pub args: Few<Str>,
    /// The directory in which it starts.
    pub working_dir: Str,
    /// The ports on which it listens.
    #[wire(keys(containerPort, protocol))]
    pub ports: Vec<ContainerPort>,
    /// Whole objects whose entries become environment variables.
    #[wire(atomic)]
    pub env_from: Few<EnvFrom>,
    /// Environment variables.
    #[wire(keys(name))]
    pub env: Vec<EnvVar>,
    /// What it asks for and what it may take.
    pub resources: Resources,
    /// Which changes of its resources need a restart.
    #[wire(atomic)]
    pub resize_policy: Few<ResizePolicy>,
    /// When it is started again, where that differs from its pod's policy. `Always` makes an init
    /// container a sidecar, which runs beside the others.
    pub restart_policy: Option<ContainerRestartPolicy>,
    /// Where the pod's volumes appear in it.
    #[wire(keys(mountPath))]
    pub volume_mounts: Few<VolumeMount>,
    /// Where raw block devices appear in it.
    #[wire(keys(devicePath))]
    pub volume_devices: Few<VolumeDevice>,
    /// It is restarted when this fails.
    pub liveness_probe: Option<Box<Probe>>,
    /// It is sent requests while this succeeds.
    pub readiness_probe: Option<Box<Probe>>,
    /// The other probes wait until this has succeeded once.
    pub startup_probe: Option<Box<Probe>>,
    /// What is done when it has started and before it is stopped.
    pub lifecycle: Option<Box<Lifecycle>>,
    /// The file from which its last words are read.
    #[wire(default = "/dev/termination-log")]
    pub termination_message_path: Str,
    /// What stands in for its last words.
    #[wire(default = TerminationMessagePolicy::File)]
    pub termination_message_policy: TerminationMessagePolicy,
    /// When the image is fetched.
    pub image_pull_policy: Option<PullPolicy>,
    /// What it is allowed to do.
    pub security_context: Option<Box<SecurityContext>>,
    /// Whether its standard input is kept open.
    pub stdin: bool,
    /// Whether its standard input is closed when the first client has left.
    pub stdin_once: bool,
    /// Whether it has a terminal.
    pub tty: bool,
}

impl Container {
    /// Begins a container of this name.
    #[allow(clippy::new_ret_no_self)] // what is described is not whole yet
    #[must_use]
    pub fn new(name: impl Into<Str>) -> Apply<Self> {
        Apply::<Self>::nothing().name(name)
    }

    /// Whether it is an init container that keeps running beside the others.
    #[must_use]
    pub const fn is_sidecar(&self) -> bool {
        matches!(self.restart_policy, Some(ContainerRestartPolicy::Always))
    }

    pub(super) fn fill_in(&mut self) {
        if self.image_pull_policy.is_none() && !self.image.is_empty() {
            self.image_pull_policy = Some(PullPolicy::default_for(&self.image));
        }
        let probes = [&mut self.liveness_probe, &mut self.readiness_probe, &mut self.startup_probe];
        probes.into_iter().flatten().for_each(|probe| probe.fill_in());
    }

    pub(super) fn check(&self, at: &At<'_>, role: Purpose) {
        at.field("name").name(&self.name, names::dns_label);
        at.field("image").require(self.image.trim() == self.image, "may not begin or end with a space");
        at.each("ports", &self.ports, |at, port| port.check(at));
        at.distinct(
            "ports",
            self.ports.iter().filter(|port| !port.name.is_empty()).collect::<Vec<_>>().as_slice(),
            |port| port.name.clone(),
        );
        at.each("env", &self.env, |at, env| env.check(at));
        at.each("envFrom", &self.env_from, |at, from| from.check(at));
        self.resources.check(&at.field("resources"));
        self.resources.check_of_container(&at.field("resources"));
        at.each("volumeMounts", &self.volume_mounts, |at, mount| mount.check(at));
        at.distinct("volumeMounts", &self.volume_mounts, |mount| mount.mount_path.clone());
        self.check_probes(at, role);
        if let Some(context) = &self.security_context {
            context.check(&at.field("securityContext"));
        }
    }

    fn check_probes(&self, at: &At<'_>, role: Purpose) {
        let probes = [
            ("livenessProbe", &self.liveness_probe),
            ("readinessProbe", &self.readiness_probe),
            ("startupProbe", &self.startup_probe),
        ];
        for (name, probe) in probes {
            if let Some(probe) = probe {
                let at = at.field(name);
                at.require(
                    role == Purpose::Main || self.is_sidecar(),
                    "an init container that is no sidecar has no probes",
                );
                probe.check(&at);
                at.field("successThreshold").require(
                    name == "readinessProbe" || probe.success_threshold == 1,
                    "must be 1 for liveness and startup probes",
                );
            }
        }
        if let Some(lifecycle) = &self.lifecycle {
            let at = at.field("lifecycle");
            at.require(
                role == Purpose::Main || self.is_sidecar(),
                "an init container that is no sidecar has no lifecycle",
            );
            lifecycle.check(&at);
        }
    }
}

/// What a container is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It runs to its end before the others begin, unless it is a sidecar.
    Init,
    /// It is what the pod is for.
    Main,
}

impl Apply<Container> {
    /// Adds a TCP port on which it listens.
    #[must_use]
    pub fn port(self, number: u16) -> Self {
        self.append("", "ports", ContainerPort::tcp(number).into_field())
    }

    /// Adds a named TCP port on which it listens.
    #[must_use]
    pub fn named_port(self, name: impl Into<Str>, number: u16) -> Self {
        self.append("", "ports", ContainerPort::tcp(number).name(name).into_field())
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn var(self, name: impl Into<Str>, value: impl Into<Str>) -> Self {
        self.append("", "env", Apply::<EnvVar>::nothing().name(name).value(value).into_field())
    }

    /// Adds an environment variable whose value is taken from somewhere else.
    #[must_use]
    pub fn var_from(self, name: impl Into<Str>, source: impl IntoField<EnvSource>) -> Self {
        self.append("", "env", Apply::<EnvVar>::nothing().name(name).value_from(source).into_field())
    }

    /// Mounts a volume of the pod.
    #[must_use]
    pub fn mount(self, volume: impl Into<Str>, path: impl Into<Str>) -> Self {
        self.append(
            "",
            "volumeMounts",
            Apply::<VolumeMount>::nothing().name(volume).mount_path(path).into_field(),
        )
    }

    /// Asks for so much of a resource: `.request("cpu", "500m")`.
    #[must_use]
    pub fn request(self, resource: impl Into<Str>, amount: impl IntoField<Quantity>) -> Self {
        self.put_under("resources.requests", &resource.into(), amount.into_field())
    }

    /// Allows so much of a resource and no more: `.limit("memory", "1Gi")`.
    #[must_use]
    pub fn limit(self, resource: impl Into<Str>, amount: impl IntoField<Quantity>) -> Self {
        self.put_under("resources.limits", &resource.into(), amount.into_field())
    }

    /// It is ready while this path on this port answers with success.
    #[must_use]
    pub fn ready_http(self, path: impl Into<Str>, port: impl IntoField<PortRef>) -> Self {
        self.readiness_probe(Probe::http(path, port))
    }

    /// It is ready while this port accepts connections.
    #[must_use]
    pub fn ready_tcp(self, port: impl IntoField<PortRef>) -> Self {
        self.readiness_probe(Probe::tcp(port))
    }

    /// It is alive while this path on this port answers with success.
    #[must_use]
    pub fn alive_http(self, path: impl Into<Str>, port: impl IntoField<PortRef>) -> Self {
        self.liveness_probe(Probe::http(path, port))
    }
}

/// When a container that ended is started again, where that differs from its pod's policy.
#[wire]
pub enum ContainerRestartPolicy {
    /// Whenever it ends.
    Always,
    /// When it fails.
    OnFailure,
    /// Never.
    Never,
}

/// What stands in for a container's last words.
#[wire]
pub enum TerminationMessagePolicy {
    /// What the file holds, and nothing else.
    #[default]
    File,
    /// The end of the log, when the file is empty and the container failed.
    FallbackToLogsOnError,
}

/// When an image is fetched.
#[wire]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// When it is not there yet.
    IfNotPresent,
    /// Never: it must be there.
    Never,
}

impl PullPolicy {
    /// `Always` for `:latest` and for an image without tag or digest, `IfNotPresent` otherwise.
    #[must_use]
    pub fn default_for(image: &str) -> Self {
        let name = image.rsplit('/').next().unwrap_or(image);
        let moves = !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
        if moves { Self::Always } else { Self::IfNotPresent }
    }
}

/// A port on which a container listens.
#[wire]
pub struct ContainerPort {
    /// Its name, by which Services and probes may refer to it.
    pub name: Str,
    /// Its number.
    #[wire(required)]
    pub container_port: u16,
    /// What is spoken there.
    #[wire(default = Protocol::Tcp)]
    pub protocol: Protocol,
    /// The port of the node that leads to it.
    pub host_port: u16,
    /// The node's address to which that port is bound.
    #[wire(name = "hostIP")]
    pub host_ip: Str,
}

impl ContainerPort {
    /// A TCP port.
    #[must_use]
    pub fn tcp(number: u16) -> Apply<Self> {
        Apply::<Self>::nothing().container_port(number)
    }

    fn check(&self, at: &At<'_>) {
        if !self.name.is_empty() {
            at.field("name").check(names::port_name(&self.name));
        }
        at.field("containerPort").check(names::port(self.container_port));
    }
}

/// What is spoken on a port.
#[wire]
pub enum Protocol {
    /// TCP.
    #[default]
    #[wire(name = "TCP")]
    Tcp,
    /// UDP.
    #[wire(name = "UDP")]
    Udp,
    /// SCTP.
    #[wire(name = "SCTP")]
    Sctp,
}

/// What a container, or a pod, asks for and what it may take.
#[wire(unsupported("claims"))]
pub struct Resources {
    /// What it may take at most.
    pub limits: Map<Quantity>,
    /// What is set aside for it.
    pub requests: Map<Quantity>,
}

impl Resources {
    /// What is limited but not asked for is asked for up to the limit.
    pub(super) fn fill_in(&mut self) {
        for (name, limit) in &self.limits {
            if !self.requests.contains_key(name) {
                self.requests.insert(name.clone(), *limit);
            }
        }
    }

    /// Checks what holds of a container's resources only: which there are, and that devices are
    /// neither shared nor promised twice.
    fn check_of_container(&self, at: &At<'_>) {
        for (field, resources) in [("limits", &self.limits), ("requests", &self.requests)] {
            for name in resources.keys() {
                let known = name.contains('/')
                    || matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage")
                    || name.starts_with("hugepages-");
                at.field(field).field(name).require(
                    known,
                    "must be cpu, memory, ephemeral-storage, hugepages-…, or a device's name such as example.com/gpu",
                );
            }
        }
        for (name, request) in &self.requests {
            let device = name.contains('/') || name.starts_with("hugepages-");
            at.field("limits").field(name).require(
                !device || self.limits.get(name) == Some(request),
                format!("must be given, and the same as what is asked for, {request}"),
            );
        }
    }

    pub(super) fn check(&self, at: &At<'_>) {
        check_resources(&self.limits, &at.field("limits"));
        check_resources(&self.requests, &at.field("requests"));
        let requests = at.field("requests");
        for (name, request) in self.requests.iter() {
            let limit = self.limits.get(name);
            requests.field(name).require(
                limit.is_none_or(|limit| request <= limit),
                format!("{request} is more than the limit, {}", limit.copied().unwrap_or_default()),
            );
        }
    }
}

/// Checks amounts of resources. Devices are counted in whole numbers, but for those of
/// `orchestra.dev/`, of which a pod may have a fraction.
fn check_resources(resources: &Map<Quantity>, at: &At<'_>) {
    for (name, amount) in resources {
        let at = at.field(name);
        at.check(names::qualified_name(name));
        at.require(!amount.is_negative(), "must not be less than 0");
        let whole = amount.milli_value().is_none_or(|milli| milli % 1000 == 0);
        let device = name.split_once('/').is_some_and(|(domain, _)| domain != "orchestra.dev");
        at.require(whole || !device, format!("`{amount}` of a device must be a whole number"));
    }
}

/// Whether a change of a resource needs a restart.
#[wire]
pub struct ResizePolicy {
    /// The resource.
    #[wire(required)]
    pub resource_name: Str,
    /// `NotRequired` or `RestartContainer`.
    #[wire(required)]
    pub restart_policy: Str,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_shorthand_sets_exactly_what_it_says() {
        let container = || Apply::<Container>::nothing();
        for (apply, fields) in [
            (Container::new("a"), json!({"name": "a"})),
            (container().port(80), json!({"ports": [{"containerPort": 80}]})),
            (container().named_port("http", 80), json!({"ports": [{"name": "http", "containerPort": 80}]})),
            (container().var("A", "1"), json!({"env": [{"name": "A", "value": "1"}]})),
            (
                container().var_from("A", EnvSource::secret("s", "k")),
                json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            ),
            (container().mount("v", "/data"), json!({"volumeMounts": [{"name": "v", "mountPath": "/data"}]})),
            (container().request("cpu", "0.5"), json!({"resources": {"requests": {"cpu": "500m"}}})),
            (container().limit("memory", "1Gi"), json!({"resources": {"limits": {"memory": "1Gi"}}})),
            (
                container().ready_http("/", 80),
                json!({"readinessProbe": {"httpGet": {"path": "/", "port": 80}}}),
            ),
            (container().ready_tcp("http"), json!({"readinessProbe": {"tcpSocket": {"port": "http"}}})),
            (
                container().alive_http("/", 80),
                json!({"livenessProbe": {"httpGet": {"path": "/", "port": 80}}}),
            ),
            (
                container().liveness_probe(Probe::exec(["true"])),
                json!({"livenessProbe": {"exec": {"command": ["true"]}}}),
            ),
        ] {
            assert_eq!(serde_json::Value::Object(apply.fields().unwrap()), fields);
        }
    }

    #[test]
    fn an_amount_that_is_none_is_an_error_and_not_a_panic() {
        let error = Container::new("a").request("cpu", "much").port(80).fields().unwrap_err().to_string();
        assert!(error.starts_with("cannot set resources.requests.cpu: `much` is no quantity"), "{error}");
    }

    #[test]
    fn images_that_may_move_are_pulled_always() {
        for (image, policy) in [
            ("nginx", PullPolicy::Always),
            ("nginx:latest", PullPolicy::Always),
            ("nginx:1", PullPolicy::IfNotPresent),
            ("host:5000/nginx", PullPolicy::Always),
            ("host:5000/nginx:1", PullPolicy::IfNotPresent),
            ("nginx@sha256:00", PullPolicy::IfNotPresent),
        ] {
            assert_eq!(PullPolicy::default_for(image), policy, "{image}");
        }
    }
}
