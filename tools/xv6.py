#!/usr/bin/python3
"""Programs written for the classic teaching kernel (./vitrine xv6): compiles them unmodified against user/xv6, and puts
them on the disk image under /xv6, which is their root directory.

Without --exec and --shell nothing is started: ./vitrine run finds them there. docs/xv6.md tells what the library bridges.
"""
import argparse
import fcntl
import hashlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machine  # noqa: E402

SOURCE = os.path.join(machine.TOP, "user/xv6")
OUT = os.path.join(machine.BUILD, "xv6")
ROOT = os.path.join(OUT, "root")  # what /xv6 on the image holds
CROSS = os.environ.get("CROSS", "riscv64-linux-gnu-")
LONGEST_NAME = 14
# As learners' Makefiles have it.
CFLAGS = ("-Wall -Werror -O -fno-omit-frame-pointer -ggdb -gdwarf-2 -MD -mcmodel=medany -ffreestanding -fno-common "
          "-nostdlib -mno-relax -fno-stack-protector -fno-pie -no-pie -std=gnu17 -Wno-main").split()
# What newer compilers find by following the flow of a program; those the sources were written for did not.
NEWER = ("infinite-recursion array-bounds array-parameter dangling-pointer format-overflow maybe-uninitialized nonnull "
         "stringop-overflow stringop-overread stringop-truncation use-after-free")
LIB_CFLAGS = ["-Wextra", "-Wno-unused-parameter", "-ffunction-sections", "-fdata-sections", "-I" + SOURCE]
LDFLAGS = ["-z", "max-page-size=4096", "-z", "noexecstack", "--gc-sections", "--no-warn-rwx-segments", "--build-id=none"]


