//! What programs are told and who they are: [`ConfigMap`], [`Secret`], [`ServiceAccount`].

use orchestra_macros::wire;

use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Bytes, IntoField, Kind, Map, NameReference, NoStatus, Object, ObjectReference, SecretBytes,
    SecretText, Spec, Str, names,
};

/// How many bytes the entries of one object may take together.
const MOST_BYTES: usize = 1024 * 1024;

/// Settings that programs read.
pub type ConfigMap = Object<ConfigMapSpec>;

impl Spec for ConfigMapSpec {
    const KIND: Kind = Kind::namespaced("v1", "ConfigMap").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(map: &ConfigMap, at: &At<'_>) {
        let ConfigMapSpec { data, binary_data, .. } = &map.spec;
        check_keys(data, &at.field("data"));
        let binary = at.field("binaryData");
        check_keys(binary_data, &binary);
        for key in binary_data.keys() {
            binary.field(key).require(!data.contains_key(key), "there is an entry of that key in `data`");
        }
        let size = data.values().map(|text| text.len()).chain(binary_data.values().map(|bytes| bytes.len()));
        check_size(size.sum(), at);
    }
}

/// Settings that programs read.
#[wire(spec)]
pub struct ConfigMapSpec {
    /// Entries that are text.
    pub data: Map<Str>,
    /// Entries that are not.
    pub binary_data: Map<Bytes>,
    /// Whether they stay as they are for good.
    pub immutable: bool,
}

impl Apply<ConfigMap> {
    /// Adds an entry.
    #[must_use]
    pub fn entry(self, key: impl Into<Str>, text: impl Into<Str>) -> Self {
        self.put_under("data", &key.into(), text.into().into_field())
    }
}

fn check_keys<V>(data: &Map<V>, at: &At<'_>) {
    for key in data.keys() {
        at.field(key).check(names::config_key(key));
    }
}

fn check_size(size: usize, at: &At<'_>) {
    at.field("data").require(
        size <= MOST_BYTES,
        format!("the entries take {size} bytes together, the limit is {MOST_BYTES}"),
    );
}

/// What programs must know and nobody else may.
pub type Secret = Object<SecretSpec>;

impl Spec for SecretSpec {
    const KIND: Kind = Kind::namespaced("v1", "Secret").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn fill_in(secret: &mut Secret) {
        // What is written as text is kept as bytes, in the place of what was there.
        let texts = std::mem::take(&mut secret.spec.string_data);
        secret.spec.data.extend(texts.into_iter().map(|(key, text)| (key, text.expose().into())));
    }

    fn check(secret: &Secret, at: &At<'_>) {
        secret.spec.check(at);
        if secret.spec.kind == "kubernetes.io/service-account-token" {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            let account = secret.metadata.annotations.get(ACCOUNT);
            at.field("metadata")
                .field("annotations")
                .field(ACCOUNT)
                .required(account.is_some_and(|name| !name.is_empty()));
        }
    }
}

/// What programs must know and nobody else may. No value is shown by `Debug` or by an error.
#[wire(spec)]
pub struct SecretSpec {
    /// The entries.
    pub data: Map<SecretBytes>,
    /// Entries as text, which are moved to `data`.
    pub string_data: Map<SecretText>,
    /// What it is for, such as `kubernetes.io/tls`; that says which entries there must be.
    #[wire(name = "type", default = "Opaque")]
    pub kind: Str,
    /// Whether the entries stay as they are for good.
    pub immutable: bool,
}

impl SecretSpec {
    /// The entry under a key, wherever it stands.
    fn entry(&self, key: &str) -> Option<&[u8]> {
        let text = self.string_data.get(key).map(|text| text.expose().as_bytes());
        text.or_else(|| self.data.get(key).map(SecretBytes::expose))
    }

