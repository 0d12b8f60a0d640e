/*
 * The event rings. A hart writes head, then the event, then its seq; a reader copies, and looks at head again: what head has
 * overtaken meanwhile is lost, and counted (docs/view.md).
 */
import { Machine } from './machine.ts';
import { u64, viewOf } from './numbers.ts';
import type { Access, EventBatch, EventKind, FaultHow, FaultResult, TraceEvent } from './types.ts';

const MOST_HARTS = 64;
const MOST_SLOTS = 1 << 20;

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
  head: number;
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
  private readonly at;
  private readonly kinds;
  private readonly hows;
  private readonly results;

  constructor(machine: Machine) {
    const layout = machine.layout!;
    const at = (name: string): number => layout.offset('trace_event.' + name);
    this.size = layout.size('trace_event');
    this.at = {
      seq: at('seq'), time: at('time'), kind: at('what.kind'), how: at('what.how'), cause: at('what.cause'), result: at('what.result'), tid: at('tid'),
      va: at('va'), pc: at('pc'), before: at('before'), after: at('after'), cost: at('cost'), nr: at('nr'),
    };
    this.kinds = numbered(machine, 'TRACE_', KINDS);
    this.hows = numbered(machine, 'FAULT_HOW_', HOWS);
    this.results = numbered(machine, 'FAULT_', RESULTS);
  }

  /** null: not whole (its seq is another). */
  event(v: DataView, offset: number, hart: number, n: number): TraceEvent | null {
    const at = this.at;
    if (u64(v, offset + at.seq) !== n + 1) return null;
    const kind = this.kinds.get(v.getUint8(offset + at.kind)) ?? 'unknown';
    const big = (field: number): bigint => v.getBigUint64(offset + field, true);
    const event: TraceEvent = {
      hart, n, time: big(at.time), kind, tid: v.getUint32(offset + at.tid, true), va: big(at.va), pc: big(at.pc), before: big(at.before),
      after: big(at.after), cost: v.getUint32(offset + at.cost, true), nr: v.getUint32(offset + at.nr, true), how: v.getUint8(offset + at.how),
    };
    if (kind === 'fault') {
      event.faultHow = this.hows.get(event.how) ?? 'unknown';
      event.result = this.results.get(v.getUint8(offset + at.result)) ?? 'unknown';
      const access = ACCESSES[v.getUint8(offset + at.cause)];
      if (access) event.access = access;
    }
    return event;
  }
}

/** The rings there are. A ring that cannot be one is left out. */
export function readRings(machine: Machine): Ring[] {
  const layout = machine.layout;
  if (!layout?.has('trace_ring.head')) return [];
  const count = Math.min(machine.variable('nr_harts', 4) ?? 0, MOST_HARTS);
  const size = layout.size('hart');
  const rings: Ring[] = [];
  for (let hart = 0; hart < count; hart++) {
    const address = machine.addressOf('harts') + hart * size + layout.offset('hart.trace');
    const bytes = machine.memory.read(address, layout.size('hart.trace'));
    if (!bytes) continue;
    const v = viewOf(bytes);
    const events = machine.pointer(v, layout.offset('trace_ring.events'));
    const slots = u64(v, layout.offset('trace_ring.mask')) + 1;
    if (events <= 0 || slots > MOST_SLOTS || !Number.isInteger(Math.log2(slots))) continue;
    rings.push({ hart, address, events, slots, head: u64(v, layout.offset('trace_ring.head')) });
  }
  return rings;
}

/**
 * Whole events [from, head) of a ring, oldest first, and the number of the first that was not overwritten. An event that is
 * being written ends the list: it is read next time.
 */
function readRange(machine: Machine, decoder: Decoder, ring: Ring, from: number): { events: TraceEvent[]; first: number; next: number } {
  const start = Math.max(from, ring.head - ring.slots);
  const parts: { n: number; bytes: Uint8Array }[] = [];
  for (let n = start; n < ring.head; ) {
    const slot = n % ring.slots;
    const count = Math.min(ring.head - n, ring.slots - slot);
    const bytes = machine.memory.read(ring.events + slot * decoder.size, count * decoder.size);
    if (bytes) parts.push({ n, bytes });
    n += count;
  }
  const now = machine.number(ring.address + machine.layout!.offset('trace_ring.head'), 8) ?? ring.head;
  const first = Math.max(start, now - ring.slots);
  const events: TraceEvent[] = [];
  let next = ring.head;
  for (const part of parts) {
    const view = viewOf(part.bytes);
    for (let i = 0; i * decoder.size < part.bytes.length && part.n + i < next; i++) {
      const n = part.n + i;
      if (n < first) continue;
      const event = decoder.event(view, i * decoder.size, ring.hart, n);
      if (event) events.push(event);
      else if (n >= ring.head - 1) next = n; // begun, not ended
    }
  }
  return { events, first, next };
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
    if (this.from === 'now') for (const ring of readRings(machine)) this.next.set(ring.hart, ring.head);
  }

  read(): EventBatch {
    const batch: EventBatch = { events: [], lost: 0, lostTotal: 0, heads: [] };
    for (const ring of readRings(this.machine)) {
      this.decoder ??= new Decoder(this.machine);
      /* What was overwritten before anybody looked is not lost to us, unless all of it was asked for. */
      const from = this.next.get(ring.hart) ?? (this.from === 'oldest' ? 0 : ring.head);
      if (ring.head < from || !Number.isSafeInteger(ring.head)) {
        this.next.set(ring.hart, Number.isSafeInteger(ring.head) ? ring.head : 0); // another boot, or garbage
        continue;
      }
      const { events, first, next } = readRange(this.machine, this.decoder, ring, from);
      for (const event of events) batch.events.push(event);
      batch.lost += Math.max(next - from - events.length, first - from, 0);
      this.next.set(ring.hart, next);
    }
    this.lostTotal += batch.lost;
    batch.lostTotal = this.lostTotal;
    for (const [hart, next] of this.next) batch.heads[hart] = next;
    batch.events.sort(byTime);
    return batch;
  }
}

/** Where the rings stand: for moving(). */
export type RingHeads = Map<number, number>;

export function ringHeads(machine: Machine): RingHeads {
  return new Map(readRings(machine).map((ring) => [ring.hart, ring.head]));
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
    const began = heads.get(ring.hart) ?? ring.head;
    if (ring.head < began) return null;
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
