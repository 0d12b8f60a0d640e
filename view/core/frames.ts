/* struct frame of every frame of RAM, in arrays: what each page of memory is for. */
import { Machine } from './machine.ts';
import { isSame } from './memory.ts';
import { hex, PAGE_SIZE, u64, viewOf } from './numbers.ts';
import { KIND_NAMES, type FrameKind, type FrameTable, type Memory, type MemoryRange, type Problem } from './types.ts';
import { translate } from './walk.ts';

export const KIND = Object.fromEntries(KIND_NAMES.map((name, i) => [name, i])) as Record<FrameKind, number>;
export const INSIDE = 255;
const MOST_BANKS = 16;
/** What is read at once, and what is compared at once. */
const PIECE = 1 << 20;
const STRETCH = 1 << 14;

/** FRAME_… flags that have names here; bits above the 16th are not kept. */
const FLAG_NAMES = ['BUSY', 'UPTODATE', 'DIRTY', 'WRITEBACK', 'ERROR', 'ACCESSED', 'LRU', 'EXEC', 'BLOCK', 'SWAPCACHE'];

export interface Bank {
  start: number;
  end: number;
  frontier: number;
}

export function flagNames(machine: Machine, flags: number): string[] {
  return FLAG_NAMES.filter((name) => machine.layout?.has('FRAME_' + name) && flags & Number(machine.layout.constant('FRAME_' + name)));
}

/** RAM as the kernel knows it, kept within what is memory. */
export function readBanks(machine: Machine, problems: Problem[]): Bank[] {
  const layout = machine.layout!;
  const base = machine.addressOf('boot_ram');
  const count = machine.member(base, 'boot_ram.nr_banks') ?? 0;
  const size = layout.size('ram_bank');
  const bytes = count <= MOST_BANKS ? machine.memory.read(base + layout.offset('boot_ram.banks'), count * size) : null;
  if (!bytes || !count) {
    problems.push({ code: 'no-banks', args: { count } });
    return [];
  }
  const view = viewOf(bytes);
  const banks: Bank[] = [];
  let last = 0;
  for (let i = 0; i < count; i++) {
    const word = (name: string): number => u64(view, i * size + layout.offset('ram_bank.' + name));
    const bank = { start: word('start'), end: word('end'), frontier: word('frontier') };
    if (!(bank.start >= last && bank.start < bank.end) || !isMemory(machine.memory.ranges, bank)) {
      problems.push({ code: 'bank-broken', args: { bank: i, start: hex(bank.start), end: hex(bank.end) } });
      continue;
    }
    if (!(bank.frontier >= bank.start && bank.frontier <= bank.end)) {
      problems.push({ code: 'bank-broken', args: { bank: i, start: hex(bank.start), end: hex(bank.frontier) } });
      bank.frontier = bank.start;
    }
    last = bank.end;
    banks.push(bank);
  }
  return banks;
}

/** What was set aside at boot: it stays so beyond the frontier too, where no metadata says it. */
function readReserved(machine: Machine): { start: number; end: number }[] {
  const layout = machine.layout!;
  const base = machine.addressOf('boot_ram');
  const size = layout.size('ram_range');
  const count = Math.min(machine.member(base, 'boot_ram.nr_reserved') ?? 0, Math.floor(layout.size('boot_ram.reserved') / size));
  const bytes = machine.memory.read(base + layout.offset('boot_ram.reserved'), count * size);
  if (!bytes) return [];
  const view = viewOf(bytes);
  return Array.from({ length: count }, (_, i) => ({
    start: u64(view, i * size + layout.offset('ram_range.start')), end: u64(view, i * size + layout.offset('ram_range.end')),
  }));
}

function isMemory(ranges: readonly MemoryRange[], bank: Bank): boolean {
  return ranges.some((r) => bank.start * PAGE_SIZE >= r.base && bank.end * PAGE_SIZE <= r.base + r.size);
}

export function emptyFrames(firstPfn: number, count: number): FrameTable {
  return {
    firstPfn, count, kind: new Uint8Array(count), order: new Uint8Array(count), flags: new Uint16Array(count), refs: new Uint32Array(count),
    owner: new Float64Array(count), index: new Float64Array(count),
  };
}

/** What a table of frames has that the one before had not: the frames that are others, ascending. */
export interface FrameChanges {
  from: FrameTable;
  to: FrameTable;
  at: readonly number[];
}

