//! On a terminal: colours, widths, questions, passwords that are not shown, and a listing that redraws in place.

use rustix::process::Signal;

use super::desk::Desk;
use crate::support::peer::Durability;
use crate::support::terminal::{CTRL_C, Terminal};

const ROWS: u16 = 24;
const SHOW_CURSOR: &str = "\u{1b}[?25h";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.prints(&["declare", "queue", "orders"]);
    desk.fill("orders", &["one", "two", "three"]);
    desk
}

fn start(desk: &Desk, arguments: &[&str], columns: u16) -> Terminal {
    Terminal::start(&desk.command(arguments), ROWS, columns)
}

/// What a command that ends by itself has written.
fn written(desk: &Desk, arguments: &[&str], columns: u16) -> String {
    let mut terminal = start(desk, arguments, columns);
    assert!(terminal.ends().success());
    terminal.settled()
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let desk = desk();
    let arguments = ["queues", "--columns", "name,state,ready,consumers"];
    let shown = written(&desk, &arguments, 100);
    assert!(shown.contains("\u{1b}[1mname\u{1b}[0m"), "no bold heading: {shown:?}");
    assert!(shown.contains("\u{1b}[32mrunning\u{1b}[0m"), "no green state: {shown:?}");
    assert!(
        shown.contains("\u{1b}[33m"),
        "messages without a consumer do not stand out: {shown:?}"
    );
    assert!(!desk.prints(&arguments).contains('\u{1b}'), "colours in a pipe");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut command = desk.command(&arguments);
        command.env(name, value);
        let mut terminal = Terminal::start(&command, ROWS, 100);
        assert!(terminal.ends().success());
        assert!(!terminal.settled().contains('\u{1b}'), "colours with {name}={value}");
    }
}

#[test]
fn a_table_is_no_wider_than_its_terminal() {
    let desk = Desk::new();
    let name =
        "a-queue-whose-name-is-much-longer-than-any-table-has-room-for-in-one-of-its-columns";
    desk.prints(&["declare", "queue", name]);
    for columns in [200, 120, 80, 60, 40, 20] {
        let mut command = desk.command(&["queues"]);
        command.env("NO_COLOR", "1");
        let mut terminal = Terminal::start(&command, ROWS, columns);
        assert!(terminal.ends().success());
        let shown = terminal.settled();
        for line in shown.lines() {
            assert!(line.trim_end().chars().count() <= usize::from(columns), "{columns}: {line}");
        }
        assert!(shown.starts_with("name") && shown.contains("ready"), "{columns}: {shown}");
        assert_eq!(shown.contains('…'), columns < 200, "{columns}: {shown}");
        assert_eq!(shown.contains("no room for"), columns < 120, "{columns}: {shown}");
    }
    assert!(desk.prints(&["queues"]).contains(name), "cut where there is no terminal");
    // A width that was set on purpose comes first.
    let mut command = desk.command(&["queues"]);
    command.env("NO_COLOR", "1").env("COLUMNS", "30");
    let mut terminal = Terminal::start(&command, ROWS, 200);
    assert!(terminal.ends().success());
    assert!(terminal.settled().lines().all(|line| line.trim_end().chars().count() <= 30));
}

#[test]
fn a_watch_redraws_in_place_until_ctrl_c() {
    let desk = desk();
    let mut terminal = start(&desk, &["queues", "--watch", "1", "--columns", "name,ready"], 80);
    terminal.shows(|screen| screen.contains("orders      3"));
    assert!(!terminal.shows_cursor());
    desk.fill("orders", &["four"]);
    let screen = terminal.shows(|screen| screen.contains("orders      4"));
    assert!(screen.contains("every 1 s") && screen.contains("Ctrl-C ends"), "{screen}");
    assert_eq!(screen.matches("orders").count(), 1, "one picture over the other: {screen}");
    desk.peer().declare_queue("payments", Durability::Durable, &[]).unwrap();
    terminal.shows(|screen| screen.contains("payments"));
    desk.prints(&["delete", "queue", "payments", "--yes"]);
    terminal.shows(|screen| !screen.contains("payments"));
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends().code(), Some(0));
    assert!(terminal.settled().contains(SHOW_CURSOR) && terminal.shows_cursor());
}

