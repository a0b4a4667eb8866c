//! Figures as people read them.

/// A whole number with its thousands apart: `1,234,567`.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three significant digits: `0.155`, `12.3`, `1,230`.
pub(super) fn significant(number: f64) -> String {
    match number {
        number if number >= 99.95 => grouped(number),
        number if number >= 9.995 => format!("{number:.1}"),
        number if number >= 0.9995 => format!("{number:.2}"),
        number => format!("{number:.3}"),
    }
}

/// Nanoseconds as milliseconds.
pub(super) fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// The middle of some figures, or the mean of the two in the middle; 0 when there are none.
pub(super) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        count if count.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let check = |number: f64, expected: &str| assert_eq!(grouped(number), expected);
        check(0.0, "0");
        check(999.4, "999");
        check(999.5, "1,000");
        check(1_234_567.0, "1,234,567");
        check(-1.0, "0");
    }

    #[test]
    fn three_digits_are_kept() {
        let check = |number: f64, expected: &str| assert_eq!(significant(number), expected);
        check(0.0, "0.000");
        check(0.1554, "0.155");
        check(0.9999, "1.00");
        check(9.999, "10.0");
        check(99.99, "100");
        check(20_123.0, "20,123");
    }

    #[test]
    fn the_median_is_the_middle() {
        let check = |figures: &[f64], expected: f64| assert_eq!(median(figures), expected);
        check(&[], 0.0);
        check(&[3.0], 3.0);
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0], 2.5);
    }
}