/** The metadata of one bank, as it was read last. */
interface ReadBank extends Bank {
  /** Of the frames from its start to its end; beyond the frontier there is nothing. */
  bytes: Uint8Array;
}

/**
 * Reads the array again and again. Of a machine at work most of it stays as it is: only what has changed since the last time is
 * decoded, and where nothing has, the table is the same.
 */
export class FrameReader {
  /** From the table before to the last; null: one of them is no continuation of the other. */
  changes: FrameChanges | null = null;
  private table: FrameTable = emptyFrames(0, 0);
  private banks: ReadBank[] = [];
  private reserved: { start: number; end: number }[] = [];
  /* What the reading under way has found. */
  private before: FrameTable | null = null;
  private changed: number[] = [];
  private unread = 0;
  private readonly piece = new Uint8Array(PIECE);
  private readonly decoder: FrameDecoder;
  private readonly size: number;

  constructor(private readonly machine: Machine) {
    this.size = machine.layout!.size('frame');
    this.decoder = new FrameDecoder(machine);
  }

  /** memory: where the kernel's page table is read. */
  read(memory: Memory, banks: Bank[], problems: Problem[]): FrameTable {
    const reserved = readReserved(this.machine);
    if (this.goesOn(banks, reserved)) this.before = this.table;
    else this.begin(banks, reserved);
    this.changed = [];
    this.unread = 0;
    this.banks.forEach((bank, i) => {
      const before = this.unread;
      this.readBank(memory, bank, banks[i]!.frontier);
      if (this.unread > before) problems.push({ code: 'frames-unread', args: { frames: this.unread - before } });
    });
    if (this.before && !this.changed.length) this.table = this.before;
    this.changes = this.before && { from: this.before, to: this.table, at: this.changed };
    return this.table;
  }

  /* The same banks, of which more is in use than before; and what could not be read then, is no gap in the table now. */
  private goesOn(banks: Bank[], reserved: { start: number; end: number }[]): boolean {
    return !this.unread && banks.length === this.banks.length && JSON.stringify(reserved) === JSON.stringify(this.reserved) &&
      this.banks.every((bank, i) => bank.start === banks[i]!.start && bank.end === banks[i]!.end && bank.frontier <= banks[i]!.frontier);
  }

  private begin(banks: Bank[], reserved: { start: number; end: number }[]): void {
    const firstPfn = banks[0]?.start ?? 0;
    this.before = null;
    this.table = emptyFrames(firstPfn, (banks.at(-1)?.end ?? 0) - firstPfn);
    this.reserved = reserved;
    this.banks = banks.map((bank) => ({ ...bank, frontier: bank.start, bytes: new Uint8Array((bank.end - bank.start) * this.size) }));
    for (const bank of banks) {
      this.table.kind.fill(KIND.free, bank.frontier - firstPfn, bank.end - firstPfn);
      this.table.order.fill(INSIDE, bank.frontier - firstPfn, bank.end - firstPfn);
      for (const range of reserved) {
        const from = Math.max(range.start, bank.frontier);
        const to = Math.min(range.end, bank.end);
        if (from < to) this.table.kind.fill(KIND.reserved, from - firstPfn, to - firstPfn);
      }
    }
  }

  /* The array is mapped by 4 KiB or 2 MiB leaves: pieces that lie together are read at once. */
  private readBank(memory: Memory, bank: ReadBank, frontier: number): void {
    const { size } = this;
    const known = (bank.frontier - bank.start) * size;
    const length = (frontier - bank.start) * size;
    const array = this.machine.layout!.constant('KVA_FRAMES') + BigInt(bank.start * size);
    bank.frontier = frontier;
    /* Pieces end at pages: structures of 64 bytes do too. */
    if (PAGE_SIZE % size !== 0) this.unread += frontier - bank.start;
    else for (let at = 0; at < length; ) {
      const there = contiguous(this.machine, memory, array + BigInt(at), Math.min(length - at, PIECE));
      const piece = this.piece.subarray(0, there.length);
      if (there.pa !== null && this.machine.memory.readInto(there.pa, piece)) this.compare(bank, at, piece, known);
      else this.unread += Math.floor(there.length / size);
      at += there.length;
    }
  }

  /* at: in the bank's bytes. known: how many of those were read before. */
  private compare(bank: ReadBank, at: number, piece: Uint8Array, known: number): void {
    for (let from = 0; from < piece.length; from += STRETCH) {
      const now = piece.subarray(from, from + STRETCH);
      const old = bank.bytes.subarray(at + from, at + from + now.length);
      if (at + from + now.length <= known && isSame(this.machine.memory, old, now)) continue;
      old.set(now);
      this.decoder.decode(now, this.writable(), bank.start - this.table.firstPfn + (at + from) / this.size, this.changed);
    }
  }

