"""The viewer's engine and command line (view/core, view/cli): against made-up memory, garbage, QEMU's own answers, the guest's /proc, and Linux.

The tests themselves are TypeScript (view/test), run by node's test runner; here guests are started for them, with their RAM in a
file, and a machine file as ./vitrine run --watch writes it.
"""
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time

from . import core
from .core import BUILD, TOP, Failed, Skipped, Test

sys.path.insert(0, os.path.join(TOP, "tools"))
import machine  # noqa: E402

VIEW = os.path.join(BUILD, "view")
BASE = 0x80000000
TOOL = os.path.join(TOP, "tools/view.py")


def prepare(test):
    """Packages and bundles. Without npm's packages, and without a network to fetch them, there is nothing to test."""
    if not shutil.which("node"):
        raise Skipped("no node on this machine")
    if not os.path.exists(os.path.join(VIEW, "npm", ".stamp")) and not shutil.which("npm"):
        raise Skipped("no npm on this machine")
    done = core.run_python(TOOL, "bundle", limit=300, log=test.log)
    if done.status != 0:
        raise Failed("tools/view.py bundle: " + done.tail())


def session_in(page):
    """The session that a page without a server shows."""
    with open(page, encoding="utf-8") as file:
        return json.loads(re.search(r'<script type="application/json" id="session">(.*?)</script>', file.read(), re.S).group(1))


def run_node(test, name, env=None, limit=300):
    """One bundled test file. node prints TAP or its own report; the status says all."""
    done = core.run(["node", "--enable-source-maps", "--test-reporter=tap", os.path.join(VIEW, "test", name + ".test.cjs")], limit=limit, log=test.log,
                    env=dict(env or {}, VITRINE_BUILD=BUILD))
    if done.status is None:
        raise Failed("time limit")
    if done.status != 0:
        found = re.search(r"^\s*error: (?:\|-\s*\n\s*)?(.*)$", done.out, re.M) or re.search(r"^\s*not ok .*$", done.out, re.M)
        raise Failed((found.group(0) if found else done.tail()).strip())


def check_types(test):
    """tsc sees the packages where they are: in the build directory."""
    config = os.path.join(VIEW, "tsconfig.json")
    modules = os.path.join(VIEW, "npm", "node_modules")
    with open(os.path.join(TOP, "view", "tsconfig.json")) as file:
        names = json.load(file)["include"]
    with open(config, "w") as file:
        json.dump({"extends": os.path.join(TOP, "view", "tsconfig.json"),
                   "compilerOptions": {"typeRoots": [os.path.join(modules, "@types")], "baseUrl": TOP,
                                       "paths": {"*": [modules + "/@types/*", modules + "/*"]}},
                   "include": [os.path.join(TOP, "view", name) for name in names]}, file)
    done = core.run(["node", os.path.join(modules, "typescript/bin/tsc"), "-p", config], limit=200, log=test.log)
    if done.status != 0:
        raise Failed(done.tail())


def check_purity():
    """view/core is plain TypeScript: what it imports is its own, and none of it knows of Node or a page."""
    folder = os.path.join(TOP, "view/core")
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name)) as file:
                text = file.read()
            foreign = re.search(r"""from ['"](?!\.{1,2}/)[^'"]+['"]|(?<![.\w])(process\.(env|argv|std|cwd|exit)|Buffer\.|window\.|document\.|require\()""", text)
            if foreign:
                raise Failed("view/core/%s: %s" % (name, foreign.group(0)))
            if text.count("\n") > 600:
                raise Failed("view/core/%s has more than 600 lines" % name)


def run_core(test, members):
    prepare(test)
    check_purity()
    check_types(test)
    run_node(test, "core")


# ---- guests ----


class Guest:
    """A running machine with its RAM in a file."""

    def __init__(self, folder, process, file):
        self.folder, self.process, self.file = folder, process, file


def wait_for(path, process, seconds=20):
    end = time.monotonic() + seconds
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > end:
            raise Failed("QEMU did not start")
        time.sleep(0.05)


@contextlib.contextmanager
def guest(test, line, size, kernel):
    """line: QEMU's command line without RAM, console and monitor."""
    folder = machine.scratch_directory(size + (16 << 20))
    ram, file = os.path.join(folder, "ram"), os.path.join(folder, "machine.json")
    line = ["virt,memory-backend=ram" if word == "virt" else word for word in line]
    line += ["-object", "memory-backend-file,id=ram,size=%d,mem-path=%s,share=on" % (size, ram), "-display", "none",
             "-serial", "unix:%s/console,server=on,wait=off" % folder, "-qmp", "unix:%s/qmp,server=on,wait=off" % folder]
    os.makedirs(os.path.dirname(test.log), exist_ok=True)
    with open(test.log, "a") as log:
        log.write("$ %s\n" % " ".join(line))
        log.flush()
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    core.CHILDREN.add(process)
    try:
        wait_for(os.path.join(folder, "qmp"), process)
        with open(file, "w") as out:
            json.dump({"version": 1, "ram": ram, "base": BASE, "size": size, "kernel": kernel, "qmp": folder + "/qmp", "gdb": None,
                       "pid": process.pid, "console": folder + "/console"}, out)
        yield Guest(folder, process, file)
    finally:
        core.stop(process)
        core.CHILDREN.drop(process)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def vitrine(test, append="", harts=2, mem=128, extra=()):
    kernel = os.path.join(BUILD, "release", "vitrine.elf")
    disk = machine.Disk(os.path.join(BUILD, "disk.img"))
    try:
        line = machine.command(kernel, disk, harts=harts, mem="%dM" % mem, append=append, extra=extra)
        with guest(test, line, mem << 20, kernel) as running:
            yield running
    finally:
        disk.close()


