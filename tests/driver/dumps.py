"""Memory that outlives its machine: dumps of panics and hangs, as gdb reads them."""
import os
import re
import shutil

from . import core, guests, view
from .core import Failed, Skipped, Test


def dump_of(test):
    return os.path.join(guests.DUMPS, test.name + ".dump")


def gdb(test, commands):
    """What gdb says of the dump."""
    tool = shutil.which("gdb-multiarch") or shutil.which("riscv64-linux-gnu-gdb")
    if not tool:
        raise Skipped("no gdb for riscv64 is installed")
    words = [word for command in commands for word in ("-ex", command)]
    done = core.run([tool, "-batch", "-nx"] + words + [os.path.join(core.BUILD, "debug/vitrine.elf"), dump_of(test)], limit=60, log=test.log)
    return done.out + done.err


def of_a_panic(test, members):
    """Backtrace, variables, the kernel's stack, and RAM by the direct map."""
    for name, first in (("null", "test_null"), ("assert", "panic_test_run")):
        done = guests.boot("true", test.log, 60, variant="debug", append="panic_test=" + name)
        if done.status != guests.PANIC_STATUS or "kept in " + dump_of(test) not in done.err:
            raise Failed("no dump: status %s, %s" % (done.status, done.err[-200:]))
        said = gdb(test, ["bt", "p nr_harts", "p panic_record.valid",
                          "p pt_levels", "x/1gx $sp", "p/x *(unsigned long *)(0xffffffc000000000 + kernel_pagetable.root + 510 * 8)"])
        for pattern in (first, r"kernel_main \(\)", r"\$1 = 2\n", r"\$2 = 1\n", r"\$3 = 3\n", r"0x[0-9a-f]+:\s+0x", r"\$4 = 0x[0-9a-f]*1\n"):
            if not re.search(pattern, said):
                raise Failed("%s: no %r in what gdb says: %s" % (name, pattern, said[-600:]))


def viewer(test, *words):
    done = core.run([os.path.join(core.TOP, "vitrine"), "x"] + list(words) + ["--dump", dump_of(test), "--elf", os.path.join(core.BUILD, "debug/vitrine.elf")],
                    limit=200, log=test.log, env={"VITRINE_BUILD": core.BUILD})
    if done.status != 0:
        raise Failed("x %s: %s" % (" ".join(words), done.err[-300:]))
    return done.out


def of_a_hang(test, members):
    done = guests.boot("echo begun; sleep 1000", test.log, 6, variant="debug")
    if done.status != 124 or "kept in " + dump_of(test) not in done.err:
        raise Failed("no dump: status %s, %s" % (done.status, done.err[-200:]))
    said = gdb(test, ["p harts[0].trace.next > harts[0].trace.events + 10 || harts[0].trace.laps > 0", "p nr_harts"])
    if not re.search(r"\$1 = 1\n\$2 = 2\n", said):
        raise Failed("gdb says %s" % said[-400:])
    if not re.search(r"^ *\d+ .*\bsleep$", viewer(test, "ps"), re.M) or "exec" not in viewer(test, "faults", "--all"):
        raise Failed("the engine finds neither the process nor its events")


def page_of(test):
    """What the page of the dump says, which was made when the machine ended: the file that the message leads to."""
    said = guests.boot("sleep 1000", test.log, 6, variant="debug").err
    found = re.search(r"; file://(/\S+\.html)#v=1&view=lamp$", said, re.M)
    if not found:
        raise Failed("no link in %s" % said[-300:])
    kept = view.session_in(found.group(1))
    os.unlink(found.group(1))
    return kept


def as_a_page(test, members):
    view.prepare(test)
    kept = page_of(test)
    if '"sleep"' not in kept["history"]["first"] or not kept["events"] or not kept["symbols"]:
        raise Failed("the page knows of %s..., %d events, %d symbols" % (kept["history"]["first"][:200], len(kept["events"]), len(kept["symbols"])))
    tool = [os.path.join(core.TOP, "tools/viewer.py"), "--no-open", "--dump", dump_of(test)]
    done = core.run_python(*tool, limit=100, log=test.log)  # which of the kernels here it was is found out
    if done.status != 0 or not view.session_in(dump_of(test) + ".html")["symbols"]:
        raise Failed("view --dump: " + done.tail())
    done = core.run_python(*tool, "--kernel", os.path.join(core.BUILD, "release/vitrine.elf"), limit=100, log=test.log)
    if done.status != 1 or "is not " not in done.err or os.path.exists(dump_of(test) + ".html"):
        raise Failed("the page was made with another kernel's names: " + done.tail())


def tests():
    yield Test("dump.as_a_page", as_a_page, ["debug", "release", "images"], seconds=12)
    yield Test("dump.of_a_panic", of_a_panic, ["debug", "images"], seconds=8)
    yield Test("dump.of_a_hang", of_a_hang, ["debug", "images"], seconds=9)
