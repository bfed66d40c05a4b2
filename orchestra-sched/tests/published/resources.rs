//! Rows of NodeResourcesFit, as filter and score, and of NodeResourcesBalancedAllocation.

use orchestra_core::kinds::{Node, Pod};

use crate::model::Strategy::{self, LeastAllocated, MostAllocated, RequestedToCapacityRatio};
use crate::rows::*;

const FIT: &str = "NodeResourcesFit";
const BALANCE: &str = "NodeResourcesBalancedAllocation";
const GPU: &str = "cpu=1 memory=1 example.com/gpu=1";

fn two(a: &str, b: &str) -> [Node; 2] {
    [node("a", "").has(a), node("b", "").has(b)]
}

/// Two containers, which ask for 3000 of CPU and 5000 of memory together.
fn usual() -> Pod {
    pod("").asks("cpu=1000 memory=2000").asks("cpu=2000 memory=3000")
}

fn cpu() -> Pod {
    pod("").asks("cpu=3000 memory=0")
}

fn both() -> Pod {
    pod("").asks("cpu=3000 memory=5000")
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = room();
    rows.extend(sums());
    rows.extend(least());
    rows.extend(most());
    rows.extend(by_line());
    rows.extend(balanced());
    rows
}

fn room() -> Vec<Row> {
    let too_little = |reason| (FIT, reason, true);
    let never = |reason| (FIT, reason, false);
    let one = |has: &str| [node("a", "").has(has)];
    let taken = || [pod("").on("a").asks("cpu=5m memory=5")];
    vec![
        row("who asks for nothing fits where all is taken", one("cpu=5m memory=5"), taken(), pod(""))
            .fits("a"),
        row("nothing is left of either", one("cpu=5m memory=5"), taken(), pod("").asks("cpu=1m memory=1"))
            .rejects("a", too_little("Insufficient cpu; Insufficient memory")),
        row("exactly enough is left", one("cpu=10m memory=20"), taken(), pod("").asks("cpu=5m memory=15"))
            .fits("a"),
        row("of one there is too little", one("cpu=10m memory=6"), taken(), pod("").asks("cpu=5m memory=15"))
            .rejects("a", never("Insufficient memory")),
        row(
            "of one there is too little left",
            one("cpu=10m memory=16"),
            taken(),
            pod("").asks("cpu=5m memory=15"),
        )
        .rejects("a", too_little("Insufficient memory")),
        row(
            "who asks for no CPU fits where too much is taken",
            one("cpu=1m memory=20"),
            taken(),
            pod("").asks("memory=1"),
        )
        .fits("a"),
        row("the node has nothing", [node("a", "")], [], pod("").asks("cpu=1m"))
            .rejects("a", never("Insufficient cpu")),
        row(
            "devices are counted",
            one("example.com/gpu=2"),
            [pod("").on("a").asks("example.com/gpu=1")],
            pod("").asks("example.com/gpu=2"),
        )
        .rejects("a", too_little("Insufficient example.com/gpu")),
        row("the node has no such device", one("cpu=1"), [], pod("").asks("example.com/gpu=1"))
            .rejects("a", never("Insufficient example.com/gpu")),
        row("no such device is asked for", one("cpu=1"), [], pod("").asks("example.com/gpu=0")).fits("a"),
        row(
            "room on the disk",
            one("ephemeral-storage=10"),
            [pod("").on("a").asks("ephemeral-storage=6")],
            pod("").asks("ephemeral-storage=5"),
        )
        .rejects("a", too_little("Insufficient ephemeral-storage")),
        row("pods are counted", one("pods=1"), [pod("").on("a")], pod(""))
            .rejects("a", too_little("Too many pods")),
        row("pods that are being deleted are counted", one("pods=1"), [pod("").on("a").going()], pod(""))
            .rejects("a", too_little("Too many pods")),
        row("a node for no pods", one("pods=0"), [], pod("")).rejects("a", too_little("Too many pods")),
        row(
            "all that there is too little of",
            one("pods=1 cpu=5m memory=5"),
            taken(),
            pod("").asks("cpu=6m memory=1"),
        )
        .rejects("a", never("Too many pods; Insufficient cpu; Insufficient memory")),
    ]
}

