//! The names of a store's files.

use std::fmt;

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// Which store it is. It is made last: where it is, the store is whole.
    Identity,
    /// What was committed, in order. The numbers follow one another.
    Journal(u64),
    /// What there was, which makes the journals before its number needless.
    Snapshot(u64),
}

/// What is appended to the name of a file that is not finished.
pub(super) const UNFINISHED: &str = ".tmp";

impl Name {
    /// What the file is; nothing when it is none of a store's.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let parsed = match name.split_once('-') {
            None if name == "identity" => Self::Identity,
            Some(("journal", text)) => Self::Journal(number(text)?),
            Some(("snapshot", text)) => Self::Snapshot(number(text)?),
            _ => return None,
        };
        // One file has one name.
        (parsed.to_string() == name).then_some(parsed)
    }

    /// Whether this is the name of a store's file that is not finished.
    pub(super) fn is_unfinished(name: &str) -> bool {
        name.strip_suffix(UNFINISHED).is_some_and(|name| Self::parse(name).is_some())
    }

    /// Its name while it is not finished.
    pub(super) fn unfinished(self) -> String {
        format!("{self}{UNFINISHED}")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity"),
            Self::Journal(number) => write!(f, "journal-{number:016x}"),
            Self::Snapshot(number) => write!(f, "snapshot-{number:016x}"),
        }
    }
}
