"""A guest that a walk types to, and the engine that looks at its memory."""
import json
import os
import re
import select
import subprocess
import tempfile
import time

import machine
import view
import watch

PROMPT = re.compile(r"[#$] (\x1b\[6n)?$")
BOOT_SECONDS = 60
STEP_SECONDS = 60
QUERY_SECONDS = 60
KEYS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Astray(Exception):
    """The guest did not come to where the walk expects it; the text says how."""


class Engine:
    """./vitrine x, asked again and again: its packages and bundles are looked after once."""

    def __init__(self, description):
        self.node, self.description = view.prepare(), description

    def ask(self, words, *options):
        line = [self.node, os.path.join(view.OUT, "x.cjs")] + words + ["--machine", self.description] + list(options)
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=QUERY_SECONDS)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace").strip()
        # check answers with 1 when it has found something.
        if done.returncode and not (words[0] == "check" and done.returncode == 1 and not err):
            raise Astray("./vitrine x %s: %s" % (" ".join(words), err or "status %d" % done.returncode))
        return out

    def answer(self, words):
        try:
            return json.loads(self.ask(words, "--json"))
        except ValueError:
            raise Astray("./vitrine x %s: the answer is no JSON" % " ".join(words)) from None


class Guest:
    """One machine, from its boot to the shell's prompt on; its console is a pair of pipes."""

    def __init__(self, kernel, options, patience=1.0):
        self.patience, self.seen = patience, ""
        self.folder = tempfile.TemporaryDirectory(prefix="vitrine-walk-")
        self.watched = self.disk = self.process = None
        try:
            self.start(kernel, options)
            self.wait_for(PROMPT, BOOT_SECONDS, "the shell's prompt")
        except BaseException:
            self.close()
            raise

    def start(self, kernel, options):
        self.disk = machine.Disk(machine.image_path("disk"))
        self.watched = watch.Watched(options["mem"], kernel, os.path.join(self.folder.name, "machine.json"))
        words = "quiet " + ("isolate=1 " if options["isolate"] == "on" else "") + options["append"]
        line = machine.command(kernel, self.disk, int(options["harts"]), options["mem"], words.strip(), False, self.watched.arguments())
        line += ["-display", "none", "-monitor", "none", "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con"]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
                                        preexec_fn=machine.die_with_parent)
        self.watched.announce(self.process)

    def description(self):
        return self.watched.description

    def type(self, text):
        """A line on the console. What was printed before does not count any more."""
        self.seen = ""
        try:
            self.process.stdin.write(text.encode() + b"\r")
        except BrokenPipeError:
            raise Astray("the machine is gone") from None

    def wait_for(self, pattern, seconds, what):
        """Reads the console until the pattern is in it. Returns the match."""
        deadline = time.monotonic() + seconds * self.patience
        while True:
            found = pattern.search(self.seen)
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise Astray("%s did not come within %.0f seconds; the last line is: %s" % (what, seconds * self.patience, self.last_line()))
            if not select.select([self.process.stdout], [], [], left)[0]:
                continue
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                panic = re.search(r"^.*PANIC.*$", self.seen, re.M)
                raise Astray("the kernel panicked: %s" % panic.group(0).strip() if panic else
                             "the machine ended before %s came: %s" % (what, self.last_line()))
            self.seen += KEYS.sub("", data.decode(errors="replace")).replace("\r", "")

    def wait_line(self, template):
        """What the guest says of itself: the template's {names}, as it printed them."""
        pattern = "".join(r"(?P<%s>[^\s;,]+)" % part[1:-1] if part.startswith("{") else re.escape(part)
                          for part in re.split(r"(\{\w+\})", template))
        found = self.wait_for(re.compile(r"^%s[^\n]*\n" % pattern, re.M), STEP_SECONDS, '"%s"' % template)
        return {name: number(text) for name, text in found.groupdict().items()}

    def last_line(self):
        lines = [line for line in self.seen.splitlines() if line.strip()]
        return lines[-1] if lines else "(nothing)"

    def close(self):
        if self.process:
            machine.stop(self.process)
            self.process.stdin.close()
            self.process.stdout.close()
        for part in (self.watched, self.disk):
            if part:
                part.close()
        self.folder.cleanup()


def number(text):
    """Of what a program prints, numbers are numbers."""
    return int(text, 0) if re.fullmatch(r"0x[0-9a-f]+|0|[1-9][0-9]*", text) else text
