//! What is asked of a container and done at the turning points of its life: [`Probe`], [`Lifecycle`].

use orchestra_macros::wire;

use crate::object::{Apply, At, IntoField, PortRef, Str, names};

/// A question that is put to a container again and again.
#[wire]
pub struct Probe {
    /// The question.
    #[wire(inline)]
    pub handler: ProbeHandler,
    /// How long after the start it is first put.
    pub initial_delay_seconds: u32,
    /// How long the answer may take.
    #[wire(default = 1)]
    pub timeout_seconds: u32,
    /// How often it is put.
    #[wire(default = 10)]
    pub period_seconds: u32,
    /// How many successes in a row count as one.
    #[wire(default = 1)]
    pub success_threshold: u32,
    /// How many failures in a row count as one.
    #[wire(default = 3)]
    pub failure_threshold: u32,
    /// How long the container is given to stop when it failed.
    pub termination_grace_period_seconds: Option<u32>,
}

impl Probe {
    /// Zeros mean the defaults, as in Kubernetes.
    pub(super) fn fill_in(&mut self) {
        let defaults = Self::default();
        for (value, default) in [
            (&mut self.timeout_seconds, defaults.timeout_seconds),
            (&mut self.period_seconds, defaults.period_seconds),
            (&mut self.success_threshold, defaults.success_threshold),
            (&mut self.failure_threshold, defaults.failure_threshold),
        ] {
            if *value == 0 {
                *value = default;
            }
        }
        if let ProbeHandler::HttpGet(get) = &mut self.handler
            && get.path.is_empty()
        {
            get.path = "/".into();
        }
    }

    /// A GET of this path on this port, answered with a status from 200 to 399.
    #[must_use]
    pub fn http(path: impl Into<Str>, port: impl IntoField<PortRef>) -> Apply<Self> {
        let get = Apply::<HttpGet>::nothing().path(path).port(port);
        Apply::<Self>::nothing().put("httpGet", get.into_field())
    }

    /// A connection to this port.
    #[must_use]
    pub fn tcp(port: impl IntoField<PortRef>) -> Apply<Self> {
        let socket = Apply::<TcpSocket>::nothing().port(port);
        Apply::<Self>::nothing().put("tcpSocket", socket.into_field())
    }

    /// A command in the container that ends with success.
    #[must_use]
    pub fn exec<I: IntoIterator<Item: Into<Str>>>(command: I) -> Apply<Self> {
        let command = command.into_iter().map(Into::into).collect();
        Apply::<Self>::nothing().handler(ProbeHandler::Exec(Exec { command }))
    }

    pub(super) fn check(&self, at: &At<'_>) {
        self.handler.check(at);
        for (name, value) in [
            ("timeoutSeconds", self.timeout_seconds),
            ("periodSeconds", self.period_seconds),
            ("successThreshold", self.success_threshold),
            ("failureThreshold", self.failure_threshold),
        ] {
            at.field(name).require(value > 0, "must be more than 0");
        }
    }
}

/// The question that a probe puts.
#[wire(one_of)]
pub enum ProbeHandler {
    /// None.
    #[default]
    Unset,
    /// Does this command in the container end with success?
    Exec(Exec),
    /// Is this GET answered with a status from 200 to 399?
    HttpGet(HttpGet),
    /// Is this connection accepted?
    TcpSocket(TcpSocket),
    /// Does it answer by gRPC's health protocol that it serves?
    Grpc(Grpc),
}

impl ProbeHandler {
    pub(super) fn check(&self, at: &At<'_>) {
        match self {
            Self::Unset => at.problem("must say what is asked: httpGet, tcpSocket, exec or grpc"),
            Self::Exec(exec) => exec.check(&at.field("exec")),
            Self::HttpGet(get) => get.check(&at.field("httpGet")),
            Self::TcpSocket(socket) => socket.check(&at.field("tcpSocket")),
            Self::Grpc(grpc) => at.field("grpc").field("port").check(names::port(grpc.port)),
        }
    }
}

/// What is done at a turning point of a container's life.
#[wire(one_of)]
pub enum Hook {
    /// Nothing.
    #[default]
    Unset,
    /// Run a command in it.
    Exec(Exec),
    /// Send it a GET.
    HttpGet(HttpGet),
    /// Connect to it.
    TcpSocket(TcpSocket),
    /// Wait.
    Sleep(Sleep),
}

impl Hook {
    pub(super) fn check(&self, at: &At<'_>) {
        match self {
            Self::Unset => at.problem("must say what is done: exec, httpGet, tcpSocket or sleep"),
            Self::Exec(exec) => exec.check(&at.field("exec")),
            Self::HttpGet(get) => get.check(&at.field("httpGet")),
            Self::TcpSocket(socket) => socket.check(&at.field("tcpSocket")),
            Self::Sleep(_) => {}
        }
    }
}

/// A command.
#[wire]
pub struct Exec {
    /// The program and its arguments; no shell.
    #[wire(atomic)]
    pub command: Vec<Str>,
}

impl Exec {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("command").required(!self.command.is_empty());
    }
}

/// A GET request.
#[wire(unsupported("protocol"))]
pub struct HttpGet {
    /// The path.
    pub path: Str,
    /// The port.
    #[wire(required)]
    pub port: PortRef,
    /// The host; the pod's address when it is not given.
    pub host: Str,
    /// HTTP or HTTPS.
    #[wire(default = Scheme::Http)]
    pub scheme: Scheme,
    /// Headers to send.
    #[wire(atomic)]
    pub http_headers: Vec<HttpHeader>,
}

impl HttpGet {
    pub(super) fn check(&self, at: &At<'_>) {
        self.port.check(&at.field("port"));
    }
}

/// HTTP or HTTPS.
#[wire]
pub enum Scheme {
    /// HTTP.
    #[default]
    #[wire(name = "HTTP")]
    Http,
    /// HTTPS.
    #[wire(name = "HTTPS")]
    Https,
}

/// A header of a request.
#[wire]
pub struct HttpHeader {
    /// Its name.
    #[wire(required)]
    pub name: Str,
    /// Its value.
    #[wire(required)]
    pub value: Str,
}

/// A TCP connection.
#[wire]
pub struct TcpSocket {
    /// The port.
    #[wire(required)]
    pub port: PortRef,
    /// The host; the pod's address when it is not given.
    pub host: Str,
}

impl TcpSocket {
    pub(super) fn check(&self, at: &At<'_>) {
        self.port.check(&at.field("port"));
    }
}

/// A question by gRPC's health protocol.
#[wire(unsupported("mode"))]
pub struct Grpc {
    /// The port.
    #[wire(required)]
    pub port: u16,
    /// The service that is asked for.
    pub service: Str,
}

/// A wait.
#[wire]
pub struct Sleep {
    /// How long.
    #[wire(required)]
    pub seconds: u64,
}

/// What is done when a container has started and before it is stopped.
#[wire]
pub struct Lifecycle {
    /// Done right after it has started.
    pub post_start: Option<Hook>,
    /// Done before it is told to stop.
    pub pre_stop: Option<Hook>,
    /// The signal that tells it to stop.
    pub stop_signal: Str,
}

impl Lifecycle {
    pub(super) fn check(&self, at: &At<'_>) {
        for (name, hook) in [("postStart", &self.post_start), ("preStop", &self.pre_stop)] {
            if let Some(hook) = hook {
                hook.check(&at.field(name));
            }
        }
    }
}
