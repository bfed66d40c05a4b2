use orchestra_core::control::{Controller, Plan, View};
use orchestra_core::object::Object;

#[derive(Clone, Debug, Default, PartialEq)]
struct WebsiteSpec;

fn website(_site: &Object<WebsiteSpec>, _world: &View<'_>) -> Plan {
    Plan::new()
}

fn main() {
    Controller::new("website", website);
}
