"""gdb on the running kernel, as a user has it: make qemu-gdb in one terminal, make gdb in another (by pexpect)."""
import os
import re
import shutil
import sys
import tempfile

from . import core
from .core import Failed, Skipped, Test

TOOL = os.path.join(core.TOP, "tools/gdb.py")
PROMPT = r"\(gdb\) $"
SHELL = r"# (\x1b\[6n)?$"
LEAF = re.compile(r"^((?:\.\. )*)\.\.(\d+): pte 0x([0-9a-f]{16}) pa 0x([0-9a-f]{16})  ([-VRWXUGAD]{8})$")


class Terminal:
    """One terminal with tools/gdb.py in it; what it shows goes to the test's log."""

    def __init__(self, test, env, args):
        import pexpect  # here, so that --list works without it
        self.pexpect = pexpect
        self.log = open(test.log, "ab")
        self.child = pexpect.spawn(sys.executable, [TOOL] + args, timeout=60, cwd=core.TOP, dimensions=(100, 200), env=env)
        self.child.logfile_read = self.log

    def expect(self, pattern):
        try:
            self.child.expect(pattern)
        except (self.pexpect.TIMEOUT, self.pexpect.EOF) as error:
            seen = (self.child.before or b"").decode(errors="replace")[-150:]
            raise Failed("%s waiting for %r; last seen %r" % (type(error).__name__, pattern, seen)) from None
        return self.child.before.decode(errors="replace").replace("\r", "")

    def ask(self, command, pattern=None):
        """A gdb command's output, which must match the pattern."""
        self.child.sendline(command)
        text = self.expect(PROMPT).split("\n", 1)[-1]
        if "Python Exception" in text or pattern and not re.search(pattern, text, re.M):
            raise Failed("%s printed %r, wanted %s" % (command, text[-300:], pattern))
        return text

    def end(self):
        """The exit status, once the program has ended by itself."""
        self.expect(self.pexpect.EOF)
        self.child.close()
        return self.child.exitstatus

    def close(self):
        self.child.close(force=True)
        self.log.close()


def session(harts, mode, isolate=0):
    """harts: how many; mode: the paging mode's name in walk's output; isolate: user code on a table of its own."""
    def run(test, members):
        tools = ("gdb-multiarch", "riscv64-linux-gnu-gdb", "riscv64-unknown-elf-gdb")
        if not any(shutil.which(name) for name in tools):
            raise Skipped("no gdb for riscv64 on this machine")
        os.makedirs(os.path.dirname(test.log), exist_ok=True)
        kernel = ["--kernel", os.path.join(core.BUILD, "release", "vitrine.elf")]
        opened = []
        # The socket lies in this directory: any number of these run at once, beside a user's own session too.
        with tempfile.TemporaryDirectory(prefix="vg-", dir="/tmp") as place:
            env = dict(os.environ, XDG_RUNTIME_DIR=place, TERM="dumb", LC_ALL="C")
            try:
                opened.append(Terminal(test, env, kernel + ["--serve", "--harts", str(harts), "--append",
                                                            "paging=%s isolate=%d" % (mode.lower(), isolate)]))
                opened[0].expect("make gdb")
                wait_socket(opened[0], place)
                opened.append(Terminal(test, env, kernel + ["--attach"]))
                opened[1].expect(PROMPT)
                at_reset(opened[1])
                at_main(opened[1], harts)
                with_shell(*opened, harts, mode, isolate)
            finally:
                for terminal in reversed(opened):
                    terminal.close()
    return run


def wait_socket(console, place):
    """The line on the terminal comes just before QEMU makes its socket."""
    for _ in range(300):
        if any(name == "gdb.sock" for _, _, names in os.walk(place) for name in names):
            return
        if console.child.expect([console.pexpect.EOF, console.pexpect.TIMEOUT], timeout=0.1) == 0:
            break
    raise Failed("QEMU made no socket for gdb: %r" % console.child.before[-200:])


def at_reset(gdb):
    """Before the first instruction of the kernel, and at it: no paging yet, and nothing that ends in an exception."""
    for command in ("procs", "pt 1", "frame kernel_main"):
        gdb.ask(command, "break kernel_main")
    gdb.ask("walk kernel_main", r"no translation .*physical 0x80[0-9a-f]{6}, where the kernel's 0xffffffff80")
    gdb.ask("break *0x80200000")
    gdb.ask("continue", "Breakpoint 1,")
    gdb.ask("bt", r"^#0 .* in \w+ \(\) at kernel/arch/riscv/head\.S:\d+")
    gdb.ask("delete")


