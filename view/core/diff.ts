/*
 * From one snapshot to the next, as a delta: plain JSON, small where little changed. apply(a, diff(a, b)) is b, but for what only
 * a look at the machine knows (slots, kernel, moving).
 */
import type { FrameChanges } from './frames.ts';
import { levelPages } from './numbers.ts';
import type { AspaceInfo, Delta, FrameTable, LeafList, ProcessInfo, Snapshot, TableList, TableTree } from './types.ts';

const FRAME_FIELDS = 9;
const LEAF_FIELDS = 4;
const TABLE_FIELDS = 5;

/* Plain data, of which much is the very same. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [p, q] = [a as Record<string, unknown>, b as Record<string, unknown>];
  let more = 0; // members that q has beyond those of p
  for (const _ in q) more++;
  for (const key in p) {
    if (!same(p[key], q[key])) return false;
    more--;
  }
  return more === 0;
}

/** What of `to` is new or another than in `from`, by key; and the keys that are gone. null: nothing. */
function keyed<T>(from: T[], to: T[], key: (item: T) => number): { gone: number[]; set: T[] } | null {
  const before = new Map(from.map((item) => [key(item), item]));
  const set = to.filter((item) => {
    const old = before.get(key(item));
    before.delete(key(item));
    return old === undefined || !same(old, item);
  });
  return before.size || set.length ? { gone: [...before.keys()], set } : null;
}

function applyKeyed<T>(from: T[], change: { gone: number[]; set: T[] } | undefined, key: (item: T) => number): T[] {
  if (!change) return from;
  const items = new Map(from.map((item) => [key(item), item]));
  for (const gone of change.gone) items.delete(gone);
  for (const item of change.set) items.set(key(item), item);
  return [...items.values()];
}

/* One process may have two entries while it goes: its structure is its name, a kernel thread's its number. */
const processKey = (p: ProcessInfo): number => p.address || -p.pid;
const aspaceKey = (as: AspaceInfo): number => as.address;

/** frames: which frames are others, where that is known already. */
export function diff(from: Snapshot, to: Snapshot, frames: FrameChanges | null = null): Delta {
  const delta: Delta = { version: 1, from: from.seq, to: to.seq, at: to.at, paused: to.paused, trees: [], frames: framesDiff(from.frames, to.frames, frames) };
  if (!same(from.harts, to.harts)) delta.harts = to.harts;
  const processes = keyed(from.processes, to.processes, processKey);
  if (processes) delta.processes = processes;
  const aspaces = keyed(from.aspaces, to.aspaces, aspaceKey);
  if (aspaces) delta.aspaces = aspaces;
  for (const [aspace, tree] of to.trees) {
    const change = treeDiff(from.trees.get(aspace) ?? null, tree);
    if (change) delta.trees.push({ aspace, ...change });
  }
  if (!same(from.totals, to.totals)) delta.totals = to.totals;
  if (!same(from.stats, to.stats)) delta.stats = to.stats;
  if (!same(from.problems, to.problems)) delta.problems = to.problems;
  return delta;
}

export function apply(from: Snapshot, delta: Delta): Snapshot {
  return applied(from, delta, copyFrames);
}

/** The same, for who keeps only the newest: the frames of `from` become those of the next, and are not to be looked at any more. */
export function advance(from: Snapshot, delta: Delta): Snapshot {
  return applied(from, delta, (frames) => ({ ...frames }));
}

/* writable: the table that the changed frames are written to. */
function applied(from: Snapshot, delta: Delta, writable: (frames: FrameTable) => FrameTable): Snapshot {
  if (delta.version !== 1) throw new Error(`a delta of version ${delta.version}, which this viewer does not know`);
  if (delta.from !== from.seq) throw new Error(`the delta goes on from snapshot ${delta.from}, not from ${from.seq}`);
  const aspaces = applyKeyed(from.aspaces, delta.aspaces, aspaceKey).sort((a, b) => a.address - b.address);
  const trees = delta.trees.length || delta.aspaces ? treesApply(from, delta, aspaces) : from.trees;
  return {
    ...from, seq: delta.to, at: delta.at, paused: delta.paused, harts: delta.harts ?? from.harts,
    processes: applyKeyed(from.processes, delta.processes, processKey).sort((a, b) => a.pid - b.pid), aspaces, trees,
    frames: framesApply(from.frames, delta.frames, writable), totals: delta.totals ?? from.totals, stats: delta.stats ?? from.stats,
    problems: delta.problems ?? from.problems, slots: null, kernel: null, moving: [],
  };
}

// ---- trees ----

function treesApply(from: Snapshot, delta: Delta, aspaces: AspaceInfo[]): Map<number, TableTree> {
  const trees = new Map<number, TableTree>();
  const changed = new Map(delta.trees.map((t) => [t.aspace, t]));
  for (const as of aspaces) {
    const old = from.trees.get(as.address);
    const change = changed.get(as.address);
    const tree = change ? treeApply(old ?? emptyTree(change.root, from.levels), change) : old;
    if (tree) trees.set(as.address, tree);
  }
  return trees;
}