    fn check(&self, at: &At<'_>) {
        let data = at.field("data");
        check_keys(&self.data, &data);
        check_keys(&self.string_data, &at.field("stringData"));
        let bytes = self.data.values().map(SecretBytes::len);
        let texts = self.string_data.values().map(|text| text.expose().len());
        check_size(bytes.chain(texts).sum(), at);
        let needs = |key: &str| data.field(key).required(self.entry(key).is_some());
        match self.kind.as_str() {
            "kubernetes.io/dockercfg" => self.check_json(".dockercfg", &data),
            "kubernetes.io/dockerconfigjson" => self.check_json(".dockerconfigjson", &data),
            "kubernetes.io/basic-auth" => data.require(
                self.entry("username").or_else(|| self.entry("password")).is_some(),
                "must have `username` or `password`, or both",
            ),
            "kubernetes.io/ssh-auth" => needs("ssh-privatekey"),
            "kubernetes.io/tls" => ["tls.crt", "tls.key"].into_iter().for_each(needs),
            _ => {}
        }
    }

    fn check_json(&self, key: &str, data: &At<'_>) {
        match self.entry(key) {
            None => data.field(key).required(false),
            Some(text) => {
                // The parser's own error could quote the text.
                let json = serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
                data.field(key).require(json, "must be JSON");
            }
        }
    }
}

impl Apply<Secret> {
    /// Adds an entry.
    #[must_use]
    pub fn entry(self, key: impl Into<Str>, bytes: impl IntoField<SecretBytes>) -> Self {
        self.put_under("data", &key.into(), bytes.into_field())
    }
}

/// As whom programs act.
pub type ServiceAccount = Object<ServiceAccountSpec>;

impl Spec for ServiceAccountSpec {
    const KIND: Kind = Kind::namespaced("v1", "ServiceAccount").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;
}

/// As whom programs act.
#[wire(spec)]
pub struct ServiceAccountSpec {
    /// The Secrets that its pods may use, where that is restricted.
    #[wire(keys(name))]
    pub secrets: Vec<ObjectReference>,
    /// Secrets with which its pods' images may be fetched.
    #[wire(atomic)]
    pub image_pull_secrets: Vec<NameReference>,
    /// Whether its pods are given a token, where they do not say so themselves.
    pub automount_service_account_token: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::test::{check_table, object, problems};
    use crate::object::Resource;

    #[test]
    fn an_entry_is_added() {
        let map = Apply::<ConfigMap>::nothing().entry("a.b", "1").entry("c", "2");
        assert_eq!(Value::Object(map.fields().unwrap()), json!({"data": {"a.b": "1", "c": "2"}}));
        let secret = Apply::<Secret>::nothing().entry("a", "1");
        assert_eq!(Value::Object(secret.fields().unwrap()), json!({"data": {"a": "MQ=="}}));
    }

    #[test]
    fn text_becomes_data_and_wins() {
        let secret =
            object::<SecretSpec>(json!({"data": {"a": "MQ==", "b": "Mg=="}, "stringData": {"b": "3"}}));
        let entries: Vec<_> = secret.spec.data.iter().map(|(key, v)| (key.as_str(), v.expose())).collect();
        assert_eq!(entries, [("a", &b"1"[..]), ("b", b"3")]);
        assert!(secret.spec.string_data.is_empty());
        assert_eq!(secret.spec.kind, "Opaque");
    }

