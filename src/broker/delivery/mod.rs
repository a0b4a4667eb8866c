//! Messages on their way: published, delivered, settled, dead-lettered, expired, and out of memory and back.

pub(super) mod aftermath;
pub(super) mod clearing;
pub(super) mod consume;
pub(super) mod dead_letter;
pub(super) mod dead_lettering;
pub(super) mod deliveries;
pub(super) mod departure;
pub(super) mod effects;
pub(super) mod leaving;
pub(super) mod paging;
pub(super) mod promise;
pub(super) mod publish;
pub(super) mod reply_to;
pub(super) mod returning;
pub(super) mod settling;
pub(super) mod timers;
