//! The management API as the admin command uses it: one HTTP exchange for each call, and what can go wrong with
//! it, each in one line that says what to do next.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use ureq::http::{Method, Request, StatusCode};

use super::path::Path;
use super::target::Target;
use crate::admin::failure::Failure;

/// Seconds to wait for a connection.
const CONNECT_S_MAX: u64 = 5;
/// Seconds to wait for a whole answer; emptying a deep queue takes its time.
const ANSWER_S_MAX: u64 = 120;
/// Bytes of one answer: a page of a listing, a batch of messages, or all definitions.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// All that a 401 says of a login that failed: here, in RabbitMQ before 4.0, and there of a user who may come from
/// its own machine only. What else a 401 says names what it is about, which can be called anything.
const LOGIN_FAILURES: &[&str] =
    &["Not_Authorized", "Login failed", "User can only log in via localhost"];

/// Someone to ask a broker.
pub(super) struct Client {
    agent: ureq::Agent,
    authorization: String,
    /// `HOST:PORT`, as messages name it.
    pub address: String,
    /// Who is logged in.
    pub user: String,
}

/// Why there was no good answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no such thing; what the broker said.
    NotFound(String),
    /// This user may not do or see that; the whole line.
    Forbidden(String),
    /// The broker understood and said no; its reason.
    Refused(String),
    /// What was asked for makes no sense to the broker; its reason.
    Senseless(String),
    /// The API has no such call.
    NoSuchCall,
    /// No broker, no login, or no Leveret: a line that says what to do next.
    NoUse(String),
}

/// What came back for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Something new is there.
    Created,
    /// It was there already, or is gone.
    Done,
}

