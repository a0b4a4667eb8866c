"""Pika, the Python client, as its users write it: one function per rule. Usage: pika_client.py URI RULE."""

import sys
import time
import uuid

import pika
from pika.exceptions import (
    ChannelClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

URI = sys.argv[1]
LIMIT_S = 30


def connect(**changes):
    parameters = pika.URLParameters(URI)
    for name, value in changes.items():
        setattr(parameters, name, value)
    return pika.BlockingConnection(parameters)


def fresh(word):
    """A name that nobody else uses, also on a broker that other tests use."""
    return f"{word}-{uuid.uuid4().hex[:12]}"


def own_queue(channel, arguments=None):
    return channel.queue_declare("", exclusive=True, arguments=arguments).method.queue


def publish(channel, key, *bodies, exchange="", **properties):
    for body in bodies:
        channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties))


def take(channel, queue, count, auto_ack=True):
    """Consumes that many messages, then cancels."""
    taken = []
    for method, properties, body in channel.consume(queue, auto_ack=auto_ack, inactivity_timeout=LIMIT_S):
        assert method is not None, f"{len(taken)} of {count} messages came"
        taken.append((method, properties, body))
        if len(taken) == count:
            break
    channel.cancel()
    return taken


def wait_for(connection, condition):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        connection.process_data_events(time_limit=1)


def depth(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def closed_with(code, text, action):
    """Runs what must close its channel, and compares the reason."""
    try:
        action()
    except ChannelClosedByBroker as closed:
        assert closed.reply_code == code, closed
        assert text in closed.reply_text, closed
    else:
        raise AssertionError(f"the channel was not closed with {code}")


def a_topic_exchange_delivers_by_pattern():
    connection = connect()
    channel = connection.channel()
    exchange = fresh("orders")
    channel.exchange_declare(exchange, "topic", auto_delete=True)
    patterns = {"order.created.eu": 0, "order.*.eu": 0, "order.#": 0, "#": 0, "payment.*": 0}
    queues = {pattern: own_queue(channel) for pattern in patterns}
    for pattern, queue in queues.items():
        channel.queue_bind(queue, exchange, pattern)
    channel.confirm_delivery()
    for key in ("order.created.eu", "order.created.us", "order", "payment.made"):
        publish(channel, key, key, exchange=exchange)
    expected = {
        "order.created.eu": ["order.created.eu"],
        "order.*.eu": ["order.created.eu"],
        "order.#": ["order.created.eu", "order.created.us", "order"],
        "#": ["order.created.eu", "order.created.us", "order", "payment.made"],
        "payment.*": ["payment.made"],
    }
    for pattern, keys in expected.items():
        taken = take(channel, queues[pattern], len(keys))
        assert [method.routing_key for method, _, _ in taken] == keys, (pattern, taken)
        assert all(method.exchange == exchange and not method.redelivered for method, _, _ in taken)
        assert depth(channel, queues[pattern]) == 0, pattern


def an_unroutable_mandatory_message_is_returned_and_confirmed():
    channel = connect().channel()
    channel.confirm_delivery()
    queue = own_queue(channel)
    channel.basic_publish("", queue, b"routed", mandatory=True)
    try:
        channel.basic_publish("", fresh("nowhere"), b"lost", mandatory=True)
    except UnroutableError as error:
        (returned,) = error.messages
        assert returned.method.reply_code == 312, returned.method
        assert returned.method.reply_text == "NO_ROUTE", returned.method
        assert returned.body == b"lost"
    else:
        raise AssertionError("the message was not returned")
    assert depth(channel, queue) == 1


def a_full_queue_that_rejects_answers_with_a_nack():
    channel = connect().channel()
    channel.confirm_delivery()
    queue = own_queue(channel, {"x-max-length": 1, "x-overflow": "reject-publish"})
    publish(channel, queue, b"fits")
    try:
        publish(channel, queue, b"does not fit")
    except NackError:
        pass
    else:
        raise AssertionError("the second message was accepted")
    assert depth(channel, queue) == 1


def prefetch_limits_what_is_unacknowledged():
    connection = connect()
    channel = connection.channel()
    channel.confirm_delivery()
    queue = own_queue(channel)
    publish(channel, queue, *(b"%d" % number for number in range(10)))
    channel.basic_qos(prefetch_count=3)
    deliveries = []
    channel.basic_consume(queue, lambda _c, method, _p, body: deliveries.append((method, body)))
    wait_for(connection, lambda: len(deliveries) == 3)
    # The passive declare is answered after anything that had been sent before it.
    assert depth(channel, queue) == 7
    assert len(deliveries) == 3
    channel.basic_ack(deliveries[1][0].delivery_tag, multiple=True)
    wait_for(connection, lambda: len(deliveries) == 5)
    assert depth(channel, queue) == 5
    assert len(deliveries) == 5
    assert [body for _, body in deliveries] == [b"0", b"1", b"2", b"3", b"4"]


def a_requeued_message_comes_again_first_and_marked():
    channel = connect().channel()
    queue = own_queue(channel)
    publish(channel, queue, b"first", b"second")
    method, _, body = channel.basic_get(queue)
    assert (body, method.redelivered, method.message_count) == (b"first", False, 1)
    channel.basic_nack(method.delivery_tag, requeue=True)
    (method, _, body), (other, _, second) = take(channel, queue, 2)
    assert (body, method.redelivered) == (b"first", True)
    assert (second, other.redelivered) == (b"second", False)


def a_rejected_message_goes_to_the_dead_letter_exchange():
    channel = connect().channel()
    exchange = fresh("dead")
    channel.exchange_declare(exchange, "direct", auto_delete=True)
    graveyard = own_queue(channel)
    channel.queue_bind(graveyard, exchange, "buried")
    arguments = {"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": "buried"}
    queue = own_queue(channel, arguments)
    publish(channel, queue, b"poison", headers={"tries": 3}, content_type="text/plain")
    method, _, _ = channel.basic_get(queue)
    channel.basic_reject(method.delivery_tag, requeue=False)
    ((method, properties, body),) = take(channel, graveyard, 1)
    assert (method.exchange, method.routing_key, body) == (exchange, "buried", b"poison")
    assert properties.content_type == "text/plain"
    headers = properties.headers
    assert headers["tries"] == 3
    (death,) = headers["x-death"]
    assert death["count"] == 1 and death["reason"] == "rejected", death
    assert death["queue"] == queue and death["exchange"] == "", death
    assert death["routing-keys"] == [queue] and "time" in death, death
    assert headers["x-first-death-queue"] == queue, headers
    assert headers["x-first-death-reason"] == "rejected", headers
    assert headers["x-first-death-exchange"] == "", headers


def an_expired_message_goes_to_the_dead_letter_exchange():
    channel = connect().channel()
    graveyard = own_queue(channel)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard}
    queue = own_queue(channel, {**arguments, "x-message-ttl": 60_000})
    publish(channel, queue, b"brief", expiration="20")
    ((_, properties, body),) = take(channel, graveyard, 1)
    assert body == b"brief"
    assert properties.expiration is None
    (death,) = properties.headers["x-death"]
    assert death["reason"] == "expired", death
    assert death["original-expiration"] == "20", death
    by_queue = own_queue(channel, {**arguments, "x-message-ttl": 20})
    publish(channel, by_queue, b"shorter of both", expiration="60000")
    ((_, properties, _),) = take(channel, graveyard, 1)
    assert properties.headers["x-first-death-queue"] == by_queue


