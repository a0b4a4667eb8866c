//! Certificates that are read again while the broker runs: when their files change, and when it is told to.

use std::sync::Arc;
use std::time::Duration;

use async_std::task;

use crate::socket::Tls;

/// How long between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// Reads them again whenever the files have changed, for ever.
pub(super) async fn watch(tls: Arc<Tls>) {
    loop {
        task::sleep(LOOK).await;
        // They are read when they have rested from one look to the next: whoever writes three files takes a moment.
        if tls.has_settled() {
            read_again(&tls, "the files have changed");
        }
    }
}

/// Reads them again. What cannot be used leaves those in use that were read before.
pub(super) fn read_again(tls: &Tls, why: &str) {
    match tls.reload() {
        Ok(()) => log::info!("{why}: certificates read again"),
        Err(error) => {
            log::error!("{why}: the certificates that were read before stay in use: {error}");
        }
    }
}
