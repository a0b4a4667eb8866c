"""AMQP 0-9-1 from the client's side, as little of it as the attacks need: frames go out as bytes, so that a client can
send what no library would."""

import socket
import struct

def short(text):
    text = text.encode() if isinstance(text, str) else text
    return bytes([len(text)]) + text


def long(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def value(of):
    if isinstance(of, bool):
        return b"t" + bytes([of])
    if isinstance(of, int):
        return b"l" + struct.pack(">q", of)
    if isinstance(of, list):
        return b"A" + long(b"".join(value(one) for one in of))
    if isinstance(of, dict):
        return b"F" + table(of)
    return b"S" + long(of)


def table(entries):
    return long(b"".join(short(key) + value(of) for key, of in entries.items()))


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, class_id, method_id, arguments=b""):
    return frame(1, channel, struct.pack(">HH", class_id, method_id) + arguments)


def declare_queue(name, durable=False, nowait=False, passive=False, arguments=None, channel=1):
    bits = passive | durable << 1 | nowait << 4
    return method(channel, 50, 10, b"\0\0" + short(name) + bytes([bits]) + table(arguments or {}))


def declare_exchange(name, kind, auto_delete=False, nowait=False, arguments=None):
    bits = auto_delete << 2 | nowait << 4
    return method(1, 40, 10, b"\0\0" + short(name) + short(kind) + bytes([bits]) + table(arguments or {}))


def bind_queue(queue, exchange, key="", nowait=False):
    return method(1, 50, 20, b"\0\0" + short(queue) + short(exchange) + short(key) + bytes([nowait]) + table({}))


def bind_exchange(destination, source, nowait=False):
    return method(1, 40, 30, b"\0\0" + short(destination) + short(source) + b"\0" + bytes([nowait]) + table({}))


def delete_queue(name, if_empty=False, nowait=False):
    return method(1, 50, 40, b"\0\0" + short(name) + bytes([if_empty << 1 | nowait << 2]))


def purge_queue(name):
    return method(1, 50, 30, b"\0\0" + short(name) + b"\0")


def header(body_bytes, persistent=False, headers=None, channel=1):
    flags, properties = 0, b""
    if headers is not None:
        flags |= 1 << 13
        properties += table(headers)
    if persistent:
        flags |= 1 << 12
        properties += b"\2"
    return frame(2, channel, struct.pack(">HHQH", 60, 0, body_bytes, flags) + properties)


def publish(exchange, key, body, persistent=False, mandatory=False, headers=None, channel=1):
    parts = [method(channel, 60, 40, b"\0\0" + short(exchange) + short(key) + bytes([mandatory]))]
    parts.append(header(len(body), persistent, headers, channel))
    for at in range(0, len(body), 131_000):
        parts.append(frame(3, channel, body[at : at + 131_000]))
    return b"".join(parts)


def consume(queue, tag, no_ack=False, nowait=False, arguments=None):
    bits = no_ack << 1 | nowait << 3
    return method(1, 60, 20, b"\0\0" + short(queue) + short(tag) + bytes([bits]) + table(arguments or {}))


def prefetch(count):
    return method(1, 60, 10, struct.pack(">IHB", 0, count, 0))


def acknowledge(tag, multiple=False):
    return method(1, 60, 80, struct.pack(">QB", tag, multiple))


CONFIRM_SELECT = method(1, 85, 10, b"\0")
CAPABILITIES = {"capabilities": {"connection.blocked": True, "consumer_cancel_notify": True,
                                 "authentication_failure_close": True}}


class Refused(Exception):
    """The broker closed the channel or the connection."""


class Peer:
    """One connection with channel 1 open."""

    def __init__(self, port, user="guest", password="guest", timeout=60, heartbeat=0):
        self.bytes, self.at = bytearray(), 0
        self.confirmed, self.apart, self.refused, self.returned = 0, set(), 0, 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(b"AMQP\0\0\x09\x01")
        self.expect(10, 10)
        login = long(b"\0" + user.encode() + b"\0" + password.encode())
        self.send(method(0, 10, 11, table(CAPABILITIES) + short("PLAIN") + login + short("en_US")))
        self.expect(10, 30)
        tuned = struct.pack(">HIH", 2047, 131072, heartbeat)
        self.send(method(0, 10, 31, tuned) + method(0, 10, 40, short("/") + b"\0\0"))
        self.expect(10, 41)
        self.call(method(1, 20, 10, b"\0"), 20, 11)

    def send(self, data):
        self.socket.sendall(data)

    def call(self, data, class_id, method_id):
        self.send(data)
        return self.expect(class_id, method_id)

    def take(self):
        """The next frame: its kind and payload."""
        while True:
            if len(self.bytes) - self.at >= 8:
                kind, _, size = struct.unpack_from(">BHI", self.bytes, self.at)
                if len(self.bytes) - self.at >= 8 + size:
                    payload = bytes(self.bytes[self.at + 7 : self.at + 7 + size])
                    self.at += 8 + size
                    return kind, payload
            del self.bytes[: self.at]
            self.at = 0
            data = self.socket.recv(262_144)
            if not data:
                raise EOFError("the broker closed the socket")
            self.bytes += data

    def expect(self, class_id, method_id):
        """Waits for a method, and takes note of confirms and returns on the way."""
        while True:
            kind, payload = self.take()
            if kind != 1:
                continue
            found = struct.unpack_from(">HH", payload)
            self.note(found, payload)
            if found == (class_id, method_id):
                return payload[4:]
            if found in ((10, 50), (20, 40)):
                code, length = struct.unpack_from(">HB", payload, 4)
                raise Refused(f"{code} {payload[7:7 + length].decode(errors='replace')}")

    def note(self, found, payload):
        if found == (60, 50):
            self.returned += 1
        if found not in ((60, 80), (60, 120)):
            return
        tag, multiple = struct.unpack_from(">QB", payload, 4)
        self.refused += found == (60, 120)
        if multiple & 1:
            self.confirmed = max(self.confirmed, tag)
        else:
            self.apart.add(tag)
        while self.confirmed + 1 in self.apart:
            self.confirmed += 1
            self.apart.discard(self.confirmed)

    def confirms(self, through):
        """Waits until all messages up to this number are answered for."""
        while self.confirmed < through:
            kind, payload = self.take()
            if kind == 1:
                found = struct.unpack_from(">HH", payload)
                self.note(found, payload)
                if found in ((10, 50), (20, 40)):
                    raise Refused(payload[7:].decode(errors="replace"))

    def fill(self, queue, count, body, persistent=True):
        """Publishes with confirms, at most 2,000 unanswered."""
        self.call(CONFIRM_SELECT, 85, 11)
        one = publish("", queue, body, persistent)
        for sent in range(0, count, 500):
            self.send(one * min(500, count - sent))
            self.confirms(max(0, sent - 2_000))
        self.confirms(count)

    def depth(self, queue):
        answer = self.call(declare_queue(queue, passive=True), 50, 11)
        return struct.unpack_from(">I", answer, 1 + answer[0])[0]

    def close(self):
        self.socket.close()
