"""Clients that mean no good, or mean well and are many."""

import os
import random
import shutil
import socket
import stat
import struct
import subprocess
import threading
import time

from amqp import *
from broker import faketime
from stage import attempt, quietly

SMALL_MEMORY = "[alarms]\nmemory_bytes_max = 50000000\n"


def case_chain(stage):
    """A chain of 20,000 auto-delete exchanges goes with the queue at its end."""
    peer, count = stage.peer(timeout=120), 20_000
    peer.send(b"".join(declare_exchange(f"x{one}", "fanout", True, True) for one in range(count)))
    peer.send(b"".join(bind_exchange(f"x{one + 1}", f"x{one}", True) for one in range(count - 1)))
    peer.call(declare_queue("end"), 50, 11)
    peer.call(bind_queue("end", f"x{count - 1}"), 50, 21)
    stage.attack()
    stage.say("deleted: " + attempt(lambda: peer.call(delete_queue("end"), 50, 41) and "yes"))
    time.sleep(3)


def case_letters(stage):
    """Two messages that lead to ten to the ninth dead letters each."""
    peer, wide, deep = stage.peer(), 10, 9
    for layer in range(deep + 1):
        peer.call(declare_exchange(f"x{layer}", "fanout"), 40, 11)
    for layer in range(deep):
        for one in range(wide):
            name = f"l{layer}.{one}"
            settings = {"x-max-length": 0, "x-dead-letter-exchange": f"x{layer + 1}"}
            peer.call(declare_queue(name, arguments=settings), 50, 11)
            peer.call(bind_queue(name, f"x{layer}"), 50, 21)
    publishers = [stage.peer() for _ in range(2)]
    stage.attack()
    for one in publishers:
        one.send(publish("x0", "", b"boom"))
    time.sleep(15)
    stage.say("connect: " + attempt(lambda: stage.peer(timeout=10).close() or "yes"))
    stage.over()
    ended = stage.broker.stop(patience=20)
    stage.say(f"SIGTERM: ended after {ended:.1f} s" if ended is not None else "SIGTERM: NOT ENDED after 20 s")


def case_topics(stage):
    """20,000 patterns of mostly # and *, and two publishers of 200 keys of 120 words."""
    peer, chance = stage.peer(timeout=300), random.Random(1)
    peer.call(declare_queue("t"), 50, 11)
    def pattern():
        words = [chance.choice(["#", "*", "a", "b", "#.#"]) for _ in range(chance.randrange(20, 60))]
        return ".".join(words)[:240].rstrip(".")
    peer.send(b"".join(bind_queue("t", "amq.topic", pattern(), True) for _ in range(20_000)))
    peer.call(prefetch(0), 60, 11)
    key = lambda: ".".join(chance.choice("ab") for _ in range(120))
    publishers = [stage.peer() for _ in range(2)]
    stage.attack()
    for one in publishers:
        one.send(b"".join(publish("amq.topic", key(), b"") for _ in range(200)))
    time.sleep(15)


def case_copies(stage):
    """Messages with a hundred kilobytes of CC, through 300 exchanges."""
    peer = stage.peer(timeout=120)
    for one in range(300):
        peer.send(declare_exchange(f"x{one}", "topic", nowait=True))
        if one:
            peer.send(bind_exchange(f"x{one}", f"x{one - 1}", True))
    peer.send(b"".join(method(1, 40, 30, b"\0\0" + short(f"x{one + 1}") + short(f"x{one}") + short("#") + b"\1" + table({}))
                       for one in range(299)))
    peer.call(prefetch(0), 60, 11)
    keys = [f"k{one:05}.a.b.c" for one in range(7_000)]
    publishers = [stage.peer() for _ in range(2)]
    stage.attack()
    quietly(*(lambda one=one: one.send(publish("x0", "a", b"", headers={"CC": keys}) * 100) for one in publishers))
    time.sleep(15)


def case_bodies(stage):
    """Ten honest publishers of one message of 16 MB each, at once, with 50 MB for all messages."""
    consumer = stage.peer(timeout=200)
    consumer.call(declare_queue("big"), 50, 11)
    consumer.call(consume("big", "t", True), 60, 21)
    done = []
    def drain():
        while True:
            consumer.take()
    def offer():
        peer = stage.peer(timeout=200)
        peer.call(CONFIRM_SELECT, 85, 11)
        peer.send(publish("", "big", b"x" * 16_000_000))
        peer.confirms(1)
        done.append(1)
    quietly(drain)
    stage.attack()
    quietly(*[offer] * 10)
    for _ in range(20):
        time.sleep(1)
        if len(done) == 10:
            break
    stage.say(f"{len(done)} of 10 confirmed, alarm {'on' if stage.broker.alarm() else 'off'}")


