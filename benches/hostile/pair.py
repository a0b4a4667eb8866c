"""The pair that behaves well, in a process of its own: a publisher with confirms and a consumer that acknowledges, at a
steady rate. It writes down when each message came and how long each confirm took."""

import os
import struct
import subprocess
import sys
import time

from amqp import CONFIRM_SELECT, Peer, acknowledge, consume, declare_queue, prefetch, publish

PAIR_RATE = 300


def run_pair(port, path):
    """The pair, in a process of its own: writes a line for each message that came back, and when it was confirmed."""
    peer = Peer(port, timeout=600)
    peer.call(declare_queue("pair", durable=True), 50, 11)
    peer.call(CONFIRM_SELECT, 85, 11)
    peer.call(prefetch(200), 60, 11)
    peer.call(consume("pair", "t"), 60, 21)
    sent, number, tag = {}, 0, 0
    due = time.time()
    with open(path, "w", buffering=1) as out:
        while True:
            now = time.time()
            batch = b""
            while due <= now and len(sent) < 500:
                number += 1
                sent[number] = due
                batch += publish("", "pair", b"x" * 100, persistent=True)
                due += 1 / PAIR_RATE
            due = max(due, now - 0.5) if len(sent) >= 500 else due
            peer.socket.settimeout(600)
            if batch:
                peer.send(batch)
            before = peer.confirmed
            peer.socket.settimeout(max(0.001, min(0.02, due - time.time())))
            try:
                while True:
                    kind, payload = peer.take()
                    peer.socket.settimeout(0.001)
                    if kind != 1:
                        continue
                    found = struct.unpack_from(">HH", payload)
                    peer.note(found, payload)
                    if found == (60, 60):
                        tag = struct.unpack_from(">Q", payload, 5 + payload[4])[0]
                        peer.socket.settimeout(600)
                        peer.send(acknowledge(tag))
                        out.write(f"g {time.time():.4f}\n")
                        peer.socket.settimeout(0.001)
            except TimeoutError:
                pass
            now = time.time()
            for one in range(before + 1, peer.confirmed + 1):
                out.write(f"c {now:.4f} {now - sent.pop(one, now):.4f}\n")
            if sent and now - min(sent.values()) > 1:
                out.write(f"w {now:.4f} {now - min(sent.values()):.4f}\n")


class Pair:
    def __init__(self, broker):
        self.path = os.path.join(broker.directory, "pair")
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(broker.port), self.path],
                                        stderr=subprocess.DEVNULL)
        while not os.path.exists(self.path):
            time.sleep(0.05)
        time.sleep(1)

    def look(self, since, until):
        """Messages a second that it got, and the longest wait for a confirm in seconds."""
        got, longest = 0, 0.0
        last = since
        with open(self.path) as file:
            for line in file:
                what, at, *wait = line.split()
                if not since <= float(at) <= until:
                    continue
                if what == "g":
                    got += 1
                else:
                    longest = max(longest, float(wait[0]))
                    last = float(at)
        # One that is still waiting has written nothing.
        return got / (until - since), max(longest, until - last - 1 / PAIR_RATE)

    def end(self):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    run_pair(int(sys.argv[1]), sys.argv[2])
