//! Which broker, and as whom: options, variables, `broker.toml`, and what is said when none of it leads to a broker.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use super::desk::{Desk, complaint, printed, run_with};
use crate::support::server::program;

fn ping(arguments: &[&str]) -> Command {
    let mut command = program();
    command.current_dir(env!("CARGO_TARGET_TMPDIR")).args(["admin", "ping"]).args(arguments);
    command
}

#[test]
fn a_ping_says_who_answers() {
    let desk = Desk::new();
    let told = desk.prints(&["ping"]);
    let begins = format!(
        "Leveret {} answers on {} after ",
        env!("CARGO_PKG_VERSION"),
        desk.server.management()
    );
    assert!(told.starts_with(&begins) && told.ends_with(" ms\n"), "{told}");
    desk.makes_no_sense(
        &["ping", "extra"],
        "unexpected argument 'extra' found; `leveret admin ping --help`",
    );
}

#[test]
fn options_win_over_variables_and_those_over_the_file() {
    let desk = Desk::new();
    let address = desk.server.management();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("broker.toml");
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = ping(arguments);
        command.current_dir(home.path()).envs(variables.iter().copied()).output().unwrap()
    };
    std::fs::write(&file, format!("[admin]\nurl = \"http://{address}/\"\n")).unwrap();
    printed(&run(&[], &[]));
    std::fs::write(&file, "[admin]\nurl = \"127.0.0.1:1\"\npassword = \"wrong\"\n").unwrap();
    complaint(&run(&[], &[]), 1, "nothing listens on 127.0.0.1:1");
    complaint(&run(&[], &[("LEVERET_ADMIN_URL", &address)]), 1, "the broker at 127.0.0.1:");
    let variables = [("LEVERET_ADMIN_URL", address.as_str()), ("LEVERET_ADMIN_PASSWORD", "guest")];
    printed(&run(&[], &variables));
    complaint(&run(&["--password", "wrong"], &variables), 1, "the broker at 127.0.0.1:");
    complaint(&run(&["--url", "127.0.0.1:1"], &variables), 1, "nothing listens on 127.0.0.1:1");
    printed(&run(&["--url", &address, "--user", "guest", "--password", "guest"], &[]));
}

#[test]
fn without_an_address_it_is_where_the_broker_s_configuration_says() {
    let desk = Desk::new();
    let home = tempfile::tempdir().unwrap();
    let address = desk.server.management();
    let file = home.path().join("broker.toml");
    std::fs::write(&file, format!("[management]\nlisten = \"{address}\"\n")).unwrap();
    let asked = || {
        // The variable would win over the file.
        let mut ping = ping(&[]);
        ping.env_remove("LEVERET_MANAGEMENT_LISTEN").current_dir(home.path()).output().unwrap()
    };
    printed(&asked());
    std::fs::write(&file, "[management]\nlisten = \"off\"\n").unwrap();
    complaint(&asked(), 1, "`management.listen` is off");
}

#[test]
fn a_wrong_address_is_one_line_that_says_what_to_do() {
    let check = |url: &str, begins: &str| {
        complaint(&ping(&["--url", url]).output().unwrap(), 1, begins);
        // The same wherever it stands.
        let begins = begins.replace("--url is", "`admin.url` is");
        let output = ping(&[]).env("LEVERET_ADMIN_URL", url).output().unwrap();
        complaint(&output, 1, &begins);
    };
    check("127.0.0.1:1", "nothing listens on 127.0.0.1:1: start the broker, or name the address");
    check("no-such-host.invalid", "no-such-host.invalid:15672 cannot be");
    check(
        "https://127.0.0.1",
        "--url is \"https://127.0.0.1\", but https is not spoken here: reach",
    );
    check(
        "http://guest@127.0.0.1",
        "--url is \"http://guest@127.0.0.1\", but the user belongs in --user",
    );
    check("127.0.0.1:99999", "--url is \"127.0.0.1:99999\", but the port must be a number");
    // An empty variable counts as none; an empty option is a mistake.
    let output = ping(&["--url", ""]).output().unwrap();
    complaint(&output, 1, "--url is \"\", but must be HOST:PORT or http://HOST:PORT");
}

#[test]
fn what_is_no_management_api_is_told_from_one() {
    let desk = Desk::new();
    let amqp = format!("127.0.0.1:{}", desk.server.port());
    let output = ping(&["--url", &amqp]).output().unwrap();
    complaint(&output, 1, &format!("what listens on {amqp} is not a management API of Leveret"));
    // A web server, and one that says nothing and hangs up.
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<p/>",
        "HTTP/1.1 404 Not Found\r\n\r\n<h1>",
        "",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = socket.read(&mut request);
            let _ = socket.write_all(answer.as_bytes());
        });
        let output = ping(&["--url", &address]).output().unwrap();
        complaint(
            &output,
            1,
            &format!("what listens on {address} is not a management API of Leveret"),
        );
        server.join().unwrap();
    }
}

#[test]
fn a_user_without_a_password_is_told_how_to_give_it() {
    let desk = Desk::new();
    desk.fails(
        &["ping", "--user", "ann"],
        "the password of user 'ann' is missing: set LEVERET_ADMIN_PASSWORD",
    );
    let output = run_with(desk.command(&["ping", "--password", "-"]), b"");
    complaint(&output, 1, "standard input has no password");
    assert!(run_with(desk.command(&["ping", "--password", "-"]), b"guest\n").status.success());
}

#[test]
fn a_password_in_the_configuration_is_not_shown() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("broker.toml"), "[admin]\npassword = \"hush-hush\"\n").unwrap();
    for format in ["toml", "json"] {
        let output = program()
            .current_dir(home.path())
            .args(["check-config", "--format", format])
            .output()
            .unwrap();
        let text = printed(&output);
        assert!(text.contains("admin") && !text.contains("hush"), "{text}");
    }
}

#[test]
fn what_is_for_the_broker_is_refused() {
    let output = program().args(["--listen", "127.0.0.1:1", "admin", "ping"]).output().unwrap();
    complaint(&output, 2, "--data-dir");
    let output = program().args(["admin", "ping", "--data-dir", "x"]).output().unwrap();
    complaint(&output, 2, "unexpected argument '--data-dir' found");
    let output = program().args(["admin"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Exit codes:"));
}
