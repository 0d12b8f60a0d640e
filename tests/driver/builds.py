"""The builds that tests stand on, each also a test of its own: no warning from either compiler."""
import os
import re

from . import core
from .core import BUILDS, TOP, Failed, Test

KERNELS = {"release": ("V=release",), "debug": ("V=debug",), "release-clang": ("V=release", "CC_KIND=clang"),
           "debug-clang": ("V=debug", "CC_KIND=clang")}


# make's own name for the build directory, so that its targets match.
B = "build" if core.BUILD == os.path.join(TOP, "build") else core.BUILD


def make(name, *words):
    log = os.path.join(core.LOGS, "build.%s.log" % name)
    done = core.run(["make", "-s", "-j2", "WERROR=1", "B=" + B] + list(words), limit=400, log=log)
    if done.status != 0:
        text = done.out + done.err
        found = re.search(r"^.*(error|Error|warning).*$", text, re.M)
        raise Failed("make %s: %s" % (" ".join(words), found.group(0).strip() if found else done.tail()))


def define():
    for name, words in KERNELS.items():
        BUILDS.define(name, lambda name=name, words=words: make(name, "kernel", *words))
    BUILDS.define("images", lambda: make("images", "images", "test-images"))
    for check in ("check-layers", "check-size"):
        BUILDS.define(check, lambda check=check: run_check(check))


def run_check(name):
    path = os.path.join(TOP, "tools", name)
    if not os.path.exists(path):
        raise Failed("no tools/%s" % name)
    done = core.run_python(path, limit=60, log=os.path.join(core.LOGS, "build.%s.log" % name))
    if done.status != 0:
        raise Failed(done.tail())


def tests():
    define()
    names = list(KERNELS) + ["images", "check-layers", "check-size"]
    for name in names:
        def run(test, members, name=name):
            problem = BUILDS.get(name)
            if problem:
                raise Failed(problem)
        yield Test("build." + name, run, seconds=1000 - names.index(name), quick=name in ("release", "images"))
