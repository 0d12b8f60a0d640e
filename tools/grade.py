#!/usr/bin/python3
"""Points for the page-table work (./vitrine grade, make grade).

Builds what is not built, runs each check in a guest of its own, and prints KTAP with points: a kernel that panics in one
check loses that check only. A failure says in words what was expected and where to look. Time limits grow with the time that this
machine takes for an empty command. Exit status 0: full marks.
"""
import argparse
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import machine  # noqa: E402
import walk  # noqa: E402
import walk_format  # noqa: E402

ENTRY = re.compile(r"((?:\.\. )*)\.\.(\d+): pte 0x([0-9a-f]{16}) pa 0x([0-9a-f]{16})")
ROOT = re.compile(r"page table 0x([0-9a-f]{16})")
HINTS = {
    "ugetpid_test": "USYSCALL: a read-only user page of each process, its pid in the first word; a fork has its own",
    "pgaccess_test": "pgaccess: bit i for page i; the A bits it reports are cleared, and every hart's TLB forgets them",
    "print_pgtbl": "/proc/self/pagetable: the tables as the machine walks them, a line for each valid entry",
    "print_kpgtbl": "the kernel half: no entry with U, none both writable and executable",
    "superpg_fork": "2 MiB pages: kept and shared by fork, 4 KiB parts copied on write",
    "superpg_free": "2 MiB pages: split by a partial munmap, mprotect or sbrk; every part comes back",
    "vmprint_boot": "vmprint=1: the table of process 1, in the exact text, at its first exec",
    "vmprint": "vmprint prints /proc/PID/pagetable as it is; -l appends what each entry means",
    "classic_memory": "tests/xv6/edges.c: memory, processes and pipes as programs of the classic kernel expect them",
    "classic_files": "tests/xv6/edges_fs.c: files and directories as they expect them",
}


class Wrong(Exception):
    """A check failed; the text says how."""


class Guest:
    """Boots for one command, with the options that make or the user gave."""

    def __init__(self, options, kernel, given):
        self.options, self.kernel, self.given, self.scale = options, kernel, given, 1.0

    def run(self, command, seconds, *more):
        limit = max(seconds, seconds * self.scale)
        line = [sys.executable, os.path.join(HERE, "run.py"), "--no-build", "--timeout", "%.0f" % limit, "--exec", command]
        done = subprocess.run(line + self.options + list(more), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL)
        out, err = (text.decode(errors="replace").replace("\r\n", "\n") for text in (done.stdout, done.stderr))
        if done.returncode == 124:
            raise Wrong("no end after %.0f seconds; the last line: %s" % (limit, last_line(out)))
        panic = re.search(r"^.*PANIC.*$", out + "\n" + err, re.M)
        if panic:
            raise Wrong("the kernel panicked: %s" % panic.group(0).strip())
        return out, err, done.returncode

    def measure(self):
        """How slow this machine is: an empty command takes a second or less on a common one."""
        began = time.monotonic()
        self.run("true", 300)
        self.scale = max(1.0, time.monotonic() - began)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing)"


def check_pgtbltest(name):
    def run(guest):
        out, err, status = guest.run("pgtbltest " + name, 60)
        found = re.search(r"^%s: (OK|FAILED|SKIP)(?: \((.*)\))?$" % name, out, re.M)
        if not found:
            raise Wrong("pgtbltest did not come to its end (status %d): %s" % (status, last_line(out + err)))
        if found.group(1) != "OK":
            raise Wrong("%s: %s" % (found.group(1), found.group(2)))
    return run


def read_table(lines):
    """Checks the text of one table and gives its entries: (depth, index, pte, pa)."""
    found = ROOT.fullmatch(lines[0]) if lines else None
    if not found:
        raise Wrong('the first line is not "page table 0x" and 16 digits: %s' % (lines[0] if lines else "(nothing)"))
    entries, parents = [], [True]
    for line in lines[1:]:
        found = ENTRY.fullmatch(line)
        if not found:
            raise Wrong('a line is not "..INDEX: pte 0x… pa 0x…": %s' % line)
        depth, index, pte, pa = len(found.group(1)) // 3, int(found.group(2)), int(found.group(3), 16), int(found.group(4), 16)
        if not pte & 1 or index > 511 or pa != (pte >> 10 & (1 << 44) - 1) << 12:
            raise Wrong("an entry that is not valid, or whose pa is not that of its pte: %s" % line)
        if depth >= len(parents) or not parents[depth]:
            raise Wrong("an entry without a table above it: %s" % line)
        parents[depth + 1:] = [not pte & 0xe]
        entries.append((depth, index, pte, pa))
    if not any(pte & 0xe for _, _, pte, _ in entries):
        raise Wrong("no leaf is in it")
    return entries


def check_vmprint_boot(guest):
    out, err, _ = guest.run("dmesg", 60, "--append", "vmprint=1")
    lines = [re.sub(r"^\[ *\d+\.\d+\] ", "", line) for line in out.splitlines()]
    at = [i for i, line in enumerate(lines) if line.startswith("page table ")]
    if not at:
        raise Wrong("no page table among the kernel's messages")
    table = lines[at[0]:at[0] + 1]
    for line in lines[at[0] + 1:]:
        if not line.startswith(".."):
            break
        table.append(line)
    read_table(table)


