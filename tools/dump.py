"""Dumps: the RAM of a machine as an ELF core file, which ./vitrine x --dump and gdb read.

The first segment is all of RAM, at the addresses of the kernel's direct map. Behind it come the kernel's other mappings (its image,
the frames' metadata, kernel stacks), which name parts of the same bytes: so a dump is no larger than the RAM that was ever
touched, and in gdb the kernel's own addresses work. The registers are those that the kernel left behind in its panic.
"""
import os
import struct

from machine import Problem

PAGE = 4096
EHDR, PHDR, NHDR = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<III")
PT_LOAD, PT_NOTE, ET_CORE, EM_RISCV, NT_PRSTATUS = 1, 4, 4, 243, 1
PRSTATUS_SIZE, PRSTATUS_REGS = 376, 112  # struct elf_prstatus of Linux on riscv64; its registers are pc, x1 ... x31
ENTRY = struct.Struct("<48sQII")
V, LEAF = 1, 0b1110


class Kernel:
    """What the layout note of the kernel file says (docs/view.md)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.names = {}
        if data[:4] != b"\x7fELF":
            raise Problem("%s is no ELF file" % path)
        phoff, = struct.unpack_from("<Q", data, 32)
        phnum, = struct.unpack_from("<H", data, 56)
        for number in range(phnum):
            kind, _, offset, _, _, size = PHDR.unpack_from(data, phoff + number * PHDR.size)[:6]
            if kind == PT_NOTE and data[offset + 12:offset + 19] == b"Vitrine":
                for at in range(offset + 24, offset + size - ENTRY.size + 1, ENTRY.size):
                    name, value, length, _ = ENTRY.unpack_from(data, at)
                    self.names[name.split(b"\0")[0].decode()] = (value, length)
        if not self.names:
            raise Problem("%s has no layout note: it is no kernel of ours" % path)

    def value(self, name):
        return self.names[name][0]


class Ram:
    def __init__(self, path, base, kernel):
        self.file = open(path, "rb")
        self.base, self.size = base, os.fstat(self.file.fileno()).st_size
        self.image_shift = kernel.value("KVA_IMAGE") - 0x80000000
        self.kernel = kernel

    def read(self, pa, length):
        if not self.base <= pa <= self.base + self.size - length:
            return None
        return os.pread(self.file.fileno(), length, pa - self.base)

    def variable(self, name, offset=0, size=8):
        """A number among the kernel's variables."""
        data = self.read(self.kernel.value(name) + offset - self.image_shift, size)
        return int.from_bytes(data, "little") if data else 0

    def mappings(self):
        """[(va, pa, length)] of the kernel half outside of the direct map, in order, neighbours as one."""
        levels = self.variable("pt_levels", 0, 4)
        root = self.variable("kernel_pagetable", self.kernel.value("pagetable.root"))
        found = []
        if levels not in (3, 4, 5):
            return found
        self.walk(root, levels - 1, (1 << 64) - (1 << (12 + 9 * levels - 1)), 256, found)
        return found

    def walk(self, table, level, va, first, found):
        data = self.read(table, PAGE)
        if not data:
            return
        for index in range(first, 512):
            entry = int.from_bytes(data[index * 8:index * 8 + 8], "little")
            at = va + ((index - first) << (12 + 9 * level))
            pa = (entry >> 10 & (1 << 44) - 1) << 12
            if not entry & V or self.kernel.value("KVA_DIRECT") <= at < self.kernel.value("KVA_FRAMES"):
                continue
            if entry & LEAF:
                self.add(found, at, pa, 1 << (12 + 9 * level))
            elif level:
                self.walk(pa, level - 1, at, 0, found)

    def add(self, found, va, pa, length):
        if not self.base <= pa <= self.base + self.size - length:
            return  # a device
        if found and found[-1][0] + found[-1][2] == va and found[-1][1] + found[-1][2] == pa:
            found[-1] = (found[-1][0], found[-1][1], found[-1][2] + length)
        else:
            found.append((va, pa, length))


def registers(ram):
    """pc, x1 ... x31 of the hart that panicked; zeroes when none did."""
    kernel = ram.kernel
    if "panic_record" not in kernel.names or not ram.variable("panic_record", kernel.value("panic_record.valid"), 4):
        return bytes(256)
    at = kernel.value("panic_record") + kernel.value("panic_record.regs") - ram.image_shift
    return ram.read(at, 256) or bytes(256)


def copy_sparse(source, target, start, size):
    """What is in the file, without its holes."""
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
            end = min(os.lseek(source, at, os.SEEK_HOLE), size)
        except OSError:  # nothing but a hole is left
            break
        while at < end:
            data = os.pread(source, min(1 << 20, end - at), at)
            if not data:
                break
            if data.count(0) != len(data):
                os.pwrite(target, data, start + at)
            at += len(data)
    os.ftruncate(target, start + size)


def write(ram_path, base, kernel_path, output):
    """A dump of the machine whose RAM is that file. It should not run meanwhile."""
    kernel = Kernel(kernel_path)
    ram = Ram(ram_path, base, kernel)
    status = bytearray(PRSTATUS_SIZE)
    status[PRSTATUS_REGS:PRSTATUS_REGS + 256] = registers(ram)
    note = NHDR.pack(5, len(status), NT_PRSTATUS) + b"CORE\0\0\0\0" + bytes(status)
    loads = [(kernel.value("KVA_DIRECT") + base, base, ram.size)] + ram.mappings()
    notes_at = EHDR.size + PHDR.size * (len(loads) + 1)
    ram_at = (notes_at + len(note) + PAGE - 1) // PAGE * PAGE
    head = EHDR.pack(b"\x7fELF\2\1\1" + bytes(9), ET_CORE, EM_RISCV, 1, 0, EHDR.size, 0, 0, EHDR.size, PHDR.size, len(loads) + 1, 0, 0, 0)
    head += PHDR.pack(PT_NOTE, 4, notes_at, 0, 0, len(note), len(note), 4)
    for va, pa, length in loads:
        head += PHDR.pack(PT_LOAD, 6, ram_at + pa - base, va, pa, length, length, PAGE)
    draft = output + ".part"
    target = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        copy_sparse(ram.file.fileno(), target, ram_at, ram.size)
        os.pwrite(target, head + note, 0)
        os.replace(draft, output)
    except OSError:
        os.unlink(draft)
        raise
    finally:
        os.close(target)
