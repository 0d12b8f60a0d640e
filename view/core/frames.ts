/* struct frame of every frame of RAM, in arrays: what each page of memory is for. */
import { hex, PAGE_SIZE, u64, viewOf } from './numbers.ts';
import { Machine } from './machine.ts';
import { KIND_NAMES, type FrameKind, type FrameTable, type MemoryRange, type Problem } from './types.ts';
import { translate } from './walk.ts';

export const KIND = Object.fromEntries(KIND_NAMES.map((name, i) => [name, i])) as Record<FrameKind, number>;
export const INSIDE = 255;
const MOST_BANKS = 16;
const PIECE = 1 << 20;

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

export function readFrames(machine: Machine, banks: Bank[], problems: Problem[]): FrameTable {
  if (!banks.length) return emptyFrames(0, 0);
  const firstPfn = banks[0]!.start;
  const frames = emptyFrames(firstPfn, banks[banks.length - 1]!.end - firstPfn);
  const decode = decoder(machine, frames);
  const reserved = readReserved(machine);
  for (const bank of banks) {
    const unread = readArray(machine, bank, decode);
    if (unread) problems.push({ code: 'frames-unread', args: { frames: unread } });
    frames.kind.fill(KIND.free, bank.frontier - firstPfn, bank.end - firstPfn);
    frames.order.fill(INSIDE, bank.frontier - firstPfn, bank.end - firstPfn);
    for (const range of reserved) {
      const from = Math.max(range.start, bank.frontier);
      const to = Math.min(range.end, bank.end);
      if (from < to) frames.kind.fill(KIND.reserved, from - firstPfn, to - firstPfn);
    }
  }
  return frames;
}

/* The array is mapped by 4 KiB or 2 MiB leaves: pieces that lie together are read at once. Returns the frames that could not be. */
function readArray(machine: Machine, bank: Bank, decode: (bytes: Uint8Array, pfn: number, count: number) => void): number {
  const size = machine.layout!.size('frame');
  const array = machine.layout!.constant('KVA_FRAMES');
  const start = array + BigInt(bank.start * size);
  const end = array + BigInt(bank.frontier * size);
  let unread = 0;
  let at = start;
  /* Bytes of a struct frame that began in the piece before: pieces end at pages, structures of 64 bytes do too. */
  const straddles = PAGE_SIZE % size !== 0;
  if (straddles) return bank.frontier - bank.start;
  while (at < end) {
    const wanted = Math.min(Number(end - at), PIECE - (Number(at & 0xfffn) % PIECE));
    const { pa, length } = contiguous(machine, at, wanted);
    const pfn = Number((at - array) / BigInt(size));
    const bytes = pa === null ? null : machine.memory.read(pa, length);
    if (bytes) decode(bytes, pfn, Math.floor(length / size));
    else unread += Math.floor(length / size);
    at += BigInt(length);
  }
  return unread;
}

/** How much of [va, va + wanted) lies together in physical memory. */
function contiguous(machine: Machine, va: bigint, wanted: number): { pa: number | null; length: number } {
  const offset = Number(va & 0xfffn);
  let vpn = Number(va >> 12n);
  let length = Math.min(PAGE_SIZE - offset, wanted);
  const first = translate(machine.memory, machine.kernelRoot, machine.levels, vpn);
  if (!first) return { pa: null, length };
  for (let pfn = first.pfn; length < wanted; length += PAGE_SIZE) {
    vpn++;
    pfn++;
    if (first.level === 0 || vpn % 512 === 0) {
      const next = translate(machine.memory, machine.kernelRoot, machine.levels, vpn);
      if (!next || next.pfn !== pfn) break;
    }
  }
  return { pa: first.pfn * PAGE_SIZE + offset, length: Math.min(length, wanted) };
}

/* Members by word: the hottest loop of all, once a frame and look. */
function decoder(machine: Machine, frames: FrameTable): (bytes: Uint8Array, pfn: number, count: number) => void {
  const layout = machine.layout!;
  const size = layout.size('frame');
  const at = (name: string): number => layout.offset('frame.' + name);
  const [kindAt, orderAt, flagsAt, refsAt, ownerAt, indexAt] = [at('kind'), at('order'), at('flags') / 4, at('refs') / 4, at('owner') / 4, at('index') / 4];
  const kinds = kindNumbers(machine);
  const stride = size / 4;
  return (bytes, pfn, count) => {
    const words = aligned(bytes);
    const raw = new Uint8Array(words.buffer, words.byteOffset, bytes.length);
    const { kind, order, flags, refs, owner, index } = frames;
    let i = pfn - frames.firstPfn;
    const view = new DataView(words.buffer, words.byteOffset, bytes.length);
    for (let n = 0, byte = 0, word = 0; n < count; n++, i++, byte += size, word += stride) {
      kind[i] = kinds[raw[byte + kindAt]!]!;
      order[i] = raw[byte + orderAt]!;
      flags[i] = words[word + flagsAt]!;
      refs[i] = words[word + refsAt]!;
      owner[i] = words[word + ownerAt + 1] ? Math.max(machine.pointer(view, byte + 4 * ownerAt), 0) : 0;
      index[i] = words[word + indexAt]! + words[word + indexAt + 1]! * 2 ** 32;
    }
  };
}

function aligned(bytes: Uint8Array): Uint32Array {
  const whole = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  return new Uint32Array(whole.buffer, whole.byteOffset, whole.length >> 2);
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
