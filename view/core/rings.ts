/*
 * The event rings. A hart writes an event, and then that its ring goes on behind it; a reader copies, and looks again how far
 * the ring is: what was overtaken meanwhile is lost, and counted (docs/view.md).
 */
import { Machine } from './machine.ts';
import { u64, viewOf } from './numbers.ts';
import type { Access, EventBatch, EventKind, FaultHow, FaultResult, TraceEvent } from './types.ts';

const MOST_HARTS = 64;
const MOST_SLOTS = 1 << 20;

/** VMA_READ, VMA_WRITE, VMA_EXEC. */
const PERMISSIONS = 7n;

/** What a flush of everything says for its number of pages. */
export const ALL_PAGES = 2 ** 64;

const KINDS: EventKind[] = [
  'fault', 'syscall', 'map', 'unmap', 'protect', 'fork', 'exec', 'exit', 'huge-make', 'huge-split', 'alloc', 'free', 'flush', 'asid-roll', 'swap-out',
];
const HOWS: FaultHow[] = ['none', 'zero', 'anon', 'huge', 'cow', 'reuse', 'present', 'file', 'file-copy', 'shared', 'swap', 'usyscall'];
const RESULTS: FaultResult[] = ['done', 'segv-map', 'segv-acc', 'bus', 'oom'];
const ACCESSES: Record<number, Access> = { 12: 'x', 13: 'r', 15: 'w' };

/** One hart's ring as it is now. */
interface Ring {
  hart: number;
  /** Of the struct, and of its slots. */
  address: number;
  events: number;
  slots: number;
  /** Events written since boot; the next is being written. */
  count: number;
}

/** Names by the kernel's numbers. */
function numbered<T extends string>(machine: Machine, prefix: string, names: T[]): Map<number, T> {
  const map = new Map<number, T>();
  for (const name of names) {
    const full = prefix + name.toUpperCase().replace('-', '_');
    if (machine.layout!.has(full)) map.set(Number(machine.layout!.constant(full)), name);
  }
  return map;
}

class Decoder {
  readonly size: number;
  private readonly before;
  private readonly at;
  private readonly kinds;
  private readonly hows;
  private readonly results;

  constructor(machine: Machine) {
    const layout = machine.layout!;
    const at = (name: string): number => layout.offset('trace_event.' + name);
    this.size = layout.size('trace_event');
    this.at = {
      time: at('time'), tid: at('what.tid'), kind: at('what.kind'), how: at('what.how'), cause: at('what.cause'), more: at('what.more'),
      va: at('va'), pc: at('pc'), before: at('before'), after: at('after'), amount: at('amount'),
    };
    this.before = Number(layout.constant('TRACE_BEFORE'));
    this.kinds = numbered(machine, 'TRACE_', KINDS);
    this.hows = numbered(machine, 'FAULT_HOW_', HOWS);
    this.results = numbered(machine, 'FAULT_', RESULTS);
  }

  event(v: DataView, offset: number, hart: number, n: number): TraceEvent {
    const at = this.at;
    const kind = this.kinds.get(v.getUint8(offset + at.kind)) ?? 'unknown';
    const big = (field: number): bigint => v.getBigUint64(offset + field, true);
    const more = v.getUint8(offset + at.more);
    const amount = u64(v, offset + at.amount);
    const event: TraceEvent = {
      hart, n, time: big(at.time), kind, tid: v.getUint32(offset + at.tid, true), va: big(at.va), pc: big(at.pc), before: more & this.before ? big(at.before) : 0n,
      after: big(at.after), cost: 0, nr: amount, how: v.getUint8(offset + at.how),
    };
    if (kind === 'map') event.how = Number(event.after & PERMISSIONS);
    if (kind === 'fault') {
      event.cost = amount;
      event.nr = 0;
      event.faultHow = this.hows.get(event.how) ?? 'unknown';
      event.result = this.results.get(more & ~this.before) ?? 'unknown';
      const access = ACCESSES[v.getUint8(offset + at.cause)];
      if (access) event.access = access;
    }
    return event;
  }
}

/** The bytes of a ring's struct. Its members are written one after the other: read until twice the same was there. */
function readStruct(machine: Machine, address: number): DataView | null {
  const size = machine.layout!.size('hart.trace');
  let last = machine.memory.read(address, size);
  for (let tries = 0; tries < 4; tries++) {
    const bytes = machine.memory.read(address, size);
    if (!last || !bytes) return null;
    if (last.every((byte, i) => byte === bytes[i])) return viewOf(bytes);
    last = bytes;
  }
  return last ? viewOf(last) : null;
}

/** null: there is none, or it cannot be one. */
function readRing(machine: Machine, hart: number, address: number): Ring | null {
  const layout = machine.layout!;
  const v = readStruct(machine, address);
  if (!v) return null;
  const size = layout.size('trace_event');
  const pointer = (name: string): number => machine.pointer(v, layout.offset('trace_ring.' + name));
  const [events, end, next] = [pointer('events'), pointer('end'), pointer('next')];
  const slots = (end - events) / size;
  const at = (next - events) / size;
  if (events <= 0 || !Number.isInteger(slots) || slots <= 0 || slots > MOST_SLOTS || !Number.isInteger(at) || at < 0 || at >= slots) return null;
  const laps = u64(v, layout.offset('trace_ring.laps'));
  /* Odd: the ring was filled, and `next` may or may not have been set back. */
  const count = laps % 2 ? ((laps + 1) / 2) * slots : (laps / 2) * slots + at;
  return Number.isSafeInteger(count) ? { hart, address, events, slots, count } : null;
}

