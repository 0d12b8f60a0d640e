"""The virtual machine: how QEMU is found, checked and called, and how its disk is made ready.

Shared by run.py (./vitrine run), view.py, gdb.py, bench.py and the tests, so that all of them boot the same machine.
"""
import ctypes
import fcntl
import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("VITRINE_BUILD") or os.path.join(TOP, "build")
QEMU = "qemu-system-riscv64"
QEMU_OLDEST = (7, 2)
IMAGE_KINDS = [a + b + c for a in ("disk", "test") for b in ("", "-ext2") for c in ("", "-1k")]
ICOUNT = ["-icount", "shift=0,sleep=off", "-seed", "42", "-rtc", "base=2026-01-01,clock=vm"]
MIB = 1 << 20


class Problem(Exception):
    """Something that the user can mend; the text says how."""


def search_path():
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def environment():
    return dict(os.environ, PATH=search_path(), LC_ALL="C")


def find_tool(name, package):
    path = shutil.which(name, path=search_path())
    if not path:
        raise Problem("%s is missing (package %s): run ./vitrine doctor" % (name, package))
    return path


def qemu_version(path):
    """(major, minor) of a QEMU program; remembered, since asking takes longer than the rest of the start."""
    info = os.stat(path)
    key = "%s %d %d" % (os.path.realpath(path), info.st_mtime_ns, info.st_size)
    memory = os.path.join(run_directory(), "qemu-version")
    try:
        with open(memory) as file:
            known, version = file.read().rsplit("\t", 1)
        if known == key:
            return tuple(map(int, version.split(".")))
    except (OSError, ValueError):
        pass
    text = subprocess.run([path, "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    found = re.search(r"version (\d+)\.(\d+)", text)
    if not found:
        raise Problem("%s --version says nothing of a version" % path)
    with open(memory, "w") as file:
        file.write("%s\t%s.%s" % (key, found.group(1), found.group(2)))
    return int(found.group(1)), int(found.group(2))


def find_qemu():
    path = find_tool(os.environ.get("VITRINE_QEMU", QEMU), "qemu-system-riscv64, or qemu-system-misc on Debian 12")
    version = qemu_version(path)
    if version < QEMU_OLDEST:
        raise Problem("%s is QEMU %d.%d; Vitrine needs %d.%d or newer (older ones hang without a word)" % (
            (path,) + version + QEMU_OLDEST))
    return path


def run_directory():
    path = os.path.join(BUILD, "run")
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path


def socket_directory():
    """A short private directory for sockets (their paths may have only 107 bytes), one per tree and user."""
    name = "vitrine-%d-%s" % (os.getuid(), hashlib.sha1(TOP.encode()).hexdigest()[:8])
    path = os.path.join(os.environ.get("XDG_RUNTIME_DIR") or "/tmp", name)
    os.makedirs(path, mode=0o700, exist_ok=True)
    if os.stat(path).st_uid != os.getuid():
        raise Problem("%s belongs to someone else" % path)
    return path


def make(*targets):
    """Builds targets; everything make says goes to standard error. One build at a time in a tree."""
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        jobs = "-j%d" % (os.cpu_count() or 1)
        env = {k: v for k, v in environment().items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        # A handler that raises while Python waits for a child can leave its wait lock taken: the default action here.
        handlers = {n: signal.signal(n, signal.SIG_DFL) for n in (signal.SIGTERM, signal.SIGHUP)}
        done = subprocess.run(["make", "-s", jobs, "-C", TOP, "B=" + (os.path.relpath(BUILD, TOP))] + list(targets), stdout=sys.stderr.fileno(), env=env)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if done.returncode:
        raise Problem("the build failed")


def kernel_path(variant):
    return os.path.join(BUILD, variant, "vitrine.elf")


def built_kernels():
    return sorted(glob.glob(os.path.join(BUILD, "*", "vitrine.elf")))


def image_path(kind):
    return os.path.join(BUILD, kind + ".img")


def parse_size(text):
    """QEMU's notation: 256M, 4G; a bare number is MiB."""
    found = re.fullmatch(r"(\d+)([kKmMgGtT]?)[bB]?", text)
    if not found:
        raise Problem("%s is not a size: use for example 32M or 4G" % text)
    return int(found.group(1)) << {"k": 10, "": 20, "m": 20, "g": 30, "t": 40}[found.group(2).lower()]


def free_space(folder):
    info = os.statvfs(folder)
    return info.f_bavail * info.f_frsize


def scratch_directory(needed, what="a throw-away copy of the image"):
    """A temporary directory (mode 0700) with room for `needed` bytes: in memory when there is plenty, else under build/run."""
    choices = ["/dev/shm", run_directory()]
    for place in choices:
        if os.access(place, os.W_OK) and free_space(place) > needed + (256 * MIB if place == "/dev/shm" else 16 * MIB):
            return tempfile.mkdtemp(prefix="vitrine-", dir=place)
    raise Problem("no room for %s (%d MiB): free some space under %s" % (what, needed // MIB, run_directory()))


def copy_sparse(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)


class Disk:
    """The image that the guest gets. A throw-away disk leaves the file as it was.

    path, keep (what the guest writes stays), files: [(host path, guest path)] to put into it first.
    """

    def __init__(self, path, keep=False, files=()):
        if not os.path.exists(path):
            raise Problem("no image %s" % path)
        self.path, self.keep, self.scratch = path, keep, None
        self.snapshot = not keep
        if files and not keep:
            needed = os.stat(path).st_blocks * 512 + sum(tree_size(host) for host, _ in files)
            self.scratch = scratch_directory(needed)
            self.path = os.path.join(self.scratch, "disk.img")
            self.snapshot = False
            copy_sparse(path, self.path)
        try:
            if files:
                add_files(self.path, files)
        except Exception:
            self.close()
            raise

    def arguments(self):
        drive = "file=%s,format=raw,if=none,id=d0" % self.path.replace(",", ",,")
        if self.snapshot:
            drive += ",snapshot=on"
        if not self.keep:
            drive += ",cache=unsafe"  # nobody will read it after a crash of the host
        return ["-drive", drive, "-device", "virtio-blk-device,drive=d0"]

    def close(self):
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = None


def tree_size(path):
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(tree_size(os.path.join(path, name)) + 4096 for name in os.listdir(path)) + 4096


def split_add(text):
    """HOSTFILE[:GUESTPATH] as a pair; without GUESTPATH the file goes to the guest's root directory."""
    host, guest = text, None
    if not os.path.exists(text) and ":" in text:
        host, guest = text.rsplit(":", 1)
    if not os.path.exists(host):
        raise Problem("--add: no file %s" % host)
    name = os.path.basename(os.path.abspath(host))
    if not guest:
        guest = "/" + name
    elif guest.endswith("/"):
        guest += name
    return host, guest if guest.startswith("/") else "/" + guest


def debugfs(image, commands, write=False):
    done = subprocess.run([find_tool("debugfs", "e2fsprogs")] + (["-w"] if write else []) + ["-f", "-", image],
                          input="".join(c + "\n" for c in commands), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, errors="replace", env=environment())
    errors = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("debugfs ")]
    return done.stdout, errors


def quote(path):
    if '"' in path or "\n" in path:
        raise Problem("--add: cannot put a file with a quotation mark in its name on the image: %s" % path)
    return '"%s"' % path


def add_commands(host, guest):
    """debugfs commands that put a file or a whole directory at the guest path, owned by root."""
    commands = []
    if os.path.islink(host) and not os.path.exists(host):
        raise Problem("--add: %s points nowhere" % host)
    if os.path.isdir(host):
        commands.append("mkdir " + quote(guest))
        for name in sorted(os.listdir(host)):
            commands += add_commands(os.path.join(host, name), guest.rstrip("/") + "/" + name)
        return commands
    mode = 0o100755 if os.access(host, os.X_OK) else 0o100644
    commands.append("rm " + quote(guest))
    commands.append("write %s %s" % (quote(os.path.abspath(host)), quote(guest)))
    for field, value in (("mode", "0%o" % mode), ("uid", "0"), ("gid", "0")):
        commands.append("sif %s %s %s" % (quote(guest), field, value))
    return commands


def add_files(image, files):
    folders, commands = [], []
    for host, guest in files:
        parts = guest.strip("/").split("/")
        folders += ["/" + "/".join(parts[:depth]) for depth in range(1, len(parts))]
    # debugfs makes a directory before it finds that the name is taken, and leaves it behind.
    for folder in dict.fromkeys(folders):
        out, _ = debugfs(image, ["stat " + quote(folder)])
        if "Inode:" not in out:
            commands.append("mkdir " + quote(folder))
    for host, guest in files:
        commands += add_commands(host, guest)
    _, errors = debugfs(image, commands, write=True)
    # rm of what was not there and mkdir of what is are no errors here; all else is.
    real = [e for e in errors if not re.search(r"already exists|^rm:|File not found by ext2_lookup", e)]
    if real:
        raise Problem("--add: the image does not take the file: %s" % real[0])
    for host, guest in files:
        if os.path.isfile(host):
            out, _ = debugfs(image, ["stat " + quote(guest)])
            found = re.search(r"Size: (\d+)", out)
            if not found or int(found.group(1)) != os.path.getsize(host):
                raise Problem("--add: %s did not fit on the image" % host)


def command(kernel, disk, harts=2, mem="256M", append="", icount=False, extra=()):
    """QEMU's command line without a console: add "-serial ..." or "-nographic"."""
    if not os.path.exists(kernel):
        raise Problem("no kernel %s: run make" % kernel)
    parse_size(mem)
    if not 1 <= harts <= 512:
        raise Problem("--harts takes a number from 1 up")
    # QEMU lists translated code by physical page, and walks that list at each store to such a page. Programs at random addresses
    # leave thousands of translations of one page of libc; a small buffer, which is emptied when full, bounds them.
    line = [find_qemu(), "-machine", "virt", "-accel", "tcg,tb-size=64", "-smp", str(1 if icount else harts),
            "-m", mem if mem[-1].isalpha() else mem + "M", "-kernel", kernel, "-no-reboot",
            "-global", "virtio-mmio.force-legacy=false"]
    line += disk.arguments() if disk else []
    line += ["-object", "rng-builtin,id=rng0", "-device", "virtio-rng-device,rng=rng0"]
    if append:
        line += ["-append", append]
    if icount:
        line += ICOUNT
    return line + list(extra)


def die_with_parent():
    """Runs in the child before exec: no QEMU outlives the launcher that started it."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        pass


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
