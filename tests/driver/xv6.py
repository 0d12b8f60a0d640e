"""./vitrine xv6: programs of the classic kernel's kind compile unmodified and behave; what goes wrong is said clearly."""
import os
import re
import shutil
import signal
import sys
import tempfile

from . import core, guests
from .core import BUILD, TOP, WORK, Failed, Test

TOOL = os.path.join(TOP, "tools/xv6.py")
SOURCES = os.path.join(TOP, "tests/xv6")

# command in /xv6, what must come of it (a string: exactly; a compiled pattern: found in it)
PROGRAMS = [
    ("pingpong", "child: received ping\nparent: received pong\n"),
    ("primes", "".join("prime %d\n" % n for n in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31))),
    ("mkdir d; mkdir d/e; ln README d/e/x; find . x; rm d/e/x d/e d; find . x", "./d/e/x\n"),
    ("echo 'a b' | xargs echo got", "got a b\n"),
    ("forktest", "fork test\nfork test OK\n"),
    ("stressfs; find . stress0", ""),
    ("sleep 1; zombie; oldstyle two words", "3 words, first of 8 letters\n"),
    ("cat README | grep '^Th.*root' | wc", re.compile(r"^1 \d+ \d+ \n$")),
    ("cat nothing; echo status $?", "cat: cannot open nothing\nstatus 1\n"),
    ("ls d README; ls / | grep console", re.compile(r"^ls: cannot open d\nREADME +2 \d+ \d+\nconsole +3 \d+ 0\n$")),
    ("echo 'ls | grep READ | wc; echo (a); (echo b; echo c) | grep c > o; cat < o; echo d >> o; wc o; nothing; cd d' | sh; echo",
     re.compile(r"^\$ 1 4 \d+ \n(?s:.*)c\n2 2 4 o\nsh: nothing: not found\n")),
    ("primes & echo first; wait", re.compile(r"first\n(?s:.*)prime 31\n|prime 31\n")),
]


def tool(test, *args, limit=200):
    return core.run_python(TOOL, *args, limit=limit, log=test.log)


def compile_all(test):
    names = sorted(os.path.join(SOURCES, name) for name in os.listdir(SOURCES) if name.endswith(".c"))
    done = tool(test, *names)
    if done.status != 0:
        raise Failed("does not compile: " + done.tail())
    return done


def in_xv6(command):
    """The line as tools/xv6.py starts it: functions named like the programs come before BusyBox's own commands."""
    names = sorted(os.listdir(os.path.join(BUILD, "xv6/root")))
    return "cd /xv6\n" + "".join('%s() { /xv6/%s "$@"; }\n' % (n, n) for n in names if n.isidentifier()) + command


def boot(test, command, limit, variant="release", mem=None):
    # A copy, since the image is replaced whenever a program is compiled.
    disk = guests.private_copy("disk", test.name)
    try:
        done = guests.boot(in_xv6(command), test.log, limit, variant, disk=disk, mem=mem)
        guests.check_disk(disk, test.log)
        return done
    finally:
        guests.drop(disk)


def programs(test, members):
    compile_all(test)
    marked = "\n".join("echo '#%d'; (%s) 2>&1" % (i, command) for i, (command, _) in enumerate(PROGRAMS))
    done = boot(test, marked + "\necho '#end'", 120)
    for i, (command, wanted) in enumerate(PROGRAMS):
        found = re.search(r"^#%d\n((?s:.*?))^#(%d|end)$" % (i, i + 1), done.out, re.M)
        if not found:
            raise Failed("%s: no end; the last line: %s" % (command, done.tail()))
        out = found.group(1)
        if (out != wanted) if isinstance(wanted, str) else not wanted.search(out):
            raise Failed("%s: printed %r" % (command, out[-300:]))


def edges(variant, mem=None):
    def run(test, members):
        compile_all(test)
        done = boot(test, "edges; edges_fs", 300, variant, mem)
        bad = re.search(r"^test .*FAILED.*$", done.out, re.M)
        if bad or done.out.count("\nALL TESTS PASSED\n") != 2:
            raise Failed(bad.group(0) if bad else "no end: %s" % done.tail())
        complaint = [line for line in (done.out + done.err).splitlines() if guests.COMPLAINT.search(line)]
        if complaint:
            raise Failed(complaint[0])
    return run


def one_program(text, name="prog.c"):
    os.makedirs(WORK, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="xv6-", dir=WORK)
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return folder, path


HEAD = '#include "kernel/types.h"\n#include "user/user.h"\n'


