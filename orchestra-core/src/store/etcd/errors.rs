//! What etcd's errors mean: above all, whether a transaction may have taken effect.

use std::error::Error as _;
use std::io;

use crate::store::{CommitError, StoreError};

/// Why a request failed, as far as it matters to who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The revision is not held any more.
    Compacted,
    /// The revision has not been reached.
    Future,
    /// etcd's database is full. The very transaction that filled it is refused so *and takes effect*
    /// (`quotaApplierV3` applies first), those after it do not.
    Full,
    /// It was refused before it could have any effect, and will be again.
    Refused(String),
    /// The request does not fit into what etcd takes.
    TooLarge(String),
    /// It had no effect, and may succeed later or at another member.
    NotDone(String),
    /// It had no effect: the token is older than a change of users and roles.
    StaleToken,
    /// What was answered is longer than what is read at once.
    AnswerTooLong,
    /// The members do not hold the same.
    Corrupt(String),
    /// Anything else: nobody knows what became of it.
    Lost(String),
}

impl Fault {
    pub(super) fn of(error: &etcd_client::Error) -> Self {
        match error {
            etcd_client::Error::GRpcStatus(status) => {
                let text = with_causes(status.message(), status.source());
                // Only an attempt to connect is refused: nothing was sent.
                if status.source().is_some_and(is_refused_connection) {
                    return Self::NotDone(text);
                }
                match Self::of_status(status.code() as i32, status.message()) {
                    Self::Lost(_) => Self::Lost(text),
                    fault => fault,
                }
            }
            // What the client itself finds wrong, it does not send.
            etcd_client::Error::InvalidArgs(_)
            | etcd_client::Error::InvalidUri(_)
            | etcd_client::Error::InvalidMetadataValue(_) => Self::Refused(error.to_string()),
            etcd_client::Error::TransportError(cause) => {
                Self::Lost(with_causes(&cause.to_string(), cause.source()))
            }
            _ => Self::Lost(error.to_string()),
        }
    }

    /// What a status means. A code alone says little: proxies, HTTP and the client itself make them too.
    /// Only with etcd's own words is it etcd that speaks.
    fn of_status(code: i32, message: &str) -> Self {
        let Some(said) = message.strip_prefix("etcdserver: ") else {
            return match (code, message) {
                (OUT_OF_RANGE, text) if text.contains("decoded message length too large") => {
                    Self::AnswerTooLong
                }
                (RESOURCE_EXHAUSTED, text) if text.starts_with("grpc: received message larger than max") => {
                    Self::TooLarge(text.into())
                }
                _ => Self::Lost(message.into()),
            };
        };
        match (code, said) {
            (OUT_OF_RANGE, "mvcc: required revision has been compacted") => Self::Compacted,
            (OUT_OF_RANGE, "mvcc: required revision is a future revision") => Self::Future,
            (RESOURCE_EXHAUSTED, "mvcc: database space exceeded") => Self::Full,
            // Said before the transaction is proposed.
            (RESOURCE_EXHAUSTED, "too many requests") | (UNAVAILABLE, "no leader") => {
                Self::NotDone(message.into())
            }
            (INVALID_ARGUMENT, "request is too large" | "too many operations in txn request") => {
                Self::TooLarge(message.into())
            }
            (INVALID_ARGUMENT, "revision of auth store is old") => Self::StaleToken,
            (UNAUTHENTICATED, "invalid auth token") => Self::StaleToken,
            (DATA_LOSS, "corrupt cluster") => Self::Corrupt(message.into()),
            (
                INVALID_ARGUMENT | FAILED_PRECONDITION | PERMISSION_DENIED | UNAUTHENTICATED | OUT_OF_RANGE,
                _,
            ) => Self::Refused(message.into()),
            _ => Self::Lost(message.into()),
        }
    }

    /// The same, saying which server it was.
    pub(super) fn at(self, endpoint: &str) -> Self {
        let at = |reason: String| format!("{endpoint}: {reason}");
        match self {
            Self::Refused(reason) => Self::Refused(at(reason)),
            Self::NotDone(reason) => Self::NotDone(at(reason)),
            Self::Lost(reason) => Self::Lost(at(reason)),
            other => other,
        }
    }

    /// As who reads sees it. Revisions that are gone or not reached are the caller's to explain.
    pub(super) fn into_store_error(self, doing: &str) -> StoreError {
        let doing = doing.to_owned();
        match self {
            Self::Refused(reason) | Self::TooLarge(reason) => StoreError::Failed { doing, reason },
            Self::Corrupt(reason) => StoreError::Corrupt { place: "etcd".into(), reason },
            Self::Full => StoreError::ReadOnly { reason: FULL.into() },
            Self::AnswerTooLong => {
                StoreError::Failed { doing, reason: "an answer is too long to be read".into() }
            }
            Self::NotDone(reason) | Self::Lost(reason) => StoreError::Unavailable { doing, reason },
            Self::StaleToken => StoreError::Unavailable { doing, reason: "the token has expired".into() },
            Self::Compacted | Self::Future => {
                StoreError::Unavailable { doing, reason: "etcd does not hold the revision".into() }
            }
        }
    }

    /// As who commits sees it: everything that is not known to have had no effect is unknown.
    pub(super) fn into_commit_error(self) -> CommitError {
        match self {
            Self::TooLarge(reason) => CommitError::Invalid { reason },
            Self::Refused(_) | Self::NotDone(_) | Self::StaleToken => {
                CommitError::Failed(self.into_store_error("committing"))
            }
            Self::Full => CommitError::Unknown { reason: FULL.into() },
            Self::Lost(reason) | Self::Corrupt(reason) => CommitError::Unknown { reason },
            Self::Compacted | Self::Future | Self::AnswerTooLong => {
                CommitError::Unknown { reason: "etcd's answer makes no sense".into() }
            }
        }
    }
}

