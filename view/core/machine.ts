/*
 * A machine: its memory, and what is known of its kernel. Everything above reads the kernel's structures through what is
 * here: addresses become physical, and members come from the layout note.
 */
import { elfNotes, elfSections, elfSegments, PF_X, PT_LOAD, Symbols } from './elf.ts';
import { lineText, SourceLines } from './lines.ts';
import { Layout } from './layout.ts';
import { inRanges, sameBytes } from './memory.ts';
import { hex, PAGE_SIZE, satpParts, u64, viewOf, vpnOf } from './numbers.ts';
import { translate } from './walk.ts';
import type { Memory, Problem } from './types.ts';

const TWO32 = 2 ** 32;
const MASK64 = (1n << 64n) - 1n;
/* Where the image is when OpenSBI loaded it at 0x80200000 (docs/view.md). */
const USUAL_SHIFT = 0xffffffff00000000n;
/** Where the kernel has written a fault's event: addresses, in the kernel file alone (arch/riscv/trace.h). */
const FAULT_PLACES = '.vitrine.faults';
const MOST_PLACES = 16;
const LEAST_LEVELS = 3;
const MOST_LEVELS = 5;

/** The members of one structure: where they are, and how much of it must be read for them. */
export class Shape<F extends string> {
  readonly at: Record<F, number>;
  readonly span: number;

  constructor(layout: Layout, readonly name: string, fields: readonly F[]) {
    this.at = {} as Record<F, number>;
    let span = 0;
    for (const field of fields) {
      const full = `${name}.${field}`;
      this.at[field] = layout.offset(full);
      span = Math.max(span, this.at[field] + layout.size(full));
    }
    this.span = span;
  }

  /** null: not in memory, or not aligned as a structure is. */
  read(memory: Memory, pa: number): DataView | null {
    if (pa <= 0 || pa % 4) return null;
    const bytes = memory.read(pa, this.span);
    return bytes && viewOf(bytes);
  }
}

export class Machine {
  readonly layout: Layout | null;
  readonly symbols: Symbols | null;
  levels = 0;
  kernelRoot = 0;
  isolating = false;
  timebase = 0;
  /** Snapshots taken so far. */
  snapshots = 0;
  readonly problems: Problem[] = [];
  private imageShift = USUAL_SHIFT;
  private readonly satp: ReturnType<typeof satpParts>;
  private readonly direct: bigint;
  private readonly directEnd: bigint;
  private readonly image: bigint;
  private readonly file: Uint8Array | null;
  /* The same as numbers: distances from the start of the direct map, which lies at a multiple of 4 GiB. */
  private readonly directHi: number;
  private readonly directSize: number;
  private readonly imageBeyond: number;
  private imageBase = 0;
  private lines: SourceLines | null = null;

  constructor(readonly memory: Memory, options: { kernel?: Uint8Array; satp?: bigint } = {}) {
    this.file = options.kernel ?? null;
    this.satp = options.satp === undefined ? null : satpParts(options.satp);
    if (options.satp !== undefined && !this.satp) this.problems.push({ code: 'satp-bare', args: { satp: hex(options.satp) } });
    if (this.file) this.layout = Layout.fromElf(this.file);
    else this.layout = this.satp ? null : Layout.fromMemory(memory);
    this.symbols = this.file && Symbols.fromElf(this.file);
    this.direct = this.layout?.constant('KVA_DIRECT') ?? 0n;
    this.directEnd = this.layout?.constant('KVA_FRAMES') ?? 0n;
    this.image = this.layout?.constant('KVA_IMAGE') ?? 0n;
    this.directHi = Number(this.direct >> 32n);
    this.directSize = Number(this.directEnd - this.direct);
    this.imageBeyond = Number(this.image - this.direct);
    this.imageBase = this.imagePhysical(this.image);
  }

  refresh(): boolean {
    if (!this.layout) {
      if (!this.satp) return false;
      this.levels = this.satp.levels;
      this.kernelRoot = this.satp.root;
      return true;
    }
    if (!this.findImage()) return false;
    const levels = this.variable('pt_levels', 4);
    const table = this.imagePhysical(this.layout.address('kernel_pagetable'));
    const root = this.member(table, 'pagetable.root');
    if (levels === null || root === null || levels < LEAST_LEVELS || levels > MOST_LEVELS) return false;
    if (!root || root % PAGE_SIZE || !inRanges(this.memory.ranges, root, PAGE_SIZE)) return false;
    this.levels = levels;
    this.kernelRoot = root;
    this.isolating = (this.variable('isolating', 4) ?? 0) !== 0;
    this.timebase = this.variable('timebase_hz', 8) ?? 0;
    return true;
  }

  /** The source line of an address of the kernel's: "mm/fault.c:95", or empty. The table is read when it is first asked. */
  lineOf(va: bigint): string {
    if (!this.file) return '';
    this.lines ??= SourceLines.fromElf(this.file);
    return lineText(this.lines.find(va));
  }

