//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Numbers of the frame layer (specification 4.2.3).

/// Frame type: a method (specification 4.2.3).
pub const FRAME_METHOD: u8 = 1;

/// Frame type: a content header.
pub const FRAME_HEADER: u8 = 2;

/// Frame type: a part of a content body.
pub const FRAME_BODY: u8 = 3;

/// Frame type: a heartbeat.
pub const FRAME_HEARTBEAT: u8 = 8;

/// The octet that ends every frame.
pub const FRAME_END: u8 = 206;

/// The smallest frame size, in bytes, that both peers must accept.
pub const FRAME_BYTES_MIN: u32 = 4096;
