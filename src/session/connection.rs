//! Class connection once the connection is open (specification 1.4): closing it, and a renewed secret.

use super::handshake::unexpected;
use super::next::Next;
use super::{Phase, Session};
use crate::fault::Fault;
use crate::wire::{Method, connection};

impl Session {
    pub(super) fn connection_method(
        &mut self,
        method: &Method<'_>,
        now_ms: u64,
    ) -> Result<Next, Fault> {
        match method {
            Method::ConnectionClose(close) => {
                let (code, text) = (close.reply_code, close.reply_text.escape_debug());
                log::info!("{}: closed by the client: {code} {text}", self.title());
                self.leave(now_ms);
                self.send(0, &Method::ConnectionCloseOk(connection::CloseOk));
                self.phase = Phase::Closed;
                Ok(Next::Close)
            }
            Method::ConnectionUpdateSecret(_) => Ok(self.update_secret()),
            _ => Err(unexpected(method, &self.phase)),
        }
    }

    /// A client whose credentials expire, such as a token, brings its new ones. Passwords do not expire, so there is
    /// nothing to renew; RabbitMQ's own users are treated the same.
    fn update_secret(&mut self) -> Next {
        self.send(0, &Method::ConnectionUpdateSecretOk(connection::UpdateSecretOk));
        Next::Frame
    }
}