def a_consumer_is_told_when_its_queue_is_deleted():
    connection = connect()
    channel = connection.channel()
    queue = own_queue(channel)
    cancelled = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    tag = channel.basic_consume(queue, lambda *_: None)
    other = connect()
    closed_with(405, "RESOURCE_LOCKED", lambda: other.channel().queue_delete(queue))
    connection.channel().queue_delete(queue)
    wait_for(connection, lambda: cancelled == [tag])
    assert channel.is_open


def an_exclusive_queue_ends_with_its_connection():
    owner, other = connect(), connect()
    name = fresh("mine")
    owner.channel().queue_declare(name, exclusive=True)
    text = (
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be "
        "originally declared on another connection or the exclusive property value does not match that of the "
        "original declaration."
    )
    closed_with(405, text, lambda: other.channel().queue_declare(name, passive=True))
    owner.close()
    closed_with(404, f"NOT_FOUND - no queue '{name}' in vhost '/'",
                lambda: other.channel().queue_declare(name, passive=True))


def direct_reply_to_answers_a_call():
    client, server = connect(), connect()
    served = server.channel()
    requests = own_queue(served)
    answered = []

    def answer(channel, method, properties, body):
        reply = pika.BasicProperties(correlation_id=properties.correlation_id)
        channel.basic_publish("", properties.reply_to, body.upper(), reply)
        channel.basic_ack(method.delivery_tag)
        answered.append(properties.correlation_id)

    served.basic_consume(requests, answer)
    calling = client.channel()
    replies = []
    calling.basic_consume("amq.rabbitmq.reply-to", lambda _c, _m, p, b: replies.append((p, b)), auto_ack=True)
    for number in range(3):
        publish(calling, requests, b"call", reply_to="amq.rabbitmq.reply-to", correlation_id=str(number))
        wait_for(server, lambda: len(answered) == number + 1)
        wait_for(client, lambda: len(replies) == number + 1)
    assert [(p.correlation_id, body) for p, body in replies] == [(str(n), b"CALL") for n in range(3)]


