"""gdb commands that know the kernel: pt [PID], walk ADDR, procs, frame ADDR, vx COMMAND; bt names the code that runs before
paging. Loaded by ./vitrine gdb. With isolate=1 they work wherever the machine was stopped, on either of a process's two tables.

They read the machine (satp, page tables in physical memory) and the kernel's structures by the names in its debug
information, and change neither.
"""
import contextlib
import os
import re
import struct
import subprocess

import gdb
from gdb.FrameDecorator import FrameDecorator

# kernel/arch/riscv/layout.h and kernel/kernel.lds
KVA_DIRECT = 0xFFFFFFC000000000
KVA_FRAMES = 0xFFFFFFE000000000
KVA_STACKS = 0xFFFFFFF000000000
KVA_IMAGE = 0xFFFFFFFF80000000
IMAGE_SHIFT = 0xFFFFFFFF00000000
MASK = (1 << 64) - 1
PAGE = 4096
LEVELS = {8: 3, 9: 4, 10: 5}  # satp.MODE: Sv39, Sv48, Sv57
PTE_V, PTE_LEAF = 1, 0b1110
# struct entry_slot (kernel/arch/riscv/isolate.h): kernel_satp, user_satp, enter, thread first
SLOT, SLOT_SIZE = struct.Struct("<4Q"), 64


@contextlib.contextmanager
def physical():
    """Within it, memory is addressed physically (a feature of QEMU's gdb stub)."""
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    gdb.execute("maintenance flush dcache", to_string=True)
    try:
        yield
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)
        gdb.execute("maintenance flush dcache", to_string=True)


@contextlib.contextmanager
def supervisor():
    """Within it, kernel addresses can be read, in whatever mode the hart was stopped. When the selected hart runs without
    translation (it has not started yet), another one that has it is selected meanwhile."""
    before = gdb.selected_thread()
    if not before:
        raise gdb.GdbError("no machine is attached")
    if not satp()[0] and not any(selects(thread) for thread in gdb.selected_inferior().threads()):
        before.switch()
        raise gdb.GdbError("no hart runs with paging yet, so the kernel's memory cannot be read: "
                           "break kernel_main, continue")
    priv = int(gdb.parse_and_eval("$priv"))
    user_satp, kernel_satp = number("$satp"), entry_slot()[0]
    if priv != 1:  # user mode, or firmware
        gdb.execute("set $priv = 1", to_string=True)
    if kernel_satp:  # isolate=1, and the hart is on the table that lacks the kernel
        gdb.execute("set $satp = 0x%x" % kernel_satp, to_string=True)
    try:
        yield
    finally:
        if kernel_satp:
            gdb.execute("set $satp = 0x%x" % user_satp, to_string=True)
        if priv != 1:
            gdb.execute("set $priv = %d" % priv, to_string=True)
        if gdb.selected_thread().num != before.num:
            before.switch()


def selects(thread):
    """Selects a hart; whether it runs with translation."""
    thread.switch()
    return satp()[0] != 0


def read_table(pa):
    with physical():
        data = bytes(gdb.selected_inferior().read_memory(pa, PAGE))
    return [int.from_bytes(data[i:i + 8], "little") for i in range(0, PAGE, 8)]


def evaluate(text):
    """An expression's value as an address: functions, arrays and structures stand for where they are."""
    try:
        value = gdb.parse_and_eval(text)
    except gdb.error:
        try:
            value = gdb.parse_and_eval("&(%s)" % text)  # a name that only the assembler or the linker knows
        except gdb.MemoryError:
            raise
        except gdb.error as problem:
            try:
                return gdb.decode_line(text)[1][0].pc & MASK  # a function that was inlined
            except (gdb.error, TypeError):
                raise problem
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_STRUCT):
        value = value.address
    return int(value) & MASK


def number(text):
    try:
        try:
            return evaluate(text)
        except gdb.MemoryError:  # a kernel variable, perhaps, and the hart is in user mode
            with supervisor():
                return evaluate(text)
    except (gdb.error, TypeError) as error:
        raise gdb.GdbError(str(error))


def satp():
    """(levels, root physical address, ASID) of the selected hart; levels is 0 when it runs without translation."""
    return satp_fields(number("$satp"))


