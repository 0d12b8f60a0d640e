#!/usr/bin/env python3
"""Run user/bench.c on Vitrine and on Debian's Linux, in the same QEMU, and compare.

    ./vitrine bench [ROW...]        instructions an operation, exact and repeatable (-icount, one hart)
    ./vitrine bench --wall          nanoseconds on this machine, the two guests in turn
    ./vitrine bench --isolate       Vitrine alone, in both designs: what user code on a table of its own costs (isolate=1)
    ./vitrine bench --rings         the same for the event rings: a kernel built without them against one with them
    ./vitrine bench --update-docs   put the table into docs/performance.md, docs/isolation.md or docs/view.md
    ./vitrine bench --scale         what a second hart is worth (tools/scale.py)
    ./vitrine bench --profile ROW   where one row's instructions go (tools/profile.py)

A ratio below 1 means that Vitrine is cheaper; for the streams, whose figures are bytes per 1,000
instructions, the ratio is turned over so that it means the same. Both guests run the same static
binary, have 1 GiB and one hart, and use an ext4 disk on virtio-blk. Linux's disk is as mke2fs makes it
(with a journal); its rows that touch files are measured with blocks of 4 KiB and of 1 KiB, and the
better figure counts. Counted figures of Linux are kept in build/bench-linux.json, under the hash of the
benchmark and the version of the kernel.
"""

import argparse
import datetime
import hashlib
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("VITRINE_BUILD", ROOT / "build"))
CROSS_CC = os.environ.get("CROSS", "riscv64-linux-gnu-") + "gcc"
CACHE = BUILD / "bench-linux.json"
DOCS = ROOT / "docs" / "performance.md"
DOCS_ISOLATE = ROOT / "docs" / "isolation.md"
DOCS_RINGS = ROOT / "docs" / "view.md"
MARK_BEGIN, MARK_END = "<!-- bench:begin -->", "<!-- bench:end -->"

GUEST_BENCH = "/bin/bench"
MEM = "1G"
WALL_ROUNDS = 3
STREAM_PREFIX = "stream_"
# No row above Linux, the geometric mean of all ratios at most this, and these rows at most so many instructions.
GOAL_MEAN = 0.4
GOALS = {"clock_gettime": 50, "fork_exit": 60_000, "fork_big64M": 150_000, "fork_exec": 100_000, "anon_fault": 1_200,
         "anon_huge": 750, "cow_fault": 2_000, "mmap_munmap": 5_000, "mprotect_pair": 3_500, "file_mmap_touch": 300}

EXT4_4K = "-b 4096 -E lazy_itable_init=0,lazy_journal_init=0"
EXT4_1K = "-b 1024 -E lazy_itable_init=0,lazy_journal_init=0"
FILE_ROWS = ["stat", "open_close", "create_unlink", "file_mmap_touch", "stream_write", "stream_read"]


class BenchError(Exception):
    pass


def is_stream(row):
    return row.startswith(STREAM_PREFIX)


def better(row, a, b):
    return max(a, b) if is_stream(row) else min(a, b)


def cost_ratio(row, ours, theirs):
    return theirs / ours if is_stream(row) else ours / theirs


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def capture(argv, what):
    """Standard output of a command; its standard error goes where ours goes."""
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, cwd=ROOT, check=False)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise BenchError(f"{what} failed with status {done.returncode}\n{text}".rstrip())
    return text


def parse_rows(text):
    """{row: figure} of the benchmark's output; lines of another form are passed over."""
    found = re.findall(r"^([a-z]\w*) ([0-9]+)\r?$", text, re.M)
    return {row: int(value) for row, value in found}


def bench_build():
    """The one binary for both guests. Returns its path, its hash and the names of its rows in order."""
    target = BUILD / "bench" / "bench"
    source = ROOT / "user" / "bench.c"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        capture([CROSS_CC, "-std=gnu17", "-O2", "-static", "-Wall", "-Wextra", "-o", target, source], CROSS_CC)
    rows = re.findall(r'^\s*\{\s*"(\w+)",\s*row_\w+\s*\},$', source.read_text(), re.M)
    if not rows:
        raise BenchError(f"no table of rows was found in {source}")
    return target, hashlib.sha256(target.read_bytes()).hexdigest()[:16], rows


