#!/usr/bin/python3
"""Boots Vitrine in QEMU (./vitrine run): to a shell on this terminal, or for one command with --exec.

Exit status with --exec: the command's own; 124 after --timeout; QEMU's, or 1, when the kernel did not get that far.
"""
import argparse
import base64
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dump  # noqa: E402
import machine  # noqa: E402
import view  # noqa: E402
import watch  # noqa: E402

BEGIN, END, PANIC = b"\x1e<exec>\n", b"\x1e</exec>\n", b"\nPANIC"
EXIT_TIMEOUT, EXIT_PANIC = 124, 101
QUIET_SECONDS = 10
LONGEST_WORD = 1024  # a longer command travels as a file, since kernel command lines are short
LONGEST_REPORT = 1 << 16  # of the console, when something went wrong
COMMAND_FILE = "/etc/vitrine-exec"
SILENCE = """vitrine: nothing on the console for %d seconds. What to look at:
  ./vitrine doctor    is QEMU new enough, is its firmware (opensbi) there?
  ./vitrine gdb       where are the harts? (Ctrl-C, then: info threads, bt)
  --append '...'      a wrong root= or console=?  --harts 1 and --mem 256M narrow it down
  --variant debug     the kernel with all its checks
"""


def parse(argv):
    parser = argparse.ArgumentParser(prog="vitrine run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--exec", metavar="COMMAND", help="run COMMAND in the guest's shell, print only its output, exit with its status")
    add("--timeout", type=float, metavar="S", help="give up after S seconds (exit status 124)")
    add("--watch", nargs="?", const="", metavar="FILE",
        help="keep guest RAM in a file that others can read; FILE (default build/run/machine.json) says where it is")
    add("--dump", metavar="FILE", help="when the kernel panics, keep its memory there, for ./vitrine view --dump FILE, ./vitrine x --dump FILE and gdb")
    add_machine_options(add)
    return parser.parse_args(argv)


def add_machine_options(add):
    """The options that say what is booted; ./vitrine view has them too."""
    add("--harts", type=int, default=2, metavar="N", help="number of harts (default 2)")
    add("--mem", default="256M", metavar="SIZE", help="RAM, for example 32M or 4G (default 256M)")
    add("--append", default="", metavar="ARGS", help="kernel arguments")
    add("--isolate", action="store_true", help="user code on page tables without the kernel (isolate=1, docs/isolation.md)")
    add("--add", action="append", default=[], metavar="HOSTFILE[:GUESTPATH]",
        help="put a file or directory into a throw-away copy of the image (default place: /)")
    add("--disk", metavar="IMG", help="use this image, and keep what is written")
    add("--icount", action="store_true", help="deterministic instruction counting, one hart")
    add("--variant", default="release", choices=["release", "debug", "release-clang", "debug-clang"], help="which kernel")
    add("--kernel", metavar="ELF", help="this kernel, as it is (nothing is built)")
    add("--image", default="disk", choices=machine.IMAGE_KINDS, help="which image of build/ (default disk)")
    add("--qemu-arg", action="append", default=[], metavar="ARG", help="one more argument for QEMU (repeatable; --qemu-arg=-S when it begins with a dash)")
    add("--no-build", action="store_true", help="take kernel and image as they are")


def build(args):
    if args.no_build:
        return
    if not args.kernel:
        variant, _, clang = args.variant.partition("-")
        machine.make("kernel", "V=" + variant, "CC_KIND=" + (clang or "gcc"))
    if not args.disk:
        machine.make(os.path.relpath(machine.image_path(args.image), machine.TOP))


class Command:
    """The console of a guest that runs one command: passes on what is between the markers, byte for byte.

    A line that begins with PANIC may be the kernel's, in the middle of the command's output. From there on output is held
    back: the end marker proves that it was the command's after all; the machine's end proves that it was not.
    """

    def __init__(self, write):
        self.write = write
        self.console = bytearray()  # everything outside the markers
        self.pending = b""
        self.last = b"\n"  # the byte before pending
        self.began = self.ended = self.panic = False

    def feed(self, data):
        if self.ended:
            self.console += data
            return
        self.pending += data
        if not self.began:
            self.find_begin()
        if self.began:
            self.find_end()

    def find_begin(self):
        at = self.pending.find(BEGIN)
        if at >= 0:
            self.began = True
            self.console += self.pending[:at]
            self.pending = self.pending[at + len(BEGIN):]

    def find_end(self):
        at = self.pending.find(END)
        if at >= 0:
            self.emit(at)
            self.console += self.pending[len(END):]
            self.pending, self.ended, self.panic = b"", True, False
            return
        if self.panic:
            return
        text = self.last + self.pending
        at = text.find(PANIC)
        if at >= 0:
            self.emit(at)
            self.panic = True
            return
        # Hold back only what may become a marker or the word PANIC at the start of a line.
        held = max(overlap(self.pending, END), overlap(text, PANIC) - 1, 0)
        self.emit(len(self.pending) - held)

    def emit(self, count):
        if count:
            self.write(self.pending[:count])
            self.last = self.pending[count - 1:count]
            self.pending = self.pending[count:]

    def finish(self):
        """The machine is off. Without an end marker the rest is either the command's last words or a panic's."""
        if self.began and not self.ended and not self.panic:
            self.emit(len(self.pending))
        self.console += self.pending
        self.pending = b""


