//! Virtual hosts.

use super::desk::Desk;

#[test]
fn a_virtual_host_is_added_used_and_deleted_with_all_in_it() {
    let desk = Desk::new();
    desk.check(
        &["add-vhost", "shop"],
        "virtual host 'shop' added; user 'guest' may do everything in it",
    );
    desk.check(&["add-vhost", "shop"], "virtual host 'shop' was there already");
    desk.prints(&["declare", "queue", "orders", "--vhost", "shop"]);
    desk.prints(&["declare", "queue", "orders"]);
    desk.prints(&["publish", "", "orders", "x", "--vhost", "shop"]);
    desk.check(
        &["queues", "--columns", "vhost,name,ready"],
        "vhost  name    ready\n/      orders      0\nshop   orders      1",
    );
    desk.check(
        &["queues", "--columns", "vhost,name", "--vhost", "shop"],
        "vhost  name\nshop   orders",
    );
    let heading = |arguments: &[&str]| desk.prints(arguments).lines().next().unwrap().to_owned();
    assert!(heading(&["queues"]).contains("vhost"), "two virtual hosts are told apart");
    assert!(!heading(&["queues", "--vhost", "shop"]).contains("vhost"), "one needs no column");
    desk.check(
        &["vhosts", "--filter", "shop"],
        "name  ready  unacked  total\nshop      1        0      1",
    );
    desk.fails(
        &["delete", "vhost", "shop"],
        "This deletes virtual host 'shop' with 1 queue, 1 message and 7 exchanges, and closes no connections. Nobody",
    );
    desk.check(&["delete-vhost", "shop", "--yes"], "virtual host 'shop' deleted");
    desk.fails(&["delete", "vhost", "shop", "-y"], "there is no virtual host 'shop'");
    desk.check(&["vhosts", "--columns", "name"], "name\n/");
    desk.makes_no_sense(&["add-vhost"], "missing: <NAME>");
    desk.makes_no_sense(&["delete-vhost"], "missing: <NAME>");
    desk.makes_no_sense(&["vhosts", "--columns", "x"], "vhosts have no column `x`");
}

#[test]
fn a_virtual_host_is_deleted_by_an_administrator_who_may_not_enter_it() {
    let desk = Desk::new();
    desk.prints(&["add-vhost", "shop"]);
    desk.prints(&["declare", "queue", "orders", "--vhost", "shop"]);
    desk.prints(&["publish", "", "orders", "x", "--vhost", "shop"]);
    desk.prints(&["clear-permissions", "guest", "--vhost", "shop"]);
    desk.fails(
        &["delete", "vhost", "shop"],
        "This deletes virtual host 'shop' with 1 message and all its queues and exchanges, and closes its connections; \
         user 'guest' may not enter it to count them. Nobody",
    );
    desk.check(&["delete", "vhost", "shop", "--yes"], "virtual host 'shop' deleted");
}
