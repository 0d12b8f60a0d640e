#!/usr/bin/python3
"""./vitrine record: a session on one hart, kept so that ./vitrine replay runs it again to the instruction."""
import argparse
import contextlib
import datetime
import os
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402
import run  # noqa: E402
import session  # noqa: E402
import view  # noqa: E402
import watch  # noqa: E402

ESCAPE = 1  # Ctrl-A
HELP = "Ctrl-A m: a mark here; Ctrl-A x: the end; Ctrl-A Ctrl-A: Ctrl-A itself"


def parse(argv):
    parser = argparse.ArgumentParser(prog="./vitrine record", description=__doc__,
                                     epilog="While it records: %s." % HELP)
    add = parser.add_argument
    add("-o", "--output", default="session.vitrine", metavar="FILE", help="where to (default session.vitrine)")
    add("--exec", metavar="COMMAND", help="record one command in the guest's shell")
    add("--timeout", type=float, metavar="S", help="end the recording after S seconds")
    add("--no-view", action="store_true", help="leave out what there is to see (no Node needed)")
    add("--watch", metavar="FILE", help="say there where the machine's RAM is (default build/run/machine.json)")
    add("--with-disk", action="store_true", help="keep the disk in the session, for use elsewhere")
    run.add_machine_options(add)
    args = parser.parse_args(argv)
    if args.harts not in (1, 2):  # 2 is the default of ./vitrine run
        parser.error("a session can be recorded on one hart only")
    return args


class Terminal:
    """The user's terminal, raw; or a pipe, as it is."""

    def __enter__(self):
        self.saved = None
        if os.isatty(0):
            import termios
            import tty
            self.saved = termios.tcgetattr(0)
            tty.setraw(0)
        return self

    def __exit__(self, *_):
        if self.saved:
            import termios
            termios.tcsetattr(0, termios.TCSADRAIN, self.saved)


class Keeper:
    """The viewer's engine beside the guest: what there is to see goes into the session. It reads RAM, and disturbs nothing."""

    def __init__(self, description, folder, kernel, files):
        self.process = None
        try:
            node = view.prepare()
        except machine.Problem as problem:
            sys.stderr.write("vitrine: the session is kept without what there is to see: %s\r\n" % problem)
            return
        # The kernel in the session has no line tables; the one that it was made of has.
        line = [node, os.path.join(view.OUT, "keep.cjs"), "--machine", description, "--elf", kernel, "--out", os.path.join(folder, "view.json")]
        self.process = subprocess.Popen(line + view.program_options(files), stdin=subprocess.PIPE, preexec_fn=machine.die_with_parent)

    def end(self):
        if self.process:
            # Whatever becomes of it, the recording itself is not lost.
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self.process.stdin.close()
                self.process.wait(60)
            machine.stop(self.process)


class Recorder:
    """Between the terminal and the console: passes both ways, keeps what the console says, takes the escape commands."""

    def __init__(self, machine_run, marks, log, guest):
        self.session, self.marks, self.log, self.guest = machine_run, marks, log, guest
        self.escaped = self.done = False

    def mark(self):
        name = "mark %d" % (len(self.marks) + 1)
        self.marks.append({"name": name, "instructions": self.session.instructions()})
        sys.stderr.write("\r\nvitrine: %s, at instruction %d\r\n" % (name, self.marks[-1]["instructions"]))

    def typed(self, data):
        out = bytearray()
        for byte in data:
            if not self.escaped:
                self.escaped = byte == ESCAPE
                if not self.escaped:
                    out.append(byte)
                continue
            self.escaped = False
            if byte in b"mM":
                self.mark()
            elif byte in b"xX":
                self.done = True
            elif byte == ESCAPE:
                out.append(byte)
            else:
                sys.stderr.write("\r\nvitrine: %s\r\n" % HELP)
        if out:
            self.session.type(bytes(out))

    def heard(self, data):
        self.log.write(data)
        if self.guest is not None:
            self.guest.feed(data)
        else:
            os.write(1, data)

    def loop(self, deadline):
        """Until the guest switches off ("power off"), the user ends it ("stopped"), or the deadline comes ("late")."""
        console, events = self.session.process.stdout, self.session.monitor
        sources = [console, events.socket] + ([0] if self.guest is None else [])
        while not self.done:
            wait = max(0.0, deadline - time.monotonic()) if deadline else None
            readable = select.select(sources, [], [], wait)[0]
            if not readable:
                return "late"
            if 0 in readable:
                data = os.read(0, 4096)
                if data:
                    self.typed(data)
                else:
                    sources.remove(0)
            if console in readable:
                data = self.session.hear()
                if not data:
                    return "power off"
                self.heard(data)
            elif events.socket in readable and events.ended():
                return "power off"
        return "stopped"


def record(args, folder):
    run.build(args)
    tool = machine.find_tool("riscv64-linux-gnu-objcopy", "binutils-riscv64-linux-gnu")
    kernel = os.path.join(folder, "kernel.elf")
    original = args.kernel or machine.kernel_path(args.variant)
    subprocess.run([tool, "--strip-debug", original, kernel], check=True)
    files = [machine.split_add(text) for text in args.add]
    words = (["isolate=1"] if args.isolate else []) + ([args.append] if args.append else [])
    if args.exec is not None:
        words.append(run.exec_words(args.exec, files, folder))
    image = args.disk or machine.image_path(args.image)
    disk = os.path.join(folder, "disk.img")
    machine.copy_sparse(image, disk)
    if files:
        machine.add_files(disk, files)
    about = {
        "format": session.FORMAT, "version": session.VERSION, "qemu": session.qemu_says(),
        "machine": {"mem": args.mem, "append": " ".join(words),
                    "rtc": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")},
        "kernel": {"sha256": session.digest(kernel)},
        "disk": {"sha256": session.digest(disk), "path": None if files else os.path.abspath(image)}, "marks": [],
    }
    guest = run.Command(lambda data: os.write(1, data)) if args.exec is not None else None
    run_of = session.Session("record", about, folder, disk, args.watch or watch.default_description(), args.qemu_arg)
    try:
        with open(os.path.join(folder, "console.txt"), "wb") as log, Terminal():
            keeper = None if args.no_view else Keeper(run_of.machine_file(), folder, original, files)
            run_of.monitor.command("cont")
            if guest is None:
                sys.stderr.write("Recording. %s.\r\n" % HELP)
            about["end"] = Recorder(run_of, about["marks"], log, guest).loop(
                time.monotonic() + args.timeout if args.timeout else None)
        if about["end"] != "power off":
            run_of.monitor.command("stop")
            about["instructions"] = run_of.instructions()
        else:
            about["instructions"] = None  # QEMU ends at the very store that switches the machine off
        if keeper:
            keeper.end()
        run_of.end()
        about["ram_sha256"] = run_of.ram_digest()
    finally:
        run_of.close()
    session.write(args.output, folder, about, args.with_disk or bool(files))
    if guest is not None:
        guest.finish()
    sys.stderr.write("vitrine: %s: %d kB; ./vitrine replay %s runs it again\n" % (
        args.output, os.path.getsize(args.output) // 1024, args.output))
    return run.EXIT_TIMEOUT if about["end"] == "late" and guest is not None else 0


def main(argv):
    args = parse(argv)
    return session.in_folder(lambda folder: record(args, folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
