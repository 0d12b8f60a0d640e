"""The boot matrix: harts, memory, paging, compilers, disks; and that a kernel that fails says so and stops the machine."""
import os
import re

from driver import core, guests
from driver.core import Failed, Test

# The first of the "done when": prints just that, and exits with 0.
COMMAND = "uname -a; ls -l /; echo $((6*7)) | cat"

# name, options of guests.boot()
BOOTS = [
    ("harts_1", {"harts": 1}), ("harts_2", {"harts": 2}), ("harts_4", {"harts": 4}), ("harts_8", {"harts": 8}),
    ("mem_32M", {"mem": "32M"}), ("mem_4G", {"mem": "4G"}), ("mem_8G", {"mem": "8G"}), ("mem_odd", {"mem": "77M"}),
    ("mem_32M_harts_8", {"mem": "32M", "harts": 8}),
    ("sv39", {"append": "paging=sv39"}), ("sv48", {"append": "paging=sv48"}), ("sv57", {"append": "paging=sv57"}),
    ("ext2", {"image": "test-ext2"}), ("1k", {"image": "test-1k"}), ("ext2_1k", {"image": "test-ext2-1k"}),
    ("debug", {"variant": "debug"}), ("debug_harts_8", {"variant": "debug", "harts": 8}),
    ("debug_32M", {"variant": "debug", "mem": "32M"}), ("clang", {"variant": "release-clang"}),
    ("clang_debug", {"variant": "debug-clang"}), ("icount", {"extra": ["--icount"]}),
    # User code on tables without the kernel; on machines with few ASIDs, and with none, too.
    ("isolate_sv39", {"append": "isolate=1 paging=sv39", "harts": 1}), ("isolate_sv39_harts_4", {"append": "isolate=1", "harts": 4}),
    ("isolate_sv48", {"append": "isolate=1 paging=sv48", "harts": 1}),
    ("isolate_sv48_harts_4", {"append": "isolate=1 paging=sv48", "harts": 4}),
    ("isolate_sv57", {"append": "isolate=1 paging=sv57", "harts": 1}),
    ("isolate_sv57_harts_4", {"append": "isolate=1 paging=sv57", "harts": 4}),
    ("isolate_mem_32M", {"append": "isolate=1", "mem": "32M"}), ("isolate_clang", {"append": "isolate=1", "variant": "release-clang"}),
    ("isolate_few_asids", {"append": "isolate=1 asids=260", "harts": 4}), ("isolate_no_asids", {"append": "isolate=1 asids=0"}),
    ("few_asids", {"append": "asids=130", "harts": 4}), ("no_asids", {"append": "asids=0"}),
]
# Guest programs that exercise what the option changes, besides the plain command.
EXTRA = {
    "sv48": "mm_map mm_fork mm_stack vitrine", "sv57": "mm_map mm_fork mm_stack vitrine", "harts_8": "sched futex mm_race",
    "harts_1": "sched futex pipe", "mem_32M": "mm_map proc_fork fs_dir", "clang": "mm_map sig_basic fs_rw", "mem_8G": "mm_map",
    "isolate_sv39": "isolate", "isolate_sv48": "isolate", "isolate_sv57": "isolate", "isolate_sv39_harts_4": "isolate mm_race",
    "isolate_sv48_harts_4": "isolate mm_map mm_fork mm_stack vitrine", "isolate_sv57_harts_4": "isolate mm_map mm_fork vitrine",
    "isolate_mem_32M": "isolate mm_map proc_fork", "isolate_few_asids": "isolate proc_fork mm_race",
    "isolate_no_asids": "isolate mm_fork", "few_asids": "proc_fork mm_race", "no_asids": "mm_fork",
}
# What the kernel says at boot of its own mappings: the check of W^X ran, in the mode and the design that were asked for.
CHECKED = r"paging: %s%s, \d+ kernel mappings, none both writable and executable"
PANICS = [  # panic_test=NAME, what the report must say beside a backtrace
    ("null", r"cause: The field at offset 8 of a NULL pointer was used\."), ("pointer", r"cause: A NULL pointer was used\."),
    ("call", r"cause: A NULL function pointer was called\."),
    ("errno", r"cause: An error number, -12 or one near it, was used as a pointer\."),
    ("freed_object", r"cause: A pointer in a kernel object that had been given back was used \(slab poison\)\."),
    ("freed_page", r"cause: A pointer in a page that had been given back was used \(frame poison\)\."),
    ("damaged", r"cause: A pointer is damaged or was never set: it is in neither half of the address space\."),
    ("user", r"cause: User memory was touched outside the functions that copy from and to it\."),
    ("jump", r"cause: The kernel jumped to a user address: a damaged function pointer or return address\."),
    ("guard", r"cause: The guard below a kernel stack was touched: "),
    ("not_ram", r"cause: The direct map has no physical address 0x40: it is not RAM, or it is set aside\."),
    ("frames", r"cause: There is no such frame in the array of frames: a page number or a pointer is damaged\."),
    ("alias", r"cause: The kernel wrote to its own text, which is read-only by every way to it\."),
    ("constants", r"cause: The kernel wrote to its own constants, which are read-only by every way to them\."),
    ("execute", r"cause: The kernel jumped into data, which is not executable: a damaged function pointer"),
    ("overflow", r"(?i)overflow"), ("assert", r"(?i)assert"),
    ("illegal", r"cause: What lies at pc is no instruction: "),
    ("text", r"cause: The kernel wrote to its own text, which is read-only by every way to it\."), ("canary", r"(?i)canary|stack"),
    ("wx", r"a writable way to kernel text"),
    ("lock_order", r"lock order: outer .* under inner"),
]


