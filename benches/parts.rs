//! How long the parts of the broker take by themselves: `cargo bench`, or `cargo bench -- routing` for one of them.

#![allow(clippy::unwrap_used, missing_docs)]

mod parts {
    pub mod frames;
    pub mod journal;
    pub mod queue;
    pub mod routing;
}

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
}

criterion_group! {
    name = benches;
    config = short();
    targets = parts::frames::parsing, parts::frames::encoding, parts::routing::routing,
        parts::queue::queue, parts::journal::journal
}
criterion_main!(benches);
