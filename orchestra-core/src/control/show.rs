//! How a [`Plan`] is shown: as a difference that a person can read.

use std::fmt;

use serde_json::Value;

use super::{Act, Op, Plan};
use crate::client::{ObjectName, Part, Patch};
use crate::object::fields::Node;
use crate::object::{FieldPath, Kind, Segment};

/// A plan beside what is there. [`Plan::show`] makes it.
pub struct Shown<'p, F> {
    plan: &'p Plan,
    now: F,
}

impl Plan {
    /// Shows the plan beside what is there: `now` gives the tree of an object as it is, if it is there.
    /// Fields that stay as they are are left out then.
    pub const fn show<F: Fn(&ObjectName) -> Option<Value>>(&self, now: F) -> Shown<'_, F> {
        Shown { plan: self, now }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self, None, f)
    }
}

impl<F: Fn(&ObjectName) -> Option<Value>> fmt::Display for Shown<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.plan, Some(&self.now), f)
    }
}

type Lookup<'l> = Option<&'l dyn Fn(&ObjectName) -> Option<Value>>;

/// How many steps are shown, and fields of each: more than that nobody reads.
const MOST_SHOWN: usize = 200;
/// How much of a value is shown.
const LONGEST: usize = 120;

fn show(plan: &Plan, now: Lookup<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(wrong) = plan.wrong() {
        writeln!(f, "!! {wrong}")?;
    }
    for (at, step) in plan.steps().iter().enumerate().take(MOST_SHOWN) {
        let number = format!("{}.", at + 1);
        if step.is_atomic() {
            writeln!(f, "{number:<2} all at once")?;
            step.ops().iter().try_for_each(|op| show_op("  ", op, now, f))?;
        } else {
            step.ops().iter().try_for_each(|op| show_op(&number, op, now, f))?;
        }
    }
    let shown: usize = plan.steps().iter().take(MOST_SHOWN).map(|step| step.ops().len()).sum();
    if plan.changes() > shown {
        writeln!(f, "   and {} more changes", plan.changes() - shown)?;
    }
    for noted in plan.notes() {
        let (about, note) = (&noted.about, &noted.note);
        let slash = if about.namespace.is_empty() { "" } else { "/" };
        let name = format_args!("{} {}{slash}{}", about.kind, about.namespace, about.name);
        writeln!(f, "   ! {} {} {:?} ({name})", note.kind, note.reason, note.message.as_str())?;
    }
    if plan.notes_left_out() > 0 {
        writeln!(f, "   ! and {} more events", plan.notes_left_out())?;
    }
    let (after, at) = plan.times();
    if let Some(after) = after {
        writeln!(f, "   look again in {after:?}")?;
    }
    if let Some(at) = at {
        writeln!(f, "   look again at {at}")?;
    }
    Ok(())
}

fn show_op(number: &str, op: &Op, now: Lookup<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let before = now.and_then(|now| now(op.object()));
    let (sign, verb) = match op.act() {
        Act::Ensure { force, .. } => {
            let sign = if before.is_some() { '~' } else { '+' };
            let how = if *force { "ensure" } else { "ensure unless owned" };
            (sign, owner(op).map_or_else(|| how.into(), |owner| format!("{how}, owned by {owner}")))
        }
        Act::Patch { part: Part::Main, .. } => ('~', "patch".into()),
        Act::Patch { part: Part::Status, .. } => ('~', "status".into()),
        Act::Delete { .. } => ('-', "delete".into()),
        Act::Finalizer { name, present: true, .. } => ('~', format!("finalizer {name}")),
        Act::Finalizer { name, present: false, .. } => ('~', format!("remove finalizer {name}")),
    };
    writeln!(f, "{number:<2} {sign} {:<34} {verb}", op.object().to_string())?;
    if matches!(op.act(), Act::Finalizer { .. }) {
        return Ok(());
    }
    let (mut shown, mut left_out) = (0, 0);
    let mut nothing = true;
    let is_json = matches!(op.act(), Act::Patch { patch: Patch::Json(_), .. });
    for (path, value) in op.places() {
        let old = before.as_ref().and_then(|tree| at(tree, &path));
        if before.is_some() && !is_json && old == value.as_ref() {
            continue;
        }
        nothing = false;
        // Who owns it is said beside its name.
        if is_about_owners(&path) {
            continue;
        }
        if shown == MOST_SHOWN {
            left_out += 1;
            continue;
        }
        shown += 1;
        let is_secret = is_secret(op.object().kind(), &path);
        let text = |value: Option<&Value>| text_of(value, is_secret);
        match old {
            Some(old) => writeln!(f, "       {path}: {} -> {}", text(Some(old)), text(value.as_ref()))?,
            None => writeln!(f, "       {path}: {}", text(value.as_ref()))?,
        }
    }
    if left_out > 0 {
        writeln!(f, "       and {left_out} more fields")?;
    }
    if nothing && before.is_some() && !op.is_deletion() {
        writeln!(f, "       all of it is so already")?;
    }
    Ok(())
}

