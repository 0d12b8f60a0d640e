"""Abuse: what must leave the kernel up and the image clean."""
import os
import re

from . import core, guests
from .core import Failed, Test

# name, command, memory, pattern of the output that proves the system lives on, expected status (None: any: the shell itself
# may fall to the OOM choice or to its own kill; that the machine then goes off in order and its disk is clean is the proof)
CASES = [
    ("fork_bomb", "timeout -s KILL 12 sh -c 'f() { f | f & }; f; sleep 10' >/dev/null 2>&1; "
     "echo alive", "64M", r"", None),
    ("fork_bomb_as_user", "timeout -s KILL 10 su user -c 'f() { f | f & }; f' >/dev/null 2>&1; sleep 6; "
     "echo alive", "96M", r"", None),
    ("full_disk", "dd if=/dev/zero of=/fill bs=64k 2>&1 | grep -i 'no space'; echo x >/small || echo refused; mkdir /d 2>/dev/null; "
     "rm /fill; sync; echo back >/f && cat /f; df / | tail -1", None, r"(?i)no space(?s:.*)back\n", 0),
    ("full_disk_many_files", "mkdir /m; i=0; while echo data >/m/$i; do i=$((i+1)); done 2>/dev/null; ls /m | wc -l; rm -r /m; "
     "echo back >/f && cat /f", None, r"^\d+\nback\n$", 0),
    ("memory_hog", "timeout -s KILL 40 awk 'BEGIN { s = \"x\"; while (1) s = s s }'; echo status $?; echo alive", "64M", r"alive", 0),
    ("memory_hog_many", "for i in 1 2 3 4; do (tail -c 1G /dev/zero >/dev/null 2>&1) & done; wait; echo alive", "64M", r"alive", 0),
    ("tmpfs_hog", "mount -t tmpfs none /mnt; dd if=/dev/zero of=/mnt/f bs=1M 2>&1 | tail -1; umount /mnt; echo alive", "64M", r"alive", 0),
    ("poweroff_f", "echo kept >/kept; sync; poweroff -f", None, r"", None),
    ("reboot_f", "sync; reboot -f", None, r"", None),
    ("kill_everything", "kill -9 -1; echo alive", None, r"", None),
    ("unmount_root", "umount / 2>&1; mount -o remount,ro / 2>&1; echo alive", None, r"alive", None),
    ("chroot_nowhere", "mkdir /empty; chroot /empty /bin/sh; echo $?; cd /; echo alive", None, r"alive", 0),
    ("proc_and_dev_walk", "find /proc /dev /sys -type f 2>/dev/null | head -3000 | while read f; do timeout 2 head -c 100 \"$f\" >/dev/null 2>&1; "
     "done; echo alive", None, r"alive", 0),
    ("random_to_everything", "for f in /dev/*; do [ -c $f ] && [ $f != /dev/console ] && [ $f != /dev/tty ] && "
     "timeout 2 dd if=/dev/urandom of=$f bs=100 count=2 >/dev/null 2>&1 </dev/null; done; echo alive", None, r"alive", None),
    ("deep_directories", "cd /tmp; i=0; while [ $i -lt 400 ]; do mkdir d && cd d || break; i=$((i+1)); done; cd /; rm -r /tmp/d; echo alive",
     None, r"alive", 0),
]


def run_case(command, mem, pattern, status):
    def run(test, members):
        disk = guests.private_copy("disk", test.name)
        try:
            done = guests.boot(command, test.log, 120, "debug", disk=disk, mem=mem)
            if done.status in (None, 124):
                raise Failed("the machine hangs")
            if done.status == guests.PANIC_STATUS or re.search(r"\bPANIC:", done.out + done.err):
                raise Failed(guests.why_ended(done))
            if not re.search(pattern, done.out):
                raise Failed("printed %r" % done.out[-200:])
            if status is not None and done.status != status:
                raise Failed("status %s, wanted %d" % (done.status, status))
            complaints = [line for line in (done.out + done.err).splitlines() if guests.COMPLAINT.search(line)]
            if complaints:
                raise Failed(complaints[0])
            settle(test, disk)
        finally:
            guests.drop(disk)
    return run


def settle(test, disk):
    """After an abrupt end the image must still mount and then be clean; after an orderly one it is clean at once."""
    try:
        guests.check_disk(disk, test.log)
        return
    except Failed as problem:
        if test.name.split(".")[1] not in ("poweroff_f", "reboot_f", "kill_everything"):
            raise
        first = problem
    done = guests.boot("ls / | grep -c bin", test.log, 60, "debug", disk=disk)
    if done.status != 0:
        raise Failed("the image does not boot again: %s" % first)
    guests.check_disk(disk, test.log)


def io_errors(test, members):
    """A device that fails reads: EIO for who asked, and no more than that."""
    disk = guests.private_copy("disk", test.name)
    rules = os.path.join(core.WORK, test.name + ".conf")
    with open(rules, "w") as file:
        file.write("[inject-error]\nevent = \"read_aio\"\nerrno = \"5\"\nsector = \"120000\"\nonce = \"off\"\n")
    try:
        done = guests.boot(
            "dd if=/dev/vdb of=/dev/null bs=512 skip=119992 count=16 2>&1 | grep -ci 'error'; echo alive", test.log, 60, "debug", disk=disk,
            extra=["--qemu-arg=-drive", "--qemu-arg=file=blkdebug:%s:%s,if=none,id=bad,format=raw,werror=report,rerror=report" % (
                rules, guests.private_copy("disk", test.name + ".bad")),
                "--qemu-arg=-device", "--qemu-arg=virtio-blk-device,drive=bad"])
        if "alive" not in done.out:
            raise Failed(guests.why_ended(done))
        if not re.search(r"^[1-9]\d*$", done.out, re.M):
            raise Failed("the read did not fail: %r" % done.out)
        guests.check_disk(disk, test.log)
    finally:
        guests.drop(disk)
        guests.drop(os.path.join(core.WORK, test.name + ".bad.img"))


def tests():
    for name, command, mem, pattern, status in CASES:
        yield Test("abuse." + name, run_case(command, mem, pattern, status), ["debug", "images"], seconds=15)
    yield Test("abuse.io_errors", io_errors, ["debug", "images"], seconds=8)