def check_vmprint(guest):
    out, _, status = guest.run("cat /proc/1/pagetable >/tmp/t; vmprint 1 >/tmp/v; cmp /tmp/t /tmp/v && cat /tmp/v; echo ---; vmprint -l 1", 60)
    plain, _, decoded = out.partition("---\n")
    if status or not decoded:
        raise Wrong("vmprint 1 is not the text of /proc/1/pagetable, or vmprint -l fails (status %d)" % status)
    lines, longer = plain.splitlines(), decoded.splitlines()
    read_table(lines)
    if len(lines) != len(longer) or any(not b.startswith(a) for a, b in zip(lines, longer)):
        raise Wrong("vmprint -l does not repeat the exact text")
    if any("  va 0x" not in line for line in longer[1:]):
        raise Wrong("vmprint -l does not tell the address of each entry")


def check_classic(name):
    def run(guest):
        source = os.path.join(machine.TOP, "tests/xv6", name + ".c")
        done = subprocess.run([sys.executable, os.path.join(HERE, "xv6.py"), source], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True)
        if done.returncode:
            raise Wrong("does not compile: %s" % last_line(done.stdout))
        out, err, _ = guest.run("/xv6/" + name, 240)
        bad = re.search(r"^test .*FAILED.*$", out, re.M)
        if bad:
            raise Wrong(bad.group(0))
        if "\nALL TESTS PASSED\n" not in out:
            raise Wrong("did not come to its end: %s" % last_line(out + err))
    return run


def check_walk(name):
    """A guided walk (docs/walks.md): its proofs are read out of the guest's memory, not believed from its console."""
    def run(guest):
        try:
            outcomes = walk.take_silently(name, guest.kernel, guest.given, guest.scale)
        except walk_format.FormatError as error:
            raise Wrong(str(error))
        wrong = [outcome for outcome in outcomes if outcome.why]
        if wrong:
            raise Wrong("step %s: %s" % (wrong[0].step, "\n#   ".join(wrong[0].lines())))
    return run


PGTBL = [  # name, points, check
    ("ugetpid_test", 10, check_pgtbltest("ugetpid_test")),
    ("print_pgtbl", 10, check_pgtbltest("print_pgtbl")),
    ("vmprint_boot", 10, check_vmprint_boot),
    ("vmprint", 5, check_vmprint),
    ("pgaccess_test", 15, check_pgtbltest("pgaccess_test")),
    ("print_kpgtbl", 10, check_pgtbltest("print_kpgtbl")),
    ("superpg_fork", 15, check_pgtbltest("superpg_fork")),
    ("superpg_free", 15, check_pgtbltest("superpg_free")),
]
CLASSIC = [("classic_memory", 5, check_classic("edges")), ("classic_files", 5, check_classic("edges_fs"))]
WALKS = [("walk." + name, 5, check_walk(name)) for name in walk_format.walk_names()]
HINTS.update(("walk." + name, "every step of the walk holds: ./vitrine walk %s takes it with you" % name) for name in walk_format.walk_names())
GROUPS = {"pgtbl": PGTBL, "classic": CLASSIC, "walks": WALKS}
USUAL = PGTBL + CLASSIC  # without names; the walks are graded when they are asked for


def parse(argv):
    parser = argparse.ArgumentParser(prog="vitrine grade", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, meta in (("harts", "N"), ("mem", "SIZE"), ("variant", "KIND"), ("kernel", "ELF")):
        parser.add_argument("--" + name, metavar=meta, help="as for ./vitrine run")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="pgtbl, classic, walks, or single checks (default: pgtbl and classic): " + " ".join(name for name, _, _ in USUAL + WALKS))
    args = parser.parse_args(argv)
    checks = USUAL + WALKS if args.names else USUAL
    unknown = [name for name in args.names if name not in GROUPS and name not in [check[0] for check in checks]]
    if unknown:
        parser.error("no check is called %s" % " ".join(unknown))
    if args.names:
        checks = [c for c in checks if any(c[0] == name or c in GROUPS.get(name, ()) for name in args.names)]
    return args, checks


def build(args):
    """The options for run.py; kernel and image are there afterwards."""
    options = []
    for name in ("harts", "mem", "variant", "kernel"):
        if getattr(args, name):
            options += ["--" + name, getattr(args, name)]
    if not args.kernel:
        variant, _, clang = (args.variant or "release").partition("-")
        machine.make("kernel", "V=" + variant, "CC_KIND=" + (clang or "gcc"))
    machine.make(os.path.relpath(machine.image_path("disk"), machine.TOP))
    return options


def main(argv):
    args, checks = parse(argv)
    points = total = 0
    try:
        options = build(args)
        guest = Guest(options, args.kernel or machine.kernel_path(args.variant or "release"), {"harts": args.harts, "mem": args.mem})
        guest.measure()
    except (machine.Problem, Wrong) as problem:
        print("Bail out! %s" % problem)
        print("Score: 0/%d" % sum(worth for _, worth, _ in checks))
        return 1
    print("KTAP version 1\n1..%d" % len(checks))
    for number, (name, worth, check) in enumerate(checks, 1):
        total += worth
        try:
            check(guest)
            points += worth
            print("ok %d %s # %d of %d points" % (number, name, worth, worth), flush=True)
        except (Wrong, machine.Problem) as wrong:
            print("not ok %d %s # 0 of %d points" % (number, name, worth))
            print("#   %s\n#   wanted: %s" % (wrong, HINTS[name]), flush=True)
    print("Score: %d/%d" % (points, total))
    return 0 if points == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
