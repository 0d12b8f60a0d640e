#!/usr/bin/python3
"""gdb on the running kernel (./vitrine gdb): starts the machine stopped, and attaches gdb to it.

--serve only starts the machine, on this terminal, and waits (make qemu-gdb); --attach only attaches (make gdb).
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402
import watch  # noqa: E402

SCRIPT = """# Written by tools/gdb.py at every start.
set confirm off
set pagination off
set architecture riscv:rv64
set remotetimeout 30
# Before paging, nothing at the kernel's addresses can be read: text and constants come from the file, and breakpoints are
# set without a look at the instruction (QEMU keeps them; it writes none to memory).
set trust-readonly-sections on
set riscv use-compressed-breakpoints on
directory {top}
source {top}/tools/gdb/vitrine.py
target remote {socket}
"""
ATTACHED = """printf "\\nVitrine: harts are threads (info threads). Commands: pt [PID], walk ADDR, procs, frame ADDR, bt; vx COMMAND: ./vitrine x.\\n"
printf "For example: break kernel_main, continue. The console is in {log}\\n"
printf "When user code was stopped, gdb reads kernel variables after: set $priv = 1 (0 again before continue).\\n"
printf "With isolate=1 that table lacks the kernel: the commands above find it, print does not.\\n\\n"
"""


def parse(argv):
    parser = argparse.ArgumentParser(prog="vitrine gdb", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--serve", action="store_true", help="only start the machine, stopped, with this terminal as its console")
    add("--attach", action="store_true", help="only attach gdb to a machine that --serve started")
    add("--harts", type=int, default=2, metavar="N")
    add("--mem", default="256M", metavar="SIZE")
    add("--append", default="", metavar="ARGS", help="kernel arguments")
    add("--isolate", action="store_true", help="user code on page tables without the kernel (isolate=1)")
    add("--disk", metavar="IMG", help="use this image, and keep what is written")
    add("--variant", default="release", choices=["release", "debug", "release-clang", "debug-clang"])
    add("--kernel", metavar="ELF", help="this kernel, as it is (nothing is built)")
    add("--image", default="disk", choices=machine.IMAGE_KINDS)
    add("-x", "--command", action="append", default=[], metavar="FILE", help="gdb commands to run after attaching")
    add("--ex", action="append", default=[], metavar="COMMAND", help="a gdb command to run after attaching")
    add("--batch", action="store_true", help="leave gdb after the commands")
    return parser.parse_args(argv)


def find_place(args):
    """The directory of the socket and of gdb's script: one for the pair of --serve and --attach, else this session's own."""
    folder = machine.socket_directory()
    return folder if args.serve or args.attach else tempfile.mkdtemp(prefix="gdb-", dir=folder)


def socket_path(place):
    return os.path.join(place, "gdb.sock")


def find_gdb():
    for name in ("gdb-multiarch", "riscv64-linux-gnu-gdb", "riscv64-unknown-elf-gdb"):
        path = shutil.which(name, path=machine.search_path())
        if path:
            return path
    return machine.find_tool("gdb-multiarch", "gdb-multiarch")


def attach(args, kernel, place, log):
    script = os.path.join(place, "gdbinit")
    with open(script, "w") as file:
        file.write(SCRIPT.format(top=machine.TOP, socket=socket_path(place)))
        if log and not args.batch:
            file.write(ATTACHED.format(log=log))
    # -nx: the user's own start-up files stay out of it, and need no change.
    line = [find_gdb(), "-nx", "-q", "-x", script]
    for path in args.command:
        line += ["-x", path]
    for text in args.ex:
        line += ["-ex", text]
    if args.batch:
        line.append("-batch")
    environment = dict(os.environ, VITRINE_PROGRAM=os.path.join(machine.TOP, "vitrine"), VITRINE_MACHINE=description(place))
    # Ctrl-C is for gdb, which stops the machine with it; it must not end this launcher.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.run(line + [kernel], env=environment,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def description(place):
    """Of the machine, for vx and ./vitrine x --machine."""
    return os.path.join(place, "machine.json")


def serve(args, kernel, place, console, watched):
    """Starts QEMU with all harts stopped; returns its process when gdb can attach."""
    disk = machine.Disk(args.disk or machine.image_path(args.image), keep=bool(args.disk))
    path = socket_path(place)
    if os.path.exists(path):
        os.unlink(path)
    words = (["isolate=1"] if args.isolate else []) + ([args.append] if args.append else [])
    line = machine.command(kernel, disk, args.harts, args.mem, " ".join(words),
                           extra=["-S", "-gdb", "unix:%s,server=on,wait=off" % path] + watched.ram_arguments() + console)
    inherit = {} if "stdio,id=con,mux=on,signal=off" in console else {"stdin": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen(line, preexec_fn=machine.die_with_parent, **inherit)
    for _ in range(200):
        if os.path.exists(path) or process.poll() is not None:
            break
        time.sleep(0.05)
    if process.poll() is not None:
        raise machine.Problem("QEMU ended with status %d" % process.returncode)
    watched.announce(process)
    return process


def build(args):
    if not args.kernel:
        variant, _, clang = args.variant.partition("-")
        machine.make("kernel", "V=" + variant, "CC_KIND=" + (clang or "gcc"))
        if not args.disk:
            machine.make(os.path.relpath(machine.image_path(args.image), machine.TOP))


def main(argv):
    args = parse(argv)
    process = place = watched = None
    try:
        build(args)
        place = find_place(args)
        kernel = args.kernel or machine.kernel_path(args.variant)
        if args.attach:
            if not os.path.exists(socket_path(place)):
                raise machine.Problem("no machine waits for gdb: start one with make qemu-gdb in another terminal")
            return attach(args, kernel, place, None)
        watched = watch.Watched(args.mem, kernel, description(place))
        if args.serve:
            print("Vitrine waits for gdb: in another terminal, make gdb. To leave: Ctrl-A and then x.", flush=True)
            console = ["-display", "none", "-chardev", "stdio,id=con,mux=on,signal=off", "-serial", "chardev:con",
                       "-mon", "chardev=con"]
            process = serve(args, kernel, place, console, watched)
            return process.wait()
        log = os.path.join(machine.run_directory(), "gdb-console.log")
        process = serve(args, kernel, place, ["-display", "none", "-monitor", "none", "-serial", "file:" + log], watched)
        return attach(args, kernel, place, log)
    except machine.Problem as problem:
        sys.stderr.write("vitrine: %s\n" % problem)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if process:
            machine.stop(process)
            if os.path.exists(socket_path(place)):
                os.unlink(socket_path(place))
        if watched:
            watched.close()
        if place and not (args.serve or args.attach):
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
