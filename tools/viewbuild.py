"""The viewer's programs: bundled from view/ into build/view, anew whenever a source has changed."""
import fcntl
import os
import shutil
import subprocess
import sys

import machine

SOURCE = os.path.join(machine.TOP, "view")
OUT = os.path.join(machine.BUILD, "view")
NPM = os.path.join(OUT, "npm")
MODULES = os.path.join(NPM, "node_modules")


def node():
    return machine.find_tool("node", "nodejs")


def bundle(name="server"):
    """The path of a bundled program. Packages come from the registry once; after that nothing is asked of the network."""
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install()
        done = os.path.join(OUT, name + ".cjs")
        listed = subprocess.run([node(), os.path.join(SOURCE, "build.mjs"), "--watch-list"], stdout=subprocess.PIPE, universal_newlines=True, check=True)
        newest = max(os.path.getmtime(path) for path in listed.stdout.split("\n") if path)
        if not os.path.exists(done) or os.path.getmtime(done) < newest:
            built = subprocess.run([node(), os.path.join(SOURCE, "build.mjs"), "--out", OUT, "--modules", MODULES], stdout=sys.stderr.fileno())
            if built.returncode:
                raise machine.Problem("the viewer's build failed")
        return done


def install():
    """npm ci from the lock file, when that is another than the one that was installed."""
    lock = os.path.join(SOURCE, "package-lock.json")
    mark = os.path.join(NPM, "package-lock.json")
    if os.path.isdir(MODULES) and os.path.exists(mark) and same(lock, mark):
        return
    npm = machine.find_tool("npm", "npm")
    os.makedirs(NPM, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(SOURCE, name), NPM)
    if subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=NPM, stdout=sys.stderr.fileno()).returncode:
        os.unlink(mark)
        raise machine.Problem("npm could not install the viewer's packages; see above")


def same(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        return a.read() == b.read()
