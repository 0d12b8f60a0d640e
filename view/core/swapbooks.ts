/*
 * Swap areas and who holds their slots (kernel/mm/swap.h, swap_area.h). A slot is held once by each amap that has its entry, those of
 * shared memory included; and it may have a frame in the swap cache. Every amap is looked through, also those that no process
 * shows for the moment: the kernel has them all in one list.
 */
import { same, type FrameArray, type Report } from './books.ts';
import { Machine } from './machine.ts';
import { u64, viewOf } from './numbers.ts';
import { PageCache } from './pages.ts';
import { IndexReader } from './processes.ts';
import type { Snapshot } from './types.ts';

const MOST_AMAPS = 65536;
const MOST_CHUNKS = 1 << 16;
const MOST_SLOTS = 1 << 24;

/* Area and slot in one number, as the key of a map: an area has fewer than 2^40 slots. */
const AREA = 2 ** 40;

export function checkSwap(machine: Machine, s: Snapshot, array: FrameArray, report: Report): void {
  /* Slots go from one amap to another at a fork's end, at mremap: only what stands still is told. */
  if (!s.paused && s.moving.length) return;
  const before = readAreas(machine);
  const areas = before ? decodeAreas(machine, before) : [];
  if (!areas.some((area) => area.used) && !s.aspaces.some((as) => as.swapped)) return;
  const said: (() => void)[] = [];
  const later: Report = (...what) => void said.push(() => report(...what));
  const holders = readHolders(machine, s);
  for (const area of areas) checkArea(machine, area, holders, array, later);
  /* What is left is held of areas, or beyond ends, that there are not. */
  for (const [key, count] of holders) later('swap-slot', null, { area: Math.floor(key / AREA), slot: key % AREA, holders: count });
  const after = readAreas(machine);
  if (same(before, after)) for (const say of said) say();
}

interface Area {
  number: number;
  slots: number;
  used: number;
  cached: number;
  chunks: number;
}

function readAreas(machine: Machine): Uint8Array | null {
  return machine.memory.read(machine.addressOf('swap_areas'), machine.layout!.size('swap_areas'));
}

/* Those that are open. */
function decodeAreas(machine: Machine, bytes: Uint8Array): Area[] {
  const layout = machine.layout!;
  const size = layout.size('swap_area');
  const view = viewOf(bytes);
  const areas: Area[] = [];
  for (let at = 0; at + size <= bytes.length; at += size) {
    const word = (name: string): number => u64(view, at + layout.offset('swap_area.' + name));
    if (word('ops') === 0) continue;
    const chunks = machine.pointer(view, at + layout.offset('swap_area.chunk'));
    areas.push({ number: at / size, slots: word('nr_slots'), used: word('used'), cached: word('nr_cached'), chunks });
  }
  return areas;
}

/* How many amaps have an entry of each slot. */
function readHolders(machine: Machine, s: Snapshot): Map<number, number> {
  const layout = machine.layout!;
  const memory = new PageCache(machine.memory);
  const reader = new IndexReader(machine, memory);
  const [pages, swapped] = [layout.offset('amap.pages'), layout.offset('amap.nr_swapped')];
  const bits = Number(layout.constant('SWAP_AREA_BITS'));
  const holders = new Map<number, number>();
  for (const amap of allAmaps(machine, memory, s)) {
    const count = memory.read(amap + swapped, 8);
    if (!count || u64(viewOf(count), 0) === 0) continue;
    reader.each(amap + pages, MOST_SLOTS, (_key, view, at) => {
      const lo = view.getUint32(at, true);
      if (!(lo & 1)) return;
      const slot = view.getUint32(at + 4, true) * 2 ** (31 - bits) + (lo >>> (bits + 1));
      const key = ((lo >>> 1) & (2 ** bits - 1)) * AREA + slot;
      holders.set(key, (holders.get(key) ?? 0) + 1);
    });
  }
  return holders;
}

