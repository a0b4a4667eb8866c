//! How much freed memory the allocator keeps for what comes next.

use std::hint::black_box;

/// glibc's allocator keeps twice this much at the end of each of its heaps before it gives memory back.
const KEPT_BYTES: usize = 4 << 20;

/// Lets the allocator keep some freed memory. At first glibc gives memory back as soon as 128 KiB are free, and asks for
/// it again for the next batch of messages; each page then costs a fault. It learns from the largest block that was
/// freed, so it is shown one, which is never touched and so takes no memory. Other allocators do not care. To be called
/// when the broker is open: what opening it took is better given back.
pub(super) fn keep_freed() {
    drop(black_box(Vec::<u8>::with_capacity(KEPT_BYTES)));
}
