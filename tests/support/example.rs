//! The programs that cargo built from `examples/`, which `cargo test` does unless it is told which tests to run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The program of `examples/NAME.rs`, beside the one of `src/main.rs`.
///
/// # Panics
///
/// When it was not built, or not since its source changed.
pub fn built(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_leveret")).parent().expect("a directory");
    let program = beside.join("examples").join(name);
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let changed = changed(&source).unwrap_or_else(|| panic!("no {}", source.display()));
    assert!(
        changed_since(&program, changed),
        "examples/{name}.rs was not built; `cargo build --examples` builds it, and so does `cargo test` \
         without `--test`"
    );
    program
}

fn changed_since(program: &Path, time: SystemTime) -> bool {
    changed(program).is_some_and(|built| built >= time)
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}
