"""Booting guests through tools/run.py, and the guest test sets."""
import os
import re
import shutil
import subprocess

from . import core
from .core import BUILD, FAILED, OK, SKIPPED, TOP, WORK, BUILDS, Failed, Result, Skipped, Test

RUN = os.path.join(TOP, "tools/run.py")
LINUX = os.path.join(TOP, "tools/linux-guest")
GUEST_SOURCES = os.path.join(TOP, "tests/guest")
IMAGES = ("test", "test-ext2", "test-1k", "test-ext2-1k")
# Time limits within guests grow by this: two guests share two cores with emulation.
SCALE = os.environ.get("TEST_SCALE", "6")
# What a test source may ask for with "// needs: FEATURE why". Each is there, or the program is skipped, visibly.
FEATURES = {"threads", "mmap", "procfs", "pty", "tmpfs"}
# The kernel's complaints that must not appear, whatever the tests themselves say.
COMPLAINT = re.compile(r"(UBSAN|ubsan|undefined behaviou?r|lock rank|sleep in atomic|leaked|leak:|use after free|BUG\b|WARNING:|poison)")
FRAME = re.compile(r"^# (begin|end) (\S+)(?: (\d+) \d+)?$")
PANIC_STATUS = 101  # of QEMU, after a panic; leak accounting at poweroff panics too
QUIET = 200  # one case may take as long on a busy machine: limits in the guest are scaled by 6
DUMPS = os.path.join(BUILD, "test-dumps")  # memory of machines that panicked or hung, of at most
DUMP_MIB = 512
MAX_BOOTS = 5  # a set goes on behind a program that brought the kernel down, so often


def program_names():
    return sorted(name[:-2] for name in os.listdir(GUEST_SOURCES) if name.endswith(".c") and name != "run-all.c")


def unmet_need(program):
    """Why the program is skipped, or None."""
    with open(os.path.join(GUEST_SOURCES, program + ".c")) as file:
        for line in file.read(2000).splitlines():
            found = re.match(r"// needs: (\S+)\s*(.*)", line)
            if found and found.group(1) not in FEATURES:
                return "needs %s: %s" % (found.group(1), found.group(2))
    return None


def private_copy(image, name):
    """A copy of build/IMAGE.img that a test may write to and keep."""
    os.makedirs(WORK, exist_ok=True)
    target = os.path.join(WORK, name + ".img")
    source = os.path.join(BUILD, image + ".img")
    if not os.path.exists(source):
        raise Failed("no image %s" % source)
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
    return target


def boot(command, log, limit, variant="release", disk=None, image=None, harts=2, mem=None, append="", add=(), extra=()):
    """Runs COMMAND in a guest. Gives core.Done; status 124 or None when it lasted too long."""
    if core.ON_LINUX:
        line = ["--exec", command, "--timeout", str(limit), "--harts", str(harts), "--mem", mem or "256M",
                "--disk", disk or os.path.join(BUILD, (image or "test") + ".img")] + (["--keep"] if disk else [])
        for item in add:
            line += ["--add", item]
        return core.run_python(LINUX, *line, limit=limit + 20, log=log)
    line = ["--no-build", "--variant", variant, "--timeout", str(limit), "--harts", str(harts)]
    if command is not None:
        line += ["--exec", command]
    if mem:
        line += ["--mem", mem]
    if append:
        line += ["--append", append]
    if disk:
        line += ["--disk", disk]
    elif image:
        line += ["--image", image]
    for item in add:
        line += ["--add", item]
    if not mem or parse_mib(mem) <= DUMP_MIB:
        os.makedirs(DUMPS, exist_ok=True)
        line += ["--dump", dump_path(log)]
    return core.run_python(RUN, *(line + list(extra)), limit=limit + 20, log=log, quiet=QUIET)


def dump_path(log):
    return os.path.join(DUMPS, os.path.basename(log).replace(".log", "") + ".dump")


def parse_mib(text):
    return int(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]


