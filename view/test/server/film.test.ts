/* Whose code an event is of: programs come and go between two looks, and a name that could be wrong is not told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Machine, Snapshot, TraceEvent, VmaInfo } from '../../core/index.ts';
import { Film } from '../../cli/film.ts';
import type { Programs } from '../../cli/programs.ts';

/** Pages by their physical address: each is filled with one byte. */
const RAM = new Map<number, number>();
const MACHINE = {
  physical: (va: bigint) => Number(va & 0xffffffffn),
  memory: { read: (pa: number) => (RAM.has(pa) ? new Uint8Array(4096).fill(RAM.get(pa)!) : null) },
  symbols: { describe: () => 'trap_user+0x1c' },
  lineOf: () => 'arch/riscv/trap.c:95',
} as unknown as Machine;

/** The host's files: two pages, each filled with one byte. */
const FILES: Record<string, number> = { '/bin/a': 1, '/bin/b': 2 };
const PROGRAMS = {
  bytes: (path: string) => (path in FILES ? new Uint8Array(8192).fill(FILES[path]!) : null),
  describe: (path: string, offset: number, same: boolean) => ({ symbol: `${path}${same ? '!' : '?'}${offset.toString(16)}`, line: '' }),
} as unknown as Programs;

let frames = 0;

interface Running {
  pid: number;
  aspace: number;
  program: string;
  /** What its memory holds; by default what its file here does. null: nothing is present. */
  holds?: number | null;
  start?: number;
}

function snapshot(...running: Running[]): Snapshot {
  const trees = new Map();
  const aspaces = running.map(({ aspace, program, holds, start = 0x10 }) => {
    const pa = 0x80000000 + 4096 * frames++;
    const byte = holds === undefined ? FILES[program]! : holds;
    if (byte !== null) RAM.set(pa, byte);
    const leaves = { count: byte === null ? 0 : 1, vpn: [start], lo: [(pa >>> 12) << 10 | 0xdb], hi: [0], level: [0] };
    trees.set(aspace, { leaves });
    return { address: aspace, root: aspace + 1, vmas: [{ start, end: start + 2, pgoff: 0, name: program, perms: 'r-xp' } as VmaInfo] };
  });
  const processes = running.map(({ pid, aspace, program }) => ({ pid, aspace, tasks: [{ tid: pid, name: program.slice(5) }] }));
  return { aspaces, trees, processes } as unknown as Snapshot;
}

const event = (tid: number, kind: TraceEvent['kind'], more: Partial<TraceEvent> = {}): TraceEvent => ({
  hart: 0, n: 0, time: 0n, kind, tid, va: 0n, pc: 0x10004n, before: 0n, after: 0n, cost: 0, nr: 0, how: 0, ...more,
});
const batch = (events: TraceEvent[], lost = 0) => ({ events, lost, lostTotal: lost, heads: [] });
const A = 0xa000;
const B = 0xb000;
const exec = (tid: number, aspace: number) => event(tid, 'exec', { va: BigInt(aspace) });
const places = (film: Film, events: TraceEvent[], now: Snapshot, lost = 0) => film.take(batch(events, lost), now).filter((e) => e.kind === 'fault').map((e) => e.symbol);

test('a program whose file is here, one whose memory is another’s, and one of which nothing is there', () => {
  const film = new Film(MACHINE, PROGRAMS);
  const now = snapshot({ pid: 1, aspace: A, program: '/bin/a' }, { pid: 2, aspace: B, program: '/bin/b', holds: 7 }, { pid: 3, aspace: 0xc000, program: '/bin/b', holds: null });
  assert.deepEqual(places(film, [event(1, 'fault'), event(2, 'fault'), event(3, 'fault'), event(4, 'fault')], now), ['/bin/a!4', '/bin/b?4', '/bin/b?4', '']);
});

test('the kernel’s own: function and line', () => {
  const [told] = new Film(MACHINE, PROGRAMS).take(batch([event(9, 'fault', { pc: 0xffffffff80200000n })]), snapshot());
  assert.deepEqual([told!.symbol, told!.line], ['trap_user+0x1c', 'arch/riscv/trap.c:95']);
});

test('before an exec it is the old program, after it the new one', () => {
  const film = new Film(MACHINE, PROGRAMS);
  film.take(batch([]), snapshot({ pid: 1, aspace: A, program: '/bin/a' }));
  const now = snapshot({ pid: 1, aspace: B, program: '/bin/b' });
  assert.deepEqual(places(film, [event(1, 'fault'), exec(1, B), event(1, 'fault')], now), ['/bin/a!4', '/bin/b!4']);
  assert.deepEqual(places(film, [event(1, 'fault')], now), ['/bin/b!4']);
});

test('a child that nobody saw: its parent’s program until it calls exec, then none that is known', () => {
  const film = new Film(MACHINE, PROGRAMS);
  const now = snapshot({ pid: 1, aspace: A, program: '/bin/a' });
  film.take(batch([]), now);
  assert.deepEqual(places(film, [event(1, 'fork', { nr: 2 }), event(2, 'fault'), exec(2, B), event(2, 'fault')], now), ['/bin/a!4', '']);
});

test('a new thread that had an exec: what was before it is not known', () => {
  const film = new Film(MACHINE, PROGRAMS);
  const now = snapshot({ pid: 1, aspace: A, program: '/bin/a' });
  assert.deepEqual(places(film, [event(1, 'fault'), exec(1, A), event(1, 'fault')], now), ['', '/bin/a!4']);
});

test('where events were lost, an exec may have been', () => {
  const film = new Film(MACHINE, PROGRAMS);
  film.take(batch([]), snapshot({ pid: 1, aspace: A, program: '/bin/a' }));
  const now = snapshot({ pid: 1, aspace: B, program: '/bin/b' }, { pid: 2, aspace: 0xc000, program: '/bin/b' });
  assert.deepEqual(places(film, [event(1, 'fault'), event(2, 'fault')], now, 5), ['', '']);
  assert.deepEqual(places(film, [event(1, 'fault'), event(2, 'fault')], now, 5), ['/bin/b!4', '/bin/b!4']);
});

test('another mapping in the same place: neither', () => {
  const film = new Film(MACHINE, PROGRAMS);
  film.take(batch([]), snapshot({ pid: 1, aspace: A, program: '/bin/a' }));
  const moved = snapshot({ pid: 1, aspace: A, program: '/bin/b', start: 0xf });
  assert.deepEqual(places(film, [event(1, 'fault')], moved), ['']);
});

test('a number that is used again is another thread', () => {
  const film = new Film(MACHINE, PROGRAMS);
  const both = snapshot({ pid: 1, aspace: A, program: '/bin/a' }, { pid: 2, aspace: B, program: '/bin/b' });
  film.take(batch([]), both);
  assert.deepEqual(places(film, [event(1, 'fork', { nr: 2 }), event(2, 'fault')], snapshot({ pid: 1, aspace: A, program: '/bin/a' })), ['/bin/a!4']);
});
