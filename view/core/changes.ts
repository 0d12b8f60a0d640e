/* The difference of two snapshots, in the reader's terms. */
import { hex, levelPages, PAGE_SIZE, PTE_W, pteBig, ptePfn } from './numbers.ts';
import { pidsByAspace } from './snapshot.ts';
import type { AspaceInfo, Change, LeafList, Snapshot, VmaInfo } from './types.ts';

const NO_LEAVES: LeafList = { count: 0, vpn: new Float64Array(0), lo: new Uint32Array(0), hi: new Uint32Array(0), level: new Uint8Array(0) };

type Plain = Omit<Change, 'text'>;

/** Without words: explain.ts has them. At most `limit`. */
export function plainChanges(from: Snapshot, to: Snapshot, limit: number): Plain[] {
  const found: Plain[] = [];
  const add = (change: Plain): void => {
    if (found.length < limit) found.push(change);
  };
  const before = new Map(from.processes.map((p) => [p.pid, p]));
  const blank = { vpn: 0, pages: 0, before: null, after: null };
  for (const p of to.processes) {
    if (!before.has(p.pid)) add({ pid: p.pid, code: 'process-new', ...blank });
    before.delete(p.pid);
  }
  for (const pid of before.keys()) add({ pid, code: 'process-gone', ...blank });
  const pids = pidsByAspace(to);
  const old = new Map(from.aspaces.map((as) => [as.address, as]));
  for (const as of to.aspaces) {
    const pid = pids.get(as.address);
    if (pid === undefined) continue;
    const was = sameSpace(old.get(as.address), as);
    vmaChanges(pid, was?.vmas ?? [], as.vmas, add);
    leafChanges(pid, (was && from.trees.get(as.address)?.leaves) ?? NO_LEAVES, to.trees.get(as.address)?.leaves ?? NO_LEAVES, add);
  }
  return found;
}

/* An address of struct aspace is used again: another root is another address space. */
function sameSpace(old: AspaceInfo | undefined, as: AspaceInfo): AspaceInfo | null {
  return old && old.root === as.root ? old : null;
}

function vmaChanges(pid: number, from: VmaInfo[], to: VmaInfo[], add: (c: Plain) => void): void {
  const before = new Map(from.map((v) => [v.start, v]));
  for (const v of to) {
    const old = before.get(v.start);
    before.delete(v.start);
    const place = { vpn: v.start, pages: v.end - v.start, before: null, after: null };
    if (!old) add({ pid, code: 'vma-new', ...place });
    else if (old.end !== v.end || old.perms !== v.perms || old.name !== v.name) add({ pid, code: 'vma-changed', ...place });
  }
  for (const v of before.values()) add({ pid, code: 'vma-gone', vpn: v.start, pages: v.end - v.start, before: null, after: null });
}

function leafChanges(pid: number, p: LeafList, q: LeafList, add: (c: Plain) => void): void {
  let i = 0;
  let j = 0;
  while (i < p.count || j < q.count) {
    const a = i < p.count ? p.vpn[i]! : Infinity;
    const b = j < q.count ? q.vpn[j]! : Infinity;
    const before = a <= b ? pteBig(p.lo[i]!, p.hi[i]!) : null;
    const after = b <= a ? pteBig(q.lo[j]!, q.hi[j]!) : null;
    const pages = levelPages((after !== null ? q.level[j] : p.level[i])!);
    if (before !== after) add({ pid, code: leafCode(p, i, q, j, before, after), vpn: Math.min(a, b), pages, before, after });
    if (before !== null) i++;
    if (after !== null) j++;
  }
}

function leafCode(p: LeafList, i: number, q: LeafList, j: number, before: bigint | null, after: bigint | null): Change['code'] {
  if (before === null) return 'leaf-new';
  if (after === null) return 'leaf-gone';
  if (ptePfn(p.lo[i]!, p.hi[i]!) === ptePfn(q.lo[j]!, q.hi[j]!)) return 'leaf-bits';
  /* It could not be written, and can be, in another frame: that is a copy. */
  return !(p.lo[i]! & PTE_W) && q.lo[j]! & PTE_W ? 'cow-split' : 'leaf-frame';
}

/** "0x4000-0x5000". */
export function rangeText(vpn: number, pages: number): string {
  return `${hex(vpn * PAGE_SIZE)}-${hex((vpn + pages) * PAGE_SIZE)}`;
}
