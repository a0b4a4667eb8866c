//! Tests of the session with a real broker: frames in, frames out.
