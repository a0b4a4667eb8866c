//! Who may do what: users, their passwords, logins, and permissions for each virtual host.

pub(super) mod access;
pub(super) mod failures;
pub(super) mod login;
pub(super) mod password;
pub(super) mod permission;
pub(super) mod turns;
pub(super) mod users;