case_bodies.settings = SMALL_MEMORY


def leave_under_alarm(stage, begin):
    """A client fills the memory, stands still, and goes without a word."""
    peer = stage.peer(timeout=4, heartbeat=5)
    stage.attack()
    attempt(lambda: begin(peer))
    time.sleep(2)
    peer.close()
    time.sleep(15)
    stage.say(f"alarm {'ON' if stage.broker.alarm() else 'off'} 15 s after it left")


def case_unfinished(stage):
    """A client begins 600 messages of 16 MB, finishes none, and goes."""
    def begin(peer):
        for one in range(2, 600):
            peer.call(method(one, 20, 10, b"\0"), 20, 11)
        for one in range(2, 600):
            start = method(one, 60, 40, b"\0\0" + short("") + short("nowhere") + b"\0")
            peer.send(start + header(16_777_216, channel=one) + frame(3, one, b"x" * 100_000))
    leave_under_alarm(stage, begin)


case_unfinished.settings = SMALL_MEMORY


def case_transaction(stage):
    """A client publishes 70 MB in a transaction that it never commits, and goes."""
    def begin(peer):
        peer.call(method(1, 90, 10), 90, 11)
        peer.call(declare_queue("q"), 50, 11)
        for _ in range(700):
            peer.send(publish("", "q", b"x" * 100_000))
    leave_under_alarm(stage, begin)


case_transaction.settings = SMALL_MEMORY


def workers(stage, most):
    """A publisher has filled the memory, and a worker that has published too has messages, `most` or all. Answers it."""
    publisher, worker = stage.peer(timeout=6), stage.peer(timeout=6)
    worker.call(declare_queue("jobs"), 50, 11)
    worker.call(declare_queue("results"), 50, 11)
    worker.call(CONFIRM_SELECT, 85, 11)
    worker.send(publish("", "results", b"r"))
    worker.confirms(1)
    worker.call(prefetch(most), 60, 11)
    worker.send(consume("jobs", "t"))
    stage.attack()
    attempt(lambda: [publisher.send(publish("", "jobs", b"x" * 100_000)) for _ in range(700)])
    time.sleep(2)
    return worker


def case_worker_leaves(stage):
    """A worker that also publishes has all messages, stands still, and goes without a word."""
    worker = workers(stage, 0)
    attempt(lambda: worker.send(publish("", "results", b"r")))
    time.sleep(2)
    worker.close()
    time.sleep(5)
    drain = stage.peer(timeout=6)
    quietly(lambda: (drain.send(consume("jobs", "t", True)), [drain.take() for _ in range(10_000)]))
    time.sleep(10)
    stage.say(f"alarm {'ON' if stage.broker.alarm() else 'off'} 15 s after it left")


case_worker_leaves.settings = SMALL_MEMORY


def case_worker(stage):
    """An honest worker publishes each result while memory is short, waits for the confirm, and acknowledges."""
    worker = workers(stage, 1)
    done, tag = 0, 0
    def work():
        nonlocal done, tag
        while True:
            kind, payload = worker.take()
            if kind == 1 and payload[:4] == b"\0\x3c\0\x3c":
                tag = struct.unpack_from(">Q", payload, 5 + payload[4])[0]
            elif kind == 3:
                worker.send(publish("", "results", b"r"))
                worker.confirms(done + 2)
                worker.send(acknowledge(tag))
                done += 1
    thread = quietly(work)[0]
    thread.join(20)
    stage.say(f"{done} jobs done, alarm {'ON' if stage.broker.alarm() else 'off'}")


case_worker.settings = SMALL_MEMORY


def case_clock(stage):
    """The clock goes back a day for some seconds and is set right again; the queue's time to live is 4 s."""
    peer = stage.peer()
    peer.call(declare_queue("t", arguments={"x-message-ttl": 4000}), 50, 11)
    stage.attack()
    if faketime() is None:
        return stage.say("left out: there is no libfaketime")
    peer.send(publish("", "t", b"x") * 100)
    time.sleep(1)
    stage.broker.turn_clock("-1d")
    peer.send(publish("", "t", b"x") * 100)
    time.sleep(5)
    stage.broker.turn_clock("+0")
    time.sleep(20)
    left = peer.depth("t")
    stage.say(f"{left} of 200 messages {'LEFT' if left else 'left'} 20 s after it was set right")


case_clock.more = {"faked": True}


