#!/usr/bin/python3
"""The test driver behind ./vitrine test.

usage: ./vitrine test [--list] [--quick] [-v] [NAME...]
       ./vitrine test --mutants [NAME...]

NAME is a test's name, the beginning of one, or a shell pattern: host.  guest.debug.pipe  'boot.*clang'. Without names
everything runs: builds without warnings, host tests, guest tests on the debug and the release kernel, BusyBox, the console, the boot
matrix, torture, abuse, too little memory. At most two guests run at a time. Output is KTAP, with one line of progress on a terminal; logs are
in build/test-logs/. The last line is "N passed, N failed"; the exit status is 1 when anything failed.

--mutants plants the bugs of tests/mutants one by one in a copy of the tree, and expects the tests that each names to fail.

Environment: TEST_SCALE (time limits in guests), TEST_FULL=0|1 (long seeded cases), TEST_SEED, TORTURE_SECONDS, TEST_JOBS (guests at a time); TEST_ON=linux runs the guest
and shell sets on Debian's Linux instead (tools/linux-guest), to see whether a test is right.
"""
import argparse
import concurrent.futures
import os
import shutil
import signal
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from boot import matrix  # noqa: E402
from driver import (abuse, builds, console, core, dumps, explain, gdbsession, grade, guests, host, inside, memory,  # noqa: E402
                    mutants, sessions, shell, swap, view, viewer, walks, xv6)
from driver.core import BUILDS, FAILED, OK, SKIPPED, Failed, Output, Result, Skipped  # noqa: E402

PARALLEL = int(os.environ.get("TEST_JOBS", "2"))


def all_tests():
    found = []
    for part in (builds, host, mutants, guests, shell, console, inside, explain, dumps, gdbsession, xv6, grade, matrix, abuse, memory,
                 swap, sessions, view, viewer, walks):
        found += list(part.tests())
    return found


def run_test(test, members):
    """The Results of one test; nothing that goes wrong in it reaches the others."""
    try:
        for need in test.needs:
            if core.ON_LINUX and need != "images":
                continue
            problem = BUILDS.get(need)
            if problem:
                raise Failed("not built: " + problem)
        results = test.run(test, members)
        if results is None:
            return [Result(test.name, OK)]
        return results
    except Failed as problem:
        return [Result(test.name, FAILED, problem)]
    except Skipped as reason:
        return [Result(test.name, SKIPPED, reason)]
    except Exception as error:  # the driver's own mistake is a failure too, with its place
        core.write_log(test.log, traceback.format_exc())
        return [Result(test.name, FAILED, "driver: %s: %s" % (type(error).__name__, error))]


def run_all(chosen, output):
    def one(item):
        test, members = item
        output.start(test.name)
        results = run_test(test, members)
        if all(result.status != FAILED for result in results):
            guests.drop(guests.dump_path(test.log))  # of a panic that was wanted
        output.end(test.name, results, test.log)

    chosen = sorted(chosen, key=lambda item: -item[0].seconds)
    pool = concurrent.futures.ThreadPoolExecutor(PARALLEL)
    try:
        for job in [pool.submit(one, item) for item in chosen]:
            job.result()
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        core.CHILDREN.kill_all()
        output.say("Bail out! interrupted")
        output.failed += 1


def main():
    parser = argparse.ArgumentParser(prog="vitrine test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--quick", action="store_true", help="release build, host tests, guest tests on it, and BusyBox only")
    parser.add_argument("-v", "--verbose", action="store_true", help="show passed tests on a terminal too")
    parser.add_argument("--mutants", action="store_true", help="plant the bugs of tests/mutants: is each caught?")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    if args.mutants:
        return mutants.main(args.names)
    chosen = core.select(all_tests(), args.names, args.quick)
    if args.list:
        for test, members in chosen:
            for name in [test.name + "." + member for member in members] or [test.name]:
                print(name)
        return 0
    if not chosen:
        print("no test is called %s; see --list" % " ".join(args.names), file=sys.stderr)
        return 2
    shutil.rmtree(core.LOGS, ignore_errors=True)
    os.makedirs(core.LOGS)
    signal.signal(signal.SIGTERM, lambda *_: (core.CHILDREN.kill_all(), os._exit(143)))
    output = Output(len(chosen), args.verbose)
    run_all(chosen, output)
    shutil.rmtree(core.WORK, ignore_errors=True)
    output.finish()
    return 1 if output.failed else 0


if __name__ == "__main__":
    sys.exit(main())