def satp_fields(value):
    return LEVELS.get(value >> 60, 0), (value & ((1 << 44) - 1)) << 12, value >> 44 & 0xFFFF


def entry_slot():
    """isolate=1: (the kernel's satp if the selected hart is on the user's table, else 0; the thread on this hart, else 0).

    While user code runs sscratch is the address of the hart's slot, which is above the user's memory; so is tp in the trampoline.
    """
    levels = satp()[0]
    if not levels:
        return 0, 0
    page = (1 << (11 + 9 * levels)) - 2 * PAGE
    for register in ("$sscratch", "$tp"):
        at = number(register)
        if page <= at < page + PAGE:
            with physical():
                start = evaluate("&entry_slots") - IMAGE_SHIFT + (at - page) // SLOT_SIZE * SLOT_SIZE
                data = bytes(gdb.selected_inferior().read_memory(start, SLOT.size))
            kernel_satp, user_satp, _, thread = SLOT.unpack(data)
            return (kernel_satp if number("$satp") == user_satp else 0), thread
    return 0, 0


def flags(pte):
    return "".join(c if pte >> i & 1 else "-" for i, c in enumerate("VRWXUGAD"))


def pte_pa(pte):
    return (pte >> 10 & ((1 << 44) - 1)) << 12


def page_size(level):
    return {0: "4K", 1: "2M", 2: "1G", 3: "512G", 4: "256T"}[level]


def walk(root, levels, va):
    """Yields (level, index, physical address of the entry, entry) from the top down to a leaf or a hole."""
    for level in range(levels - 1, -1, -1):
        index = va >> (12 + 9 * level) & 511
        with physical():
            data = bytes(gdb.selected_inferior().read_memory(root + index * 8, 8))
        pte = int.from_bytes(data, "little")
        yield level, index, root + index * 8, pte
        if not pte & PTE_V or pte & PTE_LEAF:
            return
        root = pte_pa(pte)


def print_tree(root, depth, levels, user_only):
    """The tree in the kernel's vmprint form, with the decoded flags behind it."""
    entries = read_table(root)
    for index, pte in enumerate(entries):
        if not pte & PTE_V or (user_only and depth == 1 and index >= 256):
            continue
        print("%s%d: pte 0x%016x pa 0x%016x  %s" % ("".join([".. "] * (depth - 1)) + "..", index, pte, pte_pa(pte),
                                                    flags(pte)))
        if not pte & PTE_LEAF and depth < levels:
            print_tree(pte_pa(pte), depth + 1, levels, user_only)


def list_members(head, container, member):
    """The structures linked in an intrusive list (kernel/lib/list.h)."""
    kind = gdb.lookup_type("struct " + container)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == member)
    first = int(head.address) & MASK
    node = head["next"]
    for _ in range(100000):
        at = int(node) & MASK
        if at == first or at == 0:
            return
        yield gdb.Value(at - offset).cast(kind.pointer()).dereference()
        node = node.dereference()["next"]


def current_task():
    """The task of the selected hart: tp holds it in the kernel, sscratch while user code runs; with isolate=1 the slot then."""
    priv = int(gdb.parse_and_eval("$priv"))
    at = entry_slot()[1] or (number("$tp") if priv else number("$sscratch"))
    if at < KVA_DIRECT:
        return None
    return gdb.Value(at).cast(gdb.lookup_type("struct task").pointer()).dereference()


def first_process():
    """The root of the process tree: a global when the kernel has one, else upwards from any hart's task."""
    for name in ("init_process", "process_init", "init_proc"):
        symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
        if symbol:
            value = symbol.value()
            if value.type.code == gdb.TYPE_CODE_PTR:
                if not int(value):
                    return None
                value = value.dereference()
            return value
    selected = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            task = current_task()
            if task and int(task["proc"]):
                process = task["proc"].dereference()
                while int(process["parent"]):
                    process = process["parent"].dereference()
                return process
    finally:
        if selected:
            selected.switch()
    return None


def processes(process=None, depth=0):
    process = process or first_process()
    if process is None:
        return
    yield depth, process
    for child in list_members(process["children"], "process", "sibling"):
        yield from processes(child, depth + 1)


