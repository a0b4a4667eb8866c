//! Rows as RFC 4180 has them: a line of names, then one for each row, with plain numbers.

use serde_json::Value;

use super::column::{Column, words};

/// The line of names, and a line for each object.
pub(super) fn table(columns: &[Column], objects: &[Value]) -> Result<String, csv::Error> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    lines.write_record(columns.iter().map(|column| column.key.to_string()))?;
    for object in objects {
        lines.write_record(columns.iter().map(|column| match column.value(object) {
            Value::Bool(value) => value.to_string(),
            value @ (Value::Object(_) | Value::Array(_)) => value.to_string(),
            value => words(&value),
        }))?;
    }
    let bytes = lines.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::table;
    use crate::admin::control::noun::QUEUES;

    #[test]
    fn numbers_are_plain_and_commas_quoted() {
        let columns: Vec<_> = ["name", "ready", "durable", "arguments", "oldest"]
            .iter()
            .map(|name| QUEUES.column(name).unwrap())
            .collect();
        let queue = json!({"name": "a,\"b\"", "messages_ready": 12_450, "durable": true, "arguments": {"x": 1}});
        assert_eq!(
            table(&columns, &[queue]).unwrap(),
            "name,messages_ready,durable,arguments,oldest_message_age_ms\n\"a,\"\"b\"\"\",12450,true,\"{\"\"x\"\":1}\",\n"
        );
    }
}
