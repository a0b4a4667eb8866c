//! Opening and closing channels, and what an error on one leaves alone.

use leveret::wire::{Method, access, channel};

use super::methods::*;
use super::row::{Step, check, row};

const NOT_FOUND: &str = "NOT_FOUND - no queue 'q' in vhost '/'";
const EXPECTED_OPEN: &str = "CHANNEL_ERROR - expected 'channel.open'";
const SECOND_OPEN: &str = "CHANNEL_ERROR - second 'channel.open' seen";

fn opening() -> Method<'static> {
    Method::ChannelOpen(channel::Open)
}

fn failing(channel: u16) -> Step {
    send(channel, purge("q"))
}

fn failed(channel: u16) -> Step {
    Step::ChannelClosed(channel, 404, NOT_FOUND, (50, 30))
}

/// The close that answers [`failing`], without the client's agreement.
fn failed_unanswered(channel: u16) -> Step {
    let close =
        channel::Close { reply_code: 404, reply_text: NOT_FOUND, class_id: 50, method_id: 30 };
    get(channel, Method::ChannelClose(close))
}

#[test]
fn a_channel_is_opened_before_it_is_used() {
    check([
        row(
            "a method on a channel that is not open: 504",
            [send(2, purge("q")), Step::Closed(504, EXPECTED_OPEN, (50, 30))],
        ),
        row(
            "opening a channel twice: 504",
            [send(1, opening()), Step::Closed(504, SECOND_OPEN, (20, 10))],
        ),
        row(
            "opening channel 0: 504",
            [
                send(0, opening()),
                Step::Closed(
                    504,
                    "CHANNEL_ERROR - unexpected method in connection state running",
                    (20, 10),
                ),
            ],
        ),
        row("a channel's number may be any", [open(65_535), is_open(65_535), is_open(1)]),
        row(
            "a method on channel 0: 504",
            [
                send(0, purge("q")),
                Step::Closed(
                    504,
                    "CHANNEL_ERROR - unexpected method in connection state running",
                    (50, 30),
                ),
            ],
        ),
    ]);
}

#[test]
fn a_channel_that_was_closed_can_be_opened_again() {
    check([
        row("by the client", [close_channel(1), open(1), is_open(1)]),
        row("by an error", [failing(1), failed(1), open(1), is_open(1)]),
        row(
            "a closed channel is not open",
            [close_channel(1), send(1, purge("q")), Step::Closed(504, EXPECTED_OPEN, (50, 30))],
        ),
    ]);
}

#[test]
fn an_error_of_a_channel_leaves_the_others_alone() {
    check([row("404 on channel 2", [open(2), failing(2), failed(2), is_open(1)])]);
}

#[test]
fn a_channel_that_was_told_to_close_ignores_everything_but_the_agreement() {
    check([
        row(
            "methods and content are ignored",
            [
                failing(1),
                failing(1),
                publish("", "q", "x"),
                send(1, Method::ChannelFlow(channel::Flow { active: true })),
                failed(1),
                open(1),
                is_open(1),
            ],
        ),
        row(
            "a close that crosses ours is agreed to",
            [
                failing(1),
                failed_unanswered(1),
                close_channel(1),
                send(1, Method::ChannelCloseOk(channel::CloseOk)),
                open(1),
                is_open(1),
            ],
        ),
    ]);
}

#[test]
fn small_requests_about_the_channel_are_answered() {
    let request = access::Request {
        realm: "/data",
        exclusive: false,
        passive: false,
        active: true,
        write: true,
        read: true,
    };
    check([
        row(
            "an access ticket is granted to whoever asks",
            [call(
                Method::AccessRequest(request),
                Method::AccessRequestOk(access::RequestOk { ticket: 1 }),
            )],
        ),
        row("flow may be started", [is_open(1)]),
        row(
            "flow cannot be stopped: 540",
            [fatal(
                Method::ChannelFlow(channel::Flow { active: false }),
                540,
                "NOT_IMPLEMENTED - active=false",
            )],
        ),
        row(
            "flow-ok that nobody asked for: 503",
            [fatal(
                Method::ChannelFlowOk(channel::FlowOk { active: true }),
                503,
                "COMMAND_INVALID - unimplemented method",
            )],
        ),
    ]);
}
