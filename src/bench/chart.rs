//! A comparison as bars, in SVG. Within a scenario the longest bar is the largest figure; figures of different
//! scenarios are not to one scale, which would hide all but the largest.

use super::comparison::Comparison;

const LEFT: u32 = 190;
const BARS: u32 = 420;
const WIDTH: u32 = 860;
const BAR_HEIGHT: u32 = 16;
const GAP: u32 = 14;
const TOP: u32 = 46;

/// Colours of the brokers in their order, for white and for dark pages alike; then they begin again.
const COLOURS: &[&str] = &["#2563eb", "#f59e0b", "#10b981", "#8b5cf6"];

/// The chart as an SVG document.
pub(super) fn svg(comparison: &Comparison) -> String {
    let rows = comparison.rows();
    let group = comparison.targets.len() as u32 * BAR_HEIGHT + GAP;
    let height = TOP + rows.len() as u32 * group;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let mut x = LEFT;
    for (place, name) in comparison.targets.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        out.push_str(&format!(
            "<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\n"
        ));
        out.push_str(&text(x + 18, 24, "start", &escaped(name)));
        x += 40 + 8 * name.chars().count() as u32;
    }
    for (number, row) in (0..).zip(&rows) {
        let top = TOP + number * group;
        let middle = top + (group - GAP) / 2;
        out.push_str(&text(LEFT - 10, middle, "end", row.name));
        if row.unit == "ms" {
            out.push_str(&text(LEFT - 10, middle + 13, "end", "p99, shorter is better"));
        }
        let largest = row.targets.values().map(|figures| figures.main()).fold(0.0, f64::max);
        for (place, name) in comparison.targets.iter().enumerate() {
            let Some(figures) = row.targets.get(name) else { continue };
            let y = top + place as u32 * BAR_HEIGHT;
            let share = if largest > 0.0 { figures.main() / largest } else { 0.0 };
            let width = (f64::from(BARS) * share).max(1.0);
            let (colour, height) = (COLOURS[place % COLOURS.len()], BAR_HEIGHT - 3);
            out.push_str(&format!(
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>\n"
            ));
            out.push_str(&text(LEFT + width as u32 + 6, y + 11, "start", &figures.shown()));
        }
    }
    out.push_str("</svg>\n");
    out
}

fn text(x: u32, y: u32, anchor: &str, content: &str) -> String {
    format!(
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"#111827\">{content}</text>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::svg;
    use crate::bench::comparison::tests::measured;

    #[test]
    fn each_broker_has_a_bar_in_each_scenario() {
        let chart = svg(&measured());
        let bars = chart.matches("x=\"190\"").count();
        // The first legend stands at the same place.
        assert_eq!(bars, 2 * 2 + 1, "{chart}");
        assert!(chart.contains("width=\"42.0\""), "a tenth of the longest: {chart}");
        assert!(chart.contains(">200,000<") && chart.contains("0.250 / 0.500 / 0.750 ms"));
        assert!(chart.starts_with("<svg ") && chart.ends_with("</svg>\n"));
    }
}
