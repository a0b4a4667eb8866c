//! Users and permissions.

use super::desk::{Desk, complaint, run_with};

const LISTED: &[&str] = &["users", "--columns", "name,tags"];

#[test]
fn a_user_is_added_let_in_and_deleted() {
    let desk = Desk::new();
    let added =
        desk.prints_with(b"secret\n", &["add-user", "ann", "--tags", "monitoring,management"]);
    assert_eq!(
        added,
        "user 'ann' added; `leveret admin set-permissions` lets it into a virtual host\n"
    );
    let users = desk.prints(LISTED);
    assert!(
        users.contains("ann    monitoring, management") && users.contains("guest  administrator"),
        "{users}"
    );
    desk.check(
        &["set-permissions", "ann", "orders", "", ".*"],
        "user 'ann' may configure 'orders', write '' and read '.*' in virtual host '/'",
    );
    desk.check(
        &["permissions"],
        "\
user   vhost  configure  write  read
ann    /      orders            .*
guest  /      .*         .*     .*",
    );
    let as_ann = |password: &[u8]| {
        run_with(desk.command(&["ping", "--user", "ann", "--password", "-"]), password)
    };
    assert!(as_ann(b"secret\n").status.success());
    complaint(&as_ann(b"wrong\n"), 1, "the broker at 127.0.0.1:");
    let changed = desk.prints_with(b"other\n", &["change-password", "ann"]);
    assert_eq!(changed, "user 'ann' has another password\n");
    assert!(as_ann(b"other\n").status.success());
    assert!(desk.prints(LISTED).contains("ann    monitoring, management"));

    desk.check(
        &["clear-permissions", "ann"],
        "user 'ann' has no permissions in virtual host '/' any more",
    );
    desk.fails(
        &["clear-permissions", "ann"],
        "there is no permission of user 'ann' in virtual host '/'",
    );
    desk.fails(
        &["delete", "user", "ann"],
        "This deletes user 'ann' with permissions in no virtual hosts. Nobody",
    );
    desk.check(&["delete-user", "ann", "--yes"], "user 'ann' deleted");
    desk.check(LISTED, "name   tags\nguest  administrator");
}

#[test]
fn what_is_wrong_about_a_user_is_said() {
    let desk = Desk::new();
    desk.fails(
        &["add-user", "guest"],
        "there is a user 'guest' already; `leveret admin change-password`",
    );
    desk.fails(&["add-user", "ann"], "standard input has no password: give it as one line");
    desk.fails(
        &["change-password", "ann"],
        "there is no user 'ann'; `leveret admin users` lists those there are",
    );
    desk.fails(&["set-permissions", "ann", "", "", ""], "there is no user 'ann'");
    desk.fails(
        &["set-permissions", "guest", "", "", "", "--vhost", "none"],
        "there is no virtual host 'none'",
    );
    desk.fails(&["set-permissions", "guest", "(", "", ""], "");
    desk.fails(&["clear-permissions", "ann"], "there is no user 'ann'");
    desk.fails(&["delete-user", "ann", "--yes"], "there is no user 'ann'");
    desk.makes_no_sense(&["set-permissions", "guest", ".*"], "missing: <WRITE>, <READ>");
    for command in ["add-user", "change-password", "delete-user", "clear-permissions"] {
        desk.makes_no_sense(&[command], "missing: <NAME>");
    }
    desk.makes_no_sense(&["users", "--filter", "size>1"], "users have no column `size`");
    desk.makes_no_sense(&["permissions", "--sort", "x"], "permissions have no column `x`");
}

#[test]
fn what_a_user_may_not_do_is_said() {
    let desk = Desk::new();
    desk.prints_with(b"secret\n", &["add-user", "ann", "--tags", "management"]);
    let run = |arguments: &[&str]| {
        let mut command = desk.command(arguments);
        command.env("LEVERET_ADMIN_USER", "ann").env("LEVERET_ADMIN_PASSWORD", "secret");
        command.output().unwrap()
    };
    complaint(&run(&["users"]), 1, "user 'ann' may not do that");
    let outside = "there is no virtual host '/' that user 'ann' may enter";
    complaint(&run(&["declare", "queue", "x"]), 1, outside);
    complaint(&run(&["queues", "--vhost", "/"]), 1, outside);
    desk.prints(&["set-permissions", "ann", "mine", "", ".*"]);
    let refused = complaint(&run(&["declare", "queue", "x"]), 1, "user 'ann' may not do that: ");
    assert!(refused.ends_with("; --user names another"), "{refused}");
    assert!(run(&["declare", "queue", "mine"]).status.success());
    // What the refusal is about may sound like a login.
    for name in ["password-resets", "log in", "not_authorized", "Login failed"] {
        complaint(&run(&["declare", "queue", name]), 1, "user 'ann' may not do that: ");
    }
}
