//! Numbers as people read them (12,450; 8m 34s; 1.4 MiB), and as they write them in a filter.

/// A number with a comma between each three digits.
pub(super) fn count(number: f64) -> String {
    let rounded = format!("{:.0}", number.abs());
    let mut text = if number <= -0.5 { "-".to_owned() } else { String::new() };
    for (at, digit) in rounded.chars().enumerate() {
        if at > 0 && (rounded.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many in a second: with one digit behind the point while they are few.
pub(super) fn rate(per_second: f64) -> String {
    if per_second == 0.0 {
        "0".to_owned()
    } else if per_second < 100.0 {
        format!("{per_second:.1}")
    } else {
        count(per_second)
    }
}

/// Bytes, in the largest unit that leaves at least one.
pub(super) fn bytes(number: f64) -> String {
    let mut value = number;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") }
}

/// A time that has passed, in its two largest units.
pub(super) fn age(ms: f64) -> String {
    if ms < 1000.0 {
        return format!("{:.0}ms", ms.max(0.0));
    }
    let seconds = (ms / 1000.0).floor();
    let parts =
        |large: f64, small: f64| ((seconds / large).floor(), (seconds % large / small).floor());
    if seconds < 60.0 {
        format!("{seconds:.0}s")
    } else if seconds < 3600.0 {
        let (minutes, seconds) = parts(60.0, 1.0);
        format!("{minutes:.0}m {seconds:.0}s")
    } else if seconds < 86_400.0 {
        let (hours, minutes) = parts(3600.0, 60.0);
        format!("{hours:.0}h {minutes:.0}m")
    } else {
        let (days, hours) = parts(86_400.0, 3600.0);
        format!("{}d {hours:.0}h", count(days))
    }
}

/// A number that may have a unit: `1,000`, `5m`, `1.5 MiB`, `10k`. A time is in milliseconds, a size in bytes.
pub(super) fn parse(text: &str, units: Units) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || ".,-".contains(letter)));
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: f64 = number.replace(',', "").parse().ok()?;
    let unit = unit.trim().to_lowercase();
    let factor = match (units, unit.as_str()) {
        (_, "") => 1.0,
        (Units::Ages, "ms") => 1.0,
        (Units::Ages, "s") => 1000.0,
        (Units::Ages, "m") => 60_000.0,
        (Units::Ages, "h") => 3_600_000.0,
        (Units::Ages, "d") => 86_400_000.0,
        (Units::Sizes, "b") => 1.0,
        (Units::Sizes, "k" | "kib") => 1024.0,
        (Units::Sizes, "m" | "mib") => 1024.0 * 1024.0,
        (Units::Sizes, "g" | "gib") => 1024.0 * 1024.0 * 1024.0,
        (Units::Counts, "k") => 1000.0,
        (Units::Counts, "m") => 1_000_000.0,
        _ => return None,
    };
    Some(number * factor)
}

/// Which units a number may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    /// `k` and `m`: thousands and millions.
    Counts,
    /// `k`, `MiB` and so on.
    Sizes,
    /// `ms`, `s`, `m`, `h` and `d`.
    Ages,
}

#[cfg(test)]
mod tests {
    use super::{Units, age, bytes, count, parse, rate};

    #[test]
    fn a_count_has_commas() {
        let check = |number: f64, expected: &str| assert_eq!(count(number), expected);
        check(0.0, "0");
        check(999.0, "999");
        check(1000.0, "1,000");
        check(12_450.0, "12,450");
        check(1_234_567.0, "1,234,567");
        check(-1000.0, "-1,000");
        check(-0.2, "0");
    }

    #[test]
    fn a_rate_is_precise_while_it_is_small() {
        let check = |number: f64, expected: &str| assert_eq!(rate(number), expected);
        check(0.0, "0");
        check(0.25, "0.2");
        check(12.34, "12.3");
        check(1234.5, "1,234");
    }

    #[test]
    fn bytes_have_the_largest_unit_that_fits() {
        let check = |number: f64, expected: &str| assert_eq!(bytes(number), expected);
        check(0.0, "0 B");
        check(1023.0, "1023 B");
        check(1024.0, "1.0 KiB");
        check(1_468_006.4, "1.4 MiB");
        check(1_048_575.0, "1.0 MiB");
        check(1024.0_f64.powi(3) * 2.5, "2.5 GiB");
    }

    #[test]
    fn an_age_has_its_two_largest_units() {
        let check = |ms: f64, expected: &str| assert_eq!(age(ms), expected);
        check(0.0, "0ms");
        check(999.0, "999ms");
        check(34_000.0, "34s");
        check(514_000.0, "8m 34s");
        check(3_600_000.0, "1h 0m");
        check(86_400_000.0 * 5.0 + 3_600_000.0 * 4.0, "5d 4h");
    }

    #[test]
    fn a_number_may_have_a_unit() {
        let check = |text: &str, units: Units, expected: Option<f64>| {
            assert_eq!(parse(text, units), expected, "{text}");
        };
        check("12,450", Units::Counts, Some(12_450.0));
        check("10k", Units::Counts, Some(10_000.0));
        check("5m", Units::Counts, Some(5_000_000.0));
        check("5m", Units::Ages, Some(300_000.0));
        check("250 ms", Units::Ages, Some(250.0));
        check("1.5 MiB", Units::Sizes, Some(1_572_864.0));
        check("many", Units::Counts, None);
        check("5 apples", Units::Ages, None);
        check("", Units::Counts, None);
    }
}