def at_main(gdb, harts):
    """On the boot's page table, which is Sv39 whatever paging= says."""
    gdb.ask("break kernel_main")
    gdb.ask("continue", r"kernel_main \(\) at kernel/main\.c:\d+")
    gdb.ask("bt", r"^#0  kernel_main \(\)(?s:.*)^#1 .* in boot_main \(")
    gdb.ask("procs", "no process yet")
    gdb.ask("walk kernel_main", r"^Sv\d\d, table 0x(?s:.*)^0xffffffff\w+ -> physical 0x80\w+ \(a page of")
    found = re.findall(r"^[* ] *(\d+) +Thread \S+ \(CPU#", gdb.ask("info threads"), re.M)
    if len(found) != harts:
        raise Failed("info threads shows %d harts of %d" % (len(found), harts))
    gdb.ask("delete")


def with_shell(console, gdb, harts, mode, isolate):
    gdb.child.sendline("continue")
    console.expect(SHELL)
    gdb.child.sendintr()
    gdb.expect(PROMPT)
    # Wherever Ctrl-C found the harts, most likely idle.
    processes = gdb.ask("procs", r"^ +1 +1 \w+ +\d+ init +0x")
    shell = re.search(r"^ +(\d+) +\1 \w+ +\d+ +sh +0xffffff", processes, re.M)
    if not shell:
        raise Failed("procs shows no sh: %r" % processes)
    check_threads(gdb, harts)
    if shutil.which("node"):
        gdb.ask("vx ps", r"^ *{0} .*\bsh$".format(shell.group(1)))
        gdb.ask("vx walk 1 0x10000 --access x", r"0x10000 is physical address 0x8")
        gdb.ask("vx nothing", "vitrine x: ")
    gdb.ask("thread 1")
    gdb.ask("pt 99999", "no process 99999")
    if not gdb.ask("pt 1").startswith("page table 0x"):
        raise Failed("pt 1 does not begin with page table 0x")
    gdb.ask("frame init_process", r"^frame 0x\w+: physical 0x\w+, metadata at 0x\w+\nkind slab$")
    if isolate:
        at_crossing(console, gdb, mode)
    # In the shell, while it waits for a child: the selected hart has its page table.
    gdb.ask("break process_wait")
    gdb.child.sendline("continue")
    console.child.send("(exit 7); echo st''atus-$?\r")
    gdb.expect(PROMPT)
    gdb.ask("bt", r"^#0  process_wait \((?s:.*)^#1 .* in \w+ \(")
    gdb.ask("procs", r"^ +{0} +{0} runn\w+ +\d+ +sh ".format(shell.group(1)))
    table = gdb.ask("pt")
    if table != gdb.ask("pt " + shell.group(1)):
        raise Failed("pt and pt %s differ, and both are the shell" % shell.group(1))
    va, pa = first_page(table)
    gdb.ask("walk 0x%x" % va, r"^%s, table 0x(?s:.*)^0x%x -> physical 0x%x \(a page of 4K\)" % (mode, va, pa))
    gdb.ask("frame 0x%x" % pa, r"^frame 0x%x: physical 0x%x,(?s:.*)^kind (anon|file)$" % (pa >> 12, pa))
    gdb.ask("walk process_wait", r"-> physical 0x80")
    gdb.ask("delete")
    # gdb goes, the machine runs on.
    gdb.child.sendline("quit")
    if gdb.end() != 0:
        raise Failed("make gdb ends with status %s" % gdb.child.exitstatus)
    console.expect("status-7\r")
    console.expect(SHELL)
    console.child.send("\x01x")
    if console.end() != 0:
        raise Failed("make qemu-gdb ends with status %s" % console.child.exitstatus)


