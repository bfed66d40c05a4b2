//! [`EtcdOptions`] and [`EtcdTls`]: how etcd is reached.

use std::fmt;
use std::time::Duration;

use super::EtcdStore;
use crate::store::StoreError;

/// How etcd is reached, before [`open`](Self::open).
///
/// `Debug` shows neither password nor private key.
#[derive(Clone)]
pub struct EtcdOptions {
    pub(super) endpoints: Vec<String>,
    pub(super) prefix: Vec<u8>,
    pub(super) user: Option<(String, String)>,
    pub(super) tls: Option<EtcdTls>,
    pub(super) timeout: Duration,
}

/// Whom to trust, and who one is, when etcd speaks TLS. `Debug` does not show the private key.
#[derive(Clone)]
pub struct EtcdTls {
    ca: Vec<u8>,
    client: Option<(Vec<u8>, Vec<u8>)>,
    domain: Option<String>,
}

impl EtcdOptions {
    /// What keys begin with in etcd, unless it is said otherwise.
    pub const PREFIX: &'static str = "/orchestra/";

    /// How long a request may take, unless it is said otherwise: an election takes one to two seconds
    /// with etcd's defaults, and a request that waits for one should see its end.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// How many bytes a prefix may have: with longer ones, a transaction within the limits could be larger
    /// than what etcd takes.
    pub const LONGEST_PREFIX: usize = 200;

    pub(super) fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: Self::PREFIX.into(),
            user: None,
            tls: None,
            timeout: Self::TIMEOUT,
        }
    }

    /// What all keys begin with in etcd: stores with prefixes of which none begins another do not see each
    /// other.
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<[u8]>) -> Self {
        self.prefix = prefix.as_ref().to_vec();
        self
    }

    /// Who one is, by name and password.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Speaks TLS. The endpoints begin with `https://`, or with neither that nor `http://`.
    #[must_use]
    pub fn tls(mut self, tls: EtcdTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long a request may take. A commit whose answer takes longer is
    /// [`Unknown`](crate::store::CommitError::Unknown).
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reaches etcd, and sees or says whose history it is.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the options make no sense, [`StoreError::Failed`] when etcd refuses who
    /// one is, [`StoreError::Unavailable`] when no endpoint answers in time.
    pub async fn open(self) -> Result<EtcdStore, StoreError> {
        EtcdStore::open(self).await
    }

    /// What makes no sense.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let reason = if self.endpoints.is_empty() {
            "an etcd has one endpoint at least".to_owned()
        } else if self.prefix.len() > Self::LONGEST_PREFIX {
            format!("the prefix has {} bytes, the limit is {}", self.prefix.len(), Self::LONGEST_PREFIX)
        } else if self.timeout.is_zero() {
            "a request takes longer than no time".to_owned()
        } else {
            return Ok(());
        };
        Err(StoreError::Invalid { reason })
    }

    /// The client's options.
    pub(super) fn connect_options(&self) -> etcd_client::ConnectOptions {
        let mut options = etcd_client::ConnectOptions::new()
            // A member that has lost its peers says so, instead of waiting or answering from the past.
            .with_require_leader(true)
            .with_connect_timeout(self.timeout)
            // A member that is gone without a word is noticed. etcd takes a ping every five seconds, and
            // none while nothing is asked, for too many.
            .with_keep_alive(PING_EVERY, self.timeout)
            .with_keep_alive_while_idle(false);
        if let Some((name, password)) = &self.user {
            // Only a request that was refused for its token is sent again: it had no effect.
            options = options.with_user(name, password).with_auto_token_refresh(true);
        }
        if let Some(tls) = &self.tls {
            let ca = etcd_client::Certificate::from_pem(&tls.ca);
            let mut rustls = etcd_client::TlsOptions::new().ca_certificate(ca);
            if let Some((certificate, key)) = &tls.client {
                rustls = rustls.identity(etcd_client::Identity::from_pem(certificate, key));
            }
            if let Some(domain) = &tls.domain {
                rustls = rustls.domain_name(domain);
            }
            options = options.with_tls(rustls);
        }
        options
    }
}

const PING_EVERY: Duration = Duration::from_secs(10);

impl EtcdTls {
    /// Trusts the servers that these certificates vouch for (PEM).
    #[must_use]
    pub fn new(ca: impl AsRef<[u8]>) -> Self {
        Self { ca: ca.as_ref().to_vec(), client: None, domain: None }
    }

    /// Who one is: a certificate and its private key (PEM).
    #[must_use]
    pub fn client(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.client = Some((certificate.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// The name that the servers' certificates have, where it is not the endpoint's.
    #[must_use]
    pub fn domain(mut self, name: impl Into<String>) -> Self {
        self.domain = Some(name.into());
        self
    }
}

impl fmt::Debug for EtcdOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdOptions")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix.escape_ascii().to_string())
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("tls", &self.tls)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdTls")
            .field("client", &self.client.is_some())
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let tls = EtcdTls::new("ca").client("cert", "private-key").domain("etcd");
        let options = EtcdOptions::new(["https://one:2379"]).user("me", "pass-word").tls(tls);
        let shown = format!("{options:?} {options:#?}");
        assert!(shown.contains("https://one:2379") && shown.contains("\"me\""), "{shown}");
        assert!(!shown.contains("pass-word") && !shown.contains("private"), "{shown}");
        let bytes = format!("{:?}", b"private-key");
        assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    }

    #[tokio::test]
    async fn options_that_make_no_sense() {
        let some = || EtcdOptions::new(["127.0.0.1:1"]);
        for options in [
            EtcdOptions::new(Vec::<String>::new()),
            some().prefix(vec![b'p'; EtcdOptions::LONGEST_PREFIX + 1]),
            some().timeout(Duration::ZERO),
        ] {
            let error = options.open().await.err();
            assert!(matches!(error, Some(StoreError::Invalid { .. })), "{error:?}");
        }
    }
}