/// What pods with init containers, sidecars and the like ask for in all.
fn sums() -> Vec<Row> {
    use orchestra_core::kinds::ContainerRestartPolicy::Always;
    let init = |mut pod: Pod, amounts: &str, sidecar: bool| {
        let mut container = self::pod("").asks(amounts).spec.containers.remove(0);
        container.restart_policy = sidecar.then_some(Always);
        pod.spec.init_containers.push(container);
        pod
    };
    let whole = |mut pod: Pod, amounts: &str| {
        pod.spec.resources.requests =
            self::pod("").asks(amounts).spec.containers.remove(0).resources.requests;
        pod
    };
    let over = |mut pod: Pod, amounts: &str| {
        pod.spec.overhead = self::pod("").asks(amounts).spec.containers.remove(0).resources.requests;
        pod
    };
    // Each pod just fits the first node, and just not the second.
    let just = |name, has: &str, less: &str, pod: Pod| {
        row(name, two(has, less), [], pod).fits("a").rejects("b", (FIT, "Insufficient cpu", false))
    };
    vec![
        just("containers add up", "cpu=3", "cpu=2999m", pod("").asks("cpu=1").asks("cpu=2")),
        just(
            "init containers run one after the other",
            "cpu=3",
            "cpu=2999m",
            init(init(pod("").asks("cpu=1"), "cpu=3", false), "cpu=2", false),
        ),
        just(
            "a sidecar runs beside the others",
            "cpu=3",
            "cpu=2999m",
            init(pod("").asks("cpu=1"), "cpu=2", true),
        ),
        just(
            "a sidecar runs beside later init containers",
            "cpu=5",
            "cpu=4999m",
            init(init(pod("").asks("cpu=1"), "cpu=2", true), "cpu=3", false),
        ),
        just(
            "but not beside earlier ones",
            "cpu=3",
            "cpu=2999m",
            init(init(pod("").asks("cpu=1"), "cpu=3", false), "cpu=2", true),
        ),
        just("overhead comes on top", "cpu=1500m", "cpu=1499m", over(pod("").asks("cpu=1"), "cpu=500m")),
        just("what is said of the whole stands", "cpu=2", "cpu=1999m", whole(pod("").asks("cpu=1"), "cpu=2")),
        just(
            "overhead comes on top of the whole",
            "cpu=2500m",
            "cpu=2499m",
            over(whole(pod("").asks("cpu=1"), "cpu=2"), "cpu=500m"),
        ),
        row("less than a thousandth is one", two("cpu=1m", "cpu=0"), [], pod("").asks("cpu=100u"))
            .fits("a")
            .rejects("b", (FIT, "Insufficient cpu", false)),
    ]
}

fn least() -> Vec<Row> {
    let same = || two("cpu=10000 memory=20000", "cpu=10000 memory=20000");
    let gpu_last = || two("cpu=6000 memory=10000", "cpu=6000 memory=10000 example.com/gpu=4");
    let with_gpu = || pod("").asks("cpu=3000 memory=5000 example.com/gpu=2");
    vec![
        row("nothing is taken", two("cpu=4000 memory=10000", "cpu=4000 memory=10000"), [], pod(""))
            .scores(FIT, "a=100 b=100"),
        row("nodes of different sizes", two("cpu=4000 memory=10000", "cpu=6000 memory=10000"), [], usual())
            .scores(FIT, "a=37 b=50"),
        row(
            "pods without containers take nothing",
            two("cpu=4000 memory=10000", "cpu=4000 memory=10000"),
            pods("", ["a", "a", "b", "b"]),
            pod(""),
        )
        .scores(FIT, "a=100 b=100"),
        row("what is taken", same(), [cpu().on("a"), cpu().on("a"), cpu().on("b"), both().on("b")], pod(""))
            .scores(FIT, "a=70 b=57"),
        row("what is taken and what the pod takes", same(), [cpu().on("a"), both().on("b")], usual())
            .scores(FIT, "a=57 b=45"),
        row(
            "the same on nodes of different sizes",
            two("cpu=10000 memory=20000", "cpu=10000 memory=50000"),
            [cpu().on("a"), both().on("b")],
            usual(),
        )
        .scores(FIT, "a=57 b=60"),
        row(
            "nodes that have nothing",
            [node("a", ""), node("b", "")],
            [cpu().on("a"), both().on("b")],
            pod(""),
        )
        .scores(FIT, "a=0 b=0"),
        row("memory counts twice", two("cpu=4000 memory=10000", "cpu=6000 memory=10000"), [], usual())
            .by(LeastAllocated, "memory=2 cpu=1")
            .scores(FIT, "a=41 b=50"),
        row("a device that is not asked for is left out", gpu_last(), [], usual())
            .by(LeastAllocated, GPU)
            .scores(FIT, "a=50 b=50"),
        row(
            "a device that is asked for",
            two("cpu=6000 memory=10000 example.com/gpu=4", "cpu=6000 memory=10000 example.com/gpu=10"),
            [],
            with_gpu(),
        )
        .by(LeastAllocated, GPU)
        .scores(FIT, "a=50 b=60"),
        row(
            "more than there is, by what is assumed for those who do not ask",
            two("cpu=250m memory=1000Mi", "cpu=1 memory=1000Mi"),
            [pod("").on("a").asks("").asks("").asks(""), pod("").on("b").asks("").asks("").asks("")],
            pod("").asks(""),
        )
        .scores(FIT, "a=10 b=40"),
    ]
}

