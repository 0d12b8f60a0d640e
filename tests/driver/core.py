"""What a test is, how commands are run under a time limit, and how results are printed."""
import fnmatch
import os
import re
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VITRINE_BUILD") or os.path.join(TOP, "build")
LOGS = os.path.join(BUILD, "test-logs")
WORK = os.path.join(BUILD, "test-work")
# The oracle: TEST_ON=linux runs the guest sets and the shell table on Debian's Linux in the same QEMU.
ON_LINUX = os.environ.get("TEST_ON") == "linux"
OK, FAILED, SKIPPED = "ok", "not ok", "skip"


class Failed(Exception):
    """A test failed; the text says why in one line."""


class Skipped(Exception):
    """A test cannot run here; the text says why."""


class Result:
    """One line of the outcome: a name, OK / FAILED / SKIPPED, and a reason."""

    def __init__(self, name, status, reason=""):
        self.name, self.status, self.reason = name, status, " ".join(str(reason).split())


class Test:
    """One step: run(self, members) returns None (passed) or a list of Results, or raises Failed or Skipped.

    members: names below the test's own that can be chosen one by one (programs of a guest set); they share one run.
    needs: names of builds that must have succeeded. seconds: its usual length, to start long ones first.
    """

    def __init__(self, name, run, needs=(), members=(), seconds=10, quick=False, limit=600):
        self.name, self.run, self.needs, self.members = name, run, tuple(needs), list(members)
        self.seconds, self.quick, self.limit = seconds, quick, limit

    def names(self):
        return [self.name + "." + member for member in self.members] or [self.name]

    @property
    def log(self):
        return os.path.join(LOGS, self.name + ".log")


def matches(name, pattern):
    """A pattern is a whole name, its beginning, or a shell pattern."""
    return name == pattern or name.startswith(pattern) or fnmatch.fnmatchcase(name, pattern)


def select(tests, patterns, quick):
    """[(test, chosen members)] of the tests that the patterns choose, all when there are none."""
    chosen = []
    for test in tests:
        if quick and not test.quick:
            continue
        if not patterns or any(matches(test.name, pattern) for pattern in patterns):
            chosen.append((test, list(test.members)))
            continue
        members = [m for m in test.members if any(matches(test.name + "." + m, p) for p in patterns)]
        if members:
            chosen.append((test, members))
    return chosen


class Children:
    """Every process the driver started, so that an interrupt leaves none behind."""

    def __init__(self):
        self.lock, self.live = threading.Lock(), set()

    def add(self, process):
        with self.lock:
            self.live.add(process)

    def drop(self, process):
        with self.lock:
            self.live.discard(process)

    def kill_all(self):
        with self.lock:
            for process in self.live:
                kill_group(process)


CHILDREN = Children()


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


