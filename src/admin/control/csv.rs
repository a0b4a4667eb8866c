//! Rows as RFC 4180 has them: a line of names, then one for each row, with plain numbers.

use serde_json::Value;

use super::column::{Column, words};

/// The line of names.
pub(super) fn header(columns: &[Column]) -> String {
    line(columns.iter().map(|column| column.key.to_string()))
}

/// One row.
pub(super) fn row(columns: &[Column], object: &Value) -> String {
    line(columns.iter().map(|column| match column.value(object) {
        Value::Bool(value) => value.to_string(),
        value @ (Value::Object(_) | Value::Array(_)) => value.to_string(),
        value => words(&value),
    }))
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(quoted).collect();
    format!("{}\n", cells.join(","))
}

fn quoted(cell: String) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{header, row};
    use crate::admin::control::noun::QUEUES;

    #[test]
    fn numbers_are_plain_and_commas_quoted() {
        let columns: Vec<_> = ["name", "ready", "durable", "arguments", "oldest"]
            .iter()
            .map(|name| QUEUES.column(name).unwrap())
            .collect();
        assert_eq!(
            header(&columns),
            "name,messages_ready,durable,arguments,oldest_message_age_ms\n"
        );
        let queue = json!({"name": "a,\"b\"", "messages_ready": 12_450, "durable": true, "arguments": {"x": 1}});
        assert_eq!(row(&columns, &queue), "\"a,\"\"b\"\"\",12450,true,\"{\"\"x\"\":1}\",\n");
    }
}