impl Client {
    /// A client for a broker; nothing is sent yet.
    pub fn new(target: &Target) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // What an environment says of proxies is about the web, not about a broker.
            .proxy(None)
            .user_agent(concat!("leveret-admin/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(CONNECT_S_MAX)))
            .timeout_per_call(Some(Duration::from_secs(ANSWER_S_MAX)))
            .build();
        let login = format!("{}:{}", target.user, target.password.0);
        Self {
            agent: config.new_agent(),
            authorization: format!("Basic {}", BASE64.encode(login)),
            address: target.address.clone(),
            user: target.user.clone(),
        }
    }

    /// What is at a path.
    pub fn get(&self, path: &Path) -> Result<Value, Fault> {
        let (_, answer) = self.call(Method::GET, path, None, None)?;
        Ok(answer)
    }

    /// Puts something at a path.
    pub fn put(&self, path: &Path, body: &Value) -> Result<Change, Fault> {
        let (status, _) = self.call(Method::PUT, path, Some(body), None)?;
        Ok(if status == StatusCode::CREATED { Change::Created } else { Change::Done })
    }

    /// Has something done, and returns what came of it.
    pub fn post(&self, path: &Path, body: &Value) -> Result<Value, Fault> {
        let (_, answer) = self.call(Method::POST, path, Some(body), None)?;
        Ok(answer)
    }

    /// Deletes what is at a path.
    pub fn delete(&self, path: &Path) -> Result<(), Fault> {
        self.call(Method::DELETE, path, None, None).map(drop)
    }

    /// Deletes what is at a path, and gives those concerned the reason.
    pub fn delete_because(&self, path: &Path, reason: &str) -> Result<(), Fault> {
        self.call(Method::DELETE, path, None, Some(reason)).map(drop)
    }

    fn call(
        &self,
        method: Method,
        path: &Path,
        body: Option<&Value>,
        reason: Option<&str>,
    ) -> Result<(StatusCode, Value), Fault> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", &self.authorization)
            .header("accept", "application/json");
        if let Some(reason) = reason {
            request = request.header("x-reason", reason);
        }
        let sent = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
            None => request
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
        };
        let mut response = sent.map_err(|error| self.no_answer(&error))?;
        let status = response.status();
        let limited = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes = limited.read_to_vec().map_err(|error| self.no_answer(&error))?;
        self.judge(status, &bytes)
    }

    /// Whether an answer is a good one.
    fn judge(&self, status: StatusCode, bytes: &[u8]) -> Result<(StatusCode, Value), Fault> {
        let answer = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(bytes) };
        let answer: Value = answer.map_err(|_| match status {
            StatusCode::METHOD_NOT_ALLOWED => Fault::NoSuchCall,
            _ => self.stranger(&format!("it answers {} and no JSON", status.as_u16())),
        })?;
        if status.is_success() {
            return Ok((status, answer));
        }
        let reason = reason_in(&answer);
        Err(match status {
            StatusCode::UNAUTHORIZED if reason.is_empty() || is_login_failure(&reason) => {
                Fault::NoUse(format!(
                    "the broker at {} does not let user '{}' in: wrong name or password, or one that may come from \
                     its own machine only; --user and --password, LEVERET_ADMIN_USER and LEVERET_ADMIN_PASSWORD, or \
                     [admin] in broker.toml set them",
                    self.address, self.user
                ))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::Forbidden(format!(
                "user '{}' may not do that: {reason}; --user names another",
                self.user
            )),
            StatusCode::NOT_FOUND => Fault::NotFound(reason),
            StatusCode::METHOD_NOT_ALLOWED => Fault::NoSuchCall,
            StatusCode::BAD_REQUEST => Fault::Senseless(reason),
            status if status.is_client_error() => Fault::Refused(reason),
            status => Fault::Refused(format!(
                "the broker failed with {}: {}; its log says more",
                status.as_u16(),
                if reason.is_empty() { "no reason given" } else { &reason }
            )),
        })
    }

    fn no_answer(&self, error: &ureq::Error) -> Fault {
        let address = &self.address;
        match error {
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Fault::NoUse(format!(
                    "nothing listens on {address}: start the broker, or name the address of its management API with \
                     --url or LEVERET_ADMIN_URL"
                ))
            }
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Fault::NoUse(format!(
                "{address} cannot be found: check the address given with --url, LEVERET_ADMIN_URL or [admin] in \
                 broker.toml"
            )),
            ureq::Error::Timeout(_) => Fault::NoUse(format!(
                "{address} did not answer in time: check that it is the broker's management API, and look into the \
                 broker's log"
            )),
            ureq::Error::BodyExceedsLimit(bytes) => Fault::Refused(format!(
                "the answer has more than {bytes} bytes: ask for less at once"
            )),
            ureq::Error::Io(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                ) =>
            {
                Fault::NoUse(format!(
                    "{address} cannot be reached: {error}; --url names another address"
                ))
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Fault::NoUse(format!("{address} is no address: {error}; --url takes HOST:PORT"))
            }
            other => self.stranger(&other.to_string()),
        }
    }

    fn stranger(&self, what: &str) -> Fault {
        Fault::NoUse(format!(
            "what listens on {} is not a management API of Leveret ({what}); --url names another address, and the \
             API's port is 15672 unless broker.toml says otherwise",
            self.address
        ))
    }
}

impl Fault {
    /// The same in words; what is not found is what these words call it, and where to look for what there is.
    pub fn about(self, thing: &str, see: &str) -> Failure {
        let text = match self {
            Self::NotFound(_) => format!("there is no {thing}; {see}"),
            other => other.text(),
        };
        Failure::Failed(text)
    }

    fn text(self) -> String {
        match self {
            Self::NotFound(reason) | Self::Refused(reason) | Self::Senseless(reason)
                if reason.is_empty() =>
            {
                "the broker refuses that and gives no reason".to_owned()
            }
            Self::NotFound(reason)
            | Self::Forbidden(reason)
            | Self::Refused(reason)
            | Self::Senseless(reason)
            | Self::NoUse(reason) => reason,
            Self::NoSuchCall => {
                "this broker's management API cannot do that: it is another broker, or an older \
                                 Leveret; `leveret admin overview` tells its version"
                    .to_owned()
            }
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.text())
    }
}

/// What the broker says went wrong, on one line.
fn reason_in(answer: &Value) -> String {
    match (&answer["reason"], &answer["error"]) {
        (Value::String(text), _) | (_, Value::String(text)) => text.trim().to_owned(),
        (Value::Null, _) => String::new(),
        (other, _) => other.to_string(),
    }
}

/// Whether a 401 is about the login itself, as opposed to what the user may do.
fn is_login_failure(reason: &str) -> bool {
    LOGIN_FAILURES.contains(&reason)
}