def parse(argv):
    parser = argparse.ArgumentParser(prog="vitrine xv6", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--exec", metavar="'NAME ARGS'", help="boot, run this in /xv6, print its output, exit with its status")
    add("--shell", action="store_true", help="boot to the shell of /xv6")
    add("--with", dest="extra", action="append", default=[], metavar="FILE", help="a .c or .S file that is part of each program (repeatable)")
    add("--stack", type=int, default=1, metavar="PAGES", help="pages of stack (default 1, as there)")
    add("--no-werror", action="store_true", help="warnings do not stop the compiler")
    add("--image", default="disk", choices=machine.IMAGE_KINDS, help="which image of build/ (default disk)")
    for name, meta in (("variant", "KIND"), ("harts", "N"), ("mem", "SIZE"), ("append", "ARGS"), ("timeout", "S"), ("kernel", "ELF")):
        add("--" + name, metavar=meta, help="as for ./vitrine run")
    add("sources", nargs="*", metavar="PROGRAM.c")
    args = parser.parse_args(argv)
    if args.stack < 1 or args.stack > 1024:
        parser.error("--stack takes 1 to 1024 pages")
    if not args.sources and args.exec is None and not args.shell:
        parser.error("which program? (or --exec, or --shell)")
    return args


def run(*line):
    """A tool of the compiler. What it says is shown as it is."""
    try:
        done = subprocess.run(line, env=machine.environment())
    except FileNotFoundError:
        raise machine.Problem("%s is missing: run ./vitrine doctor" % line[0])
    return done.returncode == 0


def newer(path, needed):
    """Whether path is newer than everything it was made of."""
    try:
        made = os.stat(path).st_mtime_ns
        return all(os.stat(name).st_mtime_ns < made for name in needed)
    except OSError:
        return False


def dependencies(path):
    """The files that a .d file of the compiler names."""
    try:
        with open(path) as file:
            words = file.read().replace("\\\n", " ").replace("\\ ", "\0").split()
    except OSError:
        return [path]
    return [word.replace("\0", " ") for word in words if not word.endswith(":")]


def compile_one(source, target, flags):
    """source -> target (.o), unless it is there and as new. False: the compiler has said why not."""
    stamp = target[:-2] + ".flags"
    line = [CROSS + "gcc"] + CFLAGS + flags + ["-c", source, "-o", target]
    known = None
    if os.path.exists(stamp):
        with open(stamp) as file:
            known = file.read()
    if known == "\n".join(line) and newer(target, dependencies(target[:-2] + ".d") + [os.path.abspath(__file__)]):
        return True
    if not run(*line):
        if os.path.exists(target):
            os.unlink(target)
        return False
    with open(stamp, "w") as file:
        file.write("\n".join(line))
    return True


def build_library():
    """lib.o: all of user/xv6/lib, its names weak, so that a program may have functions of the same names."""
    folder, target = os.path.join(OUT, "lib"), os.path.join(OUT, "lib.o")
    os.makedirs(folder, exist_ok=True)
    parts = []
    for name in sorted(os.listdir(os.path.join(SOURCE, "lib"))):
        if name.endswith((".c", ".S")):
            parts.append(os.path.join(folder, name[:-2] + ".o"))
            if not compile_one(os.path.join(SOURCE, "lib", name), parts[-1], LIB_CFLAGS):
                raise machine.Problem("user/xv6/lib does not compile")
    if not newer(target, parts):
        if not run(CROSS + "ld", "-r", "-o", target, *parts) or not run(CROSS + "objcopy", "--weaken", target):
            raise machine.Problem("user/xv6/lib does not link")
    return target


def program_name(source):
    name = os.path.splitext(os.path.basename(source))[0]
    if len(name) > LONGEST_NAME:
        raise machine.Problem("%s: the name of a program has at most %d letters there" % (name, LONGEST_NAME))
    return name


def source_flags(source, args):
    """Our headers come first; what is not there is looked for where a learner's tree has it."""
    folder = os.path.dirname(os.path.abspath(source))
    flags = ["-I" + SOURCE, "-I" + folder, "-I" + os.path.dirname(folder), "-DUSERSTACK=%d" % args.stack]
    flags += ["-Wno-error"] if args.no_werror else ["-Wno-error=" + word for word in NEWER.split()]
    return flags


def build_program(source, library, args, extra=()):
    """Compiles and links one program. False: not possible, and said why."""
    if not os.path.isfile(source):
        raise machine.Problem("no file %s" % source)
    name = program_name(source)
    folder = os.path.join(OUT, "program", name)
    os.makedirs(folder, exist_ok=True)
    objects = []
    for path in [source] + list(extra):
        key = hashlib.sha1(os.path.abspath(path).encode()).hexdigest()[:8]
        objects.append(os.path.join(folder, "%s-%s.o" % (os.path.basename(path).rsplit(".", 1)[0], key)))
        if not compile_one(os.path.abspath(path), objects[-1], source_flags(path, args)):
            return False
    target, script = os.path.join(ROOT, name), os.path.join(SOURCE, "lib/xv6.ld")
    # Not stripped: the kernel names function and line when it dies of a fault (docs/faults.md).
    line = [CROSS + "ld"] + LDFLAGS + ["-T", script, "--defsym=__stack_pages=%d" % args.stack, "-o", target] + objects + [library]
    recipe, marker = " ".join(line), os.path.join(folder, "linked")
    if os.path.exists(marker) and open(marker).read() == recipe and newer(target, objects + [library, script]):
        return True
    if not run(*line):
        return False
    with open(marker, "w") as file:
        file.write(recipe)
    return True


def build_all(args):
    os.makedirs(ROOT, exist_ok=True)
    library = build_library()
    given = {program_name(source) for source in args.sources}
    ours = os.path.join(SOURCE, "bin")
    plain = argparse.Namespace(stack=1, no_werror=False)
    for name in sorted(os.listdir(ours)):
        if name.endswith(".c") and name[:-2] not in given and not build_program(os.path.join(ours, name), library, plain):
            raise machine.Problem("user/xv6/bin/%s does not compile" % name)
    for path in args.extra:
        if not os.path.isfile(path):
            raise machine.Problem("no file %s" % path)
    failed = [source for source in args.sources if not build_program(source, library, args, args.extra)]
    if failed:
        raise machine.Problem("not compiled: %s" % " ".join(failed))
    readme = os.path.join(ROOT, "README")
    machine.copy_sparse(os.path.join(SOURCE, "README"), readme)


def image_stamp(image):
    """What the image would have to hold: changes when a program or the image does."""
    parts = []
    for name in sorted(os.listdir(ROOT)):
        with open(os.path.join(ROOT, name), "rb") as file:
            parts.append("%s %s" % (name, hashlib.sha1(file.read()).hexdigest()))
    info = os.stat(image)
    return "\n".join(parts + ["%d %d" % (info.st_ino, info.st_mtime_ns)])


def repair(image):
    """A guest may be writing to the image that was copied: the copy is as after a power cut."""
    done = subprocess.run(["e2fsck", "-fy", image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode > 3:
        raise machine.Problem("e2fsck cannot repair the copy of the image: %s" % done.stdout.decode(errors="replace").strip())


def put_on_image(image):
    """The image with /xv6 on it takes the old one's place at once: a guest that runs on the old one keeps it."""
    stamp = image + ".xv6"
    if os.path.exists(stamp) and open(stamp).read() == image_stamp(image):
        return
    fresh = image + ".xv6-new"
    machine.copy_sparse(image, fresh)
    try:
        repair(fresh)
        machine.add_files(fresh, [(os.path.join(ROOT, name), "/xv6/" + name) for name in sorted(os.listdir(ROOT))])
        # mknod would make a second entry of the name.
        _, errors = machine.debugfs(fresh, ["cd /xv6", "rm console", "mknod console c 5 1"], write=True)
        real = [text for text in errors if not text.startswith("rm:") and "File not found by ext2_lookup" not in text]
        if real:
            raise machine.Problem("no console on the image: %s" % real[0])
        os.replace(fresh, image)
    finally:
        if os.path.exists(fresh):
            os.unlink(fresh)
    with open(stamp, "w") as file:
        file.write(image_stamp(image))


def boot(args):
    line = [sys.executable, os.path.join(machine.TOP, "tools/run.py"), "--image", args.image, "--no-build"]
    for name in ("variant", "harts", "mem", "timeout", "kernel"):
        if getattr(args, name):
            line += ["--" + name, getattr(args, name)]
    if args.exec is not None and args.append:
        line += ["--append", args.append]
    if args.exec is not None:
        # BusyBox has commands of its own by many of these names; functions come before them.
        functions = "".join('%s() { /xv6/%s "$@"; }\n' % (name, name) for name in sorted(os.listdir(ROOT)) if name.isidentifier())
        line += ["--exec", "cd /xv6\n" + functions + args.exec]
    else:
        # /etc/profile on the image looks for this word.
        line += ["--append", ((args.append or "") + " XV6_SHELL=1").strip()]
    os.execv(line[0], line)


def main(argv):
    args = parse(argv)
    try:
        image = machine.image_path(args.image)
        os.makedirs(OUT, exist_ok=True)
        with open(os.path.join(OUT, ".lock"), "w") as lock:  # one at a time in a tree
            fcntl.flock(lock, fcntl.LOCK_EX)
            build_all(args)
            machine.make(os.path.relpath(image, machine.TOP))
            put_on_image(image)
        if args.exec is None and not args.shell:
            print("/xv6: %s" % " ".join(program_name(source) for source in args.sources))
            return 0
        if not args.kernel:
            variant, _, clang = (args.variant or "release").partition("-")
            machine.make("kernel", "V=" + variant, "CC_KIND=" + (clang or "gcc"))
        sys.stdout.flush()
        return boot(args)
    except machine.Problem as problem:
        sys.stderr.write("vitrine xv6: %s\n" % problem)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
