"""Programs from outside (--add), the page-table work, and /proc/self/pagetable against QEMU's own view."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from . import core, guests
from .core import TOP, WORK, Failed, Test

PROGRAM = r"""
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
static volatile int hits;
static void on(int s) { hits += s; }
static void *sum(void *p) { double s = 0; for (int i = 1; i <= 100000; i++) s += 1.0 / ((double)i * i); *(double *)p = s; return 0; }
int main(int argc, char **argv)
{
    pthread_t t[4]; double r[4]; char line[64] = "";
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, sum, &r[i]);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    signal(SIGUSR1, on); raise(SIGUSR1);
    int *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); m[1500] = 5;
    FILE *f = fopen("/tmp/added", "w+"); fprintf(f, "%s\n", argc > 1 ? argv[1] : "none"); rewind(f); fgets(line, sizeof line, f);
    printf("%.4f %d %d %s", sqrt(r[0] * 6), hits, m[1500], line);
    return r[0] == r[3] ? 0 : 1;
}
"""


def cross(source, name, log, flags=("-static",)):
    os.makedirs(WORK, exist_ok=True)
    out = os.path.join(WORK, name)
    done = core.run(["riscv64-linux-gnu-gcc", "-O2", "-o", out, source] + list(flags) + ["-pthread", "-lm"], limit=120, log=log)
    if done.status != 0:
        raise Failed("does not compile: " + done.tail())
    return out


def added_program(test, members):
    source = os.path.join(WORK, "added.c")
    os.makedirs(WORK, exist_ok=True)
    with open(source, "w") as file:
        file.write(PROGRAM)
    for name, flags, image in (("added-static", ("-static",), None), ("added-dynamic", (), "test")):
        program = cross(source, name, test.log, flags)
        done = guests.boot("/root/prog 'two words'", test.log, 60, image=image, add=[program + ":/root/prog"])
        if done.status != 0 or done.out != "3.1416 10 5 two words\n":
            raise Failed("%s: status %s, printed %r" % (name, done.status, done.out[-200:]))


def pgtbltest(test, members):
    wanted = ("ugetpid_test", "pgaccess_test", "print_pgtbl")
    for variant in ("release", "debug"):
        done = guests.boot("pgtbltest", test.log, 120, variant)
        missing = [name for name in wanted if "%s: OK" % name not in done.out]
        if missing or "pgtbltest: all tests succeeded" not in done.out or done.status != 0:
            raise Failed("%s kernel: %s; %s" % (variant, " ".join(missing), done.out.strip().splitlines()[-1:]))


class Qmp:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        for _ in range(100):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise Failed("QEMU's control socket does not answer")
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failed("QEMU: %s" % answer["error"].get("desc"))


def pages_of_text(text):
    """{va: (pa, rights)} of the user's half in the vmprint format."""
    entries, index = [], [0] * 6
    for line in text.splitlines():
        found = re.match(r"^((?:\.\. )*)\.\.(\d+): pte 0x([0-9a-f]{16}) pa 0x([0-9a-f]{16})$", line)
        if not found:
            continue
        depth = len(found.group(1)) // 3
        index[depth] = int(found.group(2))
        entries.append((depth, tuple(index[:depth + 1]), int(found.group(3), 16), int(found.group(4), 16)))
    if not entries:
        raise Failed("no page table was printed")
    levels = max(depth for depth, _, _, _ in entries) + 1
    pages = {}
    for depth, path, pte, pa in entries:
        if not pte & 0xe:
            continue
        va = sum(part << (12 + 9 * (levels - 1 - place)) for place, part in enumerate(path))
        if va < 1 << (12 + 9 * levels - 1):
            for off in range(0, 4096 << (9 * (levels - 1 - depth)), 4096):
                pages[va + off] = (pa + off, "".join(c if pte & bit else "-" for c, bit in zip("rwxu", (2, 4, 8, 16))))
    return pages, levels


def pages_of_qemu(text, levels):
    pages = {}
    for line in text.splitlines():
        found = re.match(r"^([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16}) ([-rwxu]{4})", line)
        if found:
            va, pa, size = (int(part, 16) for part in found.groups()[:3])
            if va < 1 << (12 + 9 * levels - 1):
                for off in range(0, size, 4096):
                    pages[va + off] = (pa + off, found.group(4))
    return pages


def against_qemu(append):
    def run(test, members):
        program = cross(os.path.join(TOP, "tests/boot/pagetable_spin.c"), test.name, test.log)
        with tempfile.TemporaryDirectory(prefix="vt-") as folder:
            path = os.path.join(folder, "qmp")
            line = [sys.executable, guests.RUN, "--no-build", "--harts", "1", "--timeout", "90", "--exec", "/root/spin",
                    "--add", program + ":/root/spin", "--qemu-arg=-qmp", "--qemu-arg=unix:%s,server=on,wait=off" % path]
            process = subprocess.Popen(line + (["--append", append] if append else []), stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True, cwd=TOP)
            core.CHILDREN.add(process)
            try:
                compare(test, process, path)
            finally:
                core.kill_group(process)
                process.wait()
                core.CHILDREN.drop(process)
    return run


def compare(test, process, path):
    text = b""
    while b"spinning\n" not in text:
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            core.write_log(test.log, text.decode(errors="replace"))
            raise Failed("the program did not print its page table")
        text += piece
    time.sleep(0.5)
    qmp = Qmp(path)
    qmp.command("stop")
    seen = qmp.command("human-monitor-command", **{"command-line": "info mem"})
    ours, levels = pages_of_text(text.decode(errors="replace"))
    theirs = pages_of_qemu(seen, levels)
    core.write_log(test.log, text.decode(errors="replace") + "\n" + seen)
    differ = [va for va in sorted(set(ours) | set(theirs)) if ours.get(va) != theirs.get(va)]
    # Pages that came after the text was taken: its own buffers' last and the stack's.
    changed = [va for va in differ if va in ours]
    if len(ours) < 50 or changed or len(differ) > 16:
        raise Failed("%d of %d pages differ; first 0x%x: %s, QEMU has %s" % (
            len(differ), len(ours), (changed or differ or [0])[0], ours.get((changed or differ or [0])[0]),
            theirs.get((changed or differ or [0])[0])))


def vmprint_at_boot(test, members):
    done = guests.boot("dmesg", test.log, 60, append="vmprint=1")
    if not re.search(r"page table 0x[0-9a-f]{16}(?s:.*)\.\.\d+: pte 0x[0-9a-f]{16} pa 0x[0-9a-f]{16}", done.out + done.err):
        raise Failed("no page table in the kernel's messages")


def tests():
    yield Test("program.added", added_program, ["release", "images"], seconds=10, quick=True)
    yield Test("pagetable.pgtbltest", pgtbltest, ["release", "debug", "images"], seconds=12)
    for name, append in (("sv39", ""), ("sv48", "paging=sv48"), ("sv57", "paging=sv57")):
        yield Test("pagetable.against_qemu_" + name, against_qemu(append), ["release", "images"], seconds=8)
    yield Test("pagetable.vmprint_at_boot", vmprint_at_boot, ["release", "images"], seconds=5)