def case_pull(stage):
    """A consumer without a prefetch takes 1.5 GB out of a deep queue and acknowledges nothing; 300 MB are allowed."""
    stage.peer(timeout=120).call(declare_queue("big", durable=True), 50, 11)
    stage.peer(timeout=120).fill("big", 15_000, b"x" * 100_000)
    consumer = stage.peer(timeout=6)
    stage.attack()
    consumer.send(consume("big", "t"))
    count = 0
    try:
        while count < 15_000:
            count += consumer.take()[0] == 2
    except (OSError, EOFError):
        pass
    time.sleep(4)
    stage.say(f"it took {count}, alarm {'ON' if stage.broker.alarm() else 'off'}")
    stage.over()
    consumer.close()
    time.sleep(10)
    stage.say(f"alarm {'ON' if stage.broker.alarm() else 'off'} 10 s after it left")


case_pull.settings = "[alarms]\nmemory_bytes_max = 300000000\n"


def case_metrics(stage):
    """25 readers, without a login, ask for the metrics of 99,000 queues and do not read the answer."""
    peer = stage.peer(timeout=120)
    for first in range(0, 99_000, 1_000):
        peer.send(b"".join(declare_queue(f"q{one}", nowait=True) for one in range(first, first + 1_000)))
    peer.call(prefetch(0), 60, 11)
    time.sleep(3)
    stage.idle = stage.broker.resident()
    stage.attack()
    readers = []
    for _ in range(25):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", stage.broker.http))
        reader.sendall(b"GET /metrics/per-object HTTP/1.1\r\nHost: x\r\n\r\n")
        readers.append(reader)
    time.sleep(15)
    stage.over()
    for reader in readers:
        reader.close()


def case_arguments(stage):
    """8,000 exchanges and 8,000 consumers with 125 KB of arguments each."""
    peer, junk = stage.peer(timeout=120), {f"j{one}": "x" * 1000 for one in range(125)}
    stage.attack()
    def exchanges():
        for one in range(8_000):
            peer.send(declare_exchange(f"x{one}", "fanout", nowait=True, arguments=junk))
        peer.call(prefetch(0), 60, 11)
        return "all taken"
    stage.say("exchanges: " + attempt(exchanges))
    other = stage.peer(timeout=120)
    def consumers():
        other.call(declare_queue("q"), 50, 11)
        for one in range(8_000):
            other.send(consume("q", f"t{one}", True, True, junk))
        other.call(prefetch(0), 60, 11)
        return "all taken"
    stage.say("consumers: " + attempt(consumers))
    stage.say(f"alarm {'on' if stage.broker.alarm() else 'off'}")
    stage.over()
    peer.close()
    other.close()


def flood(stage, knock):
    """Wrong passwords from 400 connections; three users who were never here log in meanwhile."""
    for one in range(4):
        stage.broker.api(f"/api/users/u{one}", "PUT", {"password": "secret", "tags": ""})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        stage.broker.api(f"/api/permissions/%2F/u{one}", "PUT", everything)
    stage.attack()
    going = [True]
    def again():
        while going[0]:
            try:
                knock()
            except (OSError, EOFError, Refused):
                time.sleep(0.05)
    quietly(*[again] * 400)
    time.sleep(3)
    for one in range(3):
        enter = lambda: stage.peer(user=f"u{one}", password="secret", timeout=25).close() or "in"
        stage.say(f"u{one}: " + attempt(enter))
    stage.over()
    going[0] = False
    time.sleep(2)
    stage.say("after it: " + attempt(lambda: stage.peer(user="u3", password="secret").close() or "in"))


def case_logins(stage):
    """Wrong passwords over AMQP."""
    flood(stage, lambda: stage.peer(password="wrong", timeout=20))


def case_logins_http(stage):
    """Wrong passwords over HTTP."""
    flood(stage, lambda: stage.broker.api("/api/whoami", password=f"wrong{random.random()}", timeout=60))


def case_logins_names(stage):
    """Names that nobody has, over AMQP, each another."""
    flood(stage, lambda: stage.peer(user=f"nobody{random.random()}", password="wrong", timeout=20))


def case_requests(stage):
    """60 connections without a login send 31 MB of a request's body each."""
    stage.attack()
    def send():
        knocker = socket.create_connection(("127.0.0.1", stage.broker.http), 20)
        knocker.sendall(b"POST /api/definitions HTTP/1.1\r\nHost: x\r\nContent-Length: 33554432\r\n\r\n")
        for _ in range(31):
            knocker.sendall(b"x" * (1 << 20))
        time.sleep(5)
    for thread in quietly(*[send] * 60):
        thread.join()


