//! Class connection once the connection is open (specification 1.4): closing it, and a renewed secret.

use super::handshake::unexpected;
use super::{Phase, Session, Step, Wait, Waiting};
use crate::broker::Login;
use crate::fault::Fault;
use crate::wire::{Method, ReplyCode, connection};

impl Session {
    pub(super) fn connection_method(
        &mut self,
        method: &Method<'_>,
        now_ms: u64,
    ) -> Result<Step, Fault> {
        match method {
            Method::ConnectionClose(close) => {
                let (code, text) = (close.reply_code, close.reply_text.escape_debug());
                log::info!("{}: closed by the client: {code} {text}", self.title());
                self.leave(now_ms);
                self.send(0, &Method::ConnectionCloseOk(connection::CloseOk));
                self.phase = Phase::Closed;
                Ok(Step::Close)
            }
            Method::ConnectionUpdateSecret(update) => self.update_secret(update.new_secret),
            _ => Err(unexpected(method, &self.phase)),
        }
    }

    /// A client with a password that changes, such as a token, brings its new one.
    fn update_secret(&mut self, secret: &[u8]) -> Result<Step, Fault> {
        let Some(client) = &self.client else { return Ok(Step::Next) };
        match self.broker.login(client.user(), secret, self.peer.address.ip()) {
            Login::Welcome(_) => Ok(self.take_secret()),
            Login::Refused(reason) => Err(self.refuse_secret(&reason)),
            Login::Verify(verification) => {
                self.waiting = Some(Waiting::Secret);
                Ok(Step::Wait(Wait::Verify(verification)))
            }
        }
    }

    pub(super) fn take_secret(&mut self) -> Step {
        self.send(0, &Method::ConnectionUpdateSecretOk(connection::UpdateSecretOk));
        Step::Next
    }

    pub(super) fn refuse_secret(&self, reason: &str) -> Fault {
        log::warn!("{}: new secret refused: {reason}", self.title());
        Fault::connection(ReplyCode::NotAllowed, "New secret was refused by one of the backends")
            .at(connection::UpdateSecret::CLASS_ID, connection::UpdateSecret::METHOD_ID)
    }
}
