//! The program as its operator meets it: what it prints, how it starts, what it says when it cannot, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;
use support::process::Process;
use support::server::{Server, program};
use tempfile::TempDir;

/// No step of these tests takes so long; a step that does has hung.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a test's files go: beside the build, because the system's temporary directory may be memory.
fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn leveret(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.current_dir(directory).args(arguments);
    command
}

/// Runs a command that ends by itself.
fn run(directory: &Path, arguments: &[&str]) -> Output {
    leveret(directory, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Checks that a command failed with this code and one line, its last, that begins with `leveret: ` and goes on with
/// this text.
#[track_caller]
fn check_failure(output: &Output, code: i32, begins: &str) -> String {
    let errors = text(&output.stderr);
    let complaints: Vec<&str> =
        errors.lines().filter(|line| line.starts_with("leveret: ")).collect();
    assert_eq!(complaints.len(), 1, "not one complaint: {errors}");
    assert_eq!(errors.lines().last(), Some(complaints[0]), "the complaint is not the last line");
    let complaint = complaints[0].trim_start_matches("leveret: ");
    assert!(complaint.starts_with(begins), "{complaint:?} does not begin with {begins:?}");
    assert_eq!(output.status.code(), Some(code), "{errors}");
    complaint.to_owned()
}

/// As [`check_failure`], for a broker that was to be started; the log may stand before the complaint.
#[track_caller]
fn check_start_fails(directory: &Path, arguments: &[&str], names: &[&str]) {
    let mut process = Process::spawn(leveret(directory, arguments)).unwrap();
    let status = process.wait(LIMIT).expect("it ends by itself");
    let log = process.output();
    let complaints: Vec<&str> = log.lines().filter(|line| line.starts_with("leveret: ")).collect();
    assert_eq!((complaints.len(), status.code()), (1, Some(1)), "{log}");
    for name in names {
        assert!(complaints[0].contains(name), "{:?} does not name {name:?}", complaints[0]);
    }
}

#[test]
fn the_version_is_the_package_s() {
    let home = directory();
    let output = run(home.path(), &["--version"]);
    assert_eq!(text(&output.stdout), format!("leveret {}\n", env!("CARGO_PKG_VERSION")));
    assert!(output.status.success());
}

#[test]
fn help_names_every_command_option_and_variable() {
    let home = directory();
    let output = run(home.path(), &["--help"]);
    let help = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty());
    let options =
        ["--config", "--data-dir", "--listen", "--management-listen", "--help", "--version"];
    let variables = ["LEVERET_CONFIG", "LEVERET_DATA_DIR", "LEVERET_LISTEN", "RUST_LOG"];
    for word in
        ["serve", "check-config", "bench", "Examples:"].iter().chain(&options).chain(&variables)
    {
        assert!(help.contains(word), "help does not name {word}:\n{help}");
    }
    for command in ["serve", "check-config"] {
        let output = run(home.path(), &[command, "--help"]);
        assert!(output.status.success() && text(&output.stdout).contains("--config"));
    }
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2_and_one_line() {
    let home = directory();
    let check = |arguments: &[&str], begins: &str| {
        let output = run(home.path(), arguments);
        assert_eq!(text(&output.stderr).lines().count(), 1);
        check_failure(&output, 2, begins);
    };
    check(&["--lisen", "x"], "unexpected argument '--lisen' found (did you mean --listen?)");
    check(&["sarve"], "unrecognized subcommand 'sarve' (did you mean serve?)");
    check(&["--config"], "a value is required for '--config <FILE>' but none was supplied");
    check(&["check-config", "--format", "xml"], "invalid value 'xml' for '--format <FORMAT>'");
}

#[test]
fn check_config_says_that_a_sound_file_is_sound() {
    let home = directory();
    let output = run(home.path(), &["check-config"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("no configuration file"), "{output:?}");

    fs::write(home.path().join("broker.toml"), include_str!("../broker.toml")).unwrap();
    let output = run(home.path(), &["check-config"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).ends_with("broker.toml is sound\n"), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn check_config_prints_the_effective_configuration() {
    let home = directory();
    fs::write(home.path().join("broker.toml"), "[amqp]\nheartbeat_s = 7\n").unwrap();
    let printed = |format: &str| {
        let arguments = ["--data-dir", "elsewhere", "check-config", "--format", format];
        let output =
            leveret(home.path(), &arguments).env("LEVERET_LISTEN", "127.0.0.1:7").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    let mut expected =
        leveret::config::Config { data_dir: "elsewhere".into(), ..Default::default() };
    expected.amqp.listen = "127.0.0.1:7".to_owned();
    // As all programs of the tests are started.
    expected.management.listen = "off".to_owned();
    expected.amqp.heartbeat_s = 7;
    let from_toml: leveret::config::Config = toml::from_str(&printed("toml")).unwrap();
    assert_eq!(from_toml, expected);
    let from_json: leveret::config::Config = serde_json::from_str(&printed("json")).unwrap();
    assert_eq!(from_json, expected);
}

#[test]
fn a_mistake_in_the_configuration_ends_with_1_and_one_line_that_tells_its_place() {
    let home = directory();
    let check = |file: &str, begins: &str| {
        fs::write(home.path().join("broker.toml"), file).unwrap();
        for command in ["check-config", "serve"] {
            let output = run(home.path(), &[command]);
            assert!(output.stdout.is_empty(), "{output:?}");
            assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
            check_failure(&output, 1, begins);
        }
    };
    check(
        "data_dir = \"x\"\n[amqp]\nlisten_on = 1\n",
        "broker.toml:3: unknown key `amqp.listen_on`; did you mean `amqp.listen`?",
    );
    check(
        "[amqp]\nchannel_max = \"many\"\n",
        "broker.toml:2: `amqp.channel_max` must be a whole number",
    );
    check(
        "[amqp]\n\nframe_bytes_max = 1\n",
        "broker.toml:3: `amqp.frame_bytes_max` is 1, but must be from 4096",
    );
    check("[amqp\n", "broker.toml:1: not TOML: ");
}

#[test]
fn a_named_configuration_file_must_exist() {
    let home = directory();
    let output = run(home.path(), &["--config", "missing.toml"]);
    check_failure(&output, 1, "cannot read the configuration file missing.toml");
}

#[test]
fn a_start_tells_its_version_data_directory_recovery_and_listener() {
    let server = Server::start();
    let told = |fact: &str| {
        let line = server.log_line_with(fact, LIMIT);
        line.unwrap_or_else(|| panic!("nothing about {fact:?} in the log:\n{}", server.log()))
    };
    assert!(told("Leveret").contains(env!("CARGO_PKG_VERSION")));
    assert!(told("data directory").contains(&*server.data_dir().to_string_lossy()));
    assert!(told("recovered").contains(" ms"), "it does not tell how long that took");
    told(&format!("listening on 127.0.0.1:{} for AMQP", server.port()));
    for line in server.log().lines() {
        let (time, rest) = line.split_once(' ').unwrap_or_default();
        assert!(time.ends_with('Z') && time.len() == "2026-11-23T21:00:00.123Z".len(), "{line}");
        assert!(
            ["ERROR ", "WARN  ", "INFO  "].iter().any(|level| rest.starts_with(level)),
            "{line}"
        );
    }
}

#[test]
fn a_port_in_use_is_said() {
    let home = directory();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    check_start_fails(home.path(), &["--listen", &address], &[&address, "in use", "amqp.listen"]);
    let arguments = ["--listen", "127.0.0.1:0", "--management-listen", &address];
    check_start_fails(home.path(), &arguments, &[&address, "in use", "management.listen"]);
    assert!(!home.path().join("data").exists(), "the data directory was touched");
}

#[test]
fn a_management_address_that_is_none_is_said() {
    let home = directory();
    let arguments = ["--management-listen", "15672", "check-config"];
    let output = run(home.path(), &arguments);
    check_failure(
        &output,
        1,
        "--management-listen: `management.listen` is \"15672\", but must be HOST:PORT",
    );
}

#[test]
fn a_data_directory_that_another_process_uses_is_said() {
    let server = Server::start();
    let home = directory();
    let data = server.data_dir();
    let data = data.to_str().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", data];
    check_start_fails(home.path(), &arguments, &[data, "another process"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_said() {
    let home = directory();
    // Below a file no directory can be made, by root neither.
    fs::write(home.path().join("file"), "").unwrap();
    let data = home.path().join("file").join("data");
    let data = data.to_str().unwrap();
    check_start_fails(home.path(), &["--listen", "127.0.0.1:0", "--data-dir", data], &[data]);
}

#[test]
fn a_data_directory_of_a_newer_version_is_said_and_left_alone() {
    let mut server = Server::start();
    assert!(server.terminate().success());
    let file = server.data_dir().join("format");
    assert!(file.is_file(), "the format version does not stand in {}", file.display());
    fs::write(&file, "4000000000\n").unwrap();
    let home = directory();
    let data = server.data_dir();
    let data = data.to_str().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", data];
    check_start_fails(home.path(), &arguments, &[data, "newer", "4000000000"]);
    assert_eq!(fs::read_to_string(file).unwrap(), "4000000000\n");
}

#[test]
fn sigterm_and_sigint_end_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = directory();
        let mut process = start(home.path());
        process.signal(signal);
        let status = process.wait(LIMIT).expect("it ends");
        assert_eq!(status.code(), Some(0), "{signal:?}:\n{}", process.output());
    }
}

#[test]
fn a_client_that_does_not_answer_cannot_keep_it_from_ending() {
    let home = directory();
    fs::write(home.path().join("broker.toml"), "[amqp]\nshutdown_ms_max = 200\n").unwrap();
    let mut process = start(home.path());
    let _client = silent_client(&process);
    process.signal(Signal::TERM);
    let status = process.wait(LIMIT).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", process.output());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let home = directory();
    // Long enough that the first signal alone would not end it within this test.
    fs::write(home.path().join("broker.toml"), "[amqp]\nshutdown_ms_max = 3600000\n").unwrap();
    let mut process = start(home.path());
    let _client = silent_client(&process);
    process.signal(Signal::TERM);
    process.line_with("shutting down", LIMIT).expect("the shutdown is told");
    process.signal(Signal::TERM);
    let status = process.wait(LIMIT).expect("it ends");
    assert!(status.signal().is_some() || status.code() != Some(0), "{}", process.output());
}

/// A broker on a free port that serves already.
fn start(directory: &Path) -> Process {
    let process = Process::spawn(leveret(directory, &["--listen", "127.0.0.1:0"])).unwrap();
    let line = process.line_with("for AMQP", LIMIT);
    line.unwrap_or_else(|| panic!("it does not serve:\n{}", process.output()));
    process
}

/// A client that has an open connection, and answers nothing any more.
fn silent_client(process: &Process) -> TcpStream {
    let line = process.line_with("for AMQP", LIMIT).unwrap();
    let address = line.split_once("listening on ").unwrap().1.split(' ').next().unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    // start; then start-ok, tune-ok and open in one go; then tune and open-ok.
    read_method(&mut socket, (10, 10));
    let login = [&[0, 0, 0, 0][..], b"\x05PLAIN", &[0, 0, 0, 12], b"\0guest\0guest", b"\x05en_US"];
    write_method(&mut socket, (10, 11), &login.concat());
    read_method(&mut socket, (10, 30));
    write_method(&mut socket, (10, 31), &[0, 16, 0, 0, 64, 0, 0, 0]);
    write_method(&mut socket, (10, 40), b"\x01/\x00\x00");
    read_method(&mut socket, (10, 41));
    socket
}

fn write_method(socket: &mut TcpStream, (class, method): (u16, u16), arguments: &[u8]) {
    let length = u32::try_from(arguments.len() + 4).unwrap();
    let mut frame = vec![1, 0, 0];
    frame.extend(length.to_be_bytes());
    frame.extend(class.to_be_bytes());
    frame.extend(method.to_be_bytes());
    frame.extend(arguments);
    frame.push(0xce);
    socket.write_all(&frame).unwrap();
}

fn read_method(socket: &mut TcpStream, (class, method): (u16, u16)) {
    let mut head = [0; 7];
    socket.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    let mut rest = vec![0; length as usize + 1];
    socket.read_exact(&mut rest).unwrap();
    let expected = [class.to_be_bytes(), method.to_be_bytes()].concat();
    assert_eq!(rest[..4], expected, "another method than {class}.{method}");
}
