//! A kind of one's own and a controller for it, in a screenful: a `Website` becomes a `Deployment`.
//!
//! ```console
//! $ cargo run --example custom_resource      # the plan as a difference, and then a run of it
//! $ cargo test --example custom_resource     # the reconciler's tests
//! ```
//!
//! A reconciler is a function. It says what there should be and what it sees of that; the kernel does the
//! rest. What it reads is what wakes it.

use std::time::Duration;

use orchestra::client::{Admit, Policy, Review};
use orchestra::kinds::DeploymentStatus;
use orchestra::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct WebsiteSpec {
    replicas: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct WebsiteStatus {
    ready: u32,
}

impl Spec for WebsiteSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Website");
    type Status = WebsiteStatus;
}

type Website = Object<WebsiteSpec>;

fn website(site: &Website, world: &View<'_>) -> Plan {
    let web = Deployment::new(site.name()).replicas(site.spec.replicas);
    let ready = world.owned_by::<Deployment>(site).map(|d| d.status.available_replicas).sum();
    Plan::new().ensure(web.owned_by(site)).status(site, WebsiteStatus { ready })
}

/// Stands in for what runs Deployments: in each round one more replica becomes available.
fn workload(deployment: &Deployment, _: &View<'_>) -> Plan {
    let (wanted, available) = (deployment.spec.replicas, deployment.status.available_replicas);
    let next = if available < wanted { available + 1 } else { wanted };
    Plan::new().status(deployment, DeploymentStatus { available_replicas: next, ..deployment.status.clone() })
}

/// The house's rule: a Deployment that names no container runs the web server. So websites need not say it.
struct WebServer;

impl Admit for WebServer {
    fn name(&self) -> &str {
        "web-server"
    }

    fn admit(&self, review: &mut Review<'_>) -> std::result::Result<(), String> {
        let Some(web) = review.new.as_mut().and_then(|new| new.downcast_mut::<Deployment>()) else {
            return Ok(());
        };
        if web.spec.template.spec.containers.is_empty() {
            let (name, image) = ("server".into(), "registry.example.com/server:1".into());
            web.spec.template.spec.containers.push(Container { name, image, ..Container::default() });
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> orchestra::Result<()> {
    show().await
}

async fn show() -> orchestra::Result<()> {
    // What it would do, without anything that runs.
    let site: Website = Website::new("blog").spec(WebsiteSpec { replicas: 3 }).build()?;
    let plan = website(&site, &World::new().with(&site).view(&site));
    println!("For a new website of 3 replicas it plans:\n{plan}");

    // And what it does.
    let store = MemoryStore::new();
    let running = Manager::new(store.clone())
        .policy(Policy::open().with(WebServer))
        .controller(Controller::new("website", website))
        .controller(Controller::new("workload", workload))
        .start()
        .await;
    let client = Client::new(store);
    for replicas in [3, 5, 1] {
        client.apply(Website::new("blog").spec(WebsiteSpec { replicas })).await?;
        running.at_rest().await;
        let site = client.get::<Website>("", "blog").await?;
        let ready = site.map_or(0, |site| site.status.ready);
        println!("{replicas} replicas are wanted, {ready} are ready");
    }
    client.delete::<Website>("", "blog", Delete::default()).await?;
    running.at_rest().await;
    let left = client.list::<Deployment>(&Query::all()).await?.items.len();
    println!("the website is gone, and of its Deployments {left} are left");
    running.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use orchestra_sim::{Faults, Simulation};

    use super::*;

    #[test]
    fn a_website_is_a_deployment() {
        let site: Website = Website::new("blog").spec(WebsiteSpec { replicas: 3 }).build().unwrap();
        let plan = website(&site, &World::new().view(&site));
        assert_eq!(plan.changes(), 1, "{plan}");

        let mut web = Deployment::new("blog").owned_by(&site).build().unwrap();
        web.status.available_replicas = 2;
        let plan = website(&site, &World::new().with(&web).view(&site));
        assert!(plan.to_string().contains("status.ready: 2"), "{plan}");
    }

    #[test]
    fn survives_chaos() {
        Simulation::seeded(7)
            .policy(Policy::open().with(WebServer))
            .controller(Controller::new("website", website))
            .environment(Controller::new("workload", workload))
            .apply(Website::new("blog").spec(WebsiteSpec { replicas: 3 }))
            .users(0.2, |user, random| {
                let replicas = random.below(5) as u32;
                let scaled = user.edit("default", "blog", |site: &mut Website| site.spec.replicas = replicas);
                scaled.expect("nobody deletes it");
            })
            .faults(Faults::everything())
            .converges(
                |w| {
                    let site = w.get::<Website>("default", "blog");
                    site.is_some_and(|site| site.status.ready == site.spec.replicas)
                },
                Duration::from_secs(600),
            );
    }

    #[tokio::test]
    async fn it_comes_and_goes() {
        show().await.unwrap();
    }
}
