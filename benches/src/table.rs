//! The results.

use std::fmt::Write;

/// One line of the results.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The floor, as text; empty where there is none.
    pub(crate) floor: String,
    /// Ganger, as text.
    pub(crate) ours: String,
    /// The number that is promised.
    pub(crate) value: f64,
    /// Its bound.
    pub(crate) at_most: f64,
}

impl Row {
    /// A row for times in milliseconds of several rounds. Promised is the ratio of the fastest: what the machine did
    /// beside only adds.
    pub(crate) fn of_times(what: &str, floor: &[f64], ours: &[f64], at_most: f64) -> Self {
        let value = minimum(ours) / minimum(floor);
        Self { what: what.to_owned(), floor: shown(floor), ours: shown(ours), value, at_most }
    }

    /// A row for one number.
    pub(crate) fn of_number(what: &str, ours: String, value: f64, at_most: f64) -> Self {
        Self { what: what.to_owned(), floor: String::new(), ours, value, at_most }
    }

    /// The same with what the floor needed beside it.
    pub(crate) fn beside(self, floor: String) -> Self {
        Self { floor, ..self }
    }

    /// Whether the promise holds.
    pub(crate) fn holds(&self) -> bool {
        self.value <= self.at_most
    }
}

fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn shown(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    format!("{:.1} (median {median:.1}) ms", minimum(values))
}

/// The table in Markdown.
pub(crate) fn print(rows: &[Row]) -> String {
    let mut text =
        String::from("| measure | floor | ganger | value | at most | |\n|---|---:|---:|---:|---:|---|\n");
    for row in rows {
        let mark = if row.holds() { "holds" } else { "BROKEN" };
        let Row { what, floor, ours, value, at_most } = row;
        let _ = writeln!(text, "| {what} | {floor} | {ours} | {value:.2} | {at_most} | {mark} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_rounds_are_compared_and_the_bound_itself_holds() {
        let row = Row::of_times("start", &[2.0, 9.0], &[3.0, 4.0], 1.5);
        assert!(row.holds());
        assert!(!Row::of_times("start", &[2.0], &[3.1], 1.5).holds());
        assert!(
            print(&[row])
                .contains("| start | 2.0 (median 9.0) ms | 3.0 (median 4.0) ms | 1.50 | 1.5 | holds |")
        );
    }
}
