"""The interactive console, by pexpect: the shell's job control, vi, top, keys, the boot's price in instructions."""
import os
import re
import sys
import time

from . import core, guests
from .core import Failed, Test

PROMPT = r"[#$] (\x1b\[6n)?$"  # the line editor asks for the cursor's place; no answer will do


class Session:
    """A guest with its console; everything seen goes to the test's log."""

    def __init__(self, test, *args, prompt_within=60):
        import pexpect  # here, so that --list works without it
        self.pexpect = pexpect
        os.makedirs(os.path.dirname(test.log), exist_ok=True)
        self.log = open(test.log, "ab")
        line = [guests.LINUX] if core.ON_LINUX else [guests.RUN, "--no-build"]
        self.child = pexpect.spawn(sys.executable, line + ["--timeout", "200"] + list(args), timeout=30,
                                   cwd=core.TOP, dimensions=(24, 80), env=dict(os.environ, TERM="vt100"))
        self.child.logfile_read = self.log
        self.expect(PROMPT, prompt_within)

    def expect(self, pattern, seconds=30):
        try:
            self.child.expect(pattern, timeout=seconds)
        except (self.pexpect.TIMEOUT, self.pexpect.EOF) as error:
            seen = (self.child.before or b"").decode(errors="replace")[-150:]
            raise Failed("%s waiting for %r; last seen %r" % (type(error).__name__, pattern, seen)) from None
        return self.child.before.decode(errors="replace")

    def send(self, text):
        self.child.send(text)

    def run(self, command, seconds=30):
        """A command line's output. The tag is typed in two parts, so that its echo is not taken for it."""
        self.send(command + "; echo en''d-$?\r")
        text = self.expect(r"\nend-(\d+)\r+\n", seconds)
        self.expect(PROMPT)
        return text

    def want(self, command, pattern):
        text = self.run(command)
        if not re.search(pattern, text):
            raise Failed("%s printed %r, wanted %s" % (command, text[-200:], pattern))

    def close(self):
        self.child.close(force=True)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def interrupt(test, members):
    with Session(test) as s:
        for key in ("\x03", "\x1c"):
            s.send("sleep 1000\r")
            s.expect(r"sleep 1000\r+\n")
            wait_foreground()
            s.send(key)
            s.expect(PROMPT)
            s.want("echo alive", "alive")
        s.send("cat\r")
        s.expect(r"cat\r+\n")
        s.send("typed\r")
        s.expect(r"typed\r+\ntyped\r+\n")
        s.send("\x04")
        s.expect(PROMPT)


def wait_foreground():
    """Nothing on the console tells when a command has come to the foreground, and a key sent too early hits the shell."""
    time.sleep(1.0)


def job_control(test, members):
    with Session(test) as s:
        s.send("sleep 1000\r")
        s.expect(r"sleep 1000\r+\n")
        wait_foreground()
        s.send("\x1a")
        s.expect("Stopped")
        s.expect(PROMPT)
        s.want("jobs", r"Stopped.*sleep 1000")
        s.want("bg", r"sleep 1000")
        s.want("jobs", r"Running.*sleep 1000")
        s.send("fg\r")
        s.expect(r"sleep 1000\r+\n")
        wait_foreground()
        s.send("\x03")
        s.expect(PROMPT)
        s.want("jobs; echo none", r"\nnone")
        # A moment first: until its shell code has run, the new job still ignores SIGTERM as the interactive shell does.
        s.want("sleep 100 | cat & sleep 1; kill %1; wait; echo gone", "gone")


def vi(test, members):
    with Session(test) as s:
        s.run("cd /tmp; stty rows 24 cols 80; export TERM=vt100")
        s.send("vi note\r")
        s.expect("note")
        s.send("ihello from vi\rsecond line\x1b")
        s.expect("second line")
        s.send(":wq\r")
        s.expect(PROMPT)
        s.want("cat note", r"hello from vi\r+\nsecond line")
        s.send("vi note\r")
        s.expect("second line")
        s.send("ddp:x\r")
        s.expect(PROMPT)
        s.want("head -1 note; rm note", "second line")


def top(test, members):
    with Session(test) as s:
        s.run("stty rows 24 cols 80; export TERM=vt100")
        s.send("top -d 1\r")
        s.expect("Mem:")
        s.expect("CPU:")
        s.expect("init")
        s.expect("Mem:")  # the second screen
        s.send("q")
        s.expect(PROMPT)
        s.want("echo alive", "alive")


def line_editing(test, members):
    with Session(test) as s:
        s.send("echo wrnog\x7f\x7f\x7fong\r")
        s.expect(r"\nwrong\r+\n")
        s.expect(PROMPT)
        s.send("echo lost\x15echo kept\r")
        s.expect(r"\nkept\r+\n")
        s.expect(PROMPT)
        s.send("\x1b[A\x1b[A\r")  # up twice: history
        s.expect(r"\nwrong\r+\n")
        s.expect(PROMPT)
        s.want("tty; stty -a | head -1", r"/dev/(console|tty\w*)(?s:.*)speed")


def poweroff(test, members):
    disk = guests.private_copy("disk", test.name)
    try:
        with Session(test, "--disk", disk, *(["--keep"] if core.ON_LINUX else [])) as s:
            s.run("echo kept >/root/kept; seq 2000 >/root/numbers")
            s.send("poweroff\r")
            s.expect(s.pexpect.EOF, 60)
        s.child.close()
        if s.child.exitstatus != 0:
            raise Failed("exit status %s after poweroff" % s.child.exitstatus)
        guests.check_disk(disk, test.log)
        done = guests.boot("cat /root/kept; tail -1 /root/numbers", test.log, 60, disk=disk)
        if done.out != "kept\n2000\n":
            raise Failed("after a second boot: %r" % done.out)
    finally:
        guests.drop(disk)


def budget(mem, most):
    def run(test, members):
        with Session(test, "--icount", "--mem", mem, prompt_within=120) as s:
            # What the kernel counts from its entry until this program reads it, which is after the first prompt.
            out = s.run("cat /proc/sys/kernel/boot_instructions")
            found = re.findall(r"^\s*(\d{5,})\s*$", out, re.M)
            if not found:
                raise Failed("no count in %r" % out)
            count = int(found[-1])
            if count > most:
                raise Failed("%d instructions from the kernel's entry to the prompt, at most %d are allowed" % (count, most))
    return run


def tests():
    for name, run in (("interrupt", interrupt), ("job_control", job_control), ("vi", vi), ("top", top),
                      ("line_editing", line_editing), ("poweroff", poweroff)):
        yield Test("console." + name, run, ["release", "images"], seconds=15)
    yield Test("boot.budget_256M", budget("256M", 25_000_000), ["release", "images"], seconds=10)
    yield Test("boot.budget_8G", budget("8G", 40_000_000), ["release", "images"], seconds=12)