#[test]
fn a_watch_ends_well_on_sigterm_too_and_follows_the_terminal_s_size() {
    let desk = desk();
    let mut terminal = start(&desk, &["queues", "--watch", "3600"], 120);
    terminal.shows(|screen| screen.contains("features") && screen.contains("out/s"));
    terminal.resize(10, 40);
    terminal.shows(|screen| {
        screen.contains("ready") && !screen.contains("out/s") && screen.contains("no room")
    });
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.ends().code(), Some(0));
    assert!(terminal.settled().contains(SHOW_CURSOR));
}

#[test]
fn a_watch_lives_through_a_restart_of_the_broker() {
    let mut desk = desk();
    let mut terminal = start(&desk, &["overview", "--watch", "1"], 100);
    terminal.shows(|screen| screen.contains("3 ready"));
    desk.server.kill();
    terminal.shows(|screen| screen.contains("nothing listens on"));
    desk.server.restart_on_same_port();
    terminal.shows(|screen| screen.contains("3 ready"));
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends().code(), Some(0));
}

#[test]
fn a_question_is_asked_before_something_is_lost() {
    let desk = desk();
    let question =
        "This drops 3 ready messages from queue 'orders' in virtual host '/'. Go on? [y/N]";
    for answer in ["n\n", "\n", "what\n"] {
        let mut terminal = start(&desk, &["purge", "orders"], 120);
        terminal.shows(|screen| screen.contains(question));
        terminal.types(answer);
        assert_eq!(terminal.ends().code(), Some(1));
        terminal.shows(|screen| screen.contains("leveret: nothing was done"));
    }
    desk.check(&["queues", "--columns", "ready"], "ready\n    3");
    let mut terminal = start(&desk, &["purge", "orders"], 120);
    terminal.shows(|screen| screen.contains(question));
    terminal.types("y\n");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.shows(|screen| screen.contains("queue 'orders' purged of 3 messages"));
    let mut terminal = start(&desk, &["delete", "queue", "orders"], 120);
    terminal
        .shows(|screen| screen.contains("with no messages, no consumers and no bindings. Go on?"));
    terminal.types("yes\n");
    assert_eq!(terminal.ends().code(), Some(0));
    desk.check(&["queues"], "no queues");
}

#[test]
fn a_password_is_typed_twice_and_not_shown() {
    let desk = Desk::new();
    let add = |first: &str, second: &str| {
        let mut terminal = start(&desk, &["add-user", "ann"], 100);
        terminal.shows(|screen| screen.contains("New password of ann:"));
        terminal.hides_typing();
        terminal.types(first);
        terminal.shows(|screen| screen.contains("The same again:"));
        terminal.types(second);
        let status = terminal.ends();
        terminal.shows_typing();
        assert!(!terminal.raw().contains("secret"), "{}", terminal.raw());
        (status.code(), terminal)
    };
    let (code, terminal) = add("secret\n", "other\n");
    assert_eq!(code, Some(1));
    terminal.shows(|screen| screen.contains("the two differ; nothing was changed"));
    // A slip of the finger is taken back.
    let (code, terminal) = add("secreü\u{7f}t\n", "secret\n");
    assert_eq!(code, Some(0), "{}", terminal.raw());
    let mut terminal = start(&desk, &["ping", "--user", "ann"], 100);
    terminal.shows(|screen| screen.contains("Password of ann:"));
    terminal.hides_typing();
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends().code(), Some(1));
    terminal.shows_typing();
    terminal.shows(|screen| screen.contains("no password was given"));
}