/** From one tree to the next; `tables` is there where the tables, or their numbers of entries, are others. */
export type TreeChange = Omit<Delta['trees'][number], 'aspace'>;

export function emptyLeaves(): LeafList {
  return { count: 0, vpn: new Float64Array(0), lo: new Uint32Array(0), hi: new Uint32Array(0), level: new Uint8Array(0) };
}

export function emptyTree(root: number, levels: number): TableTree {
  const none = new Float64Array(0);
  return {
    root, levels, half: 'user', leaves: emptyLeaves(), problems: [],
    tables: { count: 0, pa: none, level: new Uint8Array(0), vpn: none, slot: none, valid: new Uint16Array(0) },
  };
}

/** null: nothing is another. From null: all of it. */
export function treeDiff(from: TableTree | null, to: TableTree): TreeChange | null {
  if (from === to) return null;
  const a = from && from.root === to.root ? from : emptyTree(to.root, to.levels);
  const lost: number[] = [];
  const set: number[] = [];
  const p = a.leaves;
  const q = to.leaves;
  const lose = (i: number): void => {
    const pages = levelPages(p.level[i]!);
    const n = lost.length;
    if (n && pages === 1 && lost[n - 2]! + lost[n - 1]! === p.vpn[i]!) lost[n - 1]!++;
    else lost.push(p.vpn[i]!, pages);
  };
  const gain = (j: number): void => void set.push(q.vpn[j]!, q.lo[j]!, q.hi[j]!, q.level[j]!);
  let i = 0;
  let j = 0;
  while (i < p.count || j < q.count) {
    if (j === q.count || (i < p.count && p.vpn[i]! < q.vpn[j]!)) lose(i++);
    else if (i === p.count || q.vpn[j]! < p.vpn[i]!) gain(j++);
    else {
      /* The same page: a leaf of another size is one lost and one gained. */
      if (p.level[i] !== q.level[j]) lose(i);
      if (p.lo[i] !== q.lo[j] || p.hi[i] !== q.hi[j] || p.level[i] !== q.level[j]) gain(j);
      i++;
      j++;
    }
  }
  const change: TreeChange = { root: to.root, lost, set };
  const tables = tablesFlat(to.tables);
  const tablesSame = from !== null && from.root === to.root && same(tablesFlat(from.tables), tables);
  if (!tablesSame) change.tables = tables;
  return tablesSame && !lost.length && !set.length ? null : change;
}

function tablesFlat(t: TableList): number[] {
  const flat: number[] = [];
  for (let i = 0; i < t.count; i++) flat.push(t.pa[i]!, t.level[i]!, t.vpn[i]!, t.slot[i]!, t.valid[i]!);
  return flat;
}

export function treeApply(old: TableTree, change: TreeChange): TableTree {
  const from = old.root === change.root ? old : emptyTree(change.root, old.levels);
  return {
    ...from, root: change.root, problems: [], leaves: leavesApply(from.leaves, change.lost, change.set),
    tables: change.tables ? tablesOf(change.tables) : from.tables,
  };
}

function tablesOf(flat: number[]): TableList {
  const count = flat.length / TABLE_FIELDS;
  const column = (field: number): number[] => Array.from({ length: count }, (_, i) => flat[i * TABLE_FIELDS + field]!);
  return {
    count, pa: Float64Array.from(column(0)), level: Uint8Array.from(column(1)), vpn: Float64Array.from(column(2)), slot: Float64Array.from(column(3)),
    valid: Uint16Array.from(column(4)),
  };
}

function leavesApply(from: LeafList, lost: number[], set: number[]): LeafList {
  const most = from.count + set.length / LEAF_FIELDS;
  const out = { count: 0, vpn: new Float64Array(most), lo: new Uint32Array(most), hi: new Uint32Array(most), level: new Uint8Array(most) };
  const put = (vpn: number, lo: number, hi: number, level: number): void => {
    out.vpn[out.count] = vpn;
    out.lo[out.count] = lo;
    out.hi[out.count] = hi;
    out.level[out.count++] = level;
  };
  let gone = 0;
  let next = 0;
  const takeSet = (until: number): void => {
    for (; next < set.length && set[next]! < until; next += LEAF_FIELDS) put(set[next]!, set[next + 1]!, set[next + 2]!, set[next + 3]!);
  };
  for (let i = 0; i < from.count; i++) {
    const vpn = from.vpn[i]!;
    takeSet(vpn);
    while (gone < lost.length && lost[gone]! + lost[gone + 1]! <= vpn) gone += 2;
    if (gone < lost.length && lost[gone]! <= vpn) continue;
    if (next < set.length && set[next] === vpn) continue; // takes its place
    put(vpn, from.lo[i]!, from.hi[i]!, from.level[i]!);
  }
  takeSet(Infinity);
  const n = out.count;
  return { count: n, vpn: out.vpn.slice(0, n), lo: out.lo.slice(0, n), hi: out.hi.slice(0, n), level: out.level.slice(0, n) };
}

// ---- frames ----

