use orchestra_core::control::{Controller, Plan, View};
use orchestra_core::kinds::Pod;

fn main() {
    Controller::new("pods", async |_pod: &Pod, _world: &View<'_>| Plan::new());
}