def check_disk(disk, log):
    """e2fsck must find nothing on an image that was shut down cleanly."""
    done = core.run(["e2fsck", "-fn", disk], limit=120, log=log, env={"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
    if done.status != 0:
        problems = [line for line in done.out.splitlines() if line and not line.startswith(("Pass ", "e2fsck"))]
        raise Failed("e2fsck: " + (problems[0] if problems else done.tail()))


def drop(disk):
    if os.path.exists(disk):
        os.unlink(disk)


def split_frames(text):
    """[(label, output, status or None)] of what run-all framed, in order."""
    frames, label, lines = [], None, []
    for line in text.splitlines():
        found = FRAME.match(line)
        if found and found.group(1) == "begin":
            if label:
                frames.append((label, "\n".join(lines), None))
            label, lines = found.group(2), []
        elif found and label == found.group(2):
            frames.append((label, "\n".join(lines), int(found.group(3) or 255)))
            label, lines = None, []
        elif label:
            lines.append(line)
    if label:
        frames.append((label, "\n".join(lines), None))
    return frames


def frame_results(prefix, label, output, status, why):
    """The results of one program; a plan not kept, or an end without a failed case, is a failure of its own."""
    name = prefix + "." + label
    results, complete = core.parse_ktap(output, name)
    bad = any(result.status == FAILED for result in results)
    if status is None:
        results.append(Result(name, FAILED, "%s, after %d cases" % (why, len(results))))
    elif not complete:
        results.append(Result(name, FAILED, "output is not whole: %d cases, status %d" % (len(results), status)))
    elif status != 0 and not bad:
        results.append(Result(name, FAILED, "ended with status %d" % status))
    return results


def why_ended(done):
    kept = re.search(r"the machine's memory is kept in .*", done.err)
    return reason_of(done) + ("; " + kept.group(0) if kept else "")


def reason_of(done):
    if done.status in (None, 124):
        return "no end within the time limit"
    found = re.search(r"^.*(PANIC|leak: ).*$", done.out + "\n" + done.err, re.M)
    if not found and done.status == PANIC_STATUS:
        return "the kernel panicked (status %d)" % PANIC_STATUS
    return found.group(0)[:160] if found else "the machine stopped with status %s" % done.status


def run_set(test, programs, variant, image, limit, append="", mem=None):
    """Runs the programs in as few boots as possible: all in one, and what is left behind one that stopped the machine."""
    results, left = [], []
    for program in programs:
        reason = unmet_need(program)
        if reason:
            results.append(Result(test.name + "." + program, SKIPPED, reason))
        else:
            left.append(program)
    env = "TEST_SCALE=%s TEST_FULL=%s" % (SCALE, os.environ.get("TEST_FULL", "1" if variant == "release" else "0"))
    for attempt in range(MAX_BOOTS):
        if not left:
            break
        disk = private_copy(image, test.name)
        try:
            done = boot("%s /tests/run-all %s" % (env, " ".join(left)), test.log, limit, variant, disk=disk, mem=mem,
                        append=append)
            seen = 0
            for label, output, status in split_frames(done.out):
                results += frame_results(test.name, label, output, status, why_ended(done))
                seen = left.index(label.split("@")[0]) + 1 if label.split("@")[0] in left else seen
            results += after_boot(test, done, disk, attempt)
        finally:
            drop(disk)
        if "# all done" in done.out:
            left = []
        elif not seen:
            break
        else:
            left = left[seen:]
    results += [Result(test.name + "." + program, FAILED, "not run: the machine stopped before it") for program in left]
    return results


def after_boot(test, done, disk, attempt):
    """What a boot must have left: no complaint of the kernel, a clean disk, a proper end."""
    results = []
    suffix = ".%d" % attempt if attempt else ""
    complaints = [line for line in (done.out + "\n" + done.err).splitlines()
                  if COMPLAINT.search(line) and not re.match(r"\s*(not )?ok \d+ ", line)]
    name = test.name + ".kernel_log" + suffix
    results.append(Result(name, FAILED, complaints[0]) if complaints else Result(name, OK))
    if "# all done" not in done.out:
        results.append(Result(test.name + ".boot" + suffix, FAILED, why_ended(done)))
        return results
    name = test.name + ".poweroff" + suffix
    results.append(Result(name, OK) if done.status in (0, 1) and "PANIC" not in done.err
                   else Result(name, FAILED, "status %s: %s" % (done.status, done.tail())))
    name = test.name + ".e2fsck" + suffix
    try:
        check_disk(disk, test.log)
        results.append(Result(name, OK))
    except Failed as problem:
        results.append(Result(name, FAILED, problem))
    return results


def torture_program(log):
    """The torture program, built for the guest."""
    os.makedirs(WORK, exist_ok=True)
    out = os.path.join(WORK, "torture")
    done = core.run(["riscv64-linux-gnu-gcc", "-O2", "-static", "-Wall", "-Wextra", "-o", out,
                     os.path.join(TOP, "tests/torture/torture.c"), "-pthread"], limit=120, log=log)
    if done.status != 0:
        raise Failed("torture.c does not compile: " + done.tail())
    return out


def run_torture(test, variant, image, seconds, seed, mem, harts=2):
    program = torture_program(test.log)
    disk = private_copy(image, test.name)
    try:
        shutil.copyfile(program, program + "." + test.name)
        os.chmod(program + "." + test.name, 0o755)
        done = boot("chmod 755 /torture; /torture -s %d -t %d -d /tmp/torture" % (seed, seconds), test.log, seconds * 2 + 120, variant,
                    disk=disk, mem=mem, harts=harts, add=[program + "." + test.name + ":/torture"])
        if done.status != 0:
            raise Failed("%s (status %s; seed %d)" % (done.out.strip().splitlines()[-1] if done.out.strip() else why_ended(done),
                                                     done.status, seed))
        complaints = [line for line in (done.out + done.err).splitlines() if COMPLAINT.search(line)]
        if complaints:
            raise Failed(complaints[0])
        check_disk(disk, test.log)
    finally:
        drop(disk)


def tests():
    programs = program_names()
    sets = [("guest.debug", "debug", "test", ["debug"], False), ("guest.release", "release", "test-ext2-1k", ["release"], True)]
    for name, variant, image, needs, quick in sets:
        yield make_set(name, variant, image, needs, programs, quick, 420, 150)
    yield make_set("guest.isolate", "debug", "test", ["debug"], programs, False, 420, 170, append="isolate=1")
    yield make_set("guest.small", "release", "test", ["release"], programs, False, 420, 150, mem="32M")
    files = [program for program in programs if program.startswith("fs_")]
    for image in ("test-ext2", "test-1k"):
        yield make_set("fs." + image[5:], "release", image, ["release"], files, False, 180, 25)
    seed = int(os.environ.get("TEST_SEED", "1"))
    seconds = int(os.environ.get("TORTURE_SECONDS", "60"))
    for name, variant, image, mem, nr in (("torture.debug", "debug", "test", "256M", seed),
                                          ("torture.small", "release", "test-1k", "48M", seed + 1)):
        def run(test, members, variant=variant, image=image, mem=mem, nr=nr, name=name):
            run_torture(test, variant, image, seconds if name == "torture.debug" else seconds // 3, nr, mem)
        yield Test(name, run, [variant, "images"], seconds=seconds + 10)


def make_set(name, variant, image, needs, programs, quick, limit, seconds, append="", mem=None):
    def run(test, members):
        if core.ON_LINUX and mem:
            raise Skipped("Linux does not start in %s" % mem)
        return run_set(test, members, variant, image, limit, append, mem)
    return Test(name, run, needs + ["images"], members=programs, quick=quick, limit=limit, seconds=seconds)


__all__ = ["tests", "boot", "check_disk", "private_copy", "drop", "Skipped", "BUILDS"]