def complaints(test, members):
    """What cannot be compiled is refused, with the compiler's own words, and nothing else is lost by it."""
    cases = [
        ("int main(void) { nonsense(; }", (), r"prog\.c:3:\d+: error: "),
        ("int main(void) { return missing_function(); }", ("--no-werror",), r"missing_function"),
        ("int main(void) { int unused; exit(0); }", (), r"error: unused variable"),
        ('#include "user/nothing.h"\nint main(void) { exit(0); }', (), r"user/nothing\.h: No such file"),
    ]
    for text, options, wanted in cases:
        folder, path = one_program(HEAD + text)
        done = tool(test, path, *options)
        shutil.rmtree(folder)
        if done.status != 1 or not re.search(wanted, done.err) or "vitrine xv6: not compiled: " not in done.err:
            raise Failed("status %s, said %r" % (done.status, done.err[-300:]))
    for args, wanted in ((("nothing.c",), "vitrine xv6: no file nothing.c\n"), ((), "which program?")):
        done = tool(test, *args)
        if done.status == 0 or wanted not in done.err or "Traceback" in done.err:
            raise Failed("status %s, said %r" % (done.status, done.err[-300:]))
    folder, path = one_program(HEAD + "int main(void) { int unused; exit(0); }")
    done = tool(test, path, "--no-werror")
    again = tool(test, path, "--no-werror")
    shutil.rmtree(folder)
    if done.status or again.status or again.out != "/xv6: prog\n" or again.err:
        raise Failed("a warning stopped it, or the second time was not quiet: %r %r" % (done.err, again.err))


def learners_tree(test, members):
    """Headers of the learner's own, a second file, a deeper stack, the status of --exec."""
    folder, path = one_program(HEAD + '#include "user/own.h"\nint deep(int n) { volatile char b[900]; b[0] = n; return n ? deep(n - 1) + b[0] : 0; }\n'
                               "int main(int argc, char *argv[]) { exit(OWN + other() + deep(12) - 78 + argc); }")
    try:
        os.makedirs(os.path.join(folder, "user"))
        moved = os.path.join(folder, "user/prog.c")
        os.rename(path, moved)
        with open(os.path.join(folder, "user/own.h"), "w") as file:
            file.write("#define OWN 30\nint other(void);\n")
        with open(os.path.join(folder, "other.S"), "w") as file:
            file.write(".globl other\nother: li a0, 10\n ret\n")
        done = tool(test, "--exec", "prog a b", "--stack", "4", "--with", os.path.join(folder, "other.S"), "--timeout", "60", moved)
        if done.status != 43:
            raise Failed("status %s, wanted 43: %s" % (done.status, done.tail()))
        done = tool(test, "--exec", "prog a b", "--with", os.path.join(folder, "other.S"), "--timeout", "60", moved)
        if done.status != 128 + signal.SIGSEGV:
            raise Failed("12 frames of 900 bytes on one page: status %s, wanted a death" % done.status)
    finally:
        shutil.rmtree(folder)


def shell(test, members):
    """--shell: a prompt, a pipe, the console as a device and its end of input; then the other shell."""
    import pexpect

    child = pexpect.spawn(sys.executable, [TOOL, "--shell"], timeout=60, encoding="utf-8", codec_errors="replace", cwd=TOP)
    try:
        for wanted, answer in ((r"\n\$ ", "echo six-$ | grep six > o; cat o\n"), (r"\nsix-\$\s+\$ ", "cat console\n"),
                               (r"cat console\s+", "typed\n"), (r"typed\s+typed\s", "\x04"), (r"\$ ", "\x04"),
                               (r"vitrine:.*# ", "poweroff\n"), (pexpect.EOF, None)):
            child.expect(wanted)
            if answer:
                child.send(answer)
    except (pexpect.TIMEOUT, pexpect.EOF) as problem:
        core.write_log(test.log, child.before or "")
        raise Failed("at %r: %s" % (wanted, type(problem).__name__))
    finally:
        child.close(force=True)


def tests():
    yield Test("xv6.shell", shell, ["release", "images"], seconds=8)
    yield Test("xv6.programs", programs, ["release", "images"], seconds=12)
    yield Test("xv6.complaints", complaints, ["images"], seconds=5)
    yield Test("xv6.learners_tree", learners_tree, ["release", "images"], seconds=6)
    for name, variant, mem in (("release", "release", None), ("debug", "debug", None), ("small", "release", "64M")):
        yield Test("xv6.edges_" + name, edges(variant, mem), [variant, "images"], seconds=40)


