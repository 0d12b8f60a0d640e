"""A recorded session: one hart, everything that came from outside written down, so that it runs again to the instruction.

A session file is a zip archive:

    manifest.json   what is needed to run it again: QEMU's version, the machine, hashes of kernel, disk and final RAM, length, marks
    replay.log      QEMU's record, tens of kilobytes for a short session
    kernel.elf      the kernel, without debug information
    console.txt     what the console showed
    view.json       what there was to see, as differences ten times a second (view/shared/session.ts); only where Node is
    disk.img        only where the disk cannot be had otherwise, or with --with-disk
"""
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile

import machine
import watch
from machine import Problem
from qmp import Monitor

FORMAT, VERSION = "vitrine-session", 1


def qemu_says():
    """QEMU's version to the letter: another build may count, time or emulate differently."""
    done = subprocess.run([machine.find_qemu(), "--version"], stdout=subprocess.PIPE, universal_newlines=True)
    return done.stdout.splitlines()[0].strip()


def in_folder(work):
    """work(folder), in a folder of its own that is gone afterwards, whatever ends it. Returns the exit status of the program."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with tempfile.TemporaryDirectory(prefix="vitrine-", dir=machine.run_directory()) as folder:
            return work(folder)
    except Problem as problem:
        sys.stderr.write("vitrine: %s\n" % problem)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha.update(block)
    return sha.hexdigest()


class Session:
    """One run of QEMU, which records or replays (mode). `about` is the manifest; `folder` has kernel.elf and replay.log.

    The machine waits for the first "cont". When the guest switches it off QEMU is gone, but not the file that was its RAM.
    """

    def __init__(self, mode, about, folder, disk, description, extra=()):
        kernel = os.path.join(folder, "kernel.elf")
        self.watched = watch.Watched(about["machine"]["mem"], kernel, description)
        line = machine.command(kernel, None, 1, about["machine"]["mem"], about["machine"]["append"])
        line += self.watched.arguments() + watch.monitor("own", self.watched.socket("own"))
        line += ["-drive", "file=%s,format=raw,if=none,snapshot=on,id=d0" % watch.quote(disk),
                 "-drive", "driver=blkreplay,if=none,image=d0,id=d1", "-device", "virtio-blk-device,drive=d1",
                 "-icount", "shift=auto,rr=%s,rrfile=%s" % (mode, watch.quote(os.path.join(folder, "replay.log"))),
                 "-rtc", "base=%s,clock=vm" % about["machine"]["rtc"], "-net", "none", "-display", "none", "-monitor", "none",
                 "-serial", "stdio", "-S"]  # of a socket or a -chardev QEMU 7.2 replays not every byte
        self.monitor = None
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(line + list(extra), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                        stderr=self.errors, preexec_fn=machine.die_with_parent)
        try:
            self.monitor = Monitor(self.watched.socket("own"))
            self.watched.announce(self.process)
        except BaseException:
            self.close()
            raise

    def hear(self):
        """What the console says; b"": QEMU has ended."""
        return os.read(self.process.stdout.fileno(), 1 << 16)

    def type(self, data):
        os.write(self.process.stdin.fileno(), data)

    def machine_file(self):
        return self.watched.description

    def complaint(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip() or "it says nothing"

    def instructions(self):
        return self.monitor.command("query-replay")["icount"]

    def ram_digest(self):
        return digest(self.watched.ram)

    def end(self):
        """Lets QEMU finish its log."""
        with contextlib.suppress(Problem, OSError):
            self.monitor.command("quit")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)

    def close(self):
        machine.stop(self.process)
        for part in (self.process.stdin, self.process.stdout, self.monitor, self.watched, self.errors):
            if part:
                part.close()


# ---- the archive ----

def write(path, folder, about, with_disk):
    names = ["manifest.json", "replay.log", "kernel.elf", "console.txt"] + (["disk.img"] if with_disk else [])
    names += ["view.json"] if os.path.exists(os.path.join(folder, "view.json")) else []
    with open(os.path.join(folder, "manifest.json"), "w") as file:
        json.dump(about, file, indent=1)
        file.write("\n")
    draft = path + ".part"
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.write(os.path.join(folder, name), name)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def read(path, folder):
    """Unpacks a session into the folder. Returns the manifest. Problem: it is none, or one of another time."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("manifest.json").decode())
            if about.get("format") != FORMAT:
                raise Problem("%s is no recorded session" % path)
            if about.get("version") != VERSION:
                raise Problem("%s has version %s of the format; this Vitrine reads version %d" % (path, about.get("version"), VERSION))
            for name in ("replay.log", "kernel.elf", "console.txt", "view.json", "disk.img"):
                if name in archive.namelist():
                    with archive.open(name) as source, open(os.path.join(folder, name), "wb") as target:
                        shutil.copyfileobj(source, target)
    except FileNotFoundError:
        raise Problem("no file %s" % path)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise Problem("%s is no recorded session, or is damaged: %s" % (path, error))
    missing = [name for name in ("replay.log", "kernel.elf") if not os.path.exists(os.path.join(folder, name))]
    if missing:
        raise Problem("%s is damaged: it lacks %s" % (path, missing[0]))
    return about


def find_disk(about, folder):
    """The disk that the session began with."""
    inside = os.path.join(folder, "disk.img")
    wanted = about["disk"]["sha256"]
    for path in [inside, about["disk"].get("path")] + [machine.image_path(kind) for kind in machine.IMAGE_KINDS]:
        if path and os.path.exists(path) and digest(path) == wanted:
            return path
    raise Problem("the session began with a disk that is not here any more (sha256 %s…, %s); record with --with-disk to keep it" % (
        wanted[:16], about["disk"].get("path") or "changed by --add"))
