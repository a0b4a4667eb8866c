//! What a request is answered: a status, and JSON. Errors have RabbitMQ's shape, `{"error", "reason"}`.

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::broker::{Refusal, RefusalKind};

/// RabbitMQ's content type of answers.
const JSON: &str = "application/json";

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// Where what was made can be found.
    pub location: Option<String>,
}

/// What a handler gives: an answer, or the one that says why not.
pub(super) type Outcome = Result<Reply, Reply>;

impl Reply {
    /// 200 with an object.
    pub fn json(object: &impl Serialize) -> Self {
        Self::with(StatusCode::OK, object)
    }

    /// 200 with text of another kind.
    pub fn text(content_type: &'static str, text: String) -> Self {
        Self { content_type, ..Self::bare(StatusCode::OK, text.into_bytes()) }
    }

    /// 200 with JSON that is written already.
    pub fn written(body: Vec<u8>) -> Self {
        Self::bare(StatusCode::OK, body)
    }

    /// Any status with an object.
    pub fn with(status: StatusCode, object: &impl Serialize) -> Self {
        match serde_json::to_vec(object) {
            Ok(body) => Self::bare(status, body),
            Err(error) => Self::failed(&format!("the answer cannot be written: {error}")),
        }
    }

    /// A status alone.
    pub fn status(status: StatusCode) -> Self {
        Self::bare(status, Vec::new())
    }

    fn bare(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, content_type: JSON, body, location: None }
    }

    /// 201 after something was made.
    pub fn created() -> Self {
        Self::status(StatusCode::CREATED)
    }

    /// 204: done, and nothing to say.
    pub fn done() -> Self {
        Self::status(StatusCode::NO_CONTENT)
    }

    /// 400 with what is wrong with the request.
    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::error(StatusCode::BAD_REQUEST, "bad_request", &reason.into())
    }

    /// 401 for a user who may not do this.
    pub fn not_authorised(reason: &str) -> Self {
        Self::error(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// 401 for a login that failed.
    pub fn not_logged_in() -> Self {
        Self::error(StatusCode::UNAUTHORIZED, "not_authorized", "Not_Authorized")
    }

    /// 404 for a path where nothing is, in RabbitMQ's words.
    pub fn no_object() -> Self {
        Self::error(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// 404 with what is missing.
    pub fn not_found(reason: &str) -> Self {
        Self::error(StatusCode::NOT_FOUND, "not_found", reason)
    }

    /// 500: the broker could not do it.
    pub fn failed(reason: &str) -> Self {
        Self::error(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", reason)
    }

    /// An error of any kind.
    pub fn error(status: StatusCode, error: &str, reason: &str) -> Self {
        let object = json!({ "error": error, "reason": reason });
        Self::bare(status, object.to_string().into_bytes())
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.text;
        match refusal.kind {
            RefusalKind::NotFound => Self::not_found(&text),
            // RabbitMQ's API says it in the words of AMQP.
            RefusalKind::AccessRefused => Self::not_authorised(&format!("ACCESS_REFUSED - {text}")),
            RefusalKind::Failed => Self::failed(&text),
            RefusalKind::Locked
            | RefusalKind::PreconditionFailed
            | RefusalKind::InUse
            | RefusalKind::LimitReached
            | RefusalKind::NotAllowed
            | RefusalKind::Forced
            | RefusalKind::Exhausted => Self::bad_request(text),
        }
    }
}