def at_crossing(console, gdb, mode):
    """isolate=1: stopped on the table without the kernel, at the first instruction of a trap and at the last of the way out."""
    trampoline = (1 << int(mode[2:]) - 1) - 0x1000
    gdb.ask("break *0x%x" % trampoline)
    gdb.child.sendline("continue")
    console.child.send("\r")
    gdb.expect(PROMPT)
    on_user_table(gdb, mode)
    # What was changed to look at the kernel is as it was.
    gdb.ask("p/x $pc", r"= 0x%x$" % trampoline)
    gdb.ask("walk kernel_main", "not mapped")
    gdb.ask("delete")
    gdb.ask("break *0x%x" % (trampoline + 0x34))  # the sret of trampoline.S
    gdb.ask("continue", r"Breakpoint \d+, 0x0*%x in" % (trampoline + 0x34))
    on_user_table(gdb, mode)
    gdb.ask("delete")
    gdb.ask("break *$sepc")  # and in the user's code
    gdb.ask("continue", r"Breakpoint \d+, ")
    gdb.ask("p $priv", r"= .*\b0\b")
    on_user_table(gdb, mode)
    gdb.ask("delete")


def on_user_table(gdb, mode):
    gdb.ask("walk kernel_main", r"^%s, table 0x\w+, ASID \d*[13579] \(user(?s:.*)^not mapped" % mode)
    gdb.ask("walk -k kernel_main", r"^%s, table 0x\w+, ASID \d*[02468]$(?s:.*)-> physical 0x80" % mode)
    gdb.ask("procs", r"^ +1 +1 \w+ +\d+ init +0x")
    gdb.ask("frame init_process", r"^kind slab$")
    own, whole = (gdb.ask(command) for command in ("pt -a", "pt -a 1"))
    half = re.compile(r"^\.\.(25[6-9]|2[6-9]\d|[345]\d\d): ", re.M)
    if half.search(own) or not half.search(whole):
        raise Failed("pt -a shows a kernel half in the user's table, or none in the kernel's")
    if not re.search(r"[048c]c7 pa .*  VRW---AD$(?s:.*)[048c]4b pa .*  VR-X--A-$", own, re.M):
        raise Failed("pt does not show the two pages of the crossing: %r" % own[-200:])


def check_threads(gdb, harts):
    """Every hart can be selected, with a backtrace of its own."""
    for number in range(1, harts + 1):
        gdb.ask("thread %d" % number, r"Switching to thread %d " % number)
        gdb.ask("bt", r"^#0 .* \(")
        gdb.ask("walk $sp", r"-> physical 0x")
        gdb.ask("procs", r" init +0x")


def first_page(text):
    """(va, pa) of the first leaf in what pt printed."""
    path = []
    for line in text.splitlines():
        found = LEAF.match(line)
        if found:
            depth = len(found.group(1)) // 3
            path = path[:depth] + [int(found.group(2))]
            if int(found.group(3), 16) & 0xe:
                va = 0
                for index in path:
                    va = va << 9 | index
                return va << 12, int(found.group(4), 16)
    raise Failed("pt printed no page")


def gdb_help(test, members):
    done = core.run_python(TOOL, "--help", limit=30, log=test.log)
    if done.status != 0:
        raise Failed("tools/gdb.py --help ended with %s" % done.status)


def batch(test, members):
    """./vitrine gdb itself: one command that starts the machine, attaches, and leaves nothing behind."""
    kernel = os.path.join(core.BUILD, "release", "vitrine.elf")
    with tempfile.TemporaryDirectory(prefix="vg-", dir="/tmp") as place:
        commands = ["bt", "break kernel_main", "continue", "bt", "info threads"]
        done = core.run([sys.executable, TOOL, "--kernel", kernel, "--batch"] + [w for c in commands for w in ("--ex", c)],
                        limit=90, log=test.log, env={"XDG_RUNTIME_DIR": place})
        left = [name for _, folders, names in os.walk(place) for name in names]
    wanted = (" in ?? ()", "#0  kernel_main ()", "Thread 1.2 (CPU#1")
    if done.status != 0 or any(text not in done.out for text in wanted):
        raise Failed("status %s: %s" % (done.status, done.tail()))
    if left:
        raise Failed("left behind: " + " ".join(left))


def tests():
    yield Test("gdb.session", session(2, "Sv39"), ["release", "images"], seconds=12)
    yield Test("gdb.session_sv48", session(1, "Sv48"), ["release", "images"], seconds=10)
    for harts, mode in ((2, "Sv39"), (1, "Sv48"), (2, "Sv57")):
        yield Test("gdb.session_isolate_" + mode.lower(), session(harts, mode, isolate=1), ["release", "images"], seconds=12)
    yield Test("gdb.batch", batch, ["release", "images"], seconds=4)
    yield Test("gdb.help", gdb_help, [], seconds=2)
