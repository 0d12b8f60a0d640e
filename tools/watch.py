"""A machine that can be watched: its RAM lies in a file that another process reads while the guest runs.

Everything is private to the user: the RAM and the sockets of QEMU lie in directories of mode 0700. Where they are is said in a
description, build/run/machine.json, while the machine runs:

    version   1
    ram       the file; byte 0 of it is physical address `base`
    base      0x80000000
    size      of the RAM in bytes
    kernel    the ELF file that was booted
    qmp       socket of QEMU's monitor, for clients that come and go (it serves one at a time)
    gdb       socket of QEMU's gdb stub
    pid       of QEMU
    console   socket of the guest's console, or null when it is a terminal
"""
import glob
import json
import os
import shutil
import tempfile

import machine

VERSION = 1
RAM_BASE = 0x80000000


def default_description():
    return os.path.join(machine.run_directory(), "machine.json")


class Watched:
    """The files and sockets of one machine. arguments() go to QEMU; announce() when it runs, close() when it is gone.

    Without a description nobody is told of them.
    """

    def __init__(self, mem, kernel, description):
        self.size = machine.parse_size(mem)
        self.kernel = os.path.abspath(kernel)
        self.description = os.path.abspath(description) if description else None
        self.console = None
        # A tmpfs that fills up kills QEMU without a word, so the room is made sure of beforehand. QEMU does not clear a file that
        # is there already: the directory is new, so the RAM is too.
        sweep()
        self.memory = machine.scratch_directory(self.size, "the guest's RAM")
        with open(os.path.join(self.memory, "owner"), "w") as file:
            file.write("%d\n" % os.getpid())
        try:
            self.sockets = tempfile.mkdtemp(prefix="watch-", dir=machine.socket_directory())
        except Exception:
            shutil.rmtree(self.memory, ignore_errors=True)
            raise
        self.ram = os.path.join(self.memory, "ram")

    def socket(self, name):
        return os.path.join(self.sockets, name)

    def arguments(self):
        return self.ram_arguments() + ["-gdb", "unix:%s,server=on,wait=off" % quote(self.socket("gdb"))]

    def ram_arguments(self):
        """Without a gdb stub: whoever starts the machine has one of his own."""
        return ["-object", "memory-backend-file,id=ram,size=%d,mem-path=%s,share=on" % (self.size, quote(self.ram)),
                "-machine", "memory-backend=ram"] + monitor("qmp", self.socket("qmp"))

    def viewer_arguments(self):
        """The viewer's own monitor, which it keeps, and the console. QEMU waits for the console's reader: no line is lost."""
        self.console = self.socket("console")
        return monitor("view", self.socket("view")) + [
            "-display", "none", "-monitor", "none", "-serial", "chardev:con",
            "-chardev", "socket,id=con,path=%s,server=on,wait=on" % quote(self.console)]

    def announce(self, process):
        """Writes the description, whole or not at all."""
        text = {"version": VERSION, "ram": self.ram, "base": RAM_BASE, "size": self.size, "kernel": self.kernel,
                "qmp": self.socket("qmp"), "gdb": self.socket("gdb"), "pid": process.pid, "console": self.console}
        if not self.description:
            return
        draft = self.description + ".%d" % os.getpid()
        with open(draft, "w") as file:
            json.dump(text, file, indent=1)
            file.write("\n")
        os.replace(draft, self.description)

    def close(self):
        """Removes what this machine left; a description only if no later machine has written it."""
        try:
            if self.description:
                with open(self.description) as file:
                    mine = json.load(file).get("ram") == self.ram
                if mine:
                    os.unlink(self.description)
        except (OSError, ValueError):
            pass
        for folder in (self.memory, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)


def sweep():
    """Removes the RAM of machines whose launcher was killed before it could: in a tmpfs that is memory."""
    for owner in glob.glob("/dev/shm/vitrine-*/owner") + glob.glob(os.path.join(machine.run_directory(), "vitrine-*/owner")):
        try:
            with open(owner) as file:
                os.kill(int(file.read()), 0)
        except ProcessLookupError:
            shutil.rmtree(os.path.dirname(owner), ignore_errors=True)
        except (OSError, ValueError):
            pass  # another user's, or just being made


def monitor(name, path):
    return ["-chardev", "socket,id=%s,path=%s,server=on,wait=off" % (name, quote(path)), "-mon", "chardev=%s,mode=control" % name]


def quote(path):
    return path.replace(",", ",,")
