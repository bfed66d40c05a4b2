//! TLS both ways and a password: what works, what is refused, and that nothing of it shows.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, Permission, PermissionType, TlsOptions};
use orchestra_core::store::etcd::{EtcdOptions, EtcdTls};
use orchestra_core::store::{CommitError, EtcdStore, Scope, Store, StoreError, Txn};

use crate::server::{self, Cluster, Elections, until};

const PASSWORD: &str = "correct-horse-battery";

/// Certificates of an authority of their own, made in a directory: `ca.pem`, `server.pem`, `client.pem`, keys.
fn certificates(directory: &Path) {
    let openssl = |arguments: &str| {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n";
    std::fs::write(directory.join("names"), names).unwrap();
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for authority in ["ca", "strangers"] {
        openssl(&format!(
            "req -x509 {new} -keyout {authority}.key -out {authority}.pem -subj /CN={authority}"
        ));
    }
    for name in ["server", "client"] {
        openssl(&format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names";
        openssl(&format!("x509 -req -in {name}.csr -out {name}.pem -days 2 {by}"));
    }
}

/// One member that speaks TLS, wants a certificate and a password, and lets `web` use `/web/`.
async fn guarded() -> Cluster {
    let mut cluster = Cluster::prepare(1, Elections::Rare, "https", &[]);
    certificates(cluster.directory());
    let file = |name: &str| cluster.directory().join(name).display().to_string();
    let more = [
        format!("--cert-file={}", file("server.pem")),
        format!("--key-file={}", file("server.key")),
        format!("--trusted-ca-file={}", file("ca.pem")),
        "--client-cert-auth".to_owned(),
    ];
    cluster.add_arguments(&more);
    cluster.start_all();
    let options = ConnectOptions::new()
        .with_tls(
            TlsOptions::new()
                .ca_certificate(Certificate::from_pem(read(&cluster, "ca.pem")))
                .identity(Identity::from_pem(read(&cluster, "client.pem"), read(&cluster, "client.key"))),
        )
        .with_timeout(Duration::from_secs(2));
    let mut client = until("etcd answers", || async {
        let mut client = Client::connect([cluster.endpoint(0)], Some(options.clone())).await.ok()?;
        client.get("ready", None).await.ok()?;
        Some(client)
    })
    .await;
    client.role_add("web").await.unwrap();
    let under = Permission::new(PermissionType::Readwrite, "/web/").with_prefix();
    client.role_grant_permission("web", under).await.unwrap();
    for (user, role) in [("root", "root"), ("web", "web")] {
        client.user_add(user, PASSWORD, None).await.unwrap();
        client.user_grant_role(user, role).await.unwrap();
    }
    client.auth_enable().await.unwrap();
    cluster
}

fn read(cluster: &Cluster, name: &str) -> Vec<u8> {
    std::fs::read(cluster.directory().join(name)).unwrap()
}

fn options(cluster: &Cluster) -> EtcdOptions {
    let timeout = Duration::from_secs(3);
    EtcdStore::options(cluster.endpoints()).prefix("/web/").timeout(timeout)
}

fn tls(cluster: &Cluster) -> EtcdTls {
    EtcdTls::new(read(cluster, "ca.pem")).client(read(cluster, "client.pem"), read(cluster, "client.key"))
}

async fn refused(options: EtcdOptions) -> StoreError {
    let shown = format!("{options:?}");
    let error = options.open().await.expect_err("it should be refused");
    for text in [shown, error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(PASSWORD) && !text.contains("wrong-horse"), "the password shows: {text}");
        assert!(!text.contains("PRIVATE KEY"), "the key shows: {text}");
    }
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_a_password() {
    if !server::is_there() {
        return;
    }
    let mut cluster = guarded().await;
    let store = options(&cluster).tls(tls(&cluster)).user("web", PASSWORD).open().await.unwrap();
    assert!(!format!("{store:?}").contains(PASSWORD));
    let at = store.commit(Txn::new().put_new("a", "1")).await.unwrap();
    let mut watch = store.watch(&Scope::all(), at).await.unwrap();
    store.commit(Txn::new().put("a", "2")).await.unwrap();
    watch.next().await.unwrap();
    watch.request_progress();
    watch.next().await.unwrap();
    let named = options(&cluster).tls(tls(&cluster).domain("localhost")).user("web", PASSWORD);
    named.open().await.unwrap();

    // Who one is must be right.
    let wrong = refused(options(&cluster).tls(tls(&cluster)).user("web", "wrong-horse")).await;
    assert!(matches!(wrong, StoreError::Failed { .. }), "{wrong}");
    assert!(wrong.to_string().contains("invalid user ID or password"), "{wrong}");
    // And allowed to.
    let elsewhere = options(&cluster).prefix("/other/").tls(tls(&cluster)).user("web", PASSWORD);
    let denied = refused(elsewhere).await;
    assert!(matches!(denied, StoreError::Failed { .. }), "{denied}");
    assert!(denied.to_string().contains("permission denied"), "{denied}");
    // Whom one talks to, too.
    let strangers = EtcdTls::new(read(&cluster, "strangers.pem"));
    let strangers = strangers.client(read(&cluster, "client.pem"), read(&cluster, "client.key"));
    let stranger = refused(options(&cluster).tls(strangers).user("web", PASSWORD)).await;
    assert!(stranger.to_string().to_lowercase().contains("certificate"), "{stranger}");
    let other_name = options(&cluster).tls(tls(&cluster).domain("elsewhere.example")).user("web", PASSWORD);
    let other_name = refused(other_name).await;
    assert!(other_name.to_string().to_lowercase().contains("certificate"), "{other_name}");
    // Without a certificate of one's own, the server ends it.
    refused(options(&cluster).tls(EtcdTls::new(read(&cluster, "ca.pem"))).user("web", PASSWORD)).await;

    // A server that was started again knows no token: it is asked for another.
    cluster.kill(0);
    cluster.start_member(0);
    until("it answers again", || async { store.get(&"a".into()).await.ok() }).await;
    cluster.kill(0);
    cluster.start_member(0);
    until("it is watched again", || async {
        match store.watch(&Scope::all(), at).await {
            Ok(watch) => Some(watch),
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                None
            }
        }
    })
    .await;
    cluster.kill(0);
    cluster.start_member(0);
    until("it is written again", || async {
        match store.commit(Txn::new().put_new("b", "1")).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => Some(()),
            Err(error) => {
                assert!(error.is_unknown() || error.is_retryable(), "{error}");
                None
            }
        }
    })
    .await;
}
