"""Memory that outlives its machine: dumps of panics and hangs, as gdb reads them."""
import os
import re
import shutil

from . import core, guests
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


def tests():
    yield Test("dump.of_a_panic", of_a_panic, ["debug", "images"], seconds=8)
    yield Test("dump.of_a_hang", of_a_hang, ["debug", "images"], seconds=9)
