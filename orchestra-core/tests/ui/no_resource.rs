use orchestra_core::control::{Controller, Plan, View};

struct Website;

fn website(_site: &Website, _world: &View<'_>) -> Plan {
    Plan::new()
}

fn main() {
    Controller::new("website", website);
}