fn most() -> Vec<Row> {
    let most = |row: Row, resources| row.by(MostAllocated, resources);
    let same = || two("cpu=10000 memory=20000", "cpu=10000 memory=20000");
    vec![
        most(
            row("nothing is taken", two("cpu=4000 memory=10000", "cpu=4000 memory=10000"), [], pod("")),
            "cpu=1 memory=1",
        )
        .scores(FIT, "a=0 b=0"),
        most(
            row(
                "nodes of different sizes",
                two("cpu=4000 memory=10000", "cpu=6000 memory=10000"),
                [],
                usual(),
            ),
            "cpu=1 memory=1",
        )
        .scores(FIT, "a=62 b=50"),
        most(
            row(
                "what is taken",
                same(),
                [cpu().on("a"), cpu().on("a"), cpu().on("b"), both().on("b")],
                pod(""),
            ),
            "cpu=1 memory=1",
        )
        .scores(FIT, "a=30 b=42"),
        most(
            row("what is taken and what the pod takes", same(), [cpu().on("a"), both().on("b")], usual()),
            "cpu=1 memory=1",
        )
        .scores(FIT, "a=42 b=55"),
        most(
            row(
                "all of something",
                two("cpu=5000 memory=10000", "cpu=10000 memory=9000"),
                [],
                pod("").asks("cpu=2000 memory=4000").asks("cpu=3000 memory=5000"),
            ),
            "cpu=1 memory=1",
        )
        .scores(FIT, "a=95 b=75"),
        most(
            row("memory counts twice", two("cpu=4000 memory=10000", "cpu=6000 memory=10000"), [], usual()),
            "memory=2 cpu=1",
        )
        .scores(FIT, "a=58 b=50"),
        most(
            row(
                "100m and 200Mi for each container that does not ask, though no more than there is",
                two("cpu=250m memory=1000Mi", "cpu=250m memory=1000Mi"),
                [pod("").on("a").asks(""), pod("").on("a").asks("")],
                pod("").asks(""),
            ),
            "cpu=1 memory=1",
        )
        .scores(FIT, "a=80 b=30"),
        most(
            row(
                "a device that is asked for",
                two("cpu=6000 memory=10000 example.com/gpu=4", "cpu=6000 memory=10000 example.com/gpu=10"),
                [],
                pod("").asks("cpu=3000 memory=5000 example.com/gpu=2"),
            ),
            GPU,
        )
        .scores(FIT, "a=50 b=40"),
        most(
            row(
                "a device that is not asked for is left out",
                two("cpu=6000 memory=10000", "cpu=6000 memory=10000 example.com/gpu=4"),
                [],
                pod("").asks("cpu=3000 memory=4000"),
            ),
            "example.com/gpu=2 cpu=1 memory=1",
        )
        .scores(FIT, "a=45 b=45"),
    ]
}

fn line(points: &[(i64, i64)]) -> Strategy {
    RequestedToCapacityRatio(points.to_vec())
}

