//! One row of the table: a request, who makes it, and what the answer has in it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::http::{Answer, Api};
use crate::support::server::Server;

/// Names another broker's API, as `http://HOST:PORT`, to run the same rows against; its user `guest` is an administrator.
const URI_VARIABLE: &str = "LEVERET_TEST_MANAGEMENT_URI";

/// The API that is tested.
pub struct Subject {
    pub api: Api,
    /// False for another broker than Leveret.
    pub is_own: bool,
    _server: Option<Server>,
}

impl Subject {
    /// The API that `LEVERET_TEST_MANAGEMENT_URI` names, or that of a new Leveret.
    pub fn start() -> Self {
        match std::env::var(URI_VARIABLE) {
            Ok(uri) => {
                let address = uri.trim_start_matches("http://").trim_end_matches('/');
                Self { api: Api::new(address), is_own: false, _server: None }
            }
            Err(_) => {
                let server = Server::start_managed();
                Self { api: Api::new(&server.management()), is_own: true, _server: Some(server) }
            }
        }
    }

    /// The virtual host `rows`, empty, where `guest` may do everything, `some` may do what begins with `mine`, and
    /// `monitor` nothing.
    pub fn prepare(&self) {
        let api = &self.api;
        api.request("DELETE", "/api/vhosts/rows", "");
        api.done("PUT", "/api/vhosts/rows", "");
        let everything = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        api.done("PUT", "/api/permissions/rows/guest", everything);
        for (name, tags) in [("some", "management"), ("monitor", "monitoring"), ("nobody", "")] {
            let body = format!(r#"{{"password": "{name}", "tags": "{tags}"}}"#);
            api.done("PUT", &format!("/api/users/{name}"), &body);
        }
        let mine = r#"{"configure": "^mine.*", "write": "^mine.*", "read": "^mine.*"}"#;
        api.done("PUT", "/api/permissions/rows/some", mine);
    }
}

/// User (with the same password), method, path, body, status, and what the answer has in it as JSON; an empty text
/// stands for an answer without a body.
pub type Row<'a> = (&'a str, &'a str, &'a str, &'a str, u16, &'a str);

/// RabbitMQ's counts come some seconds late.
const LATE_LIMIT: Duration = Duration::from_secs(12);

/// Makes every request in turn. What another broker shows late is asked for again.
pub fn check(subject: &Subject, rows: &[Row<'_>]) {
    let mut wrong = Vec::new();
    for row in rows {
        let (user, method, path, body, status, expected) = row;
        let deadline = Instant::now() + LATE_LIMIT;
        let mut answer = ask(subject, row);
        while !subject.is_own
            && *method == "GET"
            && !is_answered(&answer, row)
            && Instant::now() < deadline
        {
            answer = ask(subject, row);
        }
        if !is_answered(&answer, row) {
            wrong.push(format!(
                "{user} {method} {path} {body}\n  expected {status} {expected}\n  got {} {}",
                answer.status, answer.text
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn ask(subject: &Subject, (user, method, path, body, ..): &Row<'_>) -> Answer {
    let api = match *user {
        "" => subject.api.as_nobody(),
        "guessed" => subject.api.as_user("guest", "guessed"),
        user => subject.api.as_user(user, user),
    };
    api.request(method, path, body)
}

fn is_answered(answer: &Answer, (.., status, expected): &Row<'_>) -> bool {
    let matches = if expected.is_empty() {
        answer.text.is_empty()
    } else {
        let expected = serde_json::from_str(expected).expect("the row holds JSON");
        contains(&answer.json(), &expected)
    };
    answer.status == *status && matches
}

/// Whether a value has everything in it that is expected: each field of an object, each element of a list in the
/// same order. The text `*` stands for anything that is there.
pub fn contains(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (value, Value::String(any)) if any == "*" => !value.is_null(),
        (Value::Object(object), Value::Object(expected)) => {
            expected.iter().all(|(name, expected)| {
                object.get(name).is_some_and(|value| contains(value, expected))
            })
        }
        (Value::Array(values), Value::Array(expected)) => {
            values.len() == expected.len()
                && values.iter().zip(expected).all(|(value, expected)| contains(value, expected))
        }
        (Value::Number(value), Value::Number(expected)) => value.as_f64() == expected.as_f64(),
        (value, expected) => value == expected,
    }
}