# ---- the two guests ----


def vitrine_run(binary, rows, args, append="", kernel=None):
    argv = [ROOT / "vitrine", "run", "--mem", MEM, "--timeout", args.timeout,
            "--add", f"{binary}:{GUEST_BENCH}", "--exec", " ".join([GUEST_BENCH, *rows])]
    argv += ["--harts", "1"] if args.wall else ["--icount"]
    argv += ["--kernel", kernel] if kernel else []
    words = [text for text in (append, args.append) if text]
    if words:
        argv += ["--append", " ".join(words)]
    return parse_rows(capture(argv, "the benchmark on Vitrine"))


def linux_guest(*argv):
    return capture([ROOT / "tools" / "linux-guest", *argv], "the benchmark on Linux")


def linux_run_once(binary, rows, args, fs_options):
    mode = ["--harts", "1"] if args.wall else ["--icount"]
    return parse_rows(linux_guest("--mem", MEM, *mode, "--timeout", args.timeout, f"--fs-options={fs_options}",
                                  "--add", f"{binary}:{GUEST_BENCH}",
                                  "--exec", " ".join([GUEST_BENCH, *rows])))


def linux_run(binary, rows, args):
    figures = linux_run_once(binary, rows, args, EXT4_4K)
    file_rows = [row for row in FILE_ROWS if row in rows]
    if file_rows:
        for row, value in linux_run_once(binary, file_rows, args, EXT4_1K).items():
            figures[row] = better(row, value, figures[row])
    return figures


def cache_load():
    try:
        return json.loads(CACHE.read_text())
    except (OSError, ValueError):
        return {}


def linux_figures(binary, digest, rows, args):
    """(version, figures), from the cache as far as it goes."""
    version = linux_guest("--kernel-version").strip()
    cache = cache_load()
    known = cache.setdefault(f"{digest} {version}", {})
    missing = [row for row in rows if row not in known]
    if missing:
        print(f"bench: measuring {len(missing)} rows on Linux {version}", file=sys.stderr)
        known.update(linux_run(binary, missing, args))
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        temporary = CACHE.with_suffix(".new")
        temporary.write_text(json.dumps(cache, indent=1) + "\n")
        temporary.replace(CACHE)
    return version, {row: known[row] for row in rows if row in known}


def wall_figures(binary, rows, args):
    """The best of some rounds on each guest, in turn, so that both see the same machine."""
    ours, theirs, version = {}, {}, None
    if not args.no_linux:
        version = linux_guest("--kernel-version").strip()
    for nr in range(WALL_ROUNDS):
        print(f"bench: round {nr + 1} of {WALL_ROUNDS}", file=sys.stderr)
        for row, value in vitrine_run(binary, rows, args).items():
            ours[row] = better(row, value, ours.get(row, value))
        if not args.no_linux:
            for row, value in linux_run_once(binary, rows, args, EXT4_4K).items():
                theirs[row] = better(row, value, theirs.get(row, value))
    return ours, version, theirs


def kernel_without_rings():
    """Built beside the others, since it differs in a flag of the whole build."""
    folder = BUILD / "no-rings"
    capture(["make", "-s", "-C", ROOT, f"-j{os.cpu_count() or 1}", "kernel", "V=release", "TRACE=0",
             f"B={os.path.relpath(folder, ROOT)}"], "the kernel without rings")
    return folder / "release" / "vitrine.elf"


def design_figures(binary, rows, args, designs):
    """The figures of each design, which is what vitrine_run takes; on the wall clock the best of some rounds, in turn."""
    found = [{} for _ in designs]
    for nr in range(WALL_ROUNDS if args.wall else 1):
        if args.wall:
            print(f"bench: round {nr + 1} of {WALL_ROUNDS}", file=sys.stderr)
        for design, figures in zip(designs, found):
            for row, value in vitrine_run(binary, rows, args, **design).items():
                figures[row] = better(row, value, figures.get(row, value))
    return found