def case_read_error(stage):
    """One read of the journal fails while a deep queue is read back."""
    if shutil.which("strace") is None:
        stage.attack()
        return stage.say("left out: there is no strace")
    peer = stage.peer()
    peer.call(declare_queue("deep", durable=True), 50, 11)
    peer.fill("deep", 8_000, b"x" * 300)
    strace = subprocess.Popen(["strace", "-f", "-qq", "-p", str(stage.broker.process.pid), "-e", "trace=pread64",
                               "-e", "inject=pread64:error=EIO:when=3", "-o", "/dev/null"])
    time.sleep(1)
    stage.attack()
    got, tag = 0, 0
    taker = stage.peer(timeout=5)
    taker.call(prefetch(1000), 60, 11)
    taker.send(consume("deep", "t"))
    try:
        while got < 8_000:
            kind, payload = taker.take()
            if kind == 1 and payload[:4] == b"\0\x3c\0\x3c":
                tag = struct.unpack_from(">Q", payload, 5 + payload[4])[0]
            elif kind == 3:
                got += 1
                taker.send(acknowledge(tag))
    except (OSError, EOFError):
        pass
    stage.over()
    strace.terminate()
    strace.wait()
    stage.say(f"{8_000 - got} of 8000 confirmed messages {'MISSING' if got < 8_000 else 'missing'}")


def case_modes(stage):
    """A data directory that others may read."""
    stage.attack()
    open_to_all = []
    for place, folders, files in os.walk(stage.broker.data):
        for name in folders + files:
            path = os.path.join(place, name)
            if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
                open_to_all.append(os.path.relpath(path, stage.broker.data))
    stage.say(f"others can read {len(open_to_all)} of what is in it; told: {len(stage.broker.lines('chmod'))} times")
    time.sleep(2)


case_modes.more = {"mode": 0o755}


def recount(stage, confirmed):
    """Stops and starts the broker in good order, and counts what was confirmed."""
    stage.over()
    stage.pair.end()
    stage.broker.stop()
    stage.broker.start()
    peer = stage.peer()
    lost = sum(max(0, count - peer.depth(queue)) for queue, count in confirmed.items())
    stage.say(f"{'LOST ' if lost else ''}{lost} of {sum(confirmed.values())} confirmed messages lost")


def case_declares(stage):
    """Queues are declared while messages for them arrive; then a stop and a start."""
    declarer, peer, confirmed = stage.peer(), stage.peer(), {}
    peer.call(CONFIRM_SELECT, 85, 11)
    stage.attack()
    for one in range(3_000):
        name = f"d{one}"
        thread = threading.Thread(target=lambda: declarer.call(declare_queue(name, durable=True), 50, 11))
        before = (peer.confirmed, peer.returned)
        thread.start()
        for _ in range(20):
            peer.send(publish("", name, b"12345678", True, True))
        peer.confirms(before[0] + 20)
        thread.join()
        confirmed[name] = 20 - (peer.returned - before[1])
    recount(stage, confirmed)


def case_import(stage):
    """30,000 queues are imported while messages for the first of them arrive; then a stop and a start."""
    queues = [{"name": f"i{one}", "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
              for one in range(30_000)]
    peer = stage.peer()
    peer.call(CONFIRM_SELECT, 85, 11)
    stage.attack()
    thread = threading.Thread(target=lambda: stage.broker.api("/api/definitions", "POST", {"queues": queues}))
    thread.start()
    sent = 0
    while thread.is_alive():
        peer.send(publish("", "i0", b"12345678", True, True) * 20)
        sent += 20
        peer.confirms(sent)
    recount(stage, {"i0": sent - peer.returned})


def case_if_empty(stage):
    """A queue is deleted if it is empty, again and again, while mandatory messages for it are confirmed."""
    deleter, peer = stage.peer(), stage.peer()
    peer.call(CONFIRM_SELECT, 85, 11)
    stage.attack()
    taken, until = 0, time.time() + 10
    def delete():
        nonlocal taken, deleter
        while time.time() < until:
            deleter.call(declare_queue("e"), 50, 11)
            time.sleep(random.random() / 5000)
            try:
                taken += struct.unpack(">I", deleter.call(delete_queue("e", if_empty=True), 50, 41))[0]
            except Refused:
                deleter = stage.peer()
                deleter.call(purge_queue("e"), 50, 31)
    thread = quietly(delete)[0]
    sent = 0
    while thread.is_alive():
        for _ in range(8):
            peer.send(publish("", "e", b"x", mandatory=True))
        sent += 8
        peer.confirms(sent)
    stage.say(f"{'TOOK ' if taken else ''}{taken} messages taken by deletions of empty queues, {sent} confirmed")
