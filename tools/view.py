#!/usr/bin/python3
"""The viewer's programs (view/): has their packages and bundles there, then runs one of them in place of itself.

usage: tools/view.py x [ARGUMENTS]       the command line (./vitrine x)
       tools/view.py bundle              only makes the bundles, and prints where they are

Packages are fetched once, by npm, into build/view/npm; from then on nothing here needs the network.
"""
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402

SOURCES = os.path.join(machine.TOP, "view")
OUT = os.path.join(machine.BUILD, "view")
PACKAGES = os.path.join(OUT, "npm")
NODE_OLDEST = 18


def find_node():
    node = machine.find_tool("node", "nodejs")
    found = subprocess.run([node, "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()
    if int((found.lstrip("v").split(".")[0] or "0")) < NODE_OLDEST:
        raise machine.Problem("%s is Node %s; the viewer needs %d or newer" % (node, found, NODE_OLDEST))
    return node


def digest(paths, content):
    """Of names and contents, or of names, sizes and times: the second costs nothing at every start."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(os.path.relpath(path, SOURCES).encode() + b"\0")
        if content:
            with open(path, "rb") as file:
                total.update(file.read())
        else:
            info = os.stat(path)
            total.update(b"%d %d\0" % (info.st_size, info.st_mtime_ns))
    return total.hexdigest()


def is_stamped(stamp, text):
    try:
        with open(stamp) as file:
            return file.read() == text
    except OSError:
        return False


def write_stamp(stamp, text):
    with open(stamp, "w") as file:
        file.write(text)


def fetch_packages():
    wanted = [os.path.join(SOURCES, name) for name in ("package.json", "package-lock.json")]
    stamp, text = os.path.join(PACKAGES, ".stamp"), digest(wanted, content=True)
    if is_stamped(stamp, text):
        return
    npm = machine.find_tool("npm", "npm")
    os.makedirs(PACKAGES, exist_ok=True)
    for path in wanted:
        shutil.copy(path, PACKAGES)
    sys.stderr.write("vitrine: fetching the viewer's packages (once)\n")
    done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PACKAGES, stdout=sys.stderr.fileno())
    if done.returncode:
        raise machine.Problem("npm could not fetch the viewer's packages (this needs the network once)")
    write_stamp(stamp, text)


def source_files():
    for folder, folders, names in os.walk(SOURCES):
        folders[:] = [name for name in folders if name != "node_modules"]
        for name in names:
            yield os.path.join(folder, name)


def bundle(node):
    stamp, text = os.path.join(OUT, ".bundled"), digest(source_files(), content=False)
    if is_stamped(stamp, text):
        return
    done = subprocess.run([node, os.path.join(SOURCES, "build.mjs"), "--out", OUT, "--modules", os.path.join(PACKAGES, "node_modules")],
                          stdout=sys.stderr.fileno())
    if done.returncode:
        raise machine.Problem("the viewer could not be built")
    write_stamp(stamp, text)


def prepare():
    """Packages and bundles are there, and not older than their sources. Returns node's path."""
    os.makedirs(OUT, exist_ok=True)
    node = find_node()
    with open(os.path.join(OUT, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch_packages()
        bundle(node)
    return node


def program_options(added):
    """--program PATH=FILE of what this tree builds for the guest, and of what --add brings. Whether the guest runs
    the same file is found out when it does."""
    found = {}
    for part, place in (("user", "/bin"), ("guest", "/tests"), ("xv6/root", "/xv6")):
        folder = os.path.join(machine.BUILD, part)
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if "." not in name:
                found["/sbin/init" if name == "init" and part == "user" else "%s/%s" % (place, name)] = os.path.join(folder, name)
    found.update({guest: os.path.abspath(host) for host, guest in added if os.path.isfile(host)})
    return [word for guest, path in sorted(found.items()) for word in ("--program", "%s=%s" % (guest, path))]


def is_prepared():
    """Nothing would have to be fetched or built."""
    wanted = [os.path.join(SOURCES, name) for name in ("package.json", "package-lock.json")]
    return is_stamped(os.path.join(PACKAGES, ".stamp"), digest(wanted, content=True)) and \
        is_stamped(os.path.join(OUT, ".bundled"), digest(source_files(), content=False))


def dump_page(dump, kernel=None, added=()):
    """Makes a page of a dump, beside it, which needs neither server nor QEMU. Returns its path. kernel: of the machine; None: one of
    those that are built here, if it is the one."""
    page = dump + ".html"
    line = [prepare(), os.path.join(OUT, "keep.cjs"), "--dump", dump, "--out", page] + program_options(added)
    line += ["--elf", kernel] if kernel else [word for path in machine.built_kernels() for word in ("--candidate", path)]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(page)  # half of it
        raise machine.Problem(done.stderr.strip().split("vitrine: ")[-1] or "no page could be made of %s" % dump)
    return page


def run(program, arguments):
    """Never returns."""
    node = prepare()
    environment = dict(os.environ, VITRINE_BUILD=machine.BUILD)
    os.execve(node, [node, "--enable-source-maps", os.path.join(OUT, program + ".cjs")] + arguments, environment)


def main(argv):
    if not argv or argv[0] not in ("x", "bundle"):
        sys.stderr.write(__doc__)
        return 2
    if argv[0] == "bundle":
        prepare()
        print(OUT)
        return 0
    return run(argv[0], (program_options(()) if "faults" in argv[1:] else []) + argv[1:])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except machine.Problem as problem:
        sys.stderr.write("vitrine: %s\n" % problem)
        sys.exit(1)