# ---- the table ----


def ratios_of(rows, ours, theirs):
    return {row: cost_ratio(row, ours[row], theirs[row]) for row in rows
            if ours.get(row) and theirs.get(row)}


def means_of(ratios):
    """[(what, mean)]: over the operations, and over everything when there are streams too."""
    operations = [value for row, value in ratios.items() if not is_stream(row)]
    means = []
    if operations:
        means.append((f"geometric mean of {len(operations)} operations", geometric_mean(operations)))
    if len(ratios) > len(operations):
        means.append((f"geometric mean of all {len(ratios)} rows", geometric_mean(list(ratios.values()))))
    return means


def figure(value):
    return "–" if value is None else f"{value:,}"


def remark_of(row, value, goals):
    if row not in goals or value is None:
        return ""
    return f"   {'goal' if value <= goals[row] else 'MISSED: goal'} {goals[row]:,}"


def print_table(rows, names, figures, ratios, remark="", goals=()):
    print(f"{'row':<34}{names[0]:>12}{names[1]:>12}{'ratio':>8}")
    for row in rows:
        ratio = f"{ratios[row]:.2f}" if row in ratios else ""
        print(f"{row:<34}{figure(figures[0].get(row)):>12}{figure(figures[1].get(row)):>12}{ratio:>8}"
              + remark_of(row, figures[0].get(row), goals) + (remark if ratios.get(row, 0) > 1 else ""))
    for what, mean in means_of(ratios):
        print(f"{what:<58}{mean:>8.2f}")


def markdown_table(rows, names, figures, ratios, what, args):
    qemu = capture(["qemu-system-riscv64", "--version"], "qemu").split("\n")[0].split("version ")[-1].split(" ")[0]
    unit = "nanoseconds, best of three rounds" if args.wall else "instructions (`-icount shift=0,sleep=off`)"
    lines = [MARK_BEGIN, "",
             f"Measured {datetime.date.today().isoformat()}: {unit}, one hart, {MEM}, QEMU {qemu}; {what}. "
             "Streams are bytes per 1,000 of these, more is better; their ratio is turned over.", "",
             f"| row | {names[0]} | {names[1]} | ratio |", "|---|---:|---:|---:|"]
    for row in rows:
        ratio = f"{ratios[row]:.2f}" if row in ratios else "–"
        lines.append(f"| {row} | {figure(figures[0].get(row))} | {figure(figures[1].get(row))} | {ratio} |")
    lines += [f"| **{what}** | | | **{mean:.2f}** |" for what, mean in means_of(ratios)]
    lines += ["", MARK_END]
    return "\n".join(lines)


def docs_update(path, table):
    text = path.read_text() if path.exists() else f"# Performance\n\n{MARK_BEGIN}\n{MARK_END}\n"
    if MARK_BEGIN not in text or MARK_END not in text:
        raise BenchError(f"{path.relative_to(ROOT)} has no lines {MARK_BEGIN} and {MARK_END} for the table")
    head, rest = text.split(MARK_BEGIN, 1)
    tail = rest.split(MARK_END, 1)[1]
    path.parent.mkdir(exist_ok=True)
    path.write_text(head + table + tail)
    print(f"bench: wrote {path.relative_to(ROOT)}")


def goal_failures(rows, ours, theirs, ratios):
    """What keeps the figures from the goal, one line each."""
    lines = [f"{row}: no figure" for row in rows if row not in ours or row not in theirs]
    lines += [f"{row}: {ratio:.2f} of Linux's cost" for row, ratio in ratios.items() if ratio > 1]
    lines += [f"{row}: {ours[row]:,}, the goal is {goal:,}" for row, goal in GOALS.items() if ours.get(row, 0) > goal]
    lines += [f"{what}: {mean:.2f}, the goal is {GOAL_MEAN}" for what, mean in means_of(ratios) if mean > GOAL_MEAN]
    return lines


