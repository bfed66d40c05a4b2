//! What every runtime refuses before it does anything: requests that cannot be right.

use orchestra_core::object::Str;

use crate::{CreateContainer, CreateSandbox, Error, Exec, Result};

/// The most that a name may have, in bytes: it becomes part of names of files.
const MOST_NAME: usize = 253;
/// The most that one argument or variable may have, in bytes, as Linux has it.
const MOST_TEXT: usize = 128 * 1024 - 1;

impl CreateSandbox {
    /// Whether it can be right.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<()> {
        name("the pod's namespace", &self.pod.namespace)?;
        name("the pod's name", &self.pod.name)?;
        name("the pod's uid", &self.pod.uid)?;
        if !self.hostname.is_empty() {
            name("the host's name", &self.hostname)?;
        }
        let distinct: std::collections::BTreeSet<_> =
            self.ports.iter().map(|it| (it.port, it.protocol)).collect();
        if self.ports.iter().any(|it| it.port == 0) {
            return invalid("a port", "must be from 1 to 65535");
        }
        if distinct.len() < self.ports.len() {
            return invalid("the ports", "one of them is named twice");
        }
        Ok(())
    }
}

impl CreateContainer {
    /// Whether it can be right.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<()> {
        name("the container's name", &self.name)?;
        program(&self.command, &self.args, &self.env)?;
        if self.image.is_empty() && self.command.is_empty() {
            return invalid("the container", "has neither an image nor a command: name one");
        }
        if self.image.contains(['\0', '\n']) {
            return invalid("the image's name", "has a character that no name has");
        }
        for (what, limit) in
            [("cpu", self.limits.cpu_milli), ("memory", self.limits.memory), ("pids", self.limits.pids)]
        {
            if limit == Some(0) {
                return invalid(
                    format!("the limit of {what}"),
                    "is 0: nothing could run; leave it out for no limit",
                );
            }
        }
        for mount in &self.mounts {
            if !mount.target.starts_with('/') || mount.target.split('/').any(|part| part == "..") {
                return invalid(
                    format!("the mount at {}", mount.target),
                    "must be an absolute path without `..`",
                );
            }
        }
        if !self.working_dir.is_empty() && !self.working_dir.starts_with('/') {
            return invalid("the working directory", "must be an absolute path");
        }
        Ok(())
    }
}

impl Exec {
    /// Whether it can be right.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<()> {
        if self.command.is_empty() {
            return invalid("the command", "is empty: name a program");
        }
        program(&self.command, &[], &self.env)
    }
}

fn program(command: &[Str], args: &[Str], env: &[(Str, Str)]) -> Result<()> {
    for text in command.iter().chain(args) {
        if text.contains('\0') {
            return invalid("the command", "has a NUL, which no program can be given");
        }
        if text.len() > MOST_TEXT {
            return invalid(
                "the command",
                format!("has an argument of {} bytes; {MOST_TEXT} is the most", text.len()),
            );
        }
    }
    if command.first().is_some_and(|it| it.is_empty()) {
        return invalid("the command", "begins with an empty name of a program");
    }
    for (key, value) in env {
        if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
            return invalid(
                format!("the variable `{}`", key.escape_debug()),
                "cannot be set: it is empty, or has `=` or NUL",
            );
        }
        if key.len() + value.len() + 1 > MOST_TEXT {
            // What it says may be secret.
            return invalid(
                format!("the variable `{key}`"),
                format!(
                    "has {} bytes; {MOST_TEXT} is the most that a program can be given in one",
                    value.len()
                ),
            );
        }
    }
    Ok(())
}

fn name(what: &'static str, name: &str) -> Result<()> {
    if name.is_empty() {
        return invalid(what, "is empty");
    }
    if name.len() > MOST_NAME {
        return invalid(what, format!("has {} bytes; {MOST_NAME} is the most", name.len()));
    }
    let is_fine = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    if !name.chars().all(is_fine) || name.starts_with('.') {
        let shown: String = name.escape_debug().take(80).collect();
        return invalid(
            what,
            format!("is `{shown}`: letters, digits, `-`, `_` and `.` (not first) are allowed"),
        );
    }
    Ok(())
}

fn invalid<T>(what: impl Into<Str>, reason: impl Into<Str>) -> Result<T> {
    Err(Error::Invalid { what: what.into(), reason: reason.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Mount, PodRef};

    fn says(result: Result<()>) -> String {
        result.map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for (name, what) in [
            ("", "the pod's name: is empty"),
            ("../etc", "the pod's name: is `../etc`: letters"),
            ("a/b", "the pod's name: is `a/b`"),
            ("a\nb", "the pod's name: is `a\\nb`"),
            (".hidden", "the pod's name: is `.hidden`"),
        ] {
            let said = says(CreateSandbox::new(PodRef::new("default", name, "uid")).check());
            assert!(said.starts_with(what), "{said}");
        }
        let long = "x".repeat(300);
        assert!(
            says(CreateContainer::new(long.as_str(), "a:1").check()).contains("300 bytes; 253 is the most")
        );
        assert_eq!(says(CreateSandbox::new(PodRef::new("default", "web-0.a_b", "uid")).check()), "");
    }

    #[test]
    fn what_no_program_can_be_given_is_refused_and_secrets_are_not_shown() {
        let app = || CreateContainer::new("app", "a:1");
        assert!(says(app().command(["a\0b"]).check()).contains("has a NUL"));
        assert!(says(app().command([""]).check()).contains("empty name of a program"));
        assert!(says(app().env("A=B", "x").check()).contains("the variable `A=B`: cannot be set"));
        let said = says(app().env("TOKEN", "s3cret".repeat(1 << 18)).check());
        assert!(said.contains("has 1572864 bytes") && !said.contains("s3cret"), "{said}");
        assert!(
            says(app().limits(Limits::default().memory(0)).check()).contains("the limit of memory: is 0")
        );
        assert!(says(CreateContainer::new("app", "").check()).contains("neither an image nor a command"));
        let mut mounted = app();
        mounted.mounts.push(Mount::host("/data", "/var/../etc"));
        assert!(says(mounted.check()).contains("the mount at /var/../etc: must be an absolute path"));
        assert!(says(Exec::new(Vec::<Str>::new()).check()).contains("name a program"));
        let twice = CreateSandbox::new(PodRef::new("default", "web", "uid")).port(80).port(80);
        assert!(says(twice.check()).contains("named twice"));
    }
}
