//! What a file says, field by field.

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Configuration {
    pub(super) api_version: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) profiles: Option<Vec<ProfileSaid>>,
    pub(super) extenders: Option<Vec<Value>>,
    pub(super) parallelism: Option<Value>,
    pub(super) leader_election: Option<Value>,
    pub(super) client_connection: Option<Value>,
    pub(super) enable_profiling: Option<Value>,
    pub(super) enable_contention_profiling: Option<Value>,
    pub(super) percentage_of_nodes_to_score: Option<Value>,
    pub(super) pod_initial_backoff_seconds: Option<Value>,
    pub(super) pod_max_backoff_seconds: Option<Value>,
    pub(super) delay_cache_until_active: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProfileSaid {
    pub(super) scheduler_name: Option<String>,
    pub(super) percentage_of_nodes_to_score: Option<Value>,
    pub(super) plugins: Option<Plugins>,
    pub(super) plugin_config: Option<Vec<PluginConfig>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Plugins {
    pub(super) multi_point: Option<Point>,
    pub(super) filter: Option<Point>,
    pub(super) score: Option<Point>,
    pub(super) pre_enqueue: Option<Value>,
    pub(super) queue_sort: Option<Value>,
    pub(super) pre_filter: Option<Value>,
    pub(super) post_filter: Option<Value>,
    pub(super) pre_score: Option<Value>,
    pub(super) reserve: Option<Value>,
    pub(super) permit: Option<Value>,
    pub(super) pre_bind: Option<Value>,
    pub(super) bind: Option<Value>,
    pub(super) post_bind: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Point {
    pub(super) enabled: Option<Vec<Plugin>>,
    pub(super) disabled: Option<Vec<Plugin>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) weight: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginConfig {
    pub(super) name: String,
    pub(super) args: Option<Value>,
}