/// Who controls the object that is ensured.
fn owner(op: &Op) -> Option<String> {
    let Act::Ensure { fields, .. } = op.act() else { return None };
    let owners = fields.at(&["metadata", "ownerReferences"])?.as_list()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Node::Bool(true)))?;
    let text = |name| owner.get(name).and_then(Node::as_text);
    let namespace = op.object().namespace();
    let slash = if namespace.is_empty() { "" } else { "/" };
    Some(format!("{} {namespace}{slash}{}", text("kind")?, text("name")?))
}

fn is_about_owners(path: &FieldPath) -> bool {
    matches!(path.segments(), [Segment::Field(first), Segment::Field(second), ..]
        if first == "metadata" && second == "ownerReferences")
}

fn at<'t>(tree: &'t Value, path: &FieldPath) -> Option<&'t Value> {
    path.segments().iter().try_fold(tree, |place, segment| match segment {
        Segment::Field(name) => place.get(name.as_str()),
        Segment::Index(index) => place.get(index),
        Segment::Item(keys) => place
            .as_array()?
            .iter()
            .find(|item| keys.iter().all(|(key, value)| item.get(key.as_str()) == Some(value))),
    })
}

/// Whether nobody may see what stands there: everything that a Secret holds, and kubectl's annotation
/// that repeats a whole object.
fn is_secret(kind: Kind, path: &FieldPath) -> bool {
    const REPEATED: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let mut fields = path.segments().iter().map(|segment| match segment {
        Segment::Field(name) => name.as_str(),
        Segment::Index(_) | Segment::Item(_) => "",
    });
    let first = fields.next();
    let is_content = !matches!(first, Some("metadata" | "type" | "immutable"));
    (kind.group().is_empty() && kind.name() == "Secret" && is_content)
        || (first == Some("metadata")
            && fields.next() == Some("annotations")
            && fields.next().is_none_or(|name| name == REPEATED))
}