def paging_checked(variant, harts):
    """In every mode and both designs, the walk over the kernel's tables at boot finds no frame both writable and executable."""
    def run(test, members):
        for mode in ("sv39", "sv48", "sv57"):
            for isolate in (0, 1):
                done = guests.boot("dmesg", test.log, 60, variant=variant, harts=harts,
                                   append="paging=%s isolate=%d" % (mode, isolate))
                wanted = CHECKED % (mode, ", user code on tables without them" if isolate else "")
                if done.status != 0 or not re.search(wanted, done.out):
                    raise Failed("paging=%s isolate=%d: status %s, no line %r" % (mode, isolate, done.status, wanted))
    return run


def needs_of(options):
    return [options.get("variant", "release"), "images"]


def boot_one(name, options):
    def run(test, members):
        done = guests.boot(COMMAND, test.log, 90, **options)
        check_plain(done)
        if name in EXTRA:
            options_test = dict(options, image="test")
            done = guests.boot("TEST_SCALE=%s /tests/run-all %s" % (guests.SCALE, EXTRA[name]), test.log, 180, **options_test)
            bad = re.findall(r"^not ok \d+ (.*)$", done.out, re.M)
            if bad or done.status != 0:
                raise Failed(bad[0] if bad else guests.why_ended(done))
    return run


def check_plain(done):
    if done.status != 0:
        raise Failed("status %s: %s" % (done.status, guests.why_ended(done)))
    lines = done.out.splitlines()
    if not lines or "riscv64" not in lines[0] or lines[-1] != "42":
        raise Failed("printed %r" % done.out[-300:])
    middle = [line for line in lines[1:-1] if not re.match(r"(total \d+|[-dlcbps][-rwxsStT]{9}\s)", line)]
    if middle:
        raise Failed("printed more than was asked for: %r" % middle[0])
    names = {line.split(" -> ")[0].split()[-1] for line in lines[1:-1]}
    if not {"bin", "dev", "etc", "proc", "tmp"} <= names:
        raise Failed("ls / shows only %s" % sorted(names))


