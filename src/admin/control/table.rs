//! Rows in columns for people: numbers at the right, as wide as the terminal and no wider. What does not fit is
//! shortened first, then left out, the least important first.

use super::terminal::{Terminal, Tone};
use super::text::{fitted, width};

/// Between two columns.
const GAP: usize = 2;
/// To so many columns a text is shortened before another column is left out.
const TEXT_COLUMNS_MIN: usize = 16;
/// To so many when nothing is left to leave out.
const TEXT_COLUMNS_LEAST: usize = 4;

/// A column's place in the table.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// What stands above it.
    pub heading: String,
    /// Whether its cells stand at the right.
    pub at_right: bool,
    /// Whether its cells may be shortened.
    pub may_be_cut: bool,
    /// What is left out first has the highest number; 0 is never left out.
    pub rank: u8,
}

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// What stands in it, on one line.
    pub text: String,
    /// How it stands out.
    pub tone: Tone,
}

/// Headings and rows.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// One for each column.
    pub heads: Vec<Head>,
    /// Each as long as `heads`.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The lines of the table, and the headings that there was no room for.
    pub fn lines(&self, terminal: &Terminal) -> (Vec<String>, Vec<String>) {
        let natural: Vec<usize> = (0..self.heads.len()).map(|at| self.natural_width(at)).collect();
        let (columns, left_out) = self.layout(&natural, terminal.columns);
        let heading = columns.iter().map(|&(at, room)| {
            let text = self.placed(at, &self.heads[at].heading, room);
            (text, Tone::Strong)
        });
        let mut lines = vec![joined(heading, terminal)];
        for row in &self.rows {
            let cells = columns
                .iter()
                .map(|&(at, room)| (self.placed(at, &row[at].text, room), row[at].tone));
            lines.push(joined(cells, terminal));
        }
        let left_out = left_out.into_iter().map(|at| self.heads[at].heading.clone());
        (lines, left_out.collect())
    }

    fn natural_width(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| width(&row[at].text));
        cells.chain([width(&self.heads[at].heading)]).max().unwrap_or(0)
    }

    /// The columns that are shown, each with its width, and those that are not.
    fn layout(&self, natural: &[usize], room: Option<usize>) -> (Vec<(usize, usize)>, Vec<usize>) {
        let mut shown: Vec<usize> = (0..self.heads.len()).collect();
        let Some(room) = room else {
            return (shown.into_iter().map(|at| (at, natural[at])).collect(), Vec::new());
        };
        let mut left_out = Vec::new();
        loop {
            if let Some(widths) = self.shrunk(&shown, natural, room, TEXT_COLUMNS_MIN) {
                return (widths, left_out);
            }
            let least = shown.iter().copied().filter(|&at| self.heads[at].rank > 0);
            // Of equal ones the right one goes first.
            let Some(least) = least.max_by_key(|&at| (self.heads[at].rank, at)) else { break };
            shown.retain(|&at| at != least);
            left_out.push(least);
        }
        let widths = self.shrunk(&shown, natural, room, TEXT_COLUMNS_LEAST);
        // Narrower than that nothing can be read, and the terminal breaks the lines as it likes.
        let narrowest =
            || shown.iter().map(|&at| (at, natural[at].min(TEXT_COLUMNS_LEAST))).collect();
        (widths.unwrap_or_else(narrowest), left_out)
    }

    /// The columns with their widths, texts shortened from the widest on until all fit; none if they do not.
    fn shrunk(
        &self,
        shown: &[usize],
        natural: &[usize],
        room: usize,
        least: usize,
    ) -> Option<Vec<(usize, usize)>> {
        let mut widths: Vec<usize> = shown.iter().map(|&at| natural[at]).collect();
        let gaps = GAP * shown.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
        while excess > 0 {
            let widest = (0..shown.len())
                .filter(|&place| self.heads[shown[place]].may_be_cut && widths[place] > least)
                .max_by_key(|&place| widths[place])?;
            widths[widest] -= 1;
            excess -= 1;
        }
        Some(shown.iter().copied().zip(widths).collect())
    }

    /// A text in its column: at the left or right, with spaces up to the column's width.
    fn placed(&self, at: usize, text: &str, room: usize) -> (String, usize) {
        let text = fitted(text, room);
        let pad = room.saturating_sub(width(&text));
        if self.heads[at].at_right {
            (format!("{}{text}", " ".repeat(pad)), 0)
        } else {
            (text.into_owned(), pad)
        }
    }
}

/// A line of cells, each with the spaces behind it; none at the end of the line.
fn joined(cells: impl Iterator<Item = ((String, usize), Tone)>, terminal: &Terminal) -> String {
    let mut line = String::new();
    let mut spaces = 0;
    for (at, ((text, pad), tone)) in cells.enumerate() {
        spaces += if at > 0 { GAP } else { 0 };
        if !text.is_empty() {
            line.push_str(&" ".repeat(spaces));
            spaces = 0;
            line.push_str(&terminal.colours.paint(&text, tone));
        }
        spaces += pad;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Cell, Head, Table};
    use crate::admin::control::terminal::{Colours, Terminal, Tone};

    fn table() -> Table {
        let head = |heading: &str, at_right: bool, rank: u8| Head {
            heading: heading.to_owned(),
            at_right,
            may_be_cut: !at_right,
            rank,
        };
        let cell = |text: &str| Cell { text: text.to_owned(), tone: Tone::Plain };
        Table {
            heads: vec![
                head("name", false, 0),
                head("type", false, 2),
                head("ready", true, 0),
                head("out/s", true, 1),
            ],
            rows: vec![
                vec![cell("a-queue-with-a-long-name"), cell("classic"), cell("12,450"), cell("0")],
                vec![cell("b"), cell(""), cell("0"), cell("3.5")],
            ],
        }
    }

    fn check(columns: Option<usize>, expected: &[&str], left_out: &[&str]) {
        let terminal = Terminal { columns, rows: 24, colours: Colours::Absent };
        let (lines, missing) = table().lines(&terminal);
        assert_eq!(lines, expected);
        assert_eq!(missing, left_out);
    }

    #[test]
    fn nothing_is_cut_where_there_is_no_terminal() {
        check(
            None,
            &[
                "name                      type      ready  out/s",
                "a-queue-with-a-long-name  classic  12,450      0",
                "b                                       0    3.5",
            ],
            &[],
        );
    }

    #[test]
    fn names_are_shortened_first_then_columns_left_out() {
        check(
            Some(42),
            &[
                "name                type      ready  out/s",
                "a-queue-with-a-lo…  classic  12,450      0",
                "b                                 0    3.5",
            ],
            &[],
        );
        check(
            Some(36),
            &[
                "name                    ready  out/s",
                "a-queue-with-a-long-…  12,450      0",
                "b                           0    3.5",
            ],
            &["type"],
        );
        check(
            Some(14),
            &["name     ready", "a-que…  12,450", "b            0"],
            &["type", "out/s"],
        );
    }
}
