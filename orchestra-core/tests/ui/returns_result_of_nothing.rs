use orchestra_core::control::{Controller, Plan, View};
use orchestra_core::kinds::Pod;

fn pods(_pod: &Pod, _world: &View<'_>) -> Result<(), String> {
    let _ = Plan::new();
    Ok(())
}

fn main() {
    Controller::new("pods", pods);
}
