#!/usr/bin/python3
"""./vitrine replay: runs a recorded session again, to the instruction; and stops where it is told to.

A replay cannot go back: to be at an earlier instruction is to start again and run up to it. So each --at is a fresh machine.
"""
import argparse
import os
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402
import session  # noqa: E402
import view  # noqa: E402
import watch  # noqa: E402

TRIES, STILL_SECONDS = 3, 20.0  # a replay that stands still for so long is started again, so many times at most


def parse(argv):
    parser = argparse.ArgumentParser(prog="./vitrine replay", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("file", metavar="FILE", help="what ./vitrine record made")
    add("--at", metavar="N", help="stop at instruction N, or at the mark with this name")
    add("--then", metavar="COMMAND", help="run COMMAND on the host while the machine is stopped there, exit with its status")
    add("--page", metavar="FILE.html", help="make a page of what there was to see; it needs neither server nor QEMU")
    add("--info", action="store_true", help="only say what the session is")
    add("--watch", metavar="FILE", help="say there where the machine's RAM is (default build/run/machine.json)")
    add("--quiet", action="store_true", help="do not show the console")
    return parser.parse_args(argv)


def info(about):
    print("recorded with  %s" % about["qemu"])
    print("machine        one hart, %s, %s" % (about["machine"]["mem"], about["machine"]["append"] or "no arguments"))
    print("ends by        %s%s" % (about["end"], " at instruction %d" % about["instructions"] if about["instructions"] else ""))
    for mark in about["marks"]:
        print("mark           %d  %s" % (mark["instructions"], mark["name"]))


def target_of(about, text):
    """The instruction to stop at; None: the end."""
    if text is None:
        return None
    for mark in about["marks"]:
        if mark["name"] == text:
            return mark["instructions"]
    try:
        wanted = int(text, 0)
    except ValueError:
        raise machine.Problem("the session has no mark %r; it has: %s" % (
            text, ", ".join(mark["name"] for mark in about["marks"]) or "none"))
    if wanted <= 0 or wanted > (about["instructions"] or wanted):
        raise machine.Problem("instruction %d is not in the session, which has %d" % (wanted, about["instructions"]))
    return wanted


def check_versions(about):
    here = session.qemu_says()
    if here != about["qemu"]:
        raise machine.Problem("the session was recorded with\n    %s\nand here is\n    %s\nAnother QEMU counts instructions and "
                              "interrupts differently: the replay would go astray." % (about["qemu"], here))


def make_page(args, folder):
    kept = os.path.join(folder, "view.json")
    if not os.path.exists(kept):
        raise machine.Problem("%s was recorded without what there is to see" % args.file)
    node = view.prepare()
    done = subprocess.run([node, os.path.join(view.OUT, "keep.cjs"), "--page", kept, "--console", os.path.join(folder, "console.txt"),
                           "--elf", os.path.join(folder, "kernel.elf"), "--out", args.page])
    if done.returncode == 0:
        sys.stderr.write("vitrine: %s, %d kB; open it in a browser\n" % (args.page, os.path.getsize(args.page) // 1024))
    return done.returncode


class Stuck(Exception):
    pass


def run_to(replay, target, quiet):
    """Lets it run until it stops by itself. Returns the instruction, or None when the machine was switched off."""
    if target is not None and target == replay.instructions():
        return target
    if target is not None:
        replay.monitor.command("replay-break", {"icount": target})
    replay.monitor.command("cont")
    seen, since = -1, time.monotonic()
    while True:
        readable = select.select([replay.process.stdout, replay.monitor.socket], [], [], 1.0)[0]
        if replay.process.stdout in readable:
            data = replay.hear()
            if not data:
                return None
            if not quiet:
                os.write(1, data)
            since = time.monotonic()
            continue
        try:
            if replay.monitor.wait("STOP", patience=0):
                return replay.instructions()
            now = replay.instructions()
        except machine.Problem:
            return None
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > STILL_SECONDS:
            raise Stuck("the replay stands still at instruction %d" % now)


def wait_for_user():
    sys.stderr.write("Enter: on to the end. Ctrl-C: leave.\n")
    sys.stdin.readline()


def look(args, replay, target):
    """At the target: what the user wants there. Returns the exit status, or None: on to the end."""
    here = run_to(replay, target, args.quiet)
    if here is None:
        raise machine.Problem("the session ends before instruction %d" % target)
    if here != target:
        raise machine.Problem("the replay stopped at instruction %d, not at %d" % (here, target))
    sys.stderr.write("\nvitrine: stopped at instruction %d; ./vitrine x looks at it\n" % here)
    if args.then:
        return subprocess.run(args.then, shell=True).returncode
    if not os.isatty(0):
        return 0
    sys.stderr.write("Enter: on to the end. Ctrl-C: leave.\n")
    sys.stdin.readline()
    return None


def attempt(args, about, folder, disk, target):
    replay = session.Session("replay", about, folder, disk, args.watch or watch.default_description())
    try:
        status = look(args, replay, target) if target is not None else None
        if status is not None:
            return status
        here = run_to(replay, about["instructions"], args.quiet)
        replay.end()
        same = replay.ram_digest() == about["ram_sha256"]
        if here != about["instructions"] or not same:
            raise machine.Problem("the replay went astray: it ended at instruction %s, not %s; RAM is %s what it was" % (
                here, about["instructions"], "to the bit" if same else "not"))
        sys.stderr.write("\nvitrine: RAM at the end is what it was, to the bit (sha256 %s…)\n" % about["ram_sha256"][:16])
        return 0
    finally:
        replay.end()
        replay.close()


def replay_session(args, folder):
    about = session.read(args.file, folder)
    if args.info:
        info(about)
        return 0
    if args.page:
        return make_page(args, folder)
    check_versions(about)
    target = target_of(about, args.at)
    disk = session.find_disk(about, folder)
    for number in range(TRIES):
        try:
            return attempt(args, about, folder, disk, target)
        except Stuck as problem:
            sys.stderr.write("vitrine: %s; try %d of %d\n" % (problem, number + 1, TRIES))
    return 1


def main(argv):
    args = parse(argv)
    return session.in_folder(lambda folder: replay_session(args, folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