def panic_one(name, pattern):
    def run(test, members):
        done = guests.boot("true", test.log, 60, variant="debug", append="panic_test=" + name)
        text = done.out + done.err
        if done.status in (0, None, 124):
            raise Failed("status %s: a panic must end the machine with an error" % done.status)
        if not re.search(r"^.*PANIC", text, re.M):
            raise Failed("no panic report")
        if not re.search(pattern, text):
            raise Failed("the report does not say %s" % pattern)
        if not re.search(r"test_(%s|recurse)" % name, text) or (
                name != "overflow" and "panic_test_run" not in text):  # a deep stack is shown in part
            raise Failed("the backtrace lacks the functions' names")
        if not re.search(r"panic_test\.c:\d+|\.c:\d+", text):
            raise Failed("the backtrace lacks lines")
    return run


def wrong_disk(kind):
    def run(test, members):
        options, said = {}, ""
        if kind == "zeros":
            path = os.path.join(core.WORK, test.name + ".img")
            os.makedirs(core.WORK, exist_ok=True)
            with open(path, "wb") as file:
                file.truncate(8 << 20)
            options, said = {"disk": path}, r"(?i)super ?block|file ?system|magic|mount|root"
        elif kind == "missing":
            options, said = {"append": "root=/dev/vdz"}, r"vdz"
        elif kind == "no_init":
            options, said = {"append": "init=/no/such/init"}, r"/no/such/init"
        elif kind == "feature":
            path = guests.private_copy("disk", test.name)
            core.run(["debugfs", "-w", "-R", "feature +encrypt", path], limit=30, log=test.log,
                     env={"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
            options, said = {"disk": path}, r"(?i)encrypt|feature"
        done = guests.boot("true", test.log, 60, **options)
        if done.status in (0, None, 124):
            raise Failed("status %s: it must stop with an error" % done.status)
        if not re.search(said, done.out + done.err):
            raise Failed("the message does not name what is wrong (wanted %s): %s" % (said, done.tail()))
    return run


def exit_status(test, members):
    for command, want, out in (("exit 7", 7, ""), ("kill -9 $$", 137, ""), ("printf 'no newline'", 0, "no newline"),
                               ("printf 'a\\rb\\n\\001'", 0, "a\rb\n\x01")):
        done = guests.boot(command, test.log, 60)
        if done.status != want:
            raise Failed("%r ended with %s, wanted %d" % (command, done.status, want))
        if done.out.replace("\r", "") != out.replace("\r", ""):
            raise Failed("%r printed %r" % (command, done.out))


def timeout_option(test, members):
    done = guests.boot("sleep 1000", test.log, 12)
    if done.status != 124:
        raise Failed("--timeout ended with %s, wanted 124" % done.status)


def deterministic(test, members):
    """Two runs under --icount execute the same instructions up to the first process, within 1 %: only the disk is the host's."""
    outs = [guests.boot("dmesg", test.log, 60, extra=["--icount"]).out for _ in range(2)]
    counts = [re.findall(r"boot: (\d+) instructions", out) for out in outs]
    if not counts[0] or not counts[1]:
        raise Failed("no line \"boot: N instructions\"")
    first, second = (int(found[0]) for found in counts)
    if abs(first - second) > first // 100:
        raise Failed("%d and %d instructions to the first process" % (first, second))


def tests():
    for name, options in BOOTS:
        yield Test("boot." + name, boot_one(name, options), needs_of(options), seconds=25 if name in EXTRA else 6)
    for variant, harts in (("release", 1), ("debug", 4)):
        yield Test("boot.write_xor_execute_" + variant, paging_checked(variant, harts), [variant, "images"], seconds=20)
    for name, pattern in PANICS:
        yield Test("boot.panic_" + name, panic_one(name, pattern), ["debug", "images"], seconds=4)
    for kind in ("zeros", "missing", "no_init", "feature"):
        yield Test("boot.disk_" + kind, wrong_disk(kind), ["release", "images"], seconds=4)
    for name, run in (("exit_status", exit_status), ("timeout", timeout_option), ("deterministic", deterministic)):
        yield Test("boot." + name, run, ["release", "images"], seconds=12)