def a_missing_queue_closes_the_channel_and_no_more():
    connection = connect()
    channel = connection.channel(7)
    name = fresh("missing")
    closed_with(404, f"NOT_FOUND - no queue '{name}' in vhost '/'",
                lambda: channel.queue_declare(name, passive=True))
    assert channel.is_closed and connection.is_open
    again = connection.channel(7)
    assert own_queue(again).startswith("amq.gen-")
    missing = fresh("missing")
    closed_with(404, f"NOT_FOUND - no exchange '{missing}' in vhost '/'",
                lambda: again.exchange_declare(missing, passive=True))


def an_inequivalent_declare_names_the_argument():
    connection = connect()
    channel = connection.channel()
    queue, exchange = fresh("queue"), fresh("exchange")
    # Not exclusive: an exclusive queue is never durable, whatever its declaration says.
    channel.queue_declare(queue, durable=False, arguments={"x-message-ttl": 1000})
    channel.exchange_declare(exchange, "direct", auto_delete=True)
    closed_with(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{queue}' in vhost '/': "
        "received 'true' but current is 'false'",
        lambda: connection.channel().queue_declare(queue, durable=True, arguments={"x-message-ttl": 1000}),
    )
    closed_with(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '{queue}' in vhost '/': "
        "received '2000' but current is '1000'",
        lambda: connection.channel().queue_declare(queue, arguments={"x-message-ttl": 2000}),
    )
    closed_with(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange '{exchange}' in vhost '/': "
        "received 'fanout' but current is 'direct'",
        lambda: connection.channel().exchange_declare(exchange, "fanout", auto_delete=True),
    )
    channel.exchange_delete(exchange)
    channel.queue_delete(queue)


def a_wrong_password_is_refused_in_words():
    try:
        connect(credentials=pika.PlainCredentials("guest", "wrong"))
    except ProbableAuthenticationError as error:
        assert "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN" in repr(error), repr(error)
    else:
        raise AssertionError("the login was accepted")


def a_missing_virtual_host_is_refused_in_words():
    try:
        connect(virtual_host="/nowhere")
    except (ProbableAccessDeniedError, pika.exceptions.ConnectionClosedByBroker) as error:
        assert "vhost /nowhere not found" in repr(error), repr(error)
    else:
        raise AssertionError("the virtual host was opened")


def a_transaction_publishes_at_commit():
    connection = connect()
    channel = connection.channel()
    watcher = connection.channel()
    queue = own_queue(channel)
    channel.tx_select()
    publish(channel, queue, b"kept")
    assert depth(watcher, queue) == 0
    channel.tx_commit()
    assert depth(watcher, queue) == 1
    publish(channel, queue, b"dropped")
    method, _, body = channel.basic_get(queue)
    assert body == b"kept"
    channel.basic_ack(method.delivery_tag)
    channel.tx_rollback()
    # The rollback undid the acknowledgement too; the message is this channel's until it gives it back.
    channel.basic_nack(method.delivery_tag, requeue=True)
    channel.tx_commit()
    ((method, _, body),) = take(watcher, queue, 1)
    assert (body, method.redelivered) == (b"kept", True)
    assert depth(watcher, queue) == 0


def every_property_comes_back():
    channel = connect().channel()
    queue = own_queue(channel)
    sent = pika.BasicProperties(
        content_type="application/json", content_encoding="gzip", headers={"a": 1}, delivery_mode=1, priority=5,
        correlation_id="c", reply_to="r", expiration="60000", message_id="m", timestamp=1_700_000_000, type="t",
        user_id="guest", app_id="app", cluster_id="cluster",
    )
    channel.basic_publish("", queue, b"", sent)
    method, received, body = channel.basic_get(queue, auto_ack=True)
    assert body == b""
    assert received == sent, received


def a_purge_and_a_delete_tell_how_many_there_were():
    channel = connect().channel()
    channel.confirm_delivery()
    queue = own_queue(channel)
    publish(channel, queue, b"a", b"b", b"c")
    assert channel.queue_purge(queue).method.message_count == 3
    publish(channel, queue, b"d")
    closed = connect().channel()
    closed_with(405, "RESOURCE_LOCKED", lambda: closed.queue_purge(queue))
    assert channel.queue_delete(queue).method.message_count == 1
    assert channel.queue_delete(queue).method.message_count == 0


def main():
    rule = globals()[sys.argv[2]]
    rule()
    print("done")


main()
