use orchestra_core::control::{Controller, Plan};
use orchestra_core::kinds::Pod;

fn pods(_pod: &Pod) -> Plan {
    Plan::new()
}

fn main() {
    Controller::new("pods", pods);
}
