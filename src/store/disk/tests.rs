//! Tests of files with reserved room.

use std::fs;
use std::path::PathBuf;

use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segment");
    (directory, path)
}

#[test]
fn what_is_written_stands_at_the_end_of_what_was_written() {
    let (_directory, path) = place();
    let disk = LocalDisk::new(100);
    let mut expected = Vec::new();
    for _ in 0..3 {
        let mut file =
            if expected.is_empty() { disk.create(&path) } else { disk.resume(&path) }.unwrap();
        for size in [1, 60, 250] {
            let bytes = vec![size as u8; size];
            file.write(&bytes).unwrap();
            file.sync().unwrap();
            expected.extend(bytes);
            assert_eq!(file.end(), expected.len() as u64);
            assert!(fs::read(&path).unwrap().starts_with(&expected));
        }
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), expected, "no more and no less");
    }
}

#[test]
fn what_is_reserved_reads_as_zeros() {
    let (_directory, path) = place();
    let mut file = LocalDisk::new(100).create(&path).unwrap();
    file.write(b"abc").unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!((&bytes[..3], bytes.len()), (&b"abc"[..], 100));
    assert!(bytes[3..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_segment_is_created_once() {
    let (_directory, path) = place();
    let disk = LocalDisk::new(100);
    assert!(disk.resume(&path).is_err());
    drop(disk.create(&path).unwrap());
    assert!(disk.create(&path).is_err());
}