def find_process(pid):
    for _, process in processes():
        if int(process["pid"]) == pid:
            return process
    raise gdb.GdbError("no process %d (procs lists them)" % pid)


def process_root(process):
    """The physical address of a process's page table, from any of its threads: the leader may have ended."""
    for task in list_members(process["threads"], "task", "thread_link"):
        if int(task["as"]):
            return int(task["as"].dereference()["pt"]["root"])
    raise gdb.GdbError("process %d has no address space" % int(process["pid"]))


def enum_name(value, prefix):
    text = str(value)
    return text[len(prefix):].lower() if text.startswith(prefix) else text


def string(value):
    return value.string(errors="replace") if value.type.code == gdb.TYPE_CODE_ARRAY else str(value)


class PageTable(gdb.Command):
    """pt [PID]: the page table of a process, or of the selected hart: each valid entry, depth first. With -a, the kernel's
    half too."""

    def __init__(self):
        super().__init__("pt", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        everything = "-a" in words
        words = [w for w in words if w != "-a"]
        if words:
            with supervisor():
                levels = satp()[0]
                root = process_root(find_process(number(words[0])))
        else:
            levels, root, _ = satp()
        if not levels:
            raise gdb.GdbError("the hart runs without translation (satp is 0)")
        print("page table 0x%016x" % root)
        print_tree(root, 1, levels, not everything)


class Walk(gdb.Command):
    """walk [-k] ADDR: how the selected hart's page table translates an address, level by level. With isolate=1, when user code was
    stopped, that table lacks the kernel; -k takes the kernel's table of the same process."""

    def __init__(self):
        super().__init__("walk", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        kernel = words[:1] == ["-k"]
        argument = words[-1] if kernel and len(words) > 1 else argument
        if not words or argument == "-k":
            raise gdb.GdbError("walk [-k] ADDR")
        va = number(argument)
        other = entry_slot()[0]
        levels, root, asid = satp_fields(other) if kernel and other else satp()
        if not levels:
            loaded = va - IMAGE_SHIFT if va >= KVA_IMAGE else va
            print("no translation (satp is 0): physical 0x%x%s" % (loaded, "" if loaded == va else
                                                                   ", where the kernel's 0x%x is loaded" % va))
            return
        print("Sv%d, table 0x%x, ASID %d%s" % (12 + 9 * levels, root, asid, " (user code's own, without the kernel)"
                                              if other and not kernel else ""))
        top = 12 + 9 * levels - 1
        if va >> top not in (0, (1 << (64 - top)) - 1):
            print("0x%x is not canonical: always a page fault" % va)
            return
        for level, index, at, pte in walk(root, levels, va):
            print("level %d [%3d] at 0x%012x: 0x%016x %s" % (level, index, at, pte, flags(pte)))
            if not pte & PTE_V:
                print("not mapped")
            elif pte & PTE_LEAF:
                size = 1 << (12 + 9 * level)
                print("0x%x -> physical 0x%x (a page of %s)" % (va, pte_pa(pte) + va % size, page_size(level)))


class Processes(gdb.Command):
    """procs: the process tree: pid, state of each thread, name."""

    def __init__(self):
        super().__init__("procs", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        with supervisor():
            rows = list(processes())
            if not rows:
                print("no process yet")
                return
            print("  PID   TID STATE     HART NAME              TASK")
            for depth, process in rows:
                for task in list_members(process["threads"], "task", "thread_link"):
                    print("%5d %5d %-9s %4d %-17s %s" % (int(process["pid"]), int(task["tid"]),
                          enum_name(task["state"], "TASK_"), int(task["hart"]), "  " * depth + string(task["name"]),
                          hex(int(task.address) & MASK)))


def plain(value):
    """Small numbers without the character that gdb adds, atomics as their number."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_STRUCT and kind.fields()[0].name == "value":
        return plain(value["value"])
    return int(value) if kind.code == gdb.TYPE_CODE_INT else value


class Frame(gdb.Command):
    """frame ADDR: what the kernel knows of a physical frame. ADDR is physical, or a kernel address in the direct map, the
    image, or the frame array itself. A number below 4096 means what it always does in gdb: frame N of the backtrace."""

    def __init__(self):
        super().__init__("frame", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            gdb.execute("up 0")
            return
        usual = argument.split()[0] in ("address", "function", "level")
        value = 0 if usual else number(argument)
        if usual or value < PAGE:  # a number in the backtrace
            try:
                gdb.execute("select-frame " + (argument if usual else str(value)))
            except gdb.error as error:
                raise gdb.GdbError(str(error))
            gdb.execute("up 0")
            return
        with supervisor():
            self.show(value)

    def show(self, value):
        kind = gdb.lookup_type("struct frame")
        if value >= KVA_IMAGE:
            pa = value - IMAGE_SHIFT
        elif KVA_FRAMES <= value < KVA_STACKS:
            pa = (value - KVA_FRAMES) // kind.sizeof * PAGE
        elif KVA_DIRECT <= value < KVA_FRAMES:
            pa = value - KVA_DIRECT
        elif value < 1 << 56:
            pa = value
        else:
            raise gdb.GdbError("0x%x lies in no range that a frame belongs to (walk translates any address)" % value)
        at = KVA_FRAMES + pa // PAGE * kind.sizeof
        frame = gdb.Value(at).cast(kind.pointer()).dereference()
        try:
            name = enum_name(frame["kind"].cast(gdb.lookup_type("enum frame_kind")), "FRAME_")
            print("frame 0x%x: physical 0x%x, metadata at 0x%x" % (pa // PAGE, pa, at))
            print("kind %s" % name)
            for field in kind.fields():
                if field.name not in ("kind", "link", "spare"):
                    print("  %-13s %s" % (field.name, plain(frame[field.name])))
        except gdb.MemoryError:
            print("physical 0x%x is not RAM that the kernel has metadata for" % pa)


class Engine(gdb.Command):
    """vx COMMAND ...: what ./vitrine x says of this machine, or of the core file that gdb has open. vx --help lists the commands."""

    def __init__(self):
        super().__init__("vx", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        source = self.source()
        program = os.environ.get("VITRINE_PROGRAM")
        if not program:
            raise gdb.GdbError("vx is for gdb as ./vitrine gdb starts it")
        done = subprocess.run([program, "x"] + gdb.string_to_argv(argument) + source, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        gdb.write(done.stdout)

    @staticmethod
    def source():
        core = re.search(r"core dump file:\s+`([^']+)'", gdb.execute("info files", to_string=True))
        if core:
            return ["--dump", core.group(1), "--elf", gdb.current_progspace().filename]
        described = os.environ.get("VITRINE_MACHINE", "")
        if not os.path.exists(described):
            raise gdb.GdbError("vx looks at machines that ./vitrine gdb has started, and at dumps")
        return ["--machine", described]


class Named(FrameDecorator):
    """With a filter in place, bt leaves an unknown name empty; this gives it gdb's usual form."""

    def function(self):
        return self.inferior_frame().name() or "??"


class Loaded(FrameDecorator):
    """A frame of code that runs where the kernel was loaded, before paging: named as where it was linked."""

    def __init__(self, frame, pc):
        super().__init__(frame)
        self.pc = pc

    def function(self):
        text = gdb.execute("info symbol 0x%x" % self.pc, to_string=True)
        return "??" if text.startswith("No symbol") else text.split()[0]

    def place(self):
        return gdb.find_pc_line(self.pc)

    def filename(self):
        symtab = self.place().symtab
        return symtab.filename if symtab else None

    def line(self):
        return self.place().line or None


class Before:
    """The frame filter of bt that applies Loaded."""

    name, enabled, priority = "vitrine", True, 100

    def __init__(self):
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        if satp()[0]:
            return map(Named, frames)
        low, high = (evaluate("&" + name) - IMAGE_SHIFT for name in ("_kernel_start", "_kernel_end"))
        return (Loaded(f, f.inferior_frame().pc() + IMAGE_SHIFT) if low <= f.inferior_frame().pc() < high else Named(f)
                for f in frames)


Before()
for command in (PageTable, Walk, Processes, Frame, Engine):
    command()