def parse_args(known):
    parser = argparse.ArgumentParser(prog="./vitrine bench", description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these rows: " + " ".join(known))
    parser.add_argument("--wall", action="store_true", help="wall-clock time, the two guests in turn")
    parser.add_argument("--no-linux", action="store_true", help="Vitrine only")
    parser.add_argument("--only-linux", action="store_true", help="Linux only, into the cache")
    parser.add_argument("--isolate", action="store_true", help="both designs of Vitrine side by side, without Linux")
    parser.add_argument("--rings", action="store_true", help="a kernel without the event rings against the usual one")
    parser.add_argument("--append", default="", help="more kernel arguments for Vitrine")
    parser.add_argument("--check", action="store_true", help="status 1 when a figure misses its goal")
    parser.add_argument("--update-docs", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--timeout", default="600", metavar="S", help="for one run of a guest")
    args = parser.parse_args()
    unknown = [row for row in args.rows if row not in known]
    if unknown:
        parser.error(f"no row named {', '.join(unknown)}; there are: {' '.join(known)}")
    if args.update_docs and args.rows:
        parser.error("--update-docs writes the whole table: name no rows with it")
    if (args.isolate or args.rings) and (args.only_linux or args.check):
        parser.error("--isolate and --rings compare Vitrine with itself")
    if args.only_linux and (args.wall or args.no_linux or args.check or args.update_docs):
        parser.error("--only-linux fills the cache, nothing else")
    return args


def compare_designs(binary, rows, args, names, designs, path, what):
    """Vitrine against itself; a ratio above 1 is what the second design costs."""
    first, second = design_figures(binary, rows, args, designs)
    ratios = ratios_of(rows, second, first)
    print_table(rows, names, (first, second), ratios)
    if args.update_docs:
        docs_update(path, markdown_table(rows, names, (first, second), ratios, what, args))
    return 0 if all(row in ratios for row in rows) else 1


def main():
    for option, tool in (("--profile", "profile.py"), ("--scale", "scale.py")):
        if option in sys.argv:
            argv = [arg for arg in sys.argv[1:] if arg != option]
            return subprocess.run([sys.executable, ROOT / "tools" / tool, *argv], check=False).returncode
    binary, digest, known = bench_build()
    args = parse_args(known)
    rows = [row for row in known if not args.rows or row in args.rows]

    if args.isolate:
        return compare_designs(binary, rows, args, ("isolate=0", "isolate=1"), ({}, {"append": "isolate=1"}),
                               DOCS_ISOLATE, "Vitrine in both designs")
    if args.rings:
        return compare_designs(binary, rows, args, ("without rings", "with rings"), ({"kernel": kernel_without_rings()}, {}),
                               DOCS_RINGS, "Vitrine without and with the event rings")
    ours, version, theirs = {}, None, {}
    if args.wall:
        ours, version, theirs = wall_figures(binary, rows, args)
    else:
        if not args.only_linux:
            ours = vitrine_run(binary, rows, args)
        if not args.no_linux:
            try:
                version, theirs = linux_figures(binary, digest, rows, args)
            except BenchError as error:
                # Vitrine's own figures are worth having without the other system.
                if args.only_linux or args.check:
                    raise
                print(f"bench: no figures of Linux: {error}", file=sys.stderr)
    ratios = ratios_of(rows, ours, theirs)
    names, figures = ("Vitrine", "Linux"), (ours, theirs)
    print_table(rows, names, figures, ratios, "  above Linux", () if args.wall else GOALS)
    if args.update_docs:
        docs_update(DOCS, markdown_table(rows, names, figures, ratios, f"Linux is Debian's {version or 'kernel (not run)'}", args))
    if args.check:
        failures = goal_failures(rows, ours, theirs, ratios)
        for line in failures:
            print(f"bench: goal missed: {line}")
        return 1 if failures else 0
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(125)
