//! A small HTTP client: one request to a connection, basic authentication, JSON.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// A management API and who asks it.
#[derive(Clone)]
pub struct Api {
    address: String,
    credentials: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Api {
    /// The API at `HOST:PORT`, asked by `guest`.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), credentials: None }.as_user("guest", "guest")
    }

    /// The same API asked by somebody else.
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        let credentials = Some(STANDARD.encode(format!("{user}:{password}")));
        Self { credentials, ..self.clone() }
    }

    /// The same API asked without a login.
    pub fn as_nobody(&self) -> Self {
        Self { credentials: None, ..self.clone() }
    }

    /// `GET`, and an answer of 200.
    pub fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path, "");
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text);
        answer.json()
    }

    /// Any method, with or without a body; the answer may be an error.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        self.request_with(method, path, &[], body.as_bytes())
    }

    /// As [`Api::request`], and an answer of 2xx.
    pub fn done(&self, method: &str, path: &str, body: &str) -> Answer {
        let answer = self.request(method, path, body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer
    }

    /// As [`Api::request`], with more headers.
    pub fn request_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        if let Some(credentials) = &self.credentials {
            head.push_str(&format!("authorization: Basic {credentials}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!(
            "connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ));
        let mut stream = TcpStream::connect(&self.address).expect("the API is listening");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // The answer may come before the body was taken.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        answer(&bytes)
    }
}

/// Takes an answer apart, as it came.
pub fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let mut answer = Answer {
        status: status.unwrap_or_else(|| panic!("no HTTP answer: {head:?}")),
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        text: String::new(),
    };
    let joined = match answer.header("transfer-encoding") {
        Some("chunked") => joined(body),
        _ => body.to_vec(),
    };
    answer.text = String::from_utf8_lossy(&joined).into_owned();
    answer
}

/// The chunks of a body (RFC 9112, section 7.1) up to its end, or up to where it breaks off.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = chunks.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&chunks[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = &chunks[line + 2..];
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        chunks = chunk.get(size + 2..).unwrap_or_default();
    }
    body
}