  /* A table that was given away is not written to. */
  private writable(): FrameTable {
    if (this.table !== this.before) return this.table;
    const { firstPfn, count, kind, order, flags, refs, owner, index } = this.table;
    this.table = {
      firstPfn, count, kind: kind.slice(), order: order.slice(), flags: flags.slice(), refs: refs.slice(), owner: owner.slice(), index: index.slice(),
    };
    return this.table;
  }
}

/** The members that are kept: the hottest loop of all. Says which frames are others than the table has. */
class FrameDecoder {
  private readonly kinds: Uint8Array;
  private readonly size: number;
  private readonly at: Record<'kind' | 'order' | 'flags' | 'refs' | 'owner' | 'index', number>;

  constructor(private readonly machine: Machine) {
    const at = (name: string): number => machine.layout!.offset('frame.' + name);
    this.kinds = kindNumbers(machine);
    this.size = machine.layout!.size('frame');
    this.at = { kind: at('kind'), order: at('order'), flags: at('flags'), refs: at('refs'), owner: at('owner'), index: at('index') };
  }

  decode(bytes: Uint8Array, table: FrameTable, first: number, changed: number[]): void {
    const { machine, kinds, at, size } = this;
    const { kind, order, flags, refs, owner, index } = table;
    const view = viewOf(bytes);
    for (let byte = 0, i = first; byte + size <= bytes.length; byte += size, i++) {
      const kindNow = kinds[bytes[byte + at.kind]!]!;
      const orderNow = bytes[byte + at.order]!;
      const flagsNow = view.getUint32(byte + at.flags, true) & 0xffff;
      const refsNow = view.getUint32(byte + at.refs, true);
      const ownerNow = Math.max(machine.pointer(view, byte + at.owner), 0);
      const indexNow = u64(view, byte + at.index);
      if (kind[i] === kindNow && order[i] === orderNow && flags[i] === flagsNow && refs[i] === refsNow && owner[i] === ownerNow && index[i] === indexNow) continue;
      kind[i] = kindNow;
      order[i] = orderNow;
      flags[i] = flagsNow;
      refs[i] = refsNow;
      owner[i] = ownerNow;
      index[i] = indexNow;
      changed.push(i);
    }
  }
}

/** How much of [va, va + wanted) lies together in physical memory. */
function contiguous(machine: Machine, memory: Memory, va: bigint, wanted: number): { pa: number | null; length: number } {
  const offset = Number(va & 0xfffn);
  let vpn = Number(va >> 12n);
  let length = Math.min(PAGE_SIZE - offset, wanted);
  const first = translate(memory, machine.kernelRoot, machine.levels, vpn);
  if (!first) return { pa: null, length };
  for (let pfn = first.pfn; length < wanted; length += PAGE_SIZE) {
    vpn++;
    pfn++;
    if (first.level === 0 || vpn % 512 === 0) {
      const next = translate(memory, machine.kernelRoot, machine.levels, vpn);
      if (!next || next.pfn !== pfn) break;
    }
  }
  return { pa: first.pfn * PAGE_SIZE + offset, length: Math.min(length, wanted) };
}

/** From the kernel's numbers to ours. */
function kindNumbers(machine: Machine): Uint8Array {
  const map = new Uint8Array(256).fill(KIND.unknown);
  for (const name of KIND_NAMES) {
    const full = 'FRAME_' + name.toUpperCase();
    if (machine.layout!.has(full)) map[Number(machine.layout!.constant(full)) & 255] = KIND[name];
  }
  return map;
}

/** Frames that the kernel counts as free. null: its counters cannot be read. */
export function countedFree(machine: Machine): number | null {
  const layout = machine.layout!;
  const zone = machine.addressOf('zone');
  const listed = machine.member(zone, 'zone.listed');
  const beyond = machine.member(zone, 'zone.beyond');
  if (listed === null || beyond === null) return null;
  const size = layout.size('frame_cache');
  const caches = machine.memory.read(machine.addressOf('caches'), layout.size('caches'));
  if (!caches || !size) return null;
  let cached = 0;
  for (let at = 0; at + size <= caches.length; at += size) cached += viewOf(caches).getUint32(at + layout.offset('frame_cache.nr'), true);
  return listed + beyond + cached;
}