/** The rings there are. A ring that cannot be one is left out. */
export function readRings(machine: Machine): Ring[] {
  const layout = machine.layout;
  if (!layout?.has('trace_ring.next')) return [];
  const count = Math.min(machine.variable('nr_harts', 4) ?? 0, MOST_HARTS);
  const size = layout.size('hart');
  const rings: Ring[] = [];
  for (let hart = 0; hart < count; hart++) {
    const address = machine.addressOf('harts') + hart * size + layout.offset('hart.trace');
    const ring = readRing(machine, hart, address);
    if (ring) rings.push(ring);
  }
  return rings;
}

/** Whole events [from, count) of a ring, oldest first, and the number of the first that was not overwritten. */
function readRange(machine: Machine, decoder: Decoder, ring: Ring, from: number): { events: TraceEvent[]; first: number } {
  const start = Math.max(from, ring.count - ring.slots + 1);
  const parts: { n: number; bytes: Uint8Array }[] = [];
  for (let n = start; n < ring.count; ) {
    const slot = n % ring.slots;
    const count = Math.min(ring.count - n, ring.slots - slot);
    const bytes = machine.memory.read(ring.events + slot * decoder.size, count * decoder.size);
    if (bytes) parts.push({ n, bytes });
    n += count;
  }
  const now = readRing(machine, ring.hart, ring.address)?.count ?? ring.count;
  const first = Math.max(start, now - ring.slots + 1);
  const events: TraceEvent[] = [];
  for (const part of parts) {
    const view = viewOf(part.bytes);
    for (let i = 0; (i + 1) * decoder.size <= part.bytes.length; i++)
      if (part.n + i >= first) events.push(decoder.event(view, i * decoder.size, ring.hart, part.n + i));
  }
  return { events, first };
}

function byTime(a: TraceEvent, b: TraceEvent): number {
  return a.time < b.time ? -1 : a.time > b.time ? 1 : a.hart - b.hart || a.n - b.n;
}

export class RingReader {
  private readonly next = new Map<number, number>();
  private decoder: Decoder | null = null;
  private lostTotal = 0;
  private readonly from: 'oldest' | 'now';

  constructor(private readonly machine: Machine, options: { from?: 'oldest' | 'now' } = {}) {
    this.from = options.from ?? 'oldest';
    if (this.from === 'now') for (const ring of readRings(machine)) this.next.set(ring.hart, ring.count);
  }

  read(): EventBatch {
    const batch: EventBatch = { events: [], lost: 0, lostTotal: 0, heads: [] };
    for (const ring of readRings(this.machine)) {
      this.decoder ??= new Decoder(this.machine);
      /* What was overwritten before anybody looked is not lost to us, unless all of it was asked for. */
      const from = this.next.get(ring.hart) ?? (this.from === 'oldest' ? 0 : ring.count);
      if (ring.count < from) {
        this.next.set(ring.hart, ring.count); // another boot, or garbage
        continue;
      }
      const { events, first } = readRange(this.machine, this.decoder, ring, from);
      for (const event of events) batch.events.push(event);
      batch.lost += Math.max(ring.count - from - events.length, first - from, 0);
      this.next.set(ring.hart, ring.count);
    }
    this.lostTotal += batch.lost;
    batch.lostTotal = this.lostTotal;
    for (const [hart, next] of this.next) batch.heads[hart] = next;
    batch.events.sort(byTime);
    return batch;
  }
}

/** Where the rings stand: for threadsMoving(). */
export type RingHeads = Map<number, number>;

export function ringHeads(machine: Machine): RingHeads {
  return new Map(readRings(machine).map((ring) => [ring.hart, ring.count]));
}

const LOOK_BACK = 64;

/** Threads by what they did: since the heads were taken, and in the events just before. */
export interface Moving {
  now: Set<number>;
  before: Set<number>;
}

/**
 * An operation's event is written at its end or in its middle, so that one under way may have its event on either side of
 * the beginning. null: it cannot be told who was at work (no rings, or too much happened): anybody may have been.
 */
export function threadsMoving(machine: Machine, heads: RingHeads): Moving | null {
  const rings = readRings(machine);
  if (!rings.length) return null;
  const decoder = new Decoder(machine);
  const moving: Moving = { now: new Set(), before: new Set() };
  for (const ring of rings) {
    const began = heads.get(ring.hart) ?? ring.count;
    if (ring.count < began) return null;
    const { events, first } = readRange(machine, decoder, ring, Math.max(0, began - LOOK_BACK));
    if (first > began) return null;
    for (const event of events) {
      if (event.n < began) {
        moving.before.add(event.tid);
        continue;
      }
      if (event.kind === 'swap-out') return null; // whose pages they were, the event does not say
      if (event.kind === 'fork') moving.now.add(event.nr);
      moving.now.add(event.tid);
    }
  }
  return moving;
}
