//! What the kinds' tests share.

use serde_json::{Value, json};

use crate::object::{Object, Resource, Spec};

/// An object named `a` of which this is said, defaults filled in.
pub(crate) fn object<S: Spec>(content: Value) -> Object<S> {
    let mut whole = json!({"metadata": {"name": "a"}});
    match content {
        Value::Object(content) if S::KIND.is_flat() => whole.as_object_mut().unwrap().extend(content),
        content => whole["spec"] = content,
    }
    let mut object: Object<S> = serde_json::from_value(whole).unwrap();
    object.fill_in();
    object
}

/// All that is wrong with an object, in one line.
pub(crate) fn problems(object: &impl Resource) -> String {
    object.problems().to_string()
}

/// Proves of each content that what is wrong with it is said as it stands beside it; an empty text
/// means that it is right.
pub(crate) fn check_table<S: Spec>(table: &[(Value, &str)]) {
    for (content, expected) in table {
        let found = problems(&object::<S>(content.clone()));
        let right = if expected.is_empty() { found.is_empty() } else { found.contains(expected) };
        assert!(right, "{content}: expected `{expected}`, found `{found}`");
    }
}
