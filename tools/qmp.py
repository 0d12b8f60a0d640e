"""QEMU's monitor protocol on a unix socket: commands, answers, events."""
import json
import select
import socket
import time

from machine import Problem


class Monitor:
    """A connection. command() returns the answer; events that come meanwhile are kept for wait()."""

    def __init__(self, path, patience=10.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.pending, self.events = b"", []
        deadline = time.monotonic() + patience
        while True:
            try:
                self.socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise Problem("QEMU's monitor at %s does not answer" % path)
                time.sleep(0.02)
        self.read(deadline)  # the greeting
        self.command("qmp_capabilities")

    def read(self, deadline):
        """The next message, or None at the deadline."""
        while b"\n" not in self.pending:
            if not select.select([self.socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Problem("QEMU has ended")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line.decode())

    def command(self, name, arguments=None, patience=10.0):
        request = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + patience
        while True:
            message = self.read(deadline)
            if message is None:
                raise Problem("QEMU does not answer %s" % name)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise Problem("QEMU refuses %s: %s" % (name, message["error"].get("desc")))
            if "event" in message:
                self.events.append(message)

    def wait(self, *names, patience):
        """The next event with one of these names, or None when none came in time."""
        deadline = time.monotonic() + patience
        while True:
            while self.events:
                event = self.events.pop(0)
                if event["event"] in names:
                    return event["event"]
            message = self.read(deadline)
            if message is None:
                return None
            if "event" in message:
                self.events.append(message)

    def ended(self):
        """QEMU is gone. What it says meanwhile is kept."""
        try:
            message = self.read(0)
            if message and "event" in message:
                self.events.append(message)
            return False
        except (Problem, OSError):
            return True

    def close(self):
        self.socket.close()
