"""Where a case plays: a broker, the pair beside it, and the time of the attack, from which the figures come."""

import struct
import threading
import time

from amqp import Peer, Refused
from broker import Broker
from pair import Pair


class Stage:
    """A broker with a pair, and the time of the attack."""

    def __init__(self, program, directory, settings="", **more):
        self.broker = Broker(program, directory, settings, **more)
        self.pair = Pair(self.broker)
        self.port = self.broker.port
        began = time.time()
        time.sleep(4)
        self.alone, _ = self.pair.look(began, time.time())
        self.idle = self.broker.resident()
        self.words, self.began, self.until, self.share, self.slowest = [], None, None, None, None

    def peer(self, **more):
        return Peer(self.port, **more)

    def say(self, text):
        self.words.append(text)

    def attack(self):
        self.began = time.time()

    def over(self):
        self.until = time.time()
        rate, self.slowest = self.pair.look(self.began, self.until)
        self.share = rate / self.alone if self.alone else 0.0

    def figures(self, rest=5):
        if self.until is None:
            self.over()
        time.sleep(rest)
        after = self.broker.resident()
        if not self.broker.alive() and not self.broker.stopped:
            self.say("THE BROKER HAS ENDED")
        return {"share": round(100 * self.share), "slowest_ms": round(1000 * self.slowest, 1), "idle_mib": self.idle,
                "most_mib": self.broker.most, "after_mib": after, "words": "; ".join(self.words)}

    def end(self):
        self.pair.end()
        self.broker.end()


def attempt(work):
    """What came of it, in words."""
    began = time.time()
    try:
        said = work()
    except (OSError, EOFError, Refused, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}"
    return f"{said} ({time.time() - began:.1f} s)"


def quietly(*work):
    """Runs each in a thread of its own, and does not mind how it ends."""
    def run(one):
        try:
            one()
        except (OSError, EOFError, Refused, struct.error):
            pass
    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    return threads
