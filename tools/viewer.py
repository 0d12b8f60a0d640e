#!/usr/bin/python3
"""See the machine's memory while it runs (./vitrine view): boots a guest, and opens a page that shows it.

The page is served on 127.0.0.1 by a program beside the guest that reads the guest's RAM; the address holds a random token. The
guest's console is in the page. Ctrl-C ends the guest and the viewer; when the guest is switched off, its last state can still be
looked at.
"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402
import run  # noqa: E402
import view  # noqa: E402
import walk_format  # noqa: E402
import watch  # noqa: E402

BENCH_SECONDS = 6
CHROMIUM = os.environ.get("VITRINE_CHROMIUM", "/usr/bin/chromium")


def parse(argv):
    parser = argparse.ArgumentParser(prog="vitrine view", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)")
    add("--no-open", action="store_true", help="only print the address")
    add("--bench", nargs="?", type=float, const=BENCH_SECONDS, metavar="S", help="measure what looking costs the host, and a browser its page: for S seconds in each view")
    add("--screenshots", metavar="DIR", help="let a browser go through the views, and leave pictures of them in DIR (docs/img is made so)")
    add("--dumps", metavar="DIR", default=os.path.join(machine.BUILD, "dumps"), help="where dumps go (default build/dumps)")
    add("--watch", metavar="FILE", help="where to say what can be read (default build/run/machine.json)")
    add("--dump", metavar="FILE", help="no guest: a page of a dump, written beside it (--kernel ELF: of another kernel than those built here)")
    run.add_machine_options(add)
    return parser.parse_args(argv)


class Session:
    """QEMU and the viewer's server, started together and ended together."""

    def __init__(self, args):
        self.args = args
        self.disk = self.watched = self.guest = self.server = None
        self.files = []
        self.bootargs = ""
        self.listening = False
        self.errors = tempfile.TemporaryFile()

    def start(self):
        args = self.args
        run.build(args)
        node = view.prepare()
        self.files = [machine.split_add(text) for text in args.add]
        words = (["isolate=1"] if args.isolate else []) + ([args.append] if args.append else [])
        self.bootargs = " ".join(words)
        kernel = args.kernel or machine.kernel_path(args.variant)
        self.disk = machine.Disk(args.disk or machine.image_path(args.image), keep=bool(args.disk), files=self.files)
        self.watched = watch.Watched(args.mem, kernel, args.watch or watch.default_description())
        line = machine.command(kernel, self.disk, args.harts, args.mem, self.bootargs, args.icount, args.qemu_arg)
        # A terminal's Ctrl-C reaches the whole process group: in their own, guest and server end when this program says so.
        self.guest = subprocess.Popen(line + self.watched.arguments() + self.watched.viewer_arguments(), stdin=subprocess.DEVNULL,
                                      stderr=self.errors, preexec_fn=machine.die_with_parent, start_new_session=True)
        self.watched.announce(self.guest)
        self.server = subprocess.Popen(self.server_line(node), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       preexec_fn=machine.die_with_parent, start_new_session=True, universal_newlines=True)

    def server_line(self, node):
        line = [node, os.path.join(view.OUT, "server.cjs"), "--machine", self.watched.description, "--monitor", self.watched.socket("view"),
                "--port", str(self.args.port), "--dumps", os.path.abspath(self.args.dumps),
                "--walks", write_walks(), "--bootargs", self.bootargs]
        line += view.program_options(self.files)
        return line + (["--bench", str(self.args.bench)] if self.args.bench else [])

    def address(self):
        """The line that the server prints once it listens; a Problem when the guest or the server did not get that far."""
        threading.Thread(target=self.guest_gone, daemon=True).start()
        line = self.server.stdout.readline().strip()
        self.listening = line.startswith("http://")
        if self.listening:
            return line
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip()
        raise machine.Problem("the viewer did not start%s" % (": " + said if said else ""))

    def guest_gone(self):
        """A guest that dies before the server has its console would leave the server waiting. Later it may go as it likes."""
        if self.guest.wait() != 0 and not self.listening:
            machine.stop(self.server)

    def wait(self):
        """Until the server ends, which only a failure makes it do."""
        return self.server.wait()

    def close(self):
        for process in (self.server, self.guest):
            if process:
                machine.stop(process)
        for thing in (self.watched, self.disk):
            if thing:
                thing.close()
        self.errors.close()


def write_walks():
    """The guided walks as the page takes them, beside the bundles. Sessions that start at the same time write the same."""
    path = os.path.join(view.OUT, "walks.json")
    text = json.dumps([walk_format.to_json(walk_format.load(name)) for name in walk_format.walk_names()], ensure_ascii=False)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=view.OUT, prefix="walks-", delete=False) as file:
        file.write(text)
    os.replace(file.name, path)
    return path


def tour(address, description, folder):
    """The browser test goes through all views; here it is asked for its pictures."""
    environment = dict(os.environ, VITRINE_ADDRESS=address, VITRINE_MACHINE=description, VITRINE_SCREENSHOTS=os.path.abspath(folder),
                       NODE_PATH=os.path.join(view.PACKAGES, "node_modules"))
    return subprocess.run([view.find_node(), "--test", os.path.join(view.OUT, "test/page/page.test.cjs")], env=environment).returncode


def bench(session):
    """The server prints what it has measured before it serves; then a browser measures its page on the same guest."""
    for line in session.server.stdout:
        if line.startswith("http://"):
            return bench_page(line.strip(), session.args.bench)
        sys.stdout.write(line)
        sys.stdout.flush()
    return session.wait()


def bench_page(address, seconds):
    if not os.path.exists(CHROMIUM):
        print("the page    not measured: there is no browser %s" % CHROMIUM)
        return 0
    environment = dict(os.environ, VITRINE_ADDRESS=address, VITRINE_SECONDS=str(seconds), NODE_PATH=os.path.join(view.PACKAGES, "node_modules"))
    return subprocess.run([view.find_node(), os.path.join(view.OUT, "pagebench.cjs")], env=environment).returncode


def open_page(address):
    """In the user's browser, where there is a display. Command lines can be read by every user of the host, and the address is
    a secret: the browser is given a private file that leads there."""
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    display = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if display and shutil.which(opener):
        path = os.path.join(machine.run_directory(), "open.html")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write('<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=%s"><title>Vitrine</title>\n' % address)
        subprocess.Popen([opener, path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def show_dump(args):
    if not os.path.isfile(args.dump):
        raise machine.Problem("no dump %s" % args.dump)
    if args.kernel and not os.path.isfile(args.kernel):
        raise machine.Problem("no kernel %s" % args.kernel)
    page = view.dump_page(args.dump, args.kernel, [machine.split_add(text) for text in args.add])
    address = "file://%s#v=1&view=console" % os.path.abspath(page)
    print("The dump is shown at\n\n    %s\n" % address)
    if not args.no_open:
        open_page(address)
    return 0


def main(argv):
    args = parse(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    session = Session(args)
    try:
        if args.dump:
            return show_dump(args)
        session.start()
        if args.bench:
            return bench(session)
        address = session.address()
        print("Vitrine's memory is shown at\n\n    %s\n\nCtrl-C ends the guest and the viewer." % address, flush=True)
        if args.screenshots:
            return tour(address, session.watched.description, args.screenshots)
        if not args.no_open:
            open_page(address)
        return session.wait()
    except (machine.Problem, walk_format.FormatError) as problem:
        sys.stderr.write("vitrine: %s\n" % problem)
        return 1
    except KeyboardInterrupt:
        print()
        return 0
    finally:
        session.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