def with_guest(name, limit=280, **options):
    def run(test, members):
        prepare(test)
        with vitrine(test, **options) as running:
            run_node(test, name, env={"VIEW_MACHINE": running.file}, limit=limit)
    return run


LINES_SOURCE = """#include "part.h"
int other(int n) { return n > 1 ? part(n - 1) * n : 1; }

int main(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (argv[i][0] == 'x')
			argc += other(i);
	return part(argc);
}
"""
LINES_PART = "static inline int part(int n)\n{\n\tif (n & 1)\n\t\treturn n * 3;\n\treturn n / 2;\n}\n"
# Those of the first row have tables that can be read; those of the second none, or such as cannot.
LINES_READ = (["-gdwarf-2"], ["-gdwarf-3", "-O2"], ["-gdwarf-4", "-O2", "-ffunction-sections", "-Wl,--gc-sections"], ["-gdwarf-5", "-O2"],
              ["-g", "-gdwarf64", "-O1"], ["-g", "-O2", "-pie", "-fPIE"], ["-g", "-O3", "-mno-relax"], ["-g", "-gsplit-dwarf", "-O1"])
LINES_NONE = (["-O2"], ["-g", "-gz=zlib"])


def run_lines(test, members):
    """Of the kernel, of programs of this tree, and of one program as compilers have written line tables over the years."""
    prepare(test)
    with tempfolder() as folder:
        for name, text in (("lines.c", LINES_SOURCE), ("part.h", LINES_PART)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        programs = {True: [], False: []}
        compilers = [["riscv64-linux-gnu-gcc"]]
        if shutil.which("clang"):
            compilers.append(["clang", "--target=riscv64-linux-gnu"])
        for compiler in compilers:
            for readable, variants in ((True, LINES_READ), (False, LINES_NONE)):
                for flags in variants:
                    if compiler[0] == "clang" and ("-gz=zlib" in flags or "-gsplit-dwarf" in flags or "-mno-relax" in flags):
                        continue
                    target = os.path.join(folder, "".join(compiler[0].split("-")[-1:] + flags).replace("=", "").replace(",", ""))
                    done = core.run(compiler + flags + ["-w", "-o", target, "lines.c"], cwd=folder, limit=60, log=test.log)
                    if done.status != 0:
                        raise Failed("%s %s: %s" % (compiler[0], " ".join(flags), done.tail()))
                    programs[readable].append(target)
        built = [os.path.join(BUILD, "release", "vitrine.elf")] + [os.path.join(BUILD, "user", name) for name in ("init", "walk", "pgtbltest")]
        run_node(test, "lines", env={"VIEW_ELFS": ":".join(built + programs[True]), "VIEW_NO_LINES": ":".join(programs[False])})


def run_rings(test, members):
    prepare(test)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfolder())
        log = os.path.join(folder, "int.log")
        running = stack.enter_context(vitrine(test, harts=1, extra=("-d", "int", "-D", log)))
        run_node(test, "rings", env={"VIEW_MACHINE": running.file, "VIEW_INT_LOG": log})


@contextlib.contextmanager
def tempfolder():
    folder = machine.scratch_directory(64 << 20)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load_linux_guest():
    loader = importlib.machinery.SourceFileLoader("linux_guest", os.path.join(TOP, "tools/linux-guest"))
    spec = importlib.util.spec_from_loader("linux_guest", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def run_linux(test, members):
    """Debian's kernel, which has no layout note: tables by satp alone."""
    prepare(test)
    linux = load_linux_guest()
    current = os.path.join(str(linux.CACHE), "current")
    if not os.path.exists(current):
        raise Skipped("Debian's kernel is not here yet (tools/linux-guest fetches it)")
    images = [name for name in os.listdir(str(linux.CACHE)) if re.fullmatch(r"root-\w+\.img", name)]
    if not images:
        raise Skipped("tools/linux-guest was not run yet")
    with tempfolder() as folder:
        kernel, initramfs = linux.kernel_prepare(), os.path.join(folder, "initramfs")
        linux.initramfs_make(kernel, None, initramfs)
        disk = machine.Disk(os.path.join(str(linux.CACHE), images[0]))
        line = machine.command(os.path.join(str(kernel), "Image"), disk, mem="256M", append="console=ttyS0 quiet", extra=("-initrd", initramfs))
        with guest(test, line, 256 << 20, None) as running:
            run_node(test, "linux", env={"VIEW_MACHINE": running.file})


def tests():
    needs = ("release", "images")
    yield Test("view.core", run_core, seconds=25, quick=True)
    yield Test("view.cli", with_guest("cli"), needs=needs, seconds=20, quick=True)
    yield Test("view.fuzz", with_guest("fuzz", mem=64, harts=1, limit=560), needs=needs, seconds=150)
    for name, append in (("sv39", ""), ("sv48", "paging=sv48"), ("sv57", "paging=sv57"), ("isolate", "isolate=1"), ("isolate_sv57", "isolate=1 paging=sv57")):
        yield Test("view.oracle_" + name, with_guest("oracle", append=append), needs=needs, seconds=60)
    yield Test("view.proc", with_guest("proc"), needs=needs, seconds=40)
    yield Test("view.lamp", with_guest("lamp"), needs=needs, seconds=40)
    yield Test("view.lamp_isolate", with_guest("lamp", append="isolate=1"), needs=needs, seconds=40)
    yield Test("view.lines", run_lines, needs=needs, seconds=15)
    yield Test("view.rings", run_rings, needs=needs, seconds=30)
    yield Test("view.linux", run_linux, seconds=60)
