//! Reading and writing manifests: YAML, JSON and `List`s of objects.
//!
//! YAML is read as Kubernetes reads it. What is wrong is told with file, line, column and field, and
//! with a hint where something else may have been meant: all fields that are not known and all values
//! that are not right at once, unless a value is of the wrong type, which ends its document. What is
//! not supported is named and kept, never dropped in silence.
//!
//! ```
//! use orchestra_core::kinds::Pod;
//! use orchestra_core::manifest::{Reader, Registry};
//!
//! let text = "
//! apiVersion: v1
//! kind: Pod
//! metadata: {name: web}
//! spec:
//!   containers:
//!   - {name: app, image: nginx, imagePullPollicy: Always}
//! ";
//! let registry = Registry::builtin();
//! let manifest = Reader::lenient(&registry).read("pod.yaml", text);
//! assert_eq!(
//!     manifest.notices().next().map(ToString::to_string).unwrap_or_default(),
//!     "pod.yaml:7:31: warning: Pod web: spec.containers[name=app].imagePullPollicy: unknown field, kept but not \
//!      used (did you mean `imagePullPolicy`?)",
//! );
//! let objects = manifest.into_objects()?;
//! assert_eq!(objects[0].downcast_ref::<Pod>().map(|pod| pod.spec.containers.len()), Some(1));
//! # Ok::<_, orchestra_core::Error>(())
//! ```

mod config;
mod decode;
mod emit;
mod json;
mod near;
mod read;
mod registry;
mod scalar;
mod tree;
mod yaml;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use config::{read_as, value_as};
pub use emit::to_yaml;
pub use near::nearest;
pub use read::{Document, Manifest, Notice, Reader, Severity};
pub use registry::Registry;
pub use tree::{Limits, Mark};

use crate::object::{FieldPath, Problem, Resource};
use crate::{Error, Result};
use tree::Node;

/// Says where and why some JSON is no object of a kind, after the fast way has failed.
pub(crate) fn explain<R: Resource>(text: &str, error: &serde_json::Error) -> Error {
    let kind = R::KIND.name();
    let limits = Limits::default();
    let place = |mark: tree::Mark| format!("line {}, column {}", mark.line, mark.column);
    let reason = match json::read(text, &limits, &mut limits.nodes.clone()) {
        Err(syntax) => format!("{}: {}", place(syntax.mark), syntax.text),
        Ok(nodes) => match nodes.first().map(decode::decode::<R>) {
            Some(Err(mismatch)) => format!("{}: {}: {}", place(mismatch.mark), mismatch.path, mismatch.text),
            None => "there is nothing".into(),
            // Text after the object. The parser's own words could quote a secret, so they are not used.
            Some(Ok(_)) => format!("line {}, column {}: more text follows", error.line(), error.column()),
        },
    };
    Error::Decode { kind, reason }
}

/// Why a tree is no object of a kind, after the fast way has failed.
pub(crate) fn problem_of<R: Resource>(tree: &Value) -> Problem {
    match decode::decode::<R>(&Node::from(tree.clone())) {
        Err(mismatch) => Problem { path: mismatch.path, text: mismatch.text },
        // The two ways are one code, so this cannot be; what the fast one said could quote a secret.
        Ok(_) => Problem { path: FieldPath::ROOT, text: "cannot be read".into() },
    }
}

/// A value of a type, from what a builder set.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    decode::decode(&Node::from(value))
        .map_err(|mismatch| Error::Set { path: mismatch.path.to_string(), reason: mismatch.text })
}