def overlap(text, word):
    """How many bytes at the end of text are the beginning of word."""
    for count in range(min(len(text), len(word) - 1), 0, -1):
        if text.endswith(word[:count]):
            return count
    return 0


class Output:
    """Standard output, written without ever waiting for its reader: a slow one must not slow the guest's console down."""

    CHUNK = 4096  # a pipe that select() calls writable takes at least so much without blocking

    def __init__(self):
        self.waiting = bytearray()

    def put(self, data):
        self.waiting += data

    def write_some(self):
        try:
            done = os.write(1, self.waiting[:self.CHUNK])
        except BlockingIOError:
            return
        del self.waiting[:done]

    def flush(self):
        while self.waiting:
            select.select([], [1], [])
            self.write_some()


def exec_words(command, files, scratch):
    """The words of the kernel command line that carry the command; a long one travels as a file."""
    word = base64.urlsafe_b64encode(command.encode()).decode().rstrip("=")
    if len(word) > LONGEST_WORD:
        path = os.path.join(scratch, "exec")
        with open(path, "w") as file:
            file.write(command + "\n")
        files.append((path, COMMAND_FILE))
        return exec_words(". " + COMMAND_FILE, files, scratch)
    return "quiet VITRINE_EXEC=" + word


def pump(process, guest, output, deadline):
    """Reads the console until it closes. Returns True when the deadline came first."""
    source = process.stdout.fileno()
    quiet_since, warned = time.monotonic(), False
    while True:
        now = time.monotonic()
        if deadline and now >= deadline:
            return True
        if not guest.began and not warned and now - quiet_since >= QUIET_SECONDS:
            sys.stderr.write(SILENCE % QUIET_SECONDS)
            warned = True
        wait = 1.0 if not deadline else max(0.0, min(1.0, deadline - now))
        readable, writable, _ = select.select([source], [1] if output.waiting else [], [], wait)
        if writable:
            output.write_some()
        if readable:
            data = os.read(source, 1 << 16)
            if not data:
                return False
            quiet_since = time.monotonic()
            guest.feed(data)


def show_console(guest, errors, reason):
    text = bytes(guest.console[-LONGEST_REPORT:]).decode(errors="replace").replace("\r\n", "\n")
    sys.stderr.write("vitrine: %s\n" % reason)
    if text.strip():
        sys.stderr.write("--- console ---\n%s\n--- end of console ---\n" % text.rstrip("\n"))
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip()
    if said:
        sys.stderr.write("--- QEMU ---\n%s\n" % said)


def run_command(line, timeout, watched):
    deadline = time.monotonic() + timeout if timeout else None
    line = line + ["-display", "none", "-monitor", "none", "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con"]
    output = Output()
    guest = Command(output.put)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
                                   preexec_fn=machine.die_with_parent)
        try:
            if watched:
                watched.announce(process)
            late = pump(process, guest, output, deadline)
        except BrokenPipeError:
            machine.stop(process)
            return 128 + signal.SIGPIPE
        except KeyboardInterrupt:
            machine.stop(process)
            guest.finish()
            show_console(guest, errors, "interrupted")
            return 128 + signal.SIGINT
        finally:
            if process.poll() is None and sys.exc_info()[0]:
                machine.stop(process)
        if late:
            machine.stop(process)
        status = process.wait()
        guest.finish()
        try:
            output.flush()
        except BrokenPipeError:
            return 128 + signal.SIGPIPE
        if late:
            show_console(guest, errors, "no end after %g seconds" % timeout)
            return EXIT_TIMEOUT
        return judge(guest, status, errors)


