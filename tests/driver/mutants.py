"""Planted bugs: do the tests see them? (./vitrine test --mutants [NAME...])

tests/mutants/NAME.patch begins with what it breaks, in words, and a line "caught-by: TEST..." that names cheap tests. Each is
applied (patch -p1) to a copy of the tree; each of the tests that it names must fail then, and by itself, not because the copy
does not compile. Before that, all of these tests must pass without a patch.
"""
import concurrent.futures
import os
import queue
import re
import shutil
import sys
import tempfile
import time

from . import core
from .core import TOP, Failed, Test

FOLDER = os.path.join(TOP, "tests/mutants")
COPIED = ("kernel", "tests", "tools", "view")  # what the drivers of host tests import, too
WORKERS = int(os.environ.get("TEST_JOBS", "2"))
LIMIT = 400  # seconds for one test of one mutant, its compilation included


class Mutant:
    def __init__(self, name):
        self.name, self.path = name, os.path.join(FOLDER, name + ".patch")
        with open(self.path) as file:
            head = file.read().split("\n--- ", 1)[0]
        found = re.search(r"^caught-by: (\S.*)$", head, re.M)
        if not found:
            raise Failed("%s.patch names no test that catches it" % name)
        self.tests = found.group(1).split()
        self.seconds, self.problem = 0.0, None


def all_mutants():
    return [Mutant(file[:-len(".patch")]) for file in sorted(os.listdir(FOLDER)) if file.endswith(".patch")]


def patch(tree, mutant, *options):
    """Why it does not apply, or None."""
    done = core.run(["patch", "-p1", "--force", "--fuzz=0", "--silent", "--no-backup-if-mismatch", "--reject-file=-", "-i", mutant.path] + list(options),
                    limit=60, cwd=tree)
    return None if done.status == 0 else "does not apply: " + " ".join((done.out + done.err).split())[:160]


def run_test(tree, name):
    """'passed', 'failed', or what else is wrong."""
    done = core.run([sys.executable, os.path.join(tree, "tests/run.py"), name], limit=LIMIT, cwd=tree,
                    env={"VITRINE_BUILD": os.path.join(tree, "build"), "TEST_JOBS": "1"})
    if done.status == 0:
        return "passed"
    if done.status != 1:
        return "status %s: %s" % (done.status, done.tail())
    found = re.search(r"does not compile: .*|not built: .*|driver: .*", done.out)
    return found.group(0) if found else "failed"


def try_mutant(tree, mutant):
    begun = time.monotonic()
    mutant.problem = patch(tree, mutant)
    if not mutant.problem:
        for name in mutant.tests:
            outcome = run_test(tree, name)
            if outcome != "failed":
                mutant.problem = "SURVIVED %s" % name if outcome == "passed" else "%s: %s" % (name, outcome)
                break
        if patch(tree, mutant, "--reverse"):
            raise Failed("%s cannot be taken back in %s" % (mutant.name, tree))
    mutant.seconds = time.monotonic() - begun


def copies(folder):
    trees = queue.Queue()
    for i in range(WORKERS):
        tree = os.path.join(folder, str(i))
        for name in COPIED:
            shutil.copytree(os.path.join(TOP, name), os.path.join(tree, name), ignore=shutil.ignore_patterns("__pycache__"))
        trees.put(tree)
    return trees


def on_a_copy(trees, function, argument):
    tree = trees.get()
    try:
        return function(tree, argument)
    finally:
        trees.put(tree)


def baseline(pool, trees, mutants):
    """The names of tests that fail without a mutant."""
    names = sorted({name for mutant in mutants for name in mutant.tests})
    outcomes = pool.map(lambda name: on_a_copy(trees, run_test, name), names)
    return ["%s: %s" % (name, outcome) for name, outcome in zip(names, outcomes) if outcome != "passed"]


def main(wanted):
    """Tries the mutants that the patterns name, or all. Returns the exit status."""
    mutants = [m for m in all_mutants() if not wanted or any(core.matches(m.name, pattern) for pattern in wanted)]
    if not mutants:
        print("no mutant is called %s; they are in tests/mutants" % " ".join(wanted), file=sys.stderr)
        return 2
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vitrine-mutants-") as folder:
        trees = copies(folder)
        pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
        try:
            broken = baseline(pool, trees, mutants)
            if broken:
                print("without any mutant: " + "; ".join(broken))
                return 1
            print("%-24s %8s  %s" % ("mutant", "seconds", "caught by"))
            jobs = {pool.submit(on_a_copy, trees, try_mutant, mutant): mutant for mutant in mutants}
            for job in concurrent.futures.as_completed(jobs):
                job.result()
                mutant = jobs[job]
                print("%-24s %8.1f  %s" % (mutant.name, mutant.seconds, mutant.problem or " ".join(mutant.tests)), flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            core.CHILDREN.kill_all()
            return 130
    left = [mutant for mutant in mutants if mutant.problem]
    print("%d of %d mutants caught in %d seconds" % (len(mutants) - len(left), len(mutants), time.monotonic() - begun))
    for mutant in left:
        print("  %s: %s" % (mutant.name, mutant.problem))
    return 1 if left else 0


def check_apply(test, members):
    """They age with the code: each must still apply. Whether it is caught takes --mutants."""
    problems = ["%s %s" % (mutant.name, why) for mutant in all_mutants() for why in [patch(TOP, mutant, "--dry-run")] if why]
    core.write_log(test.log, "\n".join(problems) + "\n")
    if problems:
        raise Failed("%d of them: %s" % (len(problems), problems[0]))


def tests():
    yield Test("mutants.apply", check_apply, seconds=2, quick=True)
