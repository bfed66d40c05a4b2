use orchestra_core::control::Plan;
use orchestra_core::kinds::Container;

struct Website;

fn main() {
    let _ = Plan::new().ensure("web");
    let _ = Plan::new().ensure(Website);
    let _ = Plan::new().ensure(Container::new("app"));
}
