//! Exchanges and bindings: declared, listed, asked where a message would go, taken away.

use super::desk::Desk;

fn desk() -> Desk {
    let desk = Desk::new();
    desk.check(&["declare", "exchange", "shop", "--type", "topic"], "exchange 'shop' declared");
    for queue in ["orders", "audit"] {
        desk.prints(&["declare", "queue", queue]);
    }
    desk.check(
        &["bind", "shop", "orders", "order.*"],
        "queue 'orders' bound to exchange 'shop' with the key 'order.*'",
    );
    desk.check(
        &["declare", "binding", "shop", "audit", "#"],
        "queue 'audit' bound to exchange 'shop' with the key '#'",
    );
    desk
}

#[test]
fn exchanges_and_bindings_are_listed() {
    let desk = desk();
    desk.check(
        &["exchanges", "--columns", "name,type,features"],
        "\
name                type     features
(default)           direct   D
amq.direct          direct   D
amq.fanout          fanout   D
amq.headers         headers  D
amq.match           headers  D
amq.rabbitmq.trace  topic    D I
amq.topic           topic    D
shop                topic    D",
    );
    desk.check(
        &["bindings", "--filter", "source=shop", "--sort", "key"],
        "\
source  destination  kind   key      arguments
shop    audit        queue  #
shop    orders       queue  order.*",
    );
    desk.check(
        &[
            "bindings",
            "--format",
            "csv",
            "--filter",
            "source=shop",
            "--columns",
            "destination,key",
            "--sort",
            "key",
        ],
        "destination,routing_key\naudit,#\norders,order.*",
    );
    desk.fails(&["bindings", "--vhost", "none"], "there is no virtual host 'none'");
    desk.makes_no_sense(&["exchanges", "--sort", "kind"], "exchanges have no column `kind`");
}

#[test]
fn an_exchange_is_declared_once_and_then_compared() {
    let desk = desk();
    desk.check(
        &["declare", "exchange", "shop", "--type", "topic"],
        "exchange 'shop' was there already",
    );
    desk.fails(&["declare", "exchange", "shop", "--type", "fanout"], "inequivalent arg 'type'");
    desk.fails(&["declare", "exchange", "x", "--type", "nonsense"], "");
    desk.check(
        &[
            "declare",
            "exchange",
            "inner",
            "--type",
            "fanout",
            "--internal",
            "--transient",
            "--auto-delete",
            "-a",
            "alternate-exchange=shop",
        ],
        "exchange 'inner' declared",
    );
    desk.check(&["exchanges", "--filter", "inner", "--columns", "features"], "features\nAD I AE");
    desk.makes_no_sense(&["declare", "exchange"], "missing: <NAME>");
    desk.makes_no_sense(&["declare", "exchange", "x", "-a", "="], "--argument must be NAME=VALUE");
}

#[test]
fn a_binding_needs_both_its_ends() {
    let desk = desk();
    desk.fails(
        &["bind", "none", "orders"],
        "there is no exchange 'none' in virtual host '/'; `leveret admin exchanges` lists those there are",
    );
    desk.fails(
        &["bind", "shop", "none"],
        "there is no queue 'none' in virtual host '/'; `leveret admin queues` lists those there are",
    );
    desk.fails(&["bind", "shop", "none", "--to-exchange"], "there is no exchange 'none'");
    desk.fails(&["bind", "shop", "orders", "--vhost", "none"], "there is no virtual host 'none'");
    desk.makes_no_sense(&["bind", "shop"], "missing: <DESTINATION>");
    desk.makes_no_sense(&["bind", "shop", "orders", "--arguments", "x"], "--arguments is not JSON");
}

