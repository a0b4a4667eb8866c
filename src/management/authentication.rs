//! Who asks: the users of AMQP with their passwords, and what their tags allow, as in RabbitMQ.

use std::sync::Arc;
use std::time::Duration;

use async_std::task;
use hyper::StatusCode;

use super::reply::Reply;
use super::request::Request;
use crate::broker::{Broker, Identity, Login};

/// A login that is refused unseen is told so after this long.
const REFUSAL: Duration = Duration::from_secs(1);

/// May do everything.
const ADMINISTRATOR: &str = "administrator";
/// May see everything of the node, and others' connections.
const MONITORING: &str = "monitoring";
/// May set policies where it has permissions.
const POLICYMAKER: &str = "policymaker";
/// May use this API where it has permissions.
const MANAGEMENT: &str = "management";

/// A user who logged in.
#[derive(Debug)]
pub(super) struct Caller {
    pub user: Arc<str>,
    pub tags: Vec<String>,
}

impl Caller {
    /// Verifies user and password, when it is their turn.
    ///
    /// # Errors
    /// 401 when they are wrong or missing, or the user has none of the tags.
    pub async fn log_in(broker: &Broker, request: &Request) -> Result<Self, Reply> {
        let Some((name, password)) = &request.credentials else {
            // Without a body, as RabbitMQ: what matters is the challenge in its head.
            return Err(Reply::status(StatusCode::UNAUTHORIZED));
        };
        let verified = match broker.login(name, password, request.peer) {
            Login::Welcome(identity) => Ok(identity),
            Login::Refused(reason) => Err(reason),
            Login::Verify(mut verification) => {
                if verification.is_refused() {
                    task::sleep(REFUSAL).await;
                }
                verification.wait_for_turn().await;
                task::spawn_blocking(move || verification.run()).await
            }
        };
        let Identity { user } = verified.map_err(|reason| {
            log::warn!("{}: management login refused: {reason}", request.peer);
            Reply::not_logged_in()
        })?;
        let tags = broker.user(&user).map_or_else(Vec::new, |record| record.tags.clone());
        let caller = Self { user, tags };
        let known = [ADMINISTRATOR, MONITORING, POLICYMAKER, MANAGEMENT];
        if !known.iter().any(|tag| caller.has(tag)) {
            return Err(Reply::not_authorised("Not management user"));
        }
        Ok(caller)
    }

    fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    /// Whether it sees the node, all virtual hosts, and others' connections.
    pub fn is_monitor(&self) -> bool {
        self.has(ADMINISTRATOR) || self.has(MONITORING)
    }

    /// # Errors
    /// 401 unless it may do everything.
    pub fn expect_administrator(&self) -> Result<(), Reply> {
        match self.has(ADMINISTRATOR) {
            true => Ok(()),
            false => Err(Reply::not_authorised("Not administrator user")),
        }
    }

    /// # Errors
    /// 401 unless it sees the node.
    pub fn expect_monitor(&self) -> Result<(), Reply> {
        match self.is_monitor() {
            true => Ok(()),
            false => Err(Reply::not_authorised("Not monitor user")),
        }
    }

    /// # Errors
    /// 401 unless it may set policies.
    pub fn expect_policymaker(&self) -> Result<(), Reply> {
        match self.has(ADMINISTRATOR) || self.has(POLICYMAKER) {
            true => Ok(()),
            false => Err(Reply::not_authorised("Not policymaker user")),
        }
    }
}
