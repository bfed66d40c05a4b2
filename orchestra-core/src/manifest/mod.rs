//! manifests
use crate::object::Resource;
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
pub(crate) fn explain<R: Resource>(_json: &[u8], error: serde_json::Error) -> Error {
    Error::Decode { kind: R::KIND.name(), reason: error.to_string() }
}
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| Error::Decode { kind: "", reason: e.to_string() })
}
