"""./vitrine grade: full marks on this tree, and marks withheld, with a reason, where something is missing."""
import os
import re

from . import core
from .core import TOP, Failed, Test

GRADE = os.path.join(TOP, "tools/grade.py")


def full_marks(test, members):
    done = core.run_python(GRADE, limit=900, log=test.log)
    score = re.search(r"^Score: (\d+)/(\d+)$", done.out, re.M)
    if done.status != 0 or not score or score.group(1) != score.group(2):
        bad = re.search(r"^not ok .*\n#.*$", done.out, re.M)
        raise Failed(bad.group(0) if bad else done.tail())


def withheld(test, members):
    """A kernel that is none gets nothing; checks that are not asked for are not counted; both end with a status."""
    done = core.run_python(GRADE, "--kernel", "/dev/null", "vmprint", limit=300, log=test.log)
    if done.status != 1 or not re.search(r"^Score: 0/5$", done.out, re.M):
        raise Failed("no kernel: status %s, %r" % (done.status, done.out[-200:]))
    done = core.run_python(GRADE, "nothing", limit=60, log=test.log)
    if done.status != 2 or "no check is called nothing" not in done.err:
        raise Failed("a name that is none: status %s" % done.status)
    done = core.run_python(GRADE, "--mem", "1M", "ugetpid_test", limit=600, log=test.log)
    if done.status == 0:
        raise Failed("a machine of 1 MiB got full marks")


def tests():
    yield Test("grade.full_marks", full_marks, ["release", "images"], seconds=45)
    yield Test("grade.withheld", withheld, ["release", "images"], seconds=5)