class Done:
    """A finished command: status (None after the time limit), out and err as text."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def tail(self, lines=1):
        text = (self.out + "\n" + self.err).strip().splitlines()
        return "\n".join(text[-lines:])


def drain(stream, parts, clock):
    """Reads a stream to its end, noting when something last came."""
    while True:
        data = os.read(stream.fileno(), 1 << 16)
        if not data:
            return
        parts.append(data)
        clock[0] = time.monotonic()


def wait_end(process, limit, quiet, clock):
    """Whether it ended by itself: within the limit, and never silent for `quiet` seconds."""
    end = time.monotonic() + limit
    while process.poll() is None:
        now = time.monotonic()
        if now > end or now > clock[0] + quiet:
            return False
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
    return True


def stop(process):
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    kill_group(process)
    process.wait()


def run(command, limit, log=None, cwd=TOP, env=None, quiet=None):
    """Runs a command in its own process group; its output also goes to the end of the file `log`.

    quiet: seconds without any output after which it counts as hanging.
    """
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                               stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C", **(env or {})))
    CHILDREN.add(process)
    out, err, clock = [], [], [time.monotonic()]
    readers = [threading.Thread(target=drain, args=(stream, parts, clock), daemon=True)
               for stream, parts in ((process.stdout, out), (process.stderr, err))]
    for reader in readers:
        reader.start()
    try:
        ended = wait_end(process, limit, quiet or limit, clock)
        if not ended:
            stop(process)
        for reader in readers:
            reader.join(5)
    finally:
        CHILDREN.drop(process)
    text = [b"".join(parts).decode(errors="replace").replace("\r\n", "\n") for parts in (out, err)]
    done = Done(process.returncode if ended else None, *text)
    if log:
        write_log(log, "$ %s\n%s%s[status %s]\n\n" % (" ".join(command), done.out, done.err, done.status if ended else "none: stopped"))
    return done


def write_log(log, text):
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "a", errors="replace") as file:
        file.write(text)


def run_python(path, *args, **options):
    return run([sys.executable, path] + list(args), **options)


class Builds:
    """Things made once, by name, whoever needs them first."""

    def __init__(self):
        self.makers, self.results, self.lock = {}, {}, threading.Lock()

    def define(self, name, make):
        self.makers[name] = make

    def get(self, name):
        """None when it is there, or why it is not. Builds run one at a time: make uses both cores itself."""
        with self.lock:
            if name not in self.results:
                try:
                    self.makers[name]()
                    self.results[name] = None
                except Failed as problem:
                    self.results[name] = str(problem)
            return self.results[name]


BUILDS = Builds()
KTAP_LINE = re.compile(r"^(ok|not ok) (\d+) (\S+)(?: # ?(.*))?$")
KTAP_PLAN = re.compile(r"^1\.\.(\d+)$")


def parse_ktap(text, name):
    """The Results in one program's output, and whether all that its plan promised came."""
    results, planned = [], None
    for line in text.splitlines():
        line = line.rstrip("\r")
        plan = KTAP_PLAN.match(line)
        if plan:
            planned = int(plan.group(1))
        # The kernel's own messages may share a line with a result: look for it anywhere when it is not at the start.
        found = KTAP_LINE.match(line)
        if not found:
            continue
        word, _, case, reason = found.groups()
        reason = reason or ""
        status = FAILED if word == "not ok" else SKIPPED if reason.upper().startswith("SKIP") else OK
        if status == SKIPPED:
            reason = reason[4:].strip()
        results.append(Result(name + "." + case, status, reason))
    return results, planned is not None and len(results) == planned


class Output:
    """Prints KTAP as results come; on a terminal only what is not plainly passed, under a line of progress."""

    def __init__(self, total, verbose=False):
        self.lock, self.count, self.total, self.ended = threading.Lock(), 0, total, 0
        self.passed = self.failed = self.skipped = 0
        self.terminal = sys.stdout.isatty()
        self.verbose, self.began, self.running = verbose, time.monotonic(), []
        self.say("KTAP version 1")

    def say(self, text):
        if self.terminal:
            sys.stdout.write("\r\033[K")
        sys.stdout.write(text + "\n")
        self.progress()

    def progress(self):
        if self.terminal:
            spent = int(time.monotonic() - self.began)
            line = "[%d/%d] %d:%02d  %d passed, %d failed  %s" % (
                self.ended, self.total, spent // 60, spent % 60, self.passed, self.failed, " ".join(self.running))
            width = 79
            try:
                width = os.get_terminal_size().columns - 1
            except OSError:
                pass
            sys.stdout.write("\r\033[K" + line[:width])
        sys.stdout.flush()

    def start(self, name):
        with self.lock:
            self.running.append(name)
            self.progress()

    def end(self, name, results, log):
        with self.lock:
            self.running.remove(name)
            self.ended += 1
            for result in results:
                self.one(result)
            if any(result.status == FAILED for result in results):
                self.show_log(log)
            self.progress()

    def one(self, result):
        self.count += 1
        if result.status == OK:
            self.passed += 1
            if not self.terminal or self.verbose:
                self.say("ok %d %s" % (self.count, result.name))
        elif result.status == SKIPPED:
            self.skipped += 1
            self.say("ok %d %s # SKIP %s" % (self.count, result.name, result.reason))
        else:
            self.failed += 1
            self.say("not ok %d %s # %s" % (self.count, result.name, result.reason))

    def show_log(self, log):
        if not os.path.exists(log):
            return
        with open(log, errors="replace") as file:
            lines = file.read().splitlines()
        self.say("# the last lines of %s:" % os.path.relpath(log, TOP))
        for line in lines[-30:]:
            self.say("#   " + line[:200])

    def finish(self):
        if self.terminal:
            sys.stdout.write("\r\033[K")
        print("1..%d" % self.count)
        spent = int(time.monotonic() - self.began)
        print("# %d:%02d minutes" % (spent // 60, spent % 60))
        print("%d passed, %d failed" % (self.passed, self.failed) + (", %d skipped" % self.skipped if self.skipped else ""))
        sys.stdout.flush()