/* The clock's list, and those of VMAs: the list turns while it is read. */
function allAmaps(machine: Machine, memory: PageCache, s: Snapshot): Set<number> {
  const layout = machine.layout!;
  const link = layout.offset('amap.link');
  const head = machine.addressOf('amap_clock') + layout.offset('amap_clock.amaps');
  const amaps = new Set<number>();
  for (let at = head; amaps.size < MOST_AMAPS; ) {
    const bytes = at % 8 === 0 ? memory.read(at + layout.offset('list.next'), 8) : null;
    at = bytes ? machine.pointer(viewOf(bytes), 0) : -1;
    if (at <= 0 || at === head || amaps.has(at - link)) break;
    amaps.add(at - link);
  }
  for (const as of s.aspaces) for (const vma of as.vmas) if (vma.amap) amaps.add(vma.amap);
  return amaps;
}

/* Takes the area's slots out of `holders`. */
function checkArea(machine: Machine, area: Area, holders: Map<number, number>, array: FrameArray, report: Report): void {
  const layout = machine.layout!;
  const perChunk = Number(layout.constant('SWAP_CHUNK'));
  const [size, step] = [layout.size('swap_slot'), layout.size('swap_chunk')];
  const [refsAt, frameAt] = [layout.offset('swap_slot.refs'), layout.offset('swap_slot.frame')];
  const [reserved, bad] = [Number(layout.constant('SLOT_RESERVED')), Number(layout.constant('SLOT_BAD'))];
  const nrChunks = Math.ceil(area.slots / perChunk);
  const chunks = area.chunks > 0 && nrChunks <= MOST_CHUNKS ? machine.memory.read(area.chunks, nrChunks * step) : null;
  if (!chunks) return report('swap-count', null, { area: area.number, counted: area.used, found: '-' });
  let used = 0;
  let cached = 0;
  for (let c = 0; c < nrChunks; c++) {
    const at = machine.pointer(viewOf(chunks), c * step + layout.offset('swap_chunk.slots'));
    const bytes = at > 0 ? machine.memory.read(at, perChunk * size) : null;
    if (!bytes) continue;
    const view = viewOf(bytes);
    for (let n = 0; n < perChunk; n++) {
      const refs = view.getUint32(n * size + refsAt, true);
      const frame = view.getUint32(n * size + frameAt, true);
      if (refs === bad || (refs === 0 && frame === 0)) continue;
      used++;
      const slot = c * perChunk + n;
      if (frame) cached++;
      if (frame && !holdsEntry(machine, array, frame - 1, area.number, slot)) report('swap-cache', frame - 1, { area: area.number, slot });
      if (refs !== reserved) checkSlot(machine, area.number, slot, refs, holders, report);
    }
  }
  if (used !== area.used) report('swap-count', null, { area: area.number, counted: area.used, found: used });
  if (cached !== area.cached) report('swap-count', null, { area: area.number, counted: area.cached, found: cached });
}

function checkSlot(machine: Machine, area: number, slot: number, refs: number, holders: Map<number, number>, report: Report): void {
  const key = area * AREA + slot;
  const count = holders.get(key) ?? 0;
  /* A count that came to the top stays there. */
  if (count !== refs && refs !== Number(machine.layout!.constant('SWAP_REFS_MAX'))) report('swap-refs', null, { area, slot, refs, holders: count });
  holders.delete(key);
}

/* A frame in the cache says whose it is. */
function holdsEntry(machine: Machine, array: FrameArray, pfn: number, area: number, slot: number): boolean {
  const layout = machine.layout!;
  const view = array.read(pfn);
  if (!view || view.getUint8(layout.offset('frame.kind')) !== Number(layout.constant('FRAME_ANON'))) return false;
  const entry = view.getBigUint64(layout.offset('frame.private'), true);
  const bits = layout.constant('SWAP_AREA_BITS');
  return (view.getUint32(layout.offset('frame.flags'), true) & Number(layout.constant('FRAME_SWAPCACHE'))) !== 0 &&
    entry === ((BigInt(slot) << (bits + 1n)) | (BigInt(area) << 1n) | 1n);
}
