"""Too little memory: who is killed for it, who is not, and what the kernel says of it."""
import os
import re

from . import core, guests, inside
from .core import WORK, Failed, Test

# hog private|shared|family MIB: touches so much, then says so and sleeps.
HOG = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    size_t size = atol(argv[2]) << 20;
    int shared = !strcmp(argv[1], "shared");
    char *p = mmap(0, size, PROT_READ | PROT_WRITE, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) { perror("mmap"); return 3; }
    if (!strcmp(argv[1], "vfork") && vfork() > 0) { wait(0); _exit(4); }
    for (size_t i = 0; i < size; i += 4096) p[i] = i >> 12 | 1;
    puts("full"); fflush(stdout);
    for (;;) pause();
}
"""

KILLED = r"out of memory: killed (\S+)\[(\d+)\], uid (\d+), badness (-?\d+) kB"

# name, command, whom the kernel must kill, in order; patterns of the output
CASES = [
    ("hog_dies_alone",
     "sleep 1000 & s=$!; /hog private 1000; echo hog $?; kill -0 $s && echo sleeper lives", ["hog"], ["hog 137", "sleeper lives"]),
    ("shared_memory_counts",
     "sleep 1000 & s=$!; /hog shared 1000; echo hog $?; kill -0 $s && echo sleeper lives", ["hog"], ["hog 137", "sleeper lives"]),
    ("biggest_dies_not_the_asker",
     "/hog private 40 >/big & b=$!; until grep -q full /big; do sleep 0.1; done; "
     "/hog private 24 >/small & s=$!; until grep -q full /small; do sleep 0.1; done; "
     "wait $b; echo big $?; kill -0 $s && echo small lives", ["hog"], ["big 137", "small lives"]),
    ("protected_lives",
     "sh -c 'echo -1000 >/proc/self/oom_score_adj; exec /hog private 32' >/big & b=$!; until grep -q full /big; do sleep 0.1; done; "
     "/hog private 1000; echo hog $?; kill -0 $b && echo big lives", ["hog"], ["hog 137", "big lives"]),
    ("preferred_dies_first",
     "sh -c 'echo 1000 >/proc/self/oom_score_adj; exec sleep 1000' & s=$!; sleep 0.5; /hog private 1000; echo hog $?; "
     "wait $s; echo sleeper $?", ["sleep", "hog"], ["hog 137", "sleeper 137"]),
    ("two_ask_one_dies",
     "for i in 1 2 3 4 5 6; do /hog private 40 >/a & a=$!; /hog private 40 >/b & b=$!; "
     "until [ $(dmesg | grep -c 'killed hog\\[.*badness') -ge $i ]; do sleep 0.05; done; "
     "until grep -q full /a || grep -q full /b; do sleep 0.05; done; kill -9 $a $b; wait $a; wait $b; rm /a /b; done; echo done",
     ["hog"] * 6, ["done"]),
    ("who_shares_dies_too",
     "/hog vfork 1000; echo hog $?", None, ["hog 137"]),
    ("limit_is_enomem",
     "ulimit -v 20000; /hog private 1000; echo hog $?", [], ["hog 3"]),
]


def run_case(command, victims, patterns):
    def run(test, members):
        source = os.path.join(WORK, "hog.c")
        os.makedirs(WORK, exist_ok=True)
        with open(source, "w") as file:
            file.write(HOG)
        program = inside.cross(source, "hog-" + test.name, test.log)
        done = guests.boot("(%s) 2>&1; dmesg" % command, test.log, 120, "debug", mem="64M", append="zram=0", add=[program + ":/hog"])
        if done.status != 0:
            raise Failed(guests.why_ended(done))
        for pattern in patterns:
            if not re.search("^%s$" % pattern, done.out, re.M):
                raise Failed("no %r in %r" % (pattern, done.out.split("[ ")[0][-300:]))
        killed = [found.group(1) for found in re.finditer(KILLED, done.out)]
        if victims is not None and killed != victims:
            raise Failed("killed were %r, wanted %r" % (killed, victims))
        if killed:
            check_block(done.out)
        complaints = [line for line in (done.out + done.err).splitlines() if guests.COMPLAINT.search(line)]
        if complaints:
            raise Failed(complaints[0])
    return run


def check_block(log):
    """Who asked, what memory looks like, the candidates with the victim first, the victim."""
    if not re.search(r"out of memory: \S+\[\d+\] asks for a page of user memory \(order 0\); its oom_score_adj is -?\d+", log):
        raise Failed("the log does not say who asked")
    state = re.search(r"out of memory: of (\d+) kB (\d+) are free, anonymous (\d+), files (\d+)", log)
    if not state or int(state.group(2)) > int(state.group(1)) // 4:
        raise Failed("the log does not say that memory was short: %r" % (state and state.group(0)))
    table = re.findall(r"out of memory: +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(-?\d+) +(-?\d+) (\S+)", log)
    victim = re.search(KILLED, log)
    if not table or table[0][0] != victim.group(2) or table[0][8] != victim.group(1) or table[0][7] != victim.group(4):
        raise Failed("the candidates do not begin with the victim: %r, %r" % (table[:1], victim.group(0)))
    if any(row[0] == "1" for row in table):
        raise Failed("process 1 is a candidate")


# More in files than there is RAM, and then a superpage.
FULL = ("dd if=/dev/zero of=/big bs=1M count=70 2>/dev/null; sync; cat /big /tests/* >/dev/null; "
        "grep MemFree /proc/meminfo; /tests/superpage first_touch_brings_the_whole_region")


def superpages_when_full(test, members):
    """The last free blocks are not broken for cached files."""
    done = guests.boot(FULL, test.log, 120, "debug", image="test", mem="96M", append="zram=0")
    free = re.search(r"MemFree: +(\d+) kB", done.out)
    if not free or int(free.group(1)) > 16384:
        raise Failed("memory is not full: %r" % (free and free.group(0)))
    if not re.search(r"^ok 1 first_touch_brings_the_whole_region\s*$", done.out, re.M):
        raise Failed("no superpage: %r" % done.out[-200:])


def tests():
    for name, command, victims, patterns in CASES:
        yield Test("memory." + name, run_case(command, victims, patterns), ["debug", "images"], seconds=10)
    yield Test("memory.superpages_when_full", superpages_when_full, ["debug", "images"], seconds=10)
