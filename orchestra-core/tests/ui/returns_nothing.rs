use orchestra_core::control::{Controller, Plan, View};
use orchestra_core::kinds::Pod;

fn pods(_pod: &Pod, _world: &View<'_>) {
    let _ = Plan::new();
}

fn main() {
    Controller::new("pods", pods);
}
