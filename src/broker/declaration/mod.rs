//! What changes the topology: virtual hosts, exchanges, queues and bindings are declared, bound and deleted.

pub(super) mod binding;
pub(super) mod exchange_declaration;
pub(super) mod queue_declaration;
pub(super) mod reconfiguration;
pub(super) mod removal;
pub(super) mod vhost_creation;