/// What is wrong when etcd's database is full, and what helps.
pub(super) const FULL: &str = "etcd's database is full: compact and defragment it, or raise its quota, then \
                               disarm the alarm (`etcdctl alarm disarm`)";

// gRPC's codes, by the numbers that it gives them.
const INVALID_ARGUMENT: i32 = 3;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const OUT_OF_RANGE: i32 = 11;
const UNAVAILABLE: i32 = 14;
const DATA_LOSS: i32 = 15;
const UNAUTHENTICATED: i32 = 16;

type Cause<'c> = &'c (dyn std::error::Error + 'static);

fn causes(cause: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(cause), |cause| (**cause).source())
}

fn is_refused_connection(cause: Cause<'_>) -> bool {
    causes(cause)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// What happened and why, each cause once: "transport error" alone helps nobody.
fn with_causes(what: &str, cause: Option<Cause<'_>>) -> String {
    let mut text = what.to_owned();
    for cause in cause.into_iter().flat_map(causes) {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&more);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANCELLED: i32 = 1;
    const UNKNOWN: i32 = 2;
    const DEADLINE_EXCEEDED: i32 = 4;
    const INTERNAL: i32 = 13;

    /// What a commit comes to, and what a read does.
    #[test]
    fn what_a_status_means() {
        const NOT_DONE: &str = "not done";
        const RETRY: &str = "not done, retry";
        const LOST: &str = "unknown";
        for (code, message, commit, read_may_succeed_later) in [
            (INVALID_ARGUMENT, "etcdserver: key is not provided", NOT_DONE, false),
            (INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request", NOT_DONE, false),
            (INVALID_ARGUMENT, "etcdserver: request is too large", NOT_DONE, false),
            (INVALID_ARGUMENT, "etcdserver: too many operations in txn request", NOT_DONE, false),
            (
                INVALID_ARGUMENT,
                "etcdserver: authentication failed, invalid user ID or password",
                NOT_DONE,
                false,
            ),
            (INVALID_ARGUMENT, "etcdserver: revision of auth store is old", RETRY, true),
            (PERMISSION_DENIED, "etcdserver: permission denied", NOT_DONE, false),
            (UNAUTHENTICATED, "etcdserver: invalid auth token", RETRY, true),
            (FAILED_PRECONDITION, "etcdserver: authentication is not enabled", NOT_DONE, false),
            (RESOURCE_EXHAUSTED, "etcdserver: too many requests", RETRY, true),
            (RESOURCE_EXHAUSTED, "grpc: received message larger than max (4 vs. 3)", NOT_DONE, false),
            // The one that fills the database takes effect.
            (RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded", LOST, false),
            (UNAVAILABLE, "etcdserver: no leader", RETRY, true),
            (UNAVAILABLE, "etcdserver: leader changed", LOST, true),
            (UNAVAILABLE, "etcdserver: request timed out", LOST, true),
            (UNAVAILABLE, "etcdserver: request timed out, possibly due to connection lost", LOST, true),
            (
                UNAVAILABLE,
                "etcdserver: request timed out, possibly due to previous leader failure",
                LOST,
                true,
            ),
            (UNAVAILABLE, "etcdserver: server stopped", LOST, true),
            (UNAVAILABLE, "transport is closing", LOST, true),
            (CANCELLED, "Timeout expired", LOST, true),
            (DEADLINE_EXCEEDED, "context deadline exceeded", LOST, true),
            (UNKNOWN, "raft proposal dropped", LOST, true),
            (INTERNAL, "h2 protocol error", LOST, true),
            (DATA_LOSS, "etcdserver: corrupt cluster", LOST, false),
            // Not etcd's words: a proxy's, HTTP's or the client's, who do not know what became of it.
            (RESOURCE_EXHAUSTED, "h2 protocol error: enhance your calm", LOST, true),
            (PERMISSION_DENIED, "h2 protocol error: inadequate security", LOST, true),
            (INVALID_ARGUMENT, "", LOST, true),
            (OUT_OF_RANGE, "Error, decoded message length too large: found 5 bytes", LOST, false),
        ] {
            let fault = Fault::of_status(code, message);
            let error = fault.clone().into_commit_error();
            let seen = match (error.is_unknown(), error.is_retryable()) {
                (true, _) => LOST,
                (_, true) => RETRY,
                _ => NOT_DONE,
            };
            assert_eq!(seen, commit, "{code} {message}: {error:?}");
            let read = fault.into_store_error("reading");
            assert_eq!(read.is_retryable(), read_may_succeed_later, "{code} {message}: {read:?}");
        }
    }

    #[test]
    fn revisions_that_are_not_held() {
        for (message, fault) in [
            ("etcdserver: mvcc: required revision has been compacted", Fault::Compacted),
            ("etcdserver: mvcc: required revision is a future revision", Fault::Future),
        ] {
            assert_eq!(Fault::of_status(OUT_OF_RANGE, message), fault);
        }
    }

    #[test]
    fn only_a_refused_connection_was_certainly_not_used() {
        for (kind, refused) in [
            (io::ErrorKind::ConnectionRefused, true),
            (io::ErrorKind::ConnectionReset, false),
            (io::ErrorKind::BrokenPipe, false),
            (io::ErrorKind::TimedOut, false),
        ] {
            assert_eq!(is_refused_connection(&io::Error::from(kind)), refused, "{kind}");
        }
    }
}
