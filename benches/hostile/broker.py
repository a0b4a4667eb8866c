"""A broker of its own: its program, its directory, its memory, and its management API."""

import base64
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def faketime():
    """The library that fakes the clock, if it is there."""
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


class Broker:
    """A broker of its own, and the most memory that it was seen with."""

    def __init__(self, program, directory, settings="", wrap=(), mode=None, faked=False):
        self.program, self.directory, self.wrap = program, tempfile.mkdtemp(prefix="hostile.", dir=directory), list(wrap)
        self.port, self.http = free_port(), free_port()
        self.data = os.path.join(self.directory, "data")
        if mode is not None:
            os.mkdir(self.data, mode)
        with open(os.path.join(self.directory, "broker.toml"), "w") as file:
            file.write(settings)
        self.most, self.stopped = 0, False
        self.environment = dict(os.environ)
        self.clock = os.path.join(self.directory, "clock")
        if faked and faketime():
            self.turn_clock("+0")
            self.environment |= {"LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": self.clock,
                                 "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.start()
        self.watching = True
        threading.Thread(target=self.watch, daemon=True).start()

    def start(self):
        self.log = open(os.path.join(self.directory, "log"), "ab")
        command = [self.program, "--data-dir", self.data, "--listen", f"127.0.0.1:{self.port}",
                   "--management-listen", f"127.0.0.1:{self.http}"]
        self.process = subprocess.Popen(self.wrap + command, cwd=self.directory, stdout=self.log, stderr=self.log,
                                        env=self.environment)
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended: {self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)

    def turn_clock(self, by):
        """Has the broker believe that its clock is off by so much, `-1d` for example."""
        with open(self.clock, "w") as file:
            file.write(by)

    def tail(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as file:
            return file.read()[-400:].strip()

    def lines(self, *words):
        with open(os.path.join(self.directory, "log"), errors="replace") as file:
            return [line for line in file if any(word in line for word in words)]

    def resident(self):
        try:
            with open(f"/proc/{self.process.pid}/status") as file:
                for line in file:
                    if line.startswith("VmRSS"):
                        return int(line.split()[1]) // 1024
        except OSError:
            pass
        return 0

    def watch(self):
        while self.watching:
            self.most = max(self.most, self.resident())
            time.sleep(0.05)

    def alive(self):
        return self.process.poll() is None

    def stop(self, sign=signal.SIGTERM, patience=60):
        """Ends it. Answers after how many seconds, or nothing when it did not end by itself."""
        began, self.stopped = time.time(), True
        if self.alive():
            self.process.send_signal(sign)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        return time.time() - began

    def end(self):
        self.watching = False
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def api(self, path, verb="GET", body=None, user="guest", password="guest", timeout=60):
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data=data, method=verb,
                                         headers={"Authorization": f"Basic {login}"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
        try:
            return json.loads(text)
        except ValueError:
            return None

    def alarm(self):
        return bool(self.api("/api/nodes")[0].get("mem_alarm"))
