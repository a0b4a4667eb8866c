//! Definitions: written from one broker, read by another.

use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use serde_json::Value;

use super::desk::{Desk, complaint, run_with};

fn desk() -> Desk {
    let desk = Desk::new();
    desk.prints(&["add-vhost", "shop"]);
    desk.prints(&["declare", "queue", "orders", "-a", "x-max-length=5", "--vhost", "shop"]);
    desk.prints(&["declare", "exchange", "events", "--type", "topic", "--vhost", "shop"]);
    desk.prints(&["bind", "events", "orders", "order.*", "--vhost", "shop"]);
    desk
}

#[test]
fn what_one_broker_exports_another_imports() {
    let desk = desk();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("definitions.json");
    let name = file.to_str().unwrap();
    desk.check(
        &["definitions", "export", name],
        &format!("1 user, 2 virtual hosts, 2 permissions, 1 exchange, 1 queue, 1 binding written to {name}"),
    );
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "hashes of passwords are for the owner alone");

    let other = Desk::new();
    let imported = other.prints(&["definitions", "import", name]);
    assert!(imported.ends_with(&format!("imported from {name}\n")), "{imported}");
    other.check(
        &["queues", "--columns", "vhost,name,features"],
        "vhost  name    features\nshop   orders  D Lim",
    );
    other.check(
        &[
            "bindings",
            "--vhost",
            "shop",
            "--filter",
            "source=events",
            "--columns",
            "destination,key",
        ],
        "destination  key\norders       order.*",
    );
    // A second time changes nothing.
    other.prints(&["definitions", "import", name]);
}

#[test]
fn definitions_go_through_pipes_and_for_one_virtual_host() {
    let desk = desk();
    let text = desk.prints(&["definitions", "export"]);
    let whole: Value = serde_json::from_str(&text).unwrap();
    assert!(whole["users"][0]["password_hash"].is_string(), "{whole}");
    let part = desk.prints(&["definitions", "export", "-", "--vhost", "shop"]);
    let parsed: Value = serde_json::from_str(&part).unwrap();
    assert_eq!((&parsed["queues"][0]["name"], &parsed["users"]), (&"orders".into(), &Value::Null));
    let other = Desk::new();
    other.prints(&["add-vhost", "copy"]);
    let told = other.prints_with(part.as_bytes(), &["definitions", "import", "--vhost", "copy"]);
    assert!(told.ends_with("imported from standard input\n"), "{told}");
    other.check(&["queues", "--columns", "vhost,name"], "vhost  name\ncopy   orders");
}

#[test]
fn an_export_to_what_is_no_regular_file_is_written_into_it() {
    let desk = desk();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target.json");
    let link = folder.path().join("link.json");
    std::fs::write(&target, "something that was longer ".repeat(1_000)).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    desk.check(&["definitions", "export", link.to_str().unwrap()], "");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let written: Value = serde_json::from_slice(&std::fs::read(&target).unwrap()).unwrap();
    assert!(written["users"].is_array(), "{written}");

    let output = folder.path().join("output");
    std::os::unix::fs::symlink("/dev/stdout", &output).unwrap();
    let printed = desk.prints(&["definitions", "export", output.to_str().unwrap()]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["queues"], written["queues"]);

    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    // Open both ways, so that neither end waits for the other.
    let mut reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    desk.check(&["definitions", "export", pipe.to_str().unwrap()], "");
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let mut first = [0; 1];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "nothing is left beside them");
}

#[test]
fn definitions_that_are_none_are_refused() {
    let desk = Desk::new();
    let check = |text: &str, begins: &str| {
        complaint(&run_with(desk.command(&["definitions", "import"]), text.as_bytes()), 1, begins);
    };
    check("{\n\"queues\": [\n", "standard input:3: not JSON: EOF");
    check("[]", "standard input holds no definitions: they are one JSON object");
    check("{\"queues\": [{\"name\": 5}]}", "");
    desk.check(&["queues"], "no queues");
    desk.fails(&["definitions", "import", "/none"], "cannot read /none: No such file");
    desk.fails(&["definitions", "export", "/none/x"], "cannot write /none/x: No such file");
    desk.fails(&["definitions", "export", "--vhost", "none"], "there is no virtual host 'none'");
    desk.makes_no_sense(
        &["definitions", "exprt"],
        "unrecognized subcommand 'exprt' (did you mean import or export?)",
    );
}
