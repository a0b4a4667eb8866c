//! Leveret: a message broker in one binary.
