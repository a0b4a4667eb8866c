//! amqplib for Node: each test runs one function of `amqplib_client.js`.

use std::time::Duration;

use crate::support::broker::Broker;
use crate::support::interpreter::{Interpreter, clients_sources};
use crate::support::process::run;

const LIMIT: Duration = Duration::from_secs(120);

macro_rules! rules {
    ($($rule:ident)*) => {
        const RULES: &[&str] = &[$(stringify!($rule)),*];
        $(
            #[test]
            fn $rule() {
                check(stringify!($rule));
            }
        )*
    };
}

rules! {
    the_server_introduces_itself
    a_thousand_messages_arrive_in_order
    every_publish_on_a_confirm_channel_is_confirmed
    a_headers_exchange_matches_all_or_any
    an_exchange_feeds_another
    an_alternate_exchange_takes_what_is_unroutable
    a_higher_priority_is_delivered_first
    direct_reply_to_answers_a_call
    a_large_message_arrives_whole
    every_header_type_comes_back
    a_channel_error_leaves_the_connection_usable
    a_consumer_gets_null_when_its_queue_is_deleted
}

#[test]
fn every_rule_of_the_program_is_run() {
    let source = std::fs::read_to_string(clients_sources().join("amqplib_client.js")).unwrap();
    let rules = source
        .lines()
        .filter_map(|line| line.strip_prefix("  async ")?.strip_suffix("(connection) {"));
    assert_eq!(rules.collect::<Vec<_>>(), RULES);
}

fn check(rule: &str) {
    let Some(node) = Interpreter::node() else { return };
    let broker = Broker::start();
    let mut program = node.program("amqplib_client.js");
    program.arg(broker.uri()).arg(rule);
    run(program, LIMIT);
}