  /** Instructions before which a fault's event has just been written. None: a kernel without rings, or no kernel file. */
  faultPlaces(): bigint[] {
    const section = this.file && elfSections(this.file).find((one) => one.name === FAULT_PLACES);
    if (!section || section.offset + section.size > this.file!.length) return [];
    const view = viewOf(this.file!);
    const count = Math.min(Math.floor(section.size / 8), MOST_PLACES);
    return Array.from({ length: count }, (_, i) => view.getBigUint64(section.offset + 8 * i, true)).filter((place) => place >> 63n === 1n);
  }

  /**
   * False: another kernel runs here than that of the file, whose names and lines would be wrong. Code that was overwritten in
   * places is still that kernel's. After refresh().
   */
  runsItsFile(): boolean {
    const code = this.file && elfSegments(this.file).find((segment) => segment.type === PT_LOAD && segment.flags & PF_X);
    if (!this.file || !code) return true;
    let same = 0;
    let pages = 0;
    for (let at = 0; at + PAGE_SIZE <= code.fileSize; at += PAGE_SIZE, pages++) {
      const there = this.memory.read(this.imagePhysical(code.vaddr) + at, PAGE_SIZE);
      const expected = this.file.subarray(code.offset + at, code.offset + at + PAGE_SIZE);
      if (there && sameBytes(there, expected)) same++;
    }
    return same * 2 >= pages;
  }

  /** A kernel address as a physical one. null: not mapped. */
  physical(va: bigint): number | null {
    const address = va & MASK64;
    if (this.layout && address >= this.direct && address < this.directEnd) return Number(address - this.direct);
    if (this.layout && address >= this.image) return this.imagePhysical(address);
    if (!this.levels) return null;
    const found = translate(this.memory, this.kernelRoot, this.levels, vpnOf(address));
    return found && found.pfn * PAGE_SIZE + Number(address & 0xfffn);
  }

  /** A pointer of the kernel's, as a physical address. 0: NULL; -1: not an address of direct map or image. Hot: no bigint. */
  pointer(view: DataView, at: number): number {
    const hi = view.getUint32(at + 4, true);
    const lo = view.getUint32(at, true);
    if (hi === 0 && lo === 0) return 0;
    const beyond = (hi - this.directHi) * TWO32 + lo;
    if (beyond < 0) return -1;
    if (beyond < this.directSize) return beyond || -1; // physical address 0 is no NULL
    return beyond >= this.imageBeyond ? beyond - this.imageBeyond + this.imageBase : -1;
  }

  /** The address of a variable of the kernel. */
  addressOf(name: string): number {
    return this.imagePhysical(this.layout!.address(name));
  }

  /** The value of a variable of 4 or 8 bytes. null: not readable. */
  variable(name: string, size: 4 | 8): number | null {
    return this.number(this.addressOf(name), size);
  }

  /** The value of a member of 4 or 8 bytes of the structure at pa. */
  member(pa: number, name: string): number | null {
    return this.number(pa + this.layout!.offset(name), this.layout!.size(name) === 4 ? 4 : 8);
  }

  number(pa: number, size: 4 | 8): number | null {
    const bytes = this.memory.read(pa, size);
    if (!bytes) return null;
    return size === 4 ? viewOf(bytes).getUint32(0, true) : u64(viewOf(bytes), 0);
  }

  private imagePhysical(va: bigint): number {
    return Number((va - this.imageShift) & MASK64);
  }

  /* The variable image_shift says where it is itself: true of one shift alone. Elsewhere than usual, the note in RAM tells. */
  private findImage(): boolean {
    if (this.shiftHolds(this.imageShift) || this.shiftHolds(USUAL_SHIFT)) return true;
    const note = this.file && elfNotes(this.file).find((n) => n.owner === 'Vitrine');
    const first = this.memory.ranges[0];
    if (!note || !first) return false;
    const head = note.descriptor.subarray(0, 64);
    for (let at = first.base; at < first.base + Math.min(first.size, 64 << 20); at += 1 << 20) {
      const piece = this.memory.read(at, Math.min((1 << 20) + 64, first.base + first.size - at));
      const found = piece ? findBytes(piece, head) : -1;
      if (found >= 0 && this.shiftHolds((note.vaddr + 24n - BigInt(at + found)) & MASK64)) return true;
    }
    return false;
  }

  private shiftHolds(shift: bigint): boolean {
    const bytes = this.memory.read(Number((this.layout!.address('image_shift') - shift) & MASK64), 8);
    if (!bytes || viewOf(bytes).getBigUint64(0, true) !== shift) return false;
    this.imageShift = shift;
    this.imageBase = this.imagePhysical(this.image);
    return true;
  }
}

/* At multiples of 8, as the note lies. */
function findBytes(where: Uint8Array, what: Uint8Array): number {
  for (let at = 0; at + what.length <= where.length; at += 8) {
    let i = 0;
    while (i < what.length && where[at + i] === what[i]) i++;
    if (i === what.length) return at;
  }
  return -1;
}