    #[test]
    fn what_is_wrong_with_a_config_map_is_said() {
        check_table::<ConfigMapSpec>(&[
            (json!({"data": {"a": "1"}, "binaryData": {"b": "MQ=="}}), ""),
            (json!({"data": {"a b": "1"}}), "data[\"a b\"]: `a b` must be letters"),
            (json!({"binaryData": {"..": ""}}), "binaryData[\"..\"]"),
            (json!({"data": {"a": "1"}, "binaryData": {"a": "MQ=="}}), "binaryData.a: there is an entry"),
            (json!({"data": {"a": "x".repeat(MOST_BYTES)}}), ""),
            (json!({"data": {"a": "x".repeat(MOST_BYTES), "b": "x"}}), "the entries take 1048577 bytes"),
        ]);
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said() {
        let of =
            |kind: &str, texts: Value| json!({"type": format!("kubernetes.io/{kind}"), "stringData": texts});
        check_table::<SecretSpec>(&[
            (json!({"stringData": {"a/b": "1"}}), "data[\"a/b\"]: `a/b` must be letters"),
            (json!({"stringData": {"a": "x".repeat(MOST_BYTES + 1)}}), "the entries take 1048577 bytes"),
            (of("tls", json!({"tls.crt": "", "tls.key": ""})), ""),
            (of("tls", json!({"tls.crt": ""})), "data[\"tls.key\"]: required"),
            (of("basic-auth", json!({"password": "p"})), ""),
            (of("basic-auth", json!({})), "data: must have `username` or `password`"),
            (of("ssh-auth", json!({})), "data.ssh-privatekey: required"),
            (of("dockerconfigjson", json!({".dockerconfigjson": "{}"})), ""),
            (of("dockerconfigjson", json!({})), "data[\".dockerconfigjson\"]: required"),
            (of("dockercfg", json!({".dockercfg": "hunter2"})), "data[\".dockercfg\"]: must be JSON"),
            (
                of("service-account-token", json!({})),
                "annotations[\"kubernetes.io/service-account.name\"]: required",
            ),
        ]);
    }

    /// However wrong a Secret is, what it holds is not shown.
    #[test]
    fn nothing_shows_a_secret() {
        const TEXT: &str = "hunter2";
        const NUMBER: u64 = 8675309;
        let base64 = "aHVudGVyMg==";
        let quiet = |shown: String| {
            for secret in [TEXT, base64, &NUMBER.to_string()] {
                assert!(!shown.contains(secret), "{shown}");
            }
        };
        for content in [
            json!({"data": {"a": base64}}),
            json!({"stringData": {"a": TEXT}}),
            json!({"stringdata": {"a": TEXT}}),
            json!({"stringData": {"a b": TEXT}}),
            json!({"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": TEXT}}),
        ] {
            let mut whole = content.clone();
            whole["metadata"] = json!({"name": "a"});
            let read: Secret = serde_json::from_value(whole).unwrap();
            quiet(format!("{read:?} {}", problems(&read)));
            let filled = object::<SecretSpec>(content);
            quiet(format!("{filled:?} {}", problems(&filled)));
        }
        for wrong in [
            json!({"data": {"a": TEXT}}),
            json!({"data": {"a": NUMBER}}),
            json!({"data": {"a": [NUMBER]}}),
            json!({"data": {"a": {"b": TEXT}}}),
            json!({"data": TEXT}),
            json!({"data": NUMBER}),
            json!({"data": [TEXT]}),
            json!({"stringData": {"a": NUMBER}}),
            json!({"stringData": {"a": 8675309.5}}),
            json!({"stringData": {"a": -8675309_i64}}),
            json!({"stringData": {"a": [TEXT]}}),
            json!({"stringData": {"a": {"b": TEXT}}}),
            json!({"stringData": TEXT}),
            json!({"stringData": [TEXT]}),
        ] {
            let error = Secret::from_json(wrong.to_string().as_bytes()).unwrap_err();
            quiet(format!("{error} {error:?}"));
            let error = serde_json::from_value::<Secret>(wrong.clone()).unwrap_err();
            quiet(format!("{error} {error:?}"));
            let apply = Apply::<Secret>::nothing()
                .set("data", &wrong["data"])
                .set("stringData", &wrong["stringData"]);
            quiet(format!("{apply:?} {:?}", apply.clone().build().unwrap_err()));
        }
        quiet(format!("{:?}", IntoField::<SecretBytes>::into_field(TEXT)));
        quiet(format!("{:?}", Secret::new("a").entry("a", TEXT)));
    }
}