function framesDiff(a: FrameTable, b: FrameTable, known: FrameChanges | null): number[] {
  if (a === b) return [];
  if (known?.from === a && known.to === b) return frameRuns(b, known.at);
  const comparable = a.count === b.count && a.firstPfn === b.firstPfn;
  const others: number[] = [];
  for (let i = 0; i < b.count; i++) if (!comparable || !frameSame(a, b, i)) others.push(i);
  const runs = frameRuns(b, others);
  /* A table of another size begins anew: its place and size come first. */
  return comparable ? runs : [b.firstPfn, b.count, -1, 0, 0, 0, 0, 0, 0, ...runs];
}

/* which: ascending. */
function frameRuns(b: FrameTable, which: readonly number[]): number[] {
  const runs: number[] = [];
  for (const i of which) {
    const last = runs.length - FRAME_FIELDS;
    if (last >= 0 && continues(runs, last, b, i)) {
      if (runs[last + 1] === 1) runs[last + 8] = b.index[i]! - runs[last + 7]!;
      runs[last + 1]!++;
    } else runs.push(i, 1, b.kind[i]!, b.order[i]!, b.flags[i]!, b.refs[i]!, b.owner[i]!, b.index[i]!, 0);
  }
  return runs;
}

function frameSame(a: FrameTable, b: FrameTable, i: number): boolean {
  return a.kind[i] === b.kind[i] && a.refs[i] === b.refs[i] && a.flags[i] === b.flags[i] && a.owner[i] === b.owner[i] && a.index[i] === b.index[i] &&
    a.order[i] === b.order[i];
}

function continues(runs: number[], at: number, b: FrameTable, i: number): boolean {
  const count = runs[at + 1]!;
  if (runs[at]! + count !== i || runs[at + 2] !== b.kind[i] || runs[at + 3] !== b.order[i] || runs[at + 4] !== b.flags[i]) return false;
  if (runs[at + 5] !== b.refs[i] || runs[at + 6] !== b.owner[i]) return false;
  /* A table's index is a set of 64 bits, which a number does not hold exactly: no steps from such. */
  if (!Number.isSafeInteger(runs[at + 7]) || !Number.isSafeInteger(b.index[i])) return false;
  return count === 1 || runs[at + 7]! + count * runs[at + 8]! === b.index[i];
}

function copyFrames(from: FrameTable): FrameTable {
  return {
    ...from, kind: from.kind.slice(), order: from.order.slice(), flags: from.flags.slice(), refs: from.refs.slice(), owner: from.owner.slice(),
    index: from.index.slice(),
  };
}

function framesApply(from: FrameTable, runs: number[], writable: (frames: FrameTable) => FrameTable): FrameTable {
  if (!runs.length) return from;
  const anew = runs[2] === -1;
  const out: FrameTable = anew
    ? {
        firstPfn: runs[0]!, count: runs[1]!, kind: new Uint8Array(runs[1]!), order: new Uint8Array(runs[1]!), flags: new Uint16Array(runs[1]!),
        refs: new Uint32Array(runs[1]!), owner: new Float64Array(runs[1]!), index: new Float64Array(runs[1]!),
      }
    : writable(from);
  for (let at = anew ? FRAME_FIELDS : 0; at < runs.length; at += FRAME_FIELDS) {
    const [start, count, kind, order, flags, refs, owner, index, step] = runs.slice(at, at + FRAME_FIELDS) as [
      number, number, number, number, number, number, number, number, number,
    ];
    for (let i = 0; i < count; i++) {
      out.kind[start + i] = kind;
      out.order[start + i] = order;
      out.flags[start + i] = flags;
      out.refs[start + i] = refs;
      out.owner[start + i] = owner;
      out.index[start + i] = index + i * step;
    }
  }
  return out;
}

// ---- whole snapshots as text ----

/** As a delta from nothing, with what a delta does not have. */
export function snapshotToJson(s: Snapshot): string {
  const none = emptySnapshot(s.levels, s.isolating, s.kernelRoot);
  return JSON.stringify({ vitrine: 'snapshot', levels: s.levels, isolating: s.isolating, kernelRoot: s.kernelRoot, delta: diff(none, s) });
}

export function snapshotFromJson(text: string): Snapshot {
  const raw = JSON.parse(text) as { vitrine?: string; levels: number; isolating: boolean; kernelRoot: number; delta: Delta };
  if (raw.vitrine !== 'snapshot') throw new Error('not a snapshot of the viewer');
  return apply(emptySnapshot(raw.levels, raw.isolating, raw.kernelRoot), raw.delta);
}

function emptySnapshot(levels: number, isolating: boolean, kernelRoot: number): Snapshot {
  return {
    version: 1, seq: 0, at: 0, paused: false, levels, isolating, kernelRoot, harts: [], processes: [], aspaces: [], trees: new Map(),
    frames: {
      firstPfn: 0, count: 0, kind: new Uint8Array(0), order: new Uint8Array(0), flags: new Uint16Array(0), refs: new Uint32Array(0),
      owner: new Float64Array(0), index: new Float64Array(0),
    },
    totals: { ram: 0, free: 0, kinds: [] }, stats: {}, problems: [], slots: null, kernel: null, moving: [],
  };
}