fn text_of(value: Option<&Value>, is_secret: bool) -> String {
    match value {
        None => "nothing".into(),
        Some(_) if is_secret => "[secret]".into(),
        Some(value) => {
            let text = value.to_string();
            match text.char_indices().nth(LONGEST) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::client::{Delete, Operation};
    use crate::control::{Effect, Note};
    use crate::kinds::{ConfigMap, Deployment, Node, Pod, Secret};
    use crate::object::{Condition, Revision, Timestamp, Uid};

    fn site() -> Deployment {
        let mut site = Deployment::new("blog").namespace("default").replicas(2).build().unwrap();
        site.metadata.uid = Uid::from_u128(1);
        site.metadata.resource_version = Revision(7);
        site.status.ready_replicas = 2;
        site
    }

    fn plan() -> Plan {
        let site = site();
        let mut status = site.status.clone();
        status.ready_replicas = 3;
        let pod = Pod::new("web-1").namespace("default").build().unwrap();
        Plan::new()
            .ensure(
                Deployment::new("app")
                    .namespace("default")
                    .container(crate::kinds::Container::new("app").image("app:2").port(80)),
            )
            .ensure(ConfigMap::new("blog").namespace("default").entry("title", "A \"blog\"").owned_by(&site))
            .edit(&site, |site| {
                site.spec.replicas = 3;
                site.spec.paused = true;
            })
            .status(&site, status)
            .condition(&site, Condition::of("Ready", true), Timestamp::from_unix(0))
            .ensure_unless_owned(
                Secret::new("token").namespace("default").label("app", "blog").entry("a", "hunter2"),
            )
            .atomic(Plan::new().delete_with(&pod, Delete::default().grace(0)).patch(
                &Node::new("n1").build().unwrap(),
                crate::client::Patch::json([Operation::remove("/metadata/labels/example.com~1old")]),
            ))
            .effect(&site, Effect::new("dns", "a").input(json!({"name": "blog"})))
            .event(&site, Note::normal("Scaled", "from 2 to 3"))
            .after(Duration::from_millis(2500))
            .at(Timestamp::from_unix(60))
    }

    #[test]
    fn a_plan_is_shown_as_what_it_comes_to() {
        let golden = r#"
1. + Deployment default/app             ensure
       spec.template.spec.containers[name=app].image: "app:2"
       spec.template.spec.containers[name=app].ports[containerPort=80].containerPort: 80
2. + ConfigMap default/blog             ensure, owned by Deployment default/blog
       data.title: "A \"blog\""
3. ~ Deployment default/blog            patch
       spec.paused: true
       spec.replicas: 3
4. ~ Deployment default/blog            status
       status.conditions: [{"lastTransitionTime":"1970-01-01T00:00:00Z","status":"True","type":"Ready"}]
       status.readyReplicas: 3
5. + Secret default/token               ensure unless owned
       data.a: [secret]
       metadata.labels.app: "blog"
6. all at once
   - Pod default/web-1                  delete
   ~ Node n1                            patch
       metadata.labels["example.com/old"]: nothing
7. ~ Deployment default/blog            finalizer orchestra.dev/effect-dns
8. + EffectRequest default/dns-6d35ebee5bed5207371822a4d9277feb ensure, owned by Deployment default/blog
       spec.handler: "dns"
       spec.input.name: "blog"
       spec.key: "6d35ebee5bed5207371822a4d9277feb"
       spec.slot: "a"
   ! Normal Scaled "from 2 to 3" (Deployment default/blog)
   look again in 2.5s
   look again at 1970-01-01T00:01:00.000000Z
"#;
        assert_eq!(format!("\n{}", plan()), golden);
    }

    #[test]
    fn a_plan_is_shown_beside_what_is_there() {
        let now = |name: &ObjectName| match name.kind().name() {
            "Deployment" if name.name() == "app" => {
                Some(json!({"spec": {"template": {"spec": {"containers": [
                    {"name": "other", "image": "b:1"},
                    {"name": "app", "image": "app:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                ]}}}}))
            }
            "Deployment" => serde_json::to_value(site()).ok(),
            "ConfigMap" => Some(json!({"data": {"title": "A \"blog\""}})),
            "Secret" => Some(json!({"data": {"a": "aHVudGVyMw=="}, "metadata": {"labels": {"app": "blog"}}})),
            "Node" => Some(json!({"metadata": {"labels": {"example.com/old": "1"}}})),
            _ => None,
        };
        let golden = r#"
1. ~ Deployment default/app             ensure
       spec.template.spec.containers[name=app].image: "app:1" -> "app:2"
2. ~ ConfigMap default/blog             ensure, owned by Deployment default/blog
3. ~ Deployment default/blog            patch
       spec.paused: true
       spec.replicas: 2 -> 3
4. ~ Deployment default/blog            status
       status.conditions: [{"lastTransitionTime":"1970-01-01T00:00:00Z","status":"True","type":"Ready"}]
       status.readyReplicas: 2 -> 3
5. ~ Secret default/token               ensure unless owned
       data.a: [secret] -> [secret]
6. all at once
   - Pod default/web-1                  delete
   ~ Node n1                            patch
       metadata.labels["example.com/old"]: "1" -> nothing
7. ~ Deployment default/blog            finalizer orchestra.dev/effect-dns
8. + EffectRequest default/dns-6d35ebee5bed5207371822a4d9277feb ensure, owned by Deployment default/blog
       spec.handler: "dns"
       spec.input.name: "blog"
       spec.key: "6d35ebee5bed5207371822a4d9277feb"
       spec.slot: "a"
   ! Normal Scaled "from 2 to 3" (Deployment default/blog)
   look again in 2.5s
   look again at 1970-01-01T00:01:00.000000Z
"#;
        assert_eq!(format!("\n{}", plan().show(now)), golden);
    }

    #[test]
    fn what_is_long_is_cut() {
        let long = Plan::new().ensure(ConfigMap::new("c").entry("k", "ä".repeat(500)));
        let shown = long.to_string();
        assert!(shown.ends_with("ä…\n") && shown.chars().count() < 220, "{shown}");
        let wide = (0..300).fold(ConfigMap::new("c"), |map, n| map.entry(format!("k{n}"), "v"));
        assert!(Plan::new().ensure(wide).to_string().ends_with("and 100 more fields\n"));
        let many = Plan::new().ensure_each((0..20_000).map(|n| ConfigMap::new(format!("c{n}"))));
        assert!(many.to_string().ends_with("and 19800 more changes\n"));
    }
}
