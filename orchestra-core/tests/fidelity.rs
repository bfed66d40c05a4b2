//! What Kubernetes accepts and refuses where that is surprising: tables of things that people write.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use orchestra_core::manifest::{Reader, Registry};

/// What is said about a Pod with these lines in its spec.
fn pod(lines: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers: [{{name: app, image: nginx:1}}]\n  {lines}\n"
    );
    let registry = Registry::builtin();
    Reader::strict(&registry).read("pod", text).notices().map(ToString::to_string).collect()
}

/// What is said about a container with these lines.
fn container(lines: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n  - name: app\n    image: nginx:1\n    {lines}\n"
    );
    let registry = Registry::builtin();
    Reader::strict(&registry).read("pod", text).notices().map(ToString::to_string).collect()
}

#[test]
fn what_kubernetes_accepts_is_accepted() {
    for lines in [
        "volumes: [{name: data, emptyDir: }]",
        "volumes: [{name: data}]",
        "restartPolicy: ''",
        "dnsPolicy: ''",
        "tolerations: [{key: a, operator: '', effect: ''}]",
        "tolerations: [{key: a, operator: Gt, value: '5'}]",
        "securityContext: {runAsUser: 1.00065e+09, fsGroup: 1e+06}",
        "terminationGracePeriodSeconds: 30.0",
        "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]",
        "hostNetwork: ~",
    ] {
        assert_eq!(pod(lines), [""; 0], "{lines}");
    }
    for lines in [
        "imagePullPolicy: ''",
        "terminationMessagePolicy: ''",
        "ports: [{containerPort: 80, protocol: ''}]",
        "livenessProbe: {httpGet: {port: 80, scheme: ''}, timeoutSeconds: 0, periodSeconds: 0}",
        "securityContext: {runAsNonRoot: true, runAsUser: 0}",
        "restartPolicy: OnFailure",
        "resources: {limits: {cpu: 1.5, memory: 1e9}}",
        "resources: {limits: {example.com/gpu: 1, orchestra.dev/gpu: 250m}}",
        "env: [{name: A, value: !!binary aGVsbG8=}]",
    ] {
        assert_eq!(container(lines), [""; 0], "{lines}");
    }
}

#[test]
fn what_kubernetes_refuses_is_refused() {
    for (lines, message) in [
        ("securityContext: {seccompProfile: {}}", "securityContext.seccompProfile.type: required"),
        ("securityContext: {seccompProfile: {type: Localhost}}", "localhostProfile: must be given"),
        ("topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone}]", "whenUnsatisfiable: required"),
        ("tolerations: [{key: a, tolerationSeconds: 5}]", "effect: must be NoExecute"),
        ("dnsPolicy: None", "dnsConfig.nameservers: required"),
        ("volumes: [{name: a, hostPath: {path: /a/../b}}]", "may not contain `..`"),
        (
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: \
             [{matchExpressions: [{key: a, values: [b]}]}]}}}",
            "operator: required",
        ),
        ("nodeSelecter: ", "nodeSelecter: unknown field (did you mean `nodeSelector`?)"),
        ("data: {}", "data: unknown field"),
    ] {
        let said = pod(lines);
        assert!(said.iter().any(|said| said.contains(message)), "{lines}: {said:?} lacks {message:?}");
    }
    for (lines, message) in [
        ("resources: {requests: {memroy: 1Gi}}", "requests.memroy: must be cpu, memory"),
        (
            "resources: {requests: {example.com/gpu: 1}}",
            "must be given, and the same as what is asked for, 1",
        ),
        ("livenessProbe: {x: 1}", "livenessProbe: must say what is asked"),
        ("env: [{name: A, valueFrom: {oops: 1}}]", "valueFrom: must say from where"),
        (
            "env: [{name: A, value: !S3cr3t}]",
            "this tag is not known here (put a text that begins with `!` in quotes)",
        ),
    ] {
        let said = container(lines);
        assert!(said.iter().any(|said| said.contains(message)), "{lines}: {said:?} lacks {message:?}");
    }
}

#[test]
fn a_secret_does_not_show_as_a_tag() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: !S3cr3t, other: !!S3cr3t x}\n";
    let registry = Registry::builtin();
    let manifest = Reader::lenient(&registry).read("secret", text);
    assert!(manifest.is_refused());
    let shown = format!("{manifest:?} {}", manifest.clone().into_objects().unwrap_err());
    assert!(!shown.contains("S3cr3t"), "{shown}");
}

#[test]
fn a_key_that_stands_twice_is_named_with_its_path() {
    let text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: one\n  b: two\n  a: three\n";
    let registry = Registry::builtin();
    let said: Vec<_> =
        Reader::lenient(&registry).read("twice", text).notices().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["twice:5:3: warning: ConfigMap a: data.a: this key stands twice in one map; the last one counts"]
    );
}