#[test]
fn a_binding_is_taken_away_by_key_and_arguments() {
    let desk = desk();
    for class in ["gold", "silver"] {
        let argument = format!("class={class}");
        desk.prints(&["bind", "amq.headers", "orders", "", "-a", "x-match=all", "-a", &argument]);
    }
    let left =
        || desk.prints(&["bindings", "--filter", "source=amq.headers", "--columns", "arguments"]);
    assert_eq!(left().lines().count(), 3);
    desk.check(
        &["unbind", "amq.headers", "orders", "--arguments", r#"{"x-match":"all","class":"gold"}"#],
        "queue 'orders' is not bound to exchange 'amq.headers' with the key '' any more",
    );
    assert_eq!(left(), "arguments\nclass=silver x-match=all\n");
    desk.prints(&["unbind", "amq.headers", "orders"]);
    assert_eq!(left(), "no bindings match\n");
    desk.check(
        &["unbind", "shop", "orders", "order.*"],
        "queue 'orders' is not bound to exchange 'shop' with the key 'order.*' any more",
    );
    desk.fails(
        &["unbind", "shop", "orders", "order.*"],
        "queue 'orders' is not bound to exchange 'shop' with the key 'order.*'; `leveret admin bindings` lists what is",
    );
    desk.fails(&["unbind", "shop", "none"], "there is no queue 'none'");
    desk.fails(&["unbind", "none", "orders"], "there is no exchange 'none'");
    desk.makes_no_sense(&["unbind"], "missing: <SOURCE>, <DESTINATION>");
}

#[test]
fn deleting_an_exchange_says_what_goes_with_it() {
    let desk = desk();
    desk.prints(&["bind", "amq.fanout", "shop", "--to-exchange"]);
    desk.fails(
        &["delete", "exchange", "shop"],
        "This deletes exchange 'shop' in virtual host '/' with 3 bindings. Nobody is here to be asked",
    );
    desk.fails(&["delete", "exchange", "shop", "--if-unused", "--yes"], "");
    desk.check(&["delete", "exchange", "shop", "--yes"], "exchange 'shop' deleted");
    desk.fails(
        &["delete", "exchange", "shop", "--yes"],
        "there is no exchange 'shop' in virtual host '/'",
    );
    desk.fails(&["delete", "exchange", "amq.topic", "--yes"], "");
    desk.makes_no_sense(
        &["delete", "exchange", "shop", "--if-empty"],
        "unexpected argument '--if-empty'",
    );
}

#[test]
fn a_route_tells_who_gets_a_message_and_why_the_others_do_not() {
    let desk = desk();
    desk.prints(&["declare", "queue", "refunds"]);
    desk.prints(&["bind", "shop", "refunds", "refund.*"]);
    let told = desk.prints(&["route", "shop", "order.created"]);
    assert!(told.starts_with("2 queues get it: 'audit', 'orders'.\n\n"), "{told}");
    let line =
        |name: &str| told.lines().skip(3).find(|line| line.contains(name)).unwrap_or_default();
    assert!(line("orders").contains("yes") && line("order").contains("order.*"), "{told}");
    assert!(line("refunds").starts_with("no "), "{told}");
    assert!(line("refunds").contains("word 1 is \"order\""), "{told}");

    desk.prints(&["unbind", "shop", "audit", "#"]);
    let told = desk.prints(&["route", "shop", "payment"]);
    assert!(told.starts_with("No queue gets it"), "{told}");
    assert!(desk.prints(&["route", "", "orders"]).starts_with("Queue 'orders' gets it.\n"));
    desk.check(
        &["route", "", "ordres", "--columns", "matched,destination,why"],
        "\
No queue gets it: a publisher would lose it, or have it returned if it is mandatory.

matched  destination  why
no       ordres       no queue has this name",
    );
    let json: serde_json::Value =
        serde_json::from_str(&desk.prints(&["route", "shop", "order.x", "--format", "json"]))
            .unwrap();
    assert_eq!((&json["routed"], &json["queues"][0]), (&true.into(), &"orders".into()));
    assert_eq!(json["bindings"].as_array().map(Vec::len), Some(2));
    let some = [
        "route",
        "shop",
        "order.x",
        "--format",
        "json",
        "--filter",
        "matched=no",
        "--columns",
        "destination",
    ];
    let json: serde_json::Value = serde_json::from_str(&desk.prints(&some)).unwrap();
    assert_eq!(json["bindings"], serde_json::json!([{"destination": "refunds"}]));

    desk.fails(&["route", "none", "x"], "there is no exchange 'none' in virtual host '/'");
    desk.makes_no_sense(&["route", "shop"], "missing: <KEY>");
    desk.makes_no_sense(&["route", "shop", "x", "--header", "y"], "--header must be NAME=VALUE");
}

#[test]
fn a_route_looks_at_headers() {
    let desk = desk();
    desk.prints(&["bind", "amq.headers", "orders", "", "-a", "x-match=all", "-a", "class=gold"]);
    let told = desk.prints(&["route", "amq.headers", "", "--header", "class=gold"]);
    assert!(told.starts_with("Queue 'orders' gets it."), "{told}");
    let told = desk.prints(&["route", "amq.headers", "", "--header", "class=silver"]);
    assert!(told.starts_with("No queue gets it") && told.contains("class"), "{told}");
}
