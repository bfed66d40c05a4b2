//! [`Plot`]: curves on logarithmic axes, written as SVG that is readable in the light and in the dark.

use std::fmt::Write as _;

/// A plot of one quantity against another.
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) across: &'static str,
    pub(crate) up: &'static str,
    /// Each curve's name and points.
    pub(crate) curves: Vec<(String, Vec<(f64, f64)>)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 464.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 64.0;
const RIGHT: f64 = 220.0;
const BOTTOM: f64 = 48.0;

/// Colours that differ in the light and in the dark, also for those who see no red.
const COLORS: [&str; 11] = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#ee8866", "#44bb99",
    "#882255", "#888888",
];

const STYLE: &str = "text{font:12px sans-serif;fill:#222}.grid{stroke:#8884}.curve{fill:none;stroke-width:2}\
.title{font-weight:bold}rect{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#ddd}rect{fill:#16181d}}";

/// A power of ten, in groups of three digits.
fn tick(value: f64) -> String {
    let digits = value.to_string();
    match digits.len() {
        4.. if value >= 1.0 => {
            let (head, tail) = digits.split_at(digits.len() - 3);
            format!("{},{tail}", tick(head.parse().unwrap_or(0.0)))
        }
        _ => digits,
    }
}

impl Plot {
    /// The plot as SVG; nothing, where no curve has two points.
    pub(crate) fn svg(&self) -> Option<String> {
        let curves: Vec<_> = self.curves.iter().filter(|(_, points)| points.len() > 1).collect();
        let points = || curves.iter().flat_map(|(_, points)| points);
        points().next()?;
        let range = |of: fn(&(f64, f64)) -> f64| {
            let (low, high) = points()
                .map(of)
                .fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), it| (low.min(it), high.max(it)));
            (low.log10().floor(), high.log10().ceil().max(low.log10().floor() + 1.0))
        };
        let (across, up) = (range(|it| it.0), range(|it| it.1));
        let place = |value: f64, (low, high): (f64, f64)| (value.log10() - low) / (high - low);
        let x = |value| LEFT + place(value, across) * (WIDTH - LEFT - RIGHT);
        let y = |value| HEIGHT - BOTTOM - place(value, up) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\"><style>{STYLE}</style>\
             <rect width=\"100%\" height=\"100%\"/><text class=\"title\" x=\"8\" y=\"22\">{}</text>\n",
            self.title
        );
        let (right, foot) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for power in up.0 as i32..=up.1 as i32 {
            let (value, at) = (10f64.powi(power), y(10f64.powi(power)));
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                tick(value)
            );
        }
        for power in across.0 as i32..=across.1 as i32 {
            let (value, at) = (10f64.powi(power), x(10f64.powi(power)));
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{foot}\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                foot + 16.0,
                tick(value)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"8\" y=\"{}\">{}</text>",
            HEIGHT - 10.0,
            self.across,
            TOP - 14.0,
            self.up
        );
        for (number, (name, points)) in curves.iter().enumerate() {
            let color = COLORS[number % COLORS.len()];
            let path: Vec<_> =
                points.iter().map(|(across, up)| format!("{:.1} {:.1}", x(*across), y(*up))).collect();
            for (across, up) in points.iter() {
                let (x, y) = (x(*across), y(*up));
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
            }
            let at = TOP + 16.0 * number as f64;
            let _ = writeln!(
                svg,
                "<path class=\"curve\" stroke=\"{color}\" d=\"M{}\"/>\
                 <path class=\"curve\" stroke=\"{color}\" d=\"M{} {at}h16\"/><text x=\"{}\" y=\"{}\">{name}</text>",
                path.join("L"),
                right + 12.0,
                right + 34.0,
                at + 4.0
            );
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }
}
