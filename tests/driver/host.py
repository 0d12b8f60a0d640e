"""Host tests: unmodified kernel sources under sanitizers. Each tests/host/NAME_test.c says in its first lines what it needs:

    // host-sources: kernel/mm/vma.c kernel/lib/tree.c
    // host-flags: -DX
"""
import os
import re

from . import core
from .core import BUILD, FAILED, TOP, Failed, Result, Test

FOLDER = os.path.join(TOP, "tests/host")
CFLAGS = ["-std=gnu17", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer",
          "-Itests/host/fake", "-Ikernel", "-DHOST_TEST"]
LIMIT = 3600 if os.environ.get("TEST_FULL") == "1" else 120


def header_words(path, key):
    words = []
    with open(path) as file:
        for line in file.read(4000).splitlines()[:20]:
            found = re.match(r"// %s:\s*(.*)" % key, line)
            if found:
                words += found.group(1).split()
    return words


def run_one(test, name):
    source = os.path.join("tests/host", name + ".c")
    path = os.path.join(TOP, source)
    program = os.path.join(BUILD, "host", name)
    os.makedirs(os.path.dirname(program), exist_ok=True)
    command = ["gcc"] + CFLAGS + header_words(path, "host-flags") + [source] + header_words(path, "host-sources") + ["-o", program, "-lpthread", "-lm"]
    done = core.run(command, limit=LIMIT, log=test.log)
    if done.status != 0:
        found = re.search(r"^.*error.*$", done.err, re.M)
        raise Failed("does not compile: %s" % (found.group(0) if found else done.tail()))
    done = core.run([program], limit=LIMIT, log=test.log)
    results, complete = core.parse_ktap(done.out, test.name)
    if done.status != 0 and not any(result.status == FAILED for result in results):
        results.append(Result(test.name, FAILED, "time limit" if done.status is None else
                              "status %d: %s" % (done.status, first_report(done))))
    return results or None


def first_report(done):
    found = re.search(r"^.*(ERROR: AddressSanitizer|runtime error|FAILED|failed|assert).*$", done.err + "\n" + done.out, re.M)
    return found.group(0) if found else done.tail()


def tests():
    if not os.path.isdir(FOLDER):
        return
    for file in sorted(os.listdir(FOLDER)):
        if file.endswith("_test.c"):
            name = file[:-2]
            yield Test("host." + name[:-5], lambda test, members, name=name: run_one(test, name), seconds=20, quick=True)
