"""Much work on one queue, while another has little: no attacks, and only the slowest confirm counts."""

import struct
import time

from amqp import *
from stage import attempt


def case_quiet_purge(stage):
    """A million messages of 1 KiB are purged."""
    peer = stage.peer(timeout=300)
    peer.call(declare_queue("much", durable=True), 50, 11)
    peer.fill("much", 1_000_000, b"x" * 1024)
    time.sleep(2)
    stage.attack()
    stage.say("purged: " + attempt(lambda: peer.call(purge_queue("much"), 50, 31) and "yes"))
    time.sleep(12)


def case_quiet_reclaim(stage):
    """A million messages, four of five of which go: the rest is copied forward."""
    peer = stage.peer(timeout=300)
    peer.call(declare_queue("big", durable=True), 50, 11)
    peer.call(declare_queue("small", durable=True), 50, 11)
    peer.call(CONFIRM_SELECT, 85, 11)
    one = publish("", "big", b"x" * 1024, True) * 4 + publish("", "small", b"x" * 1024, True)
    for sent in range(0, 1_000_000, 500):
        peer.send(one * 100)
        peer.confirms(max(0, sent - 2_000))
    peer.confirms(1_000_000)
    time.sleep(2)
    stage.attack()
    peer.call(purge_queue("big"), 50, 31)
    time.sleep(20)


case_quiet_reclaim.settings = "[store]\ncheckpoint_ms = 2000\n"


def case_quiet_checkpoint(stage):
    """50,000 durable queues with a message each, whose segment stays while newer ones go; queues come and go, too."""
    peer = stage.peer(timeout=300)
    peer.call(CONFIRM_SELECT, 85, 11)
    for first in range(0, 50_000, 1_000):
        names = [f"m{one}" for one in range(first, first + 1_000)]
        peer.send(b"".join(declare_queue(name, True, True) + publish("", name, b"x", True) for name in names))
        peer.confirms(first + 1_000)
    through = stage.peer(timeout=300)
    through.call(declare_queue("through", durable=True), 50, 11)
    time.sleep(2)
    stage.attack()
    for one in range(12):
        through.fill("through", 3_000, b"x" * 1024)
        through.call(purge_queue("through"), 50, 31)
        through.confirmed = 0
        through.call(method(1, 20, 40, struct.pack(">HBHH", 200, 0, 0, 0)), 20, 41)
        through.call(method(1, 20, 10, b"\0"), 20, 11)
        peer.call(declare_queue(f"come{one}", True), 50, 11)
        peer.send(delete_queue(f"m{one}", nowait=True))
        time.sleep(1)


case_quiet_checkpoint.settings = "[store]\ncheckpoint_ms = 1000\nsegment_bytes_max = 1048576\n"


def expire(stage, letters):
    peer = stage.peer(timeout=300)
    settings = {"x-message-ttl": 15_000}
    if letters:
        peer.call(declare_queue("dead", durable=True), 50, 11)
        settings |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    peer.call(declare_queue("life", durable=True, arguments=settings), 50, 11)
    peer.fill("life", 400_000, b"x" * 100)
    stage.attack()
    while peer.depth("life") > 0:
        time.sleep(0.5)
    time.sleep(3)
    if letters:
        stage.say(f"{peer.depth('dead')} dead letters")


def case_quiet_expire(stage):
    """400,000 messages expire at once."""
    expire(stage, letters=False)


def case_quiet_letters(stage):
    """400,000 messages expire at once and become dead letters."""
    expire(stage, letters=True)
