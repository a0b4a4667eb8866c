//! A listing: which columns and rows are asked for, in which order, and how they are printed.

use serde_json::Value;

use super::client::{Client, Fault};
use super::column::{self, Column, Kind, Rank, order};
use super::csv;
use super::filter::Filter;
use super::noun::Noun;
use super::options::{Format, ListOptions};
use super::pages;
use super::path::Path;
use super::table::{Cell, Head, Table};
use super::terminal::{Terminal, Tone, now_ms, print};
use super::topology::no_vhost;
use crate::admin::failure::Failure;

/// What the options of a listing come to.
#[derive(Debug)]
pub(super) struct Listing {
    noun: &'static Noun,
    /// Empty: those that are shown when none are asked for.
    columns: Vec<Column>,
    filters: Vec<Filter>,
    sort: Vec<(Column, Direction)>,
    /// How it is printed.
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Listing {
    /// Understands the options.
    ///
    /// # Errors
    ///
    /// A column that there is not, a filter that makes no sense.
    pub fn new(noun: &'static Noun, options: &ListOptions) -> Result<Self, Failure> {
        let column = |name: &str| noun.column(name).map_err(Failure::Usage);
        let columns = options.columns.iter().map(|name| column(name.trim()));
        let filters =
            options.filter.iter().map(|text| Filter::parse(text, noun).map_err(Failure::Usage));
        let sort = options.sort.iter().map(|name| match name.trim().strip_prefix('-') {
            Some(name) => Ok((column(name)?, Direction::Down)),
            None => Ok((column(name.trim())?, Direction::Up)),
        });
        Ok(Self {
            noun,
            columns: columns.collect::<Result<_, Failure>>()?,
            filters: filters.collect::<Result<_, Failure>>()?,
            sort: sort.collect::<Result<_, Failure>>()?,
            format: options.format,
        })
    }

    /// Asks the broker and prints what it has.
    ///
    /// # Errors
    ///
    /// What the broker says, or the file that is written to.
    pub fn show(&self, client: &Client, vhost: Option<&str>) -> Result<(), Failure> {
        match self.format {
            Format::Json if self.sort.is_empty() => self.stream(client, vhost),
            _ => {
                let rows = self.fetch(client, vhost)?;
                let terminal = Terminal::of_standard_output();
                print(&self.text(&rows, &terminal))
            }
        }
    }

    /// All that is wanted, in order.
    pub fn fetch(&self, client: &Client, vhost: Option<&str>) -> Result<Vec<Value>, Failure> {
        let mut rows = Vec::new();
        let taken = pages::each(client, &self.path(vhost), |page| {
            rows.extend(page.into_iter().filter(|row| self.wants(row)));
            Ok(())
        });
        taken.map_err(|fault| listing_fault(client, fault, vhost))?;
        if self.sort.is_empty() {
            let name = self.noun.named_by();
            rows.sort_by_cached_key(|row| {
                let vhost = column::words(&row["vhost"]);
                (vhost, column::words(&name.value(row)))
            });
        }
        Ok(self.arrange(rows))
    }

    /// Those rows that are wanted, in order.
    pub fn arrange(&self, mut rows: Vec<Value>) -> Vec<Value> {
        rows.retain(|row| self.wants(row));
        for (column, direction) in self.sort.iter().rev() {
            // Sorting is stable, so the column that was named first has the last word.
            rows.sort_by_cached_key(|row| Ordered(column.value(row), *direction));
        }
        rows
    }

    fn wants(&self, row: &Value) -> bool {
        self.filters.iter().all(|filter| filter.wants(row))
    }

    /// Rows as they are printed.
    pub fn text(&self, rows: &[Value], terminal: &Terminal) -> String {
        match self.format {
            Format::Table => self.table_text(rows, terminal),
            Format::Json => {
                let rows: Vec<String> = rows.iter().map(|row| self.json(row)).collect();
                if rows.is_empty() {
                    "[]\n".to_owned()
                } else {
                    format!("[\n{}\n]\n", rows.join(",\n"))
                }
            }
            Format::Csv => {
                // It is put together in memory, which takes everything.
                csv::table(&self.shown_columns(), rows).unwrap_or_else(|never| never.to_string())
            }
        }
    }

    /// Rows as the API's objects, with those fields that are wanted.
    pub fn objects(&self, rows: Vec<Value>) -> Value {
        rows.into_iter().map(|row| self.kept(row)).collect()
    }

    /// Rows as one line of JSON, for a program that reads line by line.
    pub fn json_line(&self, rows: &[Value]) -> String {
        let rows: Vec<String> = rows.iter().map(|row| self.json(row)).collect();
        format!("[{}]\n", rows.join(","))
    }

    /// Prints each page as it comes, so that memory does not grow with what the broker holds.
    fn stream(&self, client: &Client, vhost: Option<&str>) -> Result<(), Failure> {
        let mut between = "[\n";
        let mut write = |rows: Vec<Value>| -> Result<(), Failure> {
            let mut text = String::new();
            for row in self.arrange(rows) {
                text.push_str(between);
                text.push_str(&self.json(&row));
                between = ",\n";
            }
            print(&text)
        };
        pages::each(client, &self.path(vhost), |page| write(page).map_err(Ended::Failed)).map_err(
            |ended| match ended {
                Ended::Failed(failure) => failure,
                Ended::Fault(fault) => listing_fault(client, fault, vhost),
            },
        )?;
        print(if between == "[\n" { "[]\n" } else { "\n]\n" })
    }

    /// Where the rows are; of their fields only those that are looked at.
    fn path(&self, vhost: Option<&str>) -> Path {
        let path = self.noun.path(vhost);
        if self.format == Format::Json && self.columns.is_empty() {
            return path;
        }
        let columns = self.shown_columns();
        let shown = columns.iter().flat_map(Column::fields);
        let sorted = self.sort.iter().flat_map(|(column, _)| column.fields());
        let filtered = self.filters.iter().flat_map(Filter::fields);
        let mut fields: Vec<&str> = shown.chain(sorted).chain(filtered).collect();
        fields.sort_unstable();
        fields.dedup();
        // Who gets the whole of a field does not ask for its parts.
        let whole = fields.clone();
        fields.retain(|field| {
            let mut around = field.match_indices('.').map(|(at, _)| &field[..at]);
            !around.any(|outer| whole.binary_search(&outer).is_ok())
        });
        path.with("columns", &fields.join(","))
    }

    fn shown_columns(&self) -> Vec<Column> {
        if self.columns.is_empty() {
            self.noun.usual().cloned().collect()
        } else {
            self.columns.clone()
        }
    }

    fn json(&self, row: &Value) -> String {
        if self.columns.is_empty() { row.to_string() } else { self.kept(row.clone()).to_string() }
    }

    /// The API's object; with `--columns`, only the fields of those.
    fn kept(&self, row: Value) -> Value {
        let Value::Object(mut fields) = row else { return row };
        if !self.columns.is_empty() {
            let paths = self.columns.iter().flat_map(Column::fields);
            let wanted: Vec<&str> = paths.filter_map(|path| path.split('.').next()).collect();
            fields.retain(|name, _| wanted.contains(&name.as_str()));
        }
        Value::Object(fields)
    }

    fn table_text(&self, rows: &[Value], terminal: &Terminal) -> String {
        if rows.is_empty() {
            let what = self.noun.plural;
            let text = if self.filters.is_empty() {
                format!("no {what}")
            } else {
                format!("no {what} match")
            };
            return format!("{}\n", terminal.colours.paint(&text, Tone::Faint));
        }
        let (lines, left_out) = self.table(rows).lines(terminal);
        let mut text = lines.join("\n");
        text.push('\n');
        if !left_out.is_empty() {
            let note = format!("no room for {}: --columns chooses", left_out.join(", "));
            let note =
                super::text::fitted(&note, terminal.columns.unwrap_or(usize::MAX)).into_owned();
            text.push_str(&terminal.colours.paint(&note, Tone::Faint));
            text.push('\n');
        }
        text
    }

    fn table(&self, rows: &[Value]) -> Table {
        let mut columns = self.shown_columns();
        if self.columns.is_empty() {
            columns.retain(|column| {
                !matches!(column.rank, Rank::WhereSeveral(_)) || differs(column, rows)
            });
        }
        let heads = columns.iter().map(|column| Head {
            heading: column.heading(),
            at_right: column.kind.is_number(),
            may_be_cut: column.kind.may_be_cut(),
            rank: match column.rank {
                // What was asked for stays.
                _ if !self.columns.is_empty() => 0,
                Rank::Shown(rank) | Rank::WhereSeveral(rank) => rank,
                Rank::OnRequest => 0,
            },
        });
        let now = now_ms();
        let rows =
            rows.iter().map(|row| columns.iter().map(|column| cell(column, row, now)).collect());
        Table { heads: heads.collect(), rows: rows.collect() }
    }
}

/// What ended a listing that is printed as it comes.
enum Ended {
    Fault(Fault),
    Failed(Failure),
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A value in the order that is asked for.
struct Ordered(Value, Direction);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let order = order(&self.0, &other.0);
        if self.1 == Direction::Down { order.reverse() } else { order }
    }
}

fn cell(column: &Column, row: &Value, now_ms: f64) -> Cell {
    let value = column.value(row);
    let unattended = column.kind == Kind::Count
        && column.key == "consumers"
        && value == 0
        && row["messages_ready"].as_u64().is_some_and(|ready| ready > 0);
    // Messages, and nobody to take them.
    let tone = if unattended { Tone::Warning } else { column.tone(&value) };
    Cell { text: column.shown(&value, now_ms), tone }
}

fn differs(column: &Column, rows: &[Value]) -> bool {
    let mut values = rows.iter().map(|row| column.value(row));
    let first = values.next();
    values.any(|value| Some(&value) != first.as_ref())
}

fn listing_fault(client: &Client, fault: Fault, vhost: Option<&str>) -> Failure {
    match vhost {
        Some(vhost) => no_vhost(client, fault, vhost),
        None => fault.into(),
    }
}