fn by_line() -> Vec<Row> {
    let fewest = |row: Row| row.by(line(&[(0, 10), (100, 0)]), "cpu=1 memory=1");
    let one = |row: Row| row.by(line(&[(0, 0), (100, 1)]), "intel.com/foo=1");
    let pair = |row: Row| row.by(line(&[(0, 0), (100, 1)]), "intel.com/foo=3 intel.com/bar=5");
    let foos = || two("intel.com/foo=8", "intel.com/foo=4");
    let bars = || two("intel.com/foo=8 intel.com/bar=4", "intel.com/foo=4 intel.com/bar=8");
    let asks = |amounts: &str| pod("").asks(amounts);
    // Where the line is when so much of a hundred is taken.
    let at = |name, points: &[(i64, i64)], taken: &str, score: &str| {
        let row = row(name, [node("a", "").has("cpu=100")], [], pod("").asks(taken));
        row.by(line(points), "cpu=1").scores(FIT, score)
    };
    let rising = [(10, 1), (90, 9)];
    let peak = [(0, 2), (40, 10), (100, 0)];
    vec![
        fewest(row(
            "nothing is taken",
            two("cpu=4000 memory=10000", "cpu=4000 memory=10000"),
            pods("", ["a", "a"]),
            pod(""),
        ))
        .scores(FIT, "a=100 b=100"),
        fewest(row(
            "the mean is rounded",
            two("cpu=4000 memory=10000", "cpu=6000 memory=10000"),
            [],
            usual(),
        ))
        .scores(FIT, "a=38 b=50"),
        fewest(row(
            "what is taken already",
            two("cpu=4000 memory=10000", "cpu=6000 memory=10000"),
            [both().on("a"), both().on("b")],
            pod(""),
        ))
        .scores(FIT, "a=38 b=50"),
        one(row("a device that is not asked for", foos(), [], pod(""))).scores(FIT, "a=0 b=0"),
        one(row("a quarter and a half", foos(), [], asks("intel.com/foo=2"))).scores(FIT, "a=2 b=5"),
        one(row("a quarter and all", foos(), [asks("intel.com/foo=2").on("b")], asks("intel.com/foo=2")))
            .scores(FIT, "a=2 b=10"),
        one(row("a half and all", foos(), [], asks("intel.com/foo=4"))).scores(FIT, "a=5 b=10"),
        pair(row("two devices that are not asked for", bars(), [], pod(""))).scores(FIT, "a=0 b=0"),
        pair(row("two devices of different weight", bars(), [], asks("intel.com/foo=2 intel.com/bar=2")))
            .scores(FIT, "a=4 b=3"),
        row(
            "what scores nothing does not count",
            [node("a", "").has("cpu=100 memory=100")],
            [],
            asks("cpu=50 memory=0"),
        )
        .by(line(&[(0, 0), (100, 10)]), "cpu=1 memory=1")
        .scores(FIT, "a=50"),
        at("before the first point", &rising, "cpu=9", "a=10"),
        at("between points, rounded down", &rising, "cpu=19", "a=19"),
        at("at a point", &rising, "cpu=90", "a=90"),
        at("after the last point", &rising, "cpu=99", "a=90"),
        at("rising", &peak, "cpu=20", "a=60"),
        at("the top", &peak, "cpu=40", "a=100"),
        at("falling", &peak, "cpu=70", "a=50"),
    ]
}

fn balanced() -> Vec<Row> {
    let same = || two("cpu=10 memory=20000", "cpu=10 memory=20000");
    let cpu = || pod("").asks("cpu=1 memory=0").asks("cpu=2 memory=0");
    let both = || pod("").asks("cpu=1 memory=2000").asks("cpu=2 memory=3000");
    let gpu = || pod("").asks("cpu=1 memory=2000").asks("cpu=2 memory=3000 nvidia.com/gpu=3");
    let three = "cpu memory nvidia.com/gpu";
    vec![
        row(
            "who asks for nothing gets nothing",
            two("cpu=4 memory=10000", "cpu=4 memory=10000"),
            [],
            pod(""),
        )
        .scores(BALANCE, "a=0 b=0"),
        row("nodes of different sizes", two("cpu=4 memory=10000", "cpu=6 memory=10000"), [], both())
            .scores(BALANCE, "a=87 b=100"),
        row("what is taken", same(), [cpu().on("a"), both().on("b")], both()).scores(BALANCE, "a=82 b=95"),
        row(
            "nodes of different sizes, with what is taken",
            two("cpu=10 memory=20000", "cpu=10 memory=50000"),
            [cpu().on("a"), both().on("b")],
            both(),
        )
        .scores(BALANCE, "a=82 b=80"),
        row(
            "all of one",
            two("cpu=6 memory=10000", "cpu=6 memory=10000"),
            [cpu().on("a"), both().on("b")],
            cpu(),
        )
        .scores(BALANCE, "a=50 b=75"),
        row(
            "three resources",
            two("cpu=3500m memory=40000 nvidia.com/gpu=8", "cpu=3500m memory=40000 nvidia.com/gpu=8"),
            [gpu().on("a"), both().on("b")],
            pod("").asks("memory=0 nvidia.com/gpu=1"),
        )
        .balancing(three)
        .scores(BALANCE, "a=70 b=65"),
        row(
            "a device that is not asked for is left out",
            two("cpu=3500m memory=40000 nvidia.com/gpu=8", "cpu=3500m memory=40000"),
            [],
            both(),
        )
        .balancing(three)
        .scores(BALANCE, "a=63 b=63"),
        row(
            "nothing is assumed for those who do not ask",
            two("cpu=4 memory=4Gi", "cpu=4 memory=4Gi"),
            [pod("").on("a").asks("")],
            pod("").asks("cpu=1"),
        )
        .scores(BALANCE, "a=87 b=87"),
        row(
            "a node that has none of one",
            two("cpu=4 memory=0", "cpu=4 memory=4Gi"),
            [],
            pod("").asks("cpu=2"),
        )
        .scores(BALANCE, "a=100 b=75"),
    ]
}
