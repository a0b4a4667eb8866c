//! A request, taken apart: its path, its query, its headers as far as they matter, and its body.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;

/// A request.
pub(super) struct Request {
    pub method: Method,
    /// The parts of its path, each decoded.
    pub path: Vec<String>,
    query: Vec<(String, String)>,
    /// User and password.
    pub credentials: Option<(String, Vec<u8>)>,
    /// The header `X-Reason`. It may be in any language: what is not UTF-8 in it is replaced.
    pub reason: Option<String>,
    pub peer: IpAddr,
    /// Empty until it was read.
    pub body: Bytes,
}

/// Below `/api/`: what begins like this answers for one thing, or with little.
const SMALL: [&str; 6] = ["auth", "extensions", "health", "nodes", "overview", "whoami"];

impl Request {
    /// Takes a request apart. None when its path is not UTF-8.
    pub fn new(method: Method, uri: &Uri, headers: &HeaderMap, peer: IpAddr) -> Option<Self> {
        let path = uri.path().trim_matches('/').split('/');
        let path = path.map(|part| Some(percent_decode_str(part).decode_utf8().ok()?.into_owned()));
        let reason = headers.get("x-reason");
        Some(Self {
            method,
            path: path.collect::<Option<_>>()?,
            query: query(uri.query().unwrap_or_default()),
            credentials: credentials(headers),
            reason: reason.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()),
            peer,
            body: Bytes::new(),
        })
    }

    /// Whether its answer may have something for every queue, exchange, binding or connection that there is.
    pub fn is_for_listing(&self) -> bool {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        reads && !self.path.get(1).is_some_and(|first| SMALL.contains(&first.as_str()))
    }

    /// The first value of a name in the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name in the query.
    pub fn queries<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a name in the query says yes.
    pub fn asks(&self, name: &str) -> bool {
        self.query(name) == Some("true")
    }
}

fn query(text: &str) -> Vec<(String, String)> {
    let decoded =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Basic authentication (RFC 7617).
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((user, decoded[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_query_are_decoded_once() {
        let uri = "/api/queues/%2F/a%252Fb?name=x+y%26&page=1&flag".parse().unwrap();
        let peer = IpAddr::from([127, 0, 0, 1]);
        let request = Request::new(Method::GET, &uri, &HeaderMap::new(), peer).unwrap();
        assert_eq!(request.path, ["api", "queues", "/", "a%2Fb"]);
        assert_eq!(request.query("name"), Some("x y&"));
        assert_eq!(request.query("flag"), Some(""));
        assert_eq!(request.query("other"), None);
    }

    #[test]
    fn a_password_may_hold_a_colon() {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode("user:pass:word"));
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        assert_eq!(credentials(&headers), Some(("user".to_owned(), b"pass:word".to_vec())));
        headers.insert(AUTHORIZATION, "Bearer x".parse().unwrap());
        assert_eq!(credentials(&headers), None);
    }
}
