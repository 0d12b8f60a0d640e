#!/usr/bin/env python3
"""Where the instructions of a benchmark row go, function by function.

    ./vitrine bench --profile ROW                 instructions and calls of each function, per operation
    ./vitrine bench --profile ROW --annotate FN   the same for each instruction of one function
    ./vitrine bench --profile boot --mem 256M     everything that runs until `true` has run

Boots the release kernel under deterministic instruction counting with tools/profile/count.c, a QEMU plugin that counts
every instruction executed between two hints that user/bench.c runs around what it measures. Columns: instructions per operation,
share, calls per operation, instructions per call (without callees), name. For the streams an operation is 4 KiB.
"""
import argparse
import bisect
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402

CROSS = os.environ.get("CROSS", "riscv64-linux-gnu-")
PLUGIN_SOURCE = os.path.join(machine.TOP, "tools", "profile", "count.c")
KERNEL_HALF = 1 << 63
FIRMWARE = range(0x80000000, 0x80200000)
STREAM_UNIT = 4096


def capture(argv):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        raise machine.Problem("%s failed with status %d\n%s" % (argv[0], done.returncode, done.stdout))
    return done.stdout


def plugin_build():
    target = os.path.join(machine.BUILD, "profile", "count.so")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(PLUGIN_SOURCE):
        capture([machine.find_tool("gcc", "gcc"), "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-o", target, PLUGIN_SOURCE])
    return target


class Symbols:
    """Function names of one ELF file by address."""

    def __init__(self, elf):
        self.elf, self.starts, self.names = elf, [], []
        for line in capture([CROSS + "nm", "-n", elf]).splitlines():
            found = re.match(r"([0-9a-f]+) [tTwW] (\S+)$", line)
            if not found or found.group(2).startswith((".", "$")):
                continue
            start = int(found.group(1), 16)
            if not self.starts or self.starts[-1] != start:
                self.starts.append(start)
                self.names.append(found.group(2))

    def find(self, addr):
        """(name, start) of the function around an address, or None."""
        at = bisect.bisect_right(self.starts, addr) - 1
        return (self.names[at], self.starts[at]) if at >= 0 else None


def run_counted(command, args, *plugin_arguments):
    """Runs a command in the guest with the plugin; returns ({address: count}, what the command printed)."""
    with tempfile.TemporaryDirectory(dir=machine.run_directory()) as folder:
        counts_path = os.path.join(folder, "counts")
        plugin = ",".join([plugin_build(), "out=" + counts_path, *plugin_arguments])
        argv = [sys.executable, os.path.join(machine.TOP, "tools", "run.py"), "--icount", "--mem", args.mem,
                "--timeout", args.timeout, "--exec", command, "--qemu-arg=-plugin", "--qemu-arg=" + plugin]
        if args.append:
            argv += ["--append", args.append]
        if args.kernel:
            argv += ["--kernel", args.kernel, "--no-build"]
        text = capture(argv)
        with open(counts_path) as file:
            counts = {int(a, 16): int(n) for a, n in (line.split() for line in file)}
    return counts, text


def run_bench(row, args):
    """({address: count}, the figure that the row printed)"""
    counts, text = run_counted("/bin/bench " + row, args)
    figure = re.search(r"^%s (\d+)\s*$" % re.escape(row), text, re.M)
    if not figure:
        raise machine.Problem("the row gave no figure:\n" + text)
    if not counts:
        raise machine.Problem("nothing was counted: is the benchmark older than its hints?")
    return counts, int(figure.group(1))


def by_function(counts, kernel, user):
    """{name: [instructions, calls]}"""
    table = {}
    for addr, count in counts.items():
        if addr >= KERNEL_HALF:
            name, start = kernel.find(addr) or ("kernel ?", 0)
        elif addr in FIRMWARE:
            name, start = "(firmware)", 0
        else:
            name, start = user.find(addr) or ("?", 0)
            if addr - start > 1 << 20:
                name = "?"  # the vDSO, or a signal trampoline
            name = "user:" + name
        entry = table.setdefault(name, [0, 0])
        entry[0] += count
        if addr == start:
            entry[1] += count
    return table


def print_functions(table, operations, limit):
    total = sum(instructions for instructions, _ in table.values())
    rows = sorted(table.items(), key=lambda item: -item[1][0])
    print("%10s %6s %8s %8s  %s" % ("insns/op", "share", "calls/op", "per call", "function"))
    for name, (instructions, calls) in rows[:limit]:
        print("%10.1f %5.1f%% %8s %8s  %s" % (
            instructions / operations, 100 * instructions / total, "%.2f" % (calls / operations) if calls else "",
            "%.0f" % (instructions / calls) if calls else "", name))
    print("%10.1f %5.1f%%  %s" % (total / operations, 100, "total of %d functions" % len(rows)))


def print_annotated(counts, symbols, function, operations):
    text = capture([CROSS + "objdump", "-dl", "--no-show-raw-insn", "--disassemble=" + function, symbols.elf])
    for line in text.splitlines():
        found = re.match(r"\s*([0-9a-f]+):\s(.*)$", line)
        if found:
            count = counts.get(int(found.group(1), 16), 0)
            print("%10s  %s" % ("%.2f" % (count / operations) if count else "", line.strip()))
        elif line.strip():
            print(" " * 12 + line)


def main():
    parser = argparse.ArgumentParser(prog="./vitrine bench --profile", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", metavar="ROW", help="a row of the benchmark; boot: from power-on through `true` to power-off")
    parser.add_argument("--annotate", action="append", default=[], metavar="FN", help="each instruction of a function")
    parser.add_argument("--top", type=int, default=45, metavar="N", help="this many functions (default 45)")
    parser.add_argument("--append", default="", metavar="ARGS", help="kernel arguments")
    parser.add_argument("--mem", default="1G", metavar="SIZE")
    parser.add_argument("--kernel", metavar="ELF", help="this kernel, as it is (nothing is built)")
    parser.add_argument("--timeout", default="600", metavar="S")
    args = parser.parse_args()

    binary = os.path.join(machine.BUILD, "user", "bench")
    if not args.kernel:
        machine.make("kernel", "user", "V=release")
    kernel, user = Symbols(args.kernel or machine.kernel_path("release")), Symbols(binary)
    if args.row == "boot":
        counts, _ = run_counted("true", args, "all=on")
        operations = 1
    else:
        counts, figure = run_bench(args.row, args)
        print("%s %d" % (args.row, figure))
        per_operation = STREAM_UNIT * 1000 / figure if args.row.startswith("stream_") else figure
        operations = sum(counts.values()) / per_operation
    print_functions(by_function(counts, kernel, user), operations, args.top)
    for function in args.annotate:
        print_annotated(counts, kernel, function, operations)


if __name__ == "__main__":
    try:
        main()
    except machine.Problem as problem:
        print("profile: %s" % problem, file=sys.stderr)
        sys.exit(125)
