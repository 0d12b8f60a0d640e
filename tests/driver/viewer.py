"""The viewer's page and its server (view/web, view/server), as ./vitrine view starts them: links, who is let in, the page in a browser."""
import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from . import core, view
from .core import BUILD, TOP, Failed, Skipped, Test

TOOL = os.path.join(TOP, "tools/viewer.py")
CHROMIUM = os.environ.get("VITRINE_CHROMIUM", "/usr/bin/chromium")
START = 120


class Session:
    """./vitrine view without a browser: its address, its description of the machine, and how it ends."""

    def __init__(self, test, place, *extra):
        self.description = os.path.join(place, "machine.json")
        line = [sys.executable, TOOL, "--no-build", "--no-open", "--watch", self.description] + list(extra)
        self.log = open(test.log, "a")
        self.process = subprocess.Popen(line, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True,
                                        env=dict(os.environ, XDG_RUNTIME_DIR=place), universal_newlines=True, preexec_fn=hear_interrupts)
        core.CHILDREN.add(self.process)
        self.watchdog = threading.Timer(START, self.process.kill)
        self.watchdog.start()
        self.address = self.read_address()
        self.watchdog.cancel()
        with open(self.description) as file:
            self.machine = json.load(file)

    def read_address(self):
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{32}", line)
            if found:
                return found.group(0)
        raise Failed("./vitrine view printed no address")

    def interrupt(self):
        """Ctrl-C. Returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            raise Failed("Ctrl-C did not end ./vitrine view") from None

    def close(self):
        self.watchdog.cancel()
        if self.process.poll() is None:
            core.stop(self.process)
        core.CHILDREN.drop(self.process)
        self.process.stdout.close()
        self.log.close()


def hear_interrupts():
    """Where the tests run in the background of a script, SIGINT is ignored, and what they start would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def session(test, *extra):
    os.makedirs(os.path.dirname(test.log), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vv-", dir="/tmp") as place:
        opened = Session(test, place, *extra)
        try:
            yield opened
        finally:
            opened.close()


def run_links(test, members):
    view.prepare(test)
    for name in ("web/links", "web/shared", "web/taken", "web/past", "server/guard", "server/film", "server/ask"):
        view.run_node(test, name)


def run_server(test, members):
    view.prepare(test)
    with session(test) as opened:
        check_private(opened.machine)
        view.run_node(test, "server/live", env={"VITRINE_ADDRESS": opened.address})
        outlives_guest(opened)
        status = opened.interrupt()
        if status != 0:
            raise Failed("Ctrl-C ended ./vitrine view with status %d" % status)
        for path in (opened.description, opened.machine["ram"], opened.machine["qmp"]):
            if os.path.exists(path):
                raise Failed("%s was left behind" % path)
        if is_alive(opened.machine["pid"]):
            raise Failed("QEMU was left behind")


def run_catch(test, members):
    view.prepare(test)
    with session(test, "--harts", "3") as opened:
        view.run_node(test, "server/catch", env={"VITRINE_ADDRESS": opened.address, "VIEW_MACHINE": opened.description}, limit=280)


def outlives_guest(opened):
    """However QEMU ends, its last state can still be looked at."""
    os.kill(opened.machine["pid"], signal.SIGKILL)
    time.sleep(1)
    with urllib.request.urlopen(opened.address, timeout=20) as answer:
        if answer.status != 200 or opened.process.poll() is not None:
            raise Failed("the viewer ended with its guest")


def check_private(machine):
    """Nobody else may reach the guest's RAM, or QEMU's sockets."""
    for name in ("ram", "qmp", "gdb", "console"):
        folder = os.path.dirname(machine[name])
        mode = stat.S_IMODE(os.stat(folder).st_mode)
        if mode != 0o700:
            raise Failed("%s: the directory's mode is %o" % (machine[name], mode))
    if os.path.getsize(machine["ram"]) != machine["size"]:
        raise Failed("the RAM file has not the size that the description says")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run_panic(test, members):
    """A kernel that panics leaves a dump, which opens."""
    view.prepare(test)
    os.makedirs(os.path.dirname(test.log), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vv-", dir="/tmp") as place:
        dumps = os.path.join(place, "dumps")
        opened = Session(test, place, "--mem", "32M", "--append", "panic_test=null", "--dumps", dumps)
        try:
            end = time.monotonic() + START
            while not (os.path.isdir(dumps) and [n for n in os.listdir(dumps) if os.path.getsize(os.path.join(dumps, n)) >= 32 << 20]):
                if time.monotonic() > end:
                    raise Failed("no dump within %d seconds" % START)
                time.sleep(0.2)
            dump = os.path.join(dumps, os.listdir(dumps)[0])
            done = core.run_python(view.TOOL, "x", "layout", "--dump", dump, limit=60, log=test.log)
            if done.status != 0 or "boot_ram" not in done.out:
                raise Failed("./vitrine x does not open the dump: " + done.tail())
        finally:
            opened.close()


def run_page(test, members):
    if not os.path.exists(CHROMIUM):
        raise Skipped("no chromium on this machine")
    view.prepare(test)
    with session(test) as opened:
        view.run_node(test, "page/page", limit=540, env={
            "VITRINE_ADDRESS": opened.address, "VITRINE_MACHINE": opened.description, "NODE_PATH": os.path.join(BUILD, "view/npm/node_modules")})


# The walks that the machine of ./vitrine view is not made for, and one that it is made for without what it shows.
OTHER = ("--mem", "128M", "--harts", "1", "--isolate", "--append", "trace=syscalls zram=25% thp=never")


def run_walks(test, members):
    """The guided walks in the page."""
    if not os.path.exists(CHROMIUM):
        raise Skipped("no chromium on this machine")
    view.prepare(test)
    for guest, extra in (("default", ()), ("other", OTHER)):
        with session(test, *extra) as opened:
            view.run_node(test, "page/walks", limit=540, env={
                "VITRINE_ADDRESS": opened.address, "VITRINE_GUEST": guest, "NODE_PATH": os.path.join(BUILD, "view/npm/node_modules")})


def run_bench(test, members):
    """The benchmark runs, and what it counts is there; how fast it is depends on the host."""
    view.prepare(test)
    with tempfile.TemporaryDirectory(prefix="vv-", dir="/tmp") as place:
        done = core.run_python(TOOL, "--no-build", "--watch", os.path.join(place, "machine.json"), "--bench", "1", limit=280, log=test.log,
                               env={"XDG_RUNTIME_DIR": place})
    if done.status != 0:
        raise Failed("--bench: " + done.tail())
    rows = [r"processes +2\d"]
    spread = r"[0-9.]+ / [0-9.]+ / [0-9.]+ / ([0-9.]+) +"
    for name in ("console", "space", "tree", "walk", "frames", "share", "film", "time", "guide", "lamp"):
        rows.append(name + r" +" + spread + spread + r"[0-9.]+")
        rows.append(name + r" +" + spread + r"[0-9.]+" if os.path.exists(CHROMIUM) else "the page +not measured: .*")
    for row in rows:
        found = re.search("^%s$" % row, done.out, re.M)
        if not found or "0.0" in found.groups():
            raise Failed("--bench printed no row %s" % row)


def tests():
    needs = ("release", "images")
    yield Test("view.links", run_links, seconds=15, quick=True)
    yield Test("view.server", run_server, needs=needs, seconds=30)
    yield Test("view.catch", run_catch, needs=needs, seconds=60)
    yield Test("view.panic", run_panic, needs=needs, seconds=20)
    yield Test("view.page", run_page, needs=needs, seconds=90)
    yield Test("view.walks", run_walks, needs=needs, seconds=90)
    yield Test("view.bench", run_bench, needs=needs, seconds=90)
