"""Programs larger than memory: with a swap disk, with compressed memory, without any; and files larger than memory."""
import os
import re
import struct

from . import guests
from .core import WORK, Failed, Test

PAGE = 4096

# name, what tests/guest/swap_pressure.c is told, RAM, kernel arguments, is there a second disk, cases that must pass
CASES = [
    ("twice_the_ram_on_a_disk", "SWAP_PRESSURE=swap", "64M", "zram=0", True, "twice_the_ram_with_a_swap_area memory_shared_by_five_makes_room"),
    ("twice_the_ram_on_a_disk_32M", "SWAP_PRESSURE=swap", "32M", "zram=0", True, "twice_the_ram_with_a_swap_area"),
    ("disk_behind_compressed_memory", "SWAP_PRESSURE=swap", "64M", "zram=25%", True,
     "twice_the_ram_with_a_swap_area memory_shared_by_five_makes_room"),
    ("compressed_memory", "SWAP_PRESSURE=zram", "64M", "zram=50%", False,
     "more_than_the_ram_compressed the_same_word_takes_no_room memory_shared_by_five_makes_room_compressed"),
    ("without_swap_it_alone_is_killed", "SWAP_PRESSURE=none", "64M", "zram=0", False, "without_swap_it_alone_is_killed"),
    ("big_file_and_a_flat_kernel", "BIG_FILE=/dev/vdb", "64M", "zram=0", True,
     "a_file_of_four_times_the_ram_is_read_with_a_flat_kernel"),
]


def make_area(path, mib):
    """What mkswap writes, on a sparse file."""
    pages = mib * 256
    page = bytearray(PAGE)
    struct.pack_into("<III", page, 1024, 1, pages - 1, 0)
    page[PAGE - 10:] = b"SWAPSPACE2"
    with open(path, "wb") as file:
        file.truncate(pages * PAGE)
        file.write(page)


def run_case(told, mem, append, second, cases):
    def run(test, members):
        extra, command = [], "%s /tests/swap_pressure %s" % (told, cases)
        disk = os.path.join(WORK, test.name + ".img")
        if second:
            os.makedirs(WORK, exist_ok=True)
            make_area(disk, 260)
            extra = ["--qemu-arg=-drive", "--qemu-arg=file=%s,if=none,id=area,format=raw" % disk,
                     "--qemu-arg=-device", "--qemu-arg=virtio-blk-device,drive=area"]
            if "SWAP_PRESSURE" in told:
                command = "swapon /dev/vdb && %s && swapoff /dev/vdb" % command
        try:
            done = guests.boot("(%s) 2>&1; echo status $?; dmesg" % command, test.log, 280, "debug", image="test", mem=mem,
                               append=append, extra=extra)
        finally:
            if second:
                os.unlink(disk)
        if done.status != 0:
            raise Failed(guests.why_ended(done))
        for case in cases.split():
            if not re.search(r"^ok \d+ %s$" % case, done.out, re.M):
                raise Failed("%s: %s" % (case, "; ".join(re.findall(r"^not ok.*", done.out, re.M)) or done.out[-200:]))
        if not re.search(r"^status 0$", done.out, re.M):
            raise Failed("the command failed: %r" % done.out[-200:])
        complaints = [line for line in (done.out + done.err).splitlines() if guests.COMPLAINT.search(line)]
        if complaints:
            raise Failed(complaints[0])
    return run


def tests():
    for name, told, mem, append, second, cases in CASES:
        yield Test("swap." + name, run_case(told, mem, append, second, cases), ["debug", "images"], seconds=60)
