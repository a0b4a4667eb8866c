//! The frame target for libFuzzer.

#![no_main]

#[path = "../libfuzzer.rs"]
mod libfuzzer;
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer::serve!(targets::FRAME);
