//! Pika for Python: each test runs one function of `pika_client.py`.

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
    a_topic_exchange_delivers_by_pattern
    an_unroutable_mandatory_message_is_returned_and_confirmed
    a_full_queue_that_rejects_answers_with_a_nack
    prefetch_limits_what_is_unacknowledged
    a_requeued_message_comes_again_first_and_marked
    a_rejected_message_goes_to_the_dead_letter_exchange
    an_expired_message_goes_to_the_dead_letter_exchange
    a_consumer_is_told_when_its_queue_is_deleted
    an_exclusive_queue_ends_with_its_connection
    direct_reply_to_answers_a_call
    a_missing_queue_closes_the_channel_and_no_more
    an_inequivalent_declare_names_the_argument
    a_wrong_password_is_refused_in_words
    a_missing_virtual_host_is_refused_in_words
    a_transaction_publishes_at_commit
    every_property_comes_back
    a_purge_and_a_delete_tell_how_many_there_were
}

#[test]
fn every_rule_of_the_program_is_run() {
    let source = std::fs::read_to_string(clients_sources().join("pika_client.py")).unwrap();
    let rules = source.lines().filter_map(|line| line.strip_prefix("def ")?.strip_suffix("():"));
    let rules: Vec<_> = rules.filter(|name| *name != "main").collect();
    assert_eq!(rules, RULES);
}

fn check(rule: &str) {
    let Some(python) = Interpreter::python() else { return };
    let broker = Broker::start();
    let mut program = python.program("pika_client.py");
    program.arg(broker.uri()).arg(rule);
    run(program, LIMIT);
}
