//! Class confirm: a channel whose published messages are numbered from 1 and confirmed.

use super::channel::{Channel, Mode};
use super::next::Handled;
use super::work::Context;
use crate::fault::Fault;
use crate::outbox::ChannelMode;
use crate::wire::{Method, ReplyCode, confirm};

impl Channel {
    pub(super) fn confirm_select(
        &mut self,
        context: &mut Context<'_>,
        select: confirm::Select,
    ) -> Result<Handled, Fault> {
        match self.mode {
            Mode::Transaction(_) => {
                let text = "cannot switch from tx to confirm mode";
                return Err(Fault::channel(ReplyCode::PreconditionFailed, text));
            }
            Mode::Plain => {
                self.mode = Mode::Confirm { published: 0 };
                context.outbox.note_mode(self.key, ChannelMode::Confirm);
            }
            Mode::Confirm { .. } => {}
        }
        let selected = Method::ConfirmSelectOk(confirm::SelectOk);
        Ok(self.reply_unless(context, select.no_wait, &selected))
    }
}
