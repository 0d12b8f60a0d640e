"""Faults that explain themselves, as boot arguments switch them (docs/faults.md); each kind of fault is in tests/guest/explain.c."""
import os
import re

from . import guests
from .core import TOP, Failed, Test

CRASH = "/tests/explain die; echo status $?"
FIRST = r"explain\[(\d+)\]: killed by SIGSEGV at pc 0x[0-9a-f]+, address 0x0, ra 0x[0-9a-f]+, sp 0x[0-9a-f]+\n"
# The report, line by line, each behind the name of who died.
REPORT = [
    r"process \d+, thread \d+, explain", r"pc 0x[0-9a-f]+: named_function\+0x[0-9a-f]+, tests/guest/explain\.c:\d+, /tests/explain\+0x[0-9a-f]+",
    r"ra 0x[0-9a-f]+: do_names\+0x[0-9a-f]+, tests/guest/explain\.c:\d+, /tests/explain\+0x[0-9a-f]+",
    r"write to 0x0: in the null page, which is never mapped", r"below nothing", r"above [0-9a-f]+-[0-9a-f]+ r-xp 00000000 /tests/explain",
    r"walk of 0x0, page table 0x[0-9a-f]+:", r"  level 2 index   0: pte 0x[0-9a-f]{16} pa 0x[0-9a-f]+ [-VRWXUGAD]{8}",
    r"cause: A null pointer was used\."]
HOG = "awk 'BEGIN { s = \"x\"; while (1) s = s s }' 2>/dev/null; dmesg"


def crash(test, append, command=CRASH + "; dmesg"):
    done = guests.boot(command, test.log, 60, variant="debug", image="test", append=append)
    if done.status != 0 or "status 139" not in done.out:
        raise Failed("%r: %s" % (append, guests.why_ended(done)))
    return done


def whole(test, members):
    """In the log and, at the console's ordinary level, on the console: all lines, in order."""
    for append, command in (("", CRASH + "; dmesg"), ("loglevel=7", CRASH), ("explain=on loglevel=7", CRASH)):
        done = crash(test, append, command)
        text = done.out + "\n" + done.err
        if not re.search(FIRST, text):
            raise Failed("%r: no first line" % append)
        at = 0
        for line in REPORT:
            found = re.compile(r"explain\[\d+\]:   %s\n" % line).search(text, at)
            if not found:
                raise Failed("%r: no line %r in its place" % (append, line))
            at = found.end()


def quiet(test, members):
    text = crash(test, "explain=quiet").out
    if not re.search(FIRST, text) or len(re.findall(r"explain\[\d+\]:", text)) != 1:
        raise Failed("not one line but %s" % re.findall(r"explain\[\d+\]: .*", text))


def off(test, members):
    text = crash(test, "explain=off", CRASH + "; cat /proc/sys/kernel/explain; dmesg").out
    if not re.search(r"^off$", text, re.M):
        raise Failed("the switch does not say off")
    if re.search(r"explain\[\d+\]:", text):
        raise Failed("it says something")


def wrong_word(test, members):
    done = crash(test, "explain=loud")
    if "explain=loud: neither on nor off nor quiet" not in done.out or "cause: A null pointer was used." not in done.out:
        raise Failed("no complaint, or no report")


def no_memory(test, members):
    done = guests.boot(HOG, test.log, 90, image="test", mem="64M")
    if "out of memory: killed awk[" not in done.out:
        raise Failed("nobody was killed: " + guests.why_ended(done))
    if not re.search(r"awk\[\d+\]:   cause: All memory is in use, and this program was chosen to end\.\n", done.out):
        raise Failed("the fault that found no memory is not explained")


def joined(literals):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))


def docs(test, members):
    """Each sentence of the kernel's table stands in docs/faults.md, beside what the table says of the address."""
    with open(os.path.join(TOP, "kernel/proc/explain_cause.c")) as file:
        source = file.read()
    with open(os.path.join(TOP, "docs/faults.md")) as file:
        rows = re.findall(r"^\| (.*) \| (.*) \|$", file.read(), re.M)
    table = re.search(r"\} texts\[\] = \{(.*?)\n\};", source, re.S).group(1)
    entries = re.findall(r"\[(\w+)\] = \{(.*?)\}(?=,\n)", table, re.S)
    if len(entries) < 40:
        raise Failed("only %d entries found in the table" % len(entries))
    for name, entry in entries:
        what, sentence = re.match(r'\s*(NULL|(?:"[^"]*"\s*)+),(.*)', entry, re.S).groups()
        if not any(said == joined(sentence) and (what == "NULL" or shown == joined(what)) for shown, said in rows):
            raise Failed("docs/faults.md has no row for %s" % name)


def tests():
    yield Test("explain.docs", docs, seconds=1, quick=True)
    for name, run in (("whole", whole), ("quiet", quiet), ("off", off), ("wrong_word", wrong_word)):
        yield Test("explain." + name, run, ["debug", "images"], seconds=5)
    yield Test("explain.no_memory", no_memory, ["release", "images"], seconds=10)