def judge(guest, status, errors):
    if guest.ended and status >= 0:
        if b"\nPANIC" in guest.console:
            show_console(guest, errors, "the kernel panicked after the command's end")
            return status or 1
        return status
    if status < 0:
        show_console(guest, errors, "QEMU died of %s" % signal.Signals(-status).name)
        return 128 - status
    if guest.panic or b"\nPANIC" in guest.console:
        show_console(guest, errors, "the kernel panicked")
        return status or 1
    if not guest.began:
        show_console(guest, errors, "the machine stopped before the command began")
        return status or 1
    sys.stderr.write("vitrine: the machine was switched off before the command's end\n")
    return status


def watch_silence(log, process):
    """Ten seconds with nothing on the console but the firmware's banner: say what to look at, once."""
    process_end = time.monotonic() + QUIET_SECONDS
    while process.poll() is None and time.monotonic() < process_end:
        time.sleep(0.2)
        if kernel_spoke(log):
            return
    if process.poll() is None:
        sys.stderr.write((SILENCE % QUIET_SECONDS).replace("\n", "\r\n"))


def kernel_spoke(log):
    try:
        with open(log, "rb") as file:
            data = file.read(1 << 16)
    except OSError:
        return False
    if data.lstrip().startswith(b"OpenSBI"):
        at = data.rfind(b"Boot HART")
        end = data.find(b"\n", at)
        data = data[end:] if at >= 0 and end >= 0 else b""
    return bool(data.strip())


def run_terminal(line, timeout, watched):
    log = os.path.join(machine.run_directory(), "console.log")
    if os.path.exists(log):
        os.unlink(log)
    print("Vitrine in QEMU. To leave: type poweroff, or press Ctrl-A and then x.", flush=True)
    line = line + ["-display", "none", "-chardev", "stdio,id=con,mux=on,signal=off,logfile=%s" % log.replace(",", ",,"),
                   "-serial", "chardev:con", "-mon", "chardev=con"]
    saved = None
    if os.isatty(0):
        import termios
        saved = termios.tcgetattr(0)
    process = subprocess.Popen(line, preexec_fn=machine.die_with_parent)
    threading.Thread(target=watch_silence, args=(log, process), daemon=True).start()
    try:
        if watched:
            watched.announce(process)
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        sys.stderr.write("\r\nvitrine: no end after %g seconds\r\n" % timeout)
        status = EXIT_TIMEOUT
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    finally:
        machine.stop(process)
        if saved:
            import termios
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
    return status if status >= 0 else 128 - status


def keep_dump(watched, path):
    try:
        dump.write(watched.ram, watch.RAM_BASE, watched.kernel, path)
    except (OSError, machine.Problem) as problem:  # the guest's own end is what counts
        sys.stderr.write("vitrine: the machine's memory could not be kept: %s\n" % problem)
        return
    sys.stderr.write("vitrine: the machine's memory is kept in %s: ./vitrine view --dump %s; ./vitrine x --dump %s check; gdb-multiarch %s %s%s\n" % (
        path, path, path, os.path.relpath(watched.kernel), path, link_to(path, watched.kernel)))


def link_to(dump_path, kernel):
    """To a page of the dump, where one can be made without the network."""
    try:
        return "; file://%s#v=1&view=lamp" % os.path.abspath(view.dump_page(dump_path, kernel)) if view.is_prepared() else ""
    except machine.Problem:
        return ""


def main(argv):
    args = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    disk = watched = None
    with tempfile.TemporaryDirectory(prefix="vitrine-") as scratch:
        try:
            build(args)
            files = [machine.split_add(text) for text in args.add]
            words = (["isolate=1"] if args.isolate else []) + ([args.append] if args.append else [])
            if args.exec is not None:
                words.append(exec_words(args.exec, files, scratch))
            disk = machine.Disk(args.disk or machine.image_path(args.image), keep=bool(args.disk), files=files)
            kernel = args.kernel or machine.kernel_path(args.variant)
            line = machine.command(kernel, disk, args.harts, args.mem, " ".join(words), args.icount, args.qemu_arg)
            if args.watch is not None or args.dump:
                described = args.watch is not None and (args.watch or watch.default_description())
                watched = watch.Watched(args.mem, kernel, described or None)
                line += watched.arguments()
            if args.exec is not None:
                status = run_command(line, args.timeout, watched)
            else:
                status = run_terminal(line, args.timeout, watched)
            if args.dump and status in (EXIT_PANIC, EXIT_TIMEOUT):
                keep_dump(watched, args.dump)
            return status
        except machine.Problem as problem:
            sys.stderr.write("vitrine: %s\n" % problem)
            return 1
        finally:
            if watched:
                watched.close()
            if disk:
                disk.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
