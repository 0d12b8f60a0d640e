/* From a frame to everything that shows it, and what follows: who shares with whom. */
import { blockOf, pidsByAspace } from './snapshot.ts';
import { flagNames } from './frames.ts';
import { Machine } from './machine.ts';
import { levelPages, PAGE_SIZE, PTE_A, PTE_D, PTE_W, pteBig, ptePfn } from './numbers.ts';
import { tableTree } from './tables.ts';
import { KIND_NAMES, type FrameInfo, type LeafList, type Mapping, type ReverseMap, type SharePair, type Snapshot } from './types.ts';

/** First page of the kernel's half. */
export const KERNEL_HALF = 2 ** 51;

class Reverse implements ReverseMap {
  readonly users: Uint16Array;
  readonly heat: Uint8Array;
  /* Small leaves by frame: entries starts[f] to starts[f + 1] of (tree, leaf). Large leaves are few: looked through. */
  private readonly starts: Uint32Array;
  private readonly tree: Uint16Array;
  private readonly leaf: Uint32Array;
  private readonly large: { tree: number; leaf: number; first: number; end: number }[] = [];
  private readonly trees: { pid: number; leaves: LeafList }[] = [];

  constructor(private readonly snapshot: Snapshot) {
    const { firstPfn, count } = snapshot.frames;
    const pids = pidsByAspace(snapshot);
    for (const [address, tree] of snapshot.trees) this.trees.push({ pid: pids.get(address) ?? 0, leaves: tree.leaves });
    this.users = new Uint16Array(count);
    this.heat = new Uint8Array(count);
    this.starts = new Uint32Array(count + 1);
    this.trees.forEach(({ leaves }, t) => this.count(leaves, t));
    for (let i = 0; i < count; i++) this.starts[i + 1]! += this.starts[i]!;
    const total = this.starts[count]!;
    this.tree = new Uint16Array(total);
    this.leaf = new Uint32Array(total);
    const fill = this.starts.slice();
    this.trees.forEach(({ leaves }, t) => {
      for (let i = 0; i < leaves.count; i++) {
        if (leaves.level[i]) continue;
        const f = ptePfn(leaves.lo[i]!, leaves.hi[i]!) - firstPfn;
        if (f < 0 || f >= count) continue;
        const at = fill[f]!++;
        this.tree[at] = t;
        this.leaf[at] = i;
      }
    });
  }

  private count(leaves: LeafList, t: number): void {
    const { firstPfn, count } = this.snapshot.frames;
    const { users, heat, starts } = this;
    for (let i = 0; i < leaves.count; i++) {
      const lo = leaves.lo[i]!;
      const hot = (lo & PTE_A ? 1 : 0) | (lo & PTE_D ? 2 : 0);
      const f = ptePfn(lo, leaves.hi[i]!) - firstPfn;
      if (leaves.level[i] === 0) {
        if (f < 0 || f >= count) continue;
        users[f]!++;
        heat[f]! |= hot;
        starts[f + 1]!++;
        continue;
      }
      const end = f + levelPages(leaves.level[i]!);
      this.large.push({ tree: t, leaf: i, first: f, end });
      for (let frame = Math.max(f, 0); frame < Math.min(end, count); frame++) {
        users[frame]!++;
        heat[frame]! |= hot;
      }
    }
  }

  of(pfn: number): Mapping[] {
    const f = pfn - this.snapshot.frames.firstPfn;
    if (!(f >= 0 && f < this.snapshot.frames.count)) return [];
    const found: Mapping[] = [];
    for (let at = this.starts[f]!; at < this.starts[f + 1]!; at++) found.push(this.mapping(this.tree[at]!, this.leaf[at]!, 0));
    for (const one of this.large) if (f >= one.first && f < one.end) found.push(this.mapping(one.tree, one.leaf, f - one.first));
    return found.sort((a, b) => a.pid - b.pid || a.vpn - b.vpn);
  }

  private mapping(t: number, i: number, page: number): Mapping {
    const { pid, leaves } = this.trees[t]!;
    return { pid, vpn: leaves.vpn[i]! + page, level: leaves.level[i]!, pte: pteBig(leaves.lo[i]!, leaves.hi[i]!) };
  }
}

export function reverseMap(s: Snapshot): ReverseMap {
  return new Reverse(s);
}

/** What reverseMap(s).of(pfn) gives: for one frame or a few, looking through all leaves is cheaper than the map. */
export function mappingsOf(s: Snapshot, pfn: number): Mapping[] {
  const pids = pidsByAspace(s);
  const found: Mapping[] = [];
  for (const [address, tree] of s.trees) found.push(...leavesOf(tree.leaves, pfn, pids.get(address) ?? 0, 0));
  return found.sort((a, b) => a.pid - b.pid || a.vpn - b.vpn);
}

/* The leaves from page `from` on that show a frame. */
function leavesOf({ count, vpn, lo, hi, level }: LeafList, pfn: number, pid: number, from: number): Mapping[] {
  const found: Mapping[] = [];
  for (let i = 0; i < count; i++) {
    const page = pfn - ptePfn(lo[i]!, hi[i]!);
    if (page >= 0 && page < levelPages(level[i]!) && vpn[i]! >= from) found.push({ pid, vpn: vpn[i]! + page, level: level[i]!, pte: pteBig(lo[i]!, hi[i]!) });
  }
  return found;
}

export function frameInfo(machine: Machine, s: Snapshot, pfn: number): FrameInfo | null {
  const f = s.frames;
  const i = pfn - f.firstPfn;
  if (!(Number.isInteger(i) && i >= 0 && i < f.count)) return null;
  const kind = KIND_NAMES[f.kind[i]!] ?? 'unknown';
  /* What is said of a block is said in its first frame. */
  const head = kind === 'free' ? { first: i, order: 0 } : blockOf(f, i);
  return {
    pfn, pa: pfn * PAGE_SIZE, kind, order: head.order, refs: f.refs[head.first]!, flags: flagNames(machine, f.flags[head.first]!),
    owner: f.owner[head.first]!, index: f.index[head.first]!, ownerText: ownerText(machine, s, kind, f.owner[head.first]!), mappings: [...mappingsOf(s, pfn), ...kernelMappings(machine, s, pfn)],
  };
}

/* The kernel's own leaves, as pid 0: nearly every frame is in its direct map. */
function kernelMappings(machine: Machine, s: Snapshot, pfn: number): Mapping[] {
  const tree = s.kernel ?? tableTree(machine.memory, s.kernelRoot, s.levels, 'all');
  return leavesOf(tree.leaves, pfn, 0, KERNEL_HALF);
}

function ownerText(machine: Machine, s: Snapshot, kind: string, owner: number): string {
  if (!owner || !machine.layout) return '';
  const pids = pidsByAspace(s);
  if (kind === 'table' || kind === 'usyscall') {
    const offset = kind === 'table' ? machine.layout.offset('aspace.pt') : 0;
    const pid = pids.get(owner - offset);
    if (pid !== undefined) return `pid ${pid}`;
    return kind === 'table' && owner === machine.addressOf('kernel_pagetable') ? 'kernel' : '';
  }
  if (kind === 'file') {
    const inode = machine.memory.read(owner + machine.layout.offset('pagecache.inode'), 8);
    const at = inode ? machine.pointer(new DataView(inode.buffer, inode.byteOffset, 8), 0) : 0;
    const ino = at > 0 ? machine.member(at, 'inode.ino') : null;
    return ino === null ? '' : `inode ${ino}`;
  }
  if (kind === 'anon') {
    const holders = s.processes.filter((p) => s.aspaces.some((as) => as.address === p.aspace && as.vmas.some((v) => v.amap === owner)));
    return holders.map((p) => `pid ${p.pid}`).join(', ');
  }
  return '';
}

const MOST_SHARERS = 64;

/** Frames that the same processes show. */
interface Together {
  /** Of each: its number, doubled, and 1 more if it may write. Ascending. */
  who: number[];
  frames: number;
}

export function sharePairs(s: Snapshot, reverse: ReverseMap): SharePair[] {
  const pairs = new Map<string, SharePair>();
  for (const { who, frames } of togetherOf(s, reverse)) {
    for (let a = 0; a < who.length; a++)
      for (let b = a + 1; b < who.length; b++) {
        const [p, q] = [who[a]! >> 1, who[b]! >> 1];
        const pair = pairs.get(`${p} ${q}`) ?? { a: p, b: q, pages: 0, readOnly: 0 };
        pair.pages += frames;
        if (!((who[a]! | who[b]!) & 1)) pair.readOnly += frames;
        pairs.set(`${p} ${q}`, pair);
      }
  }
  return [...pairs.values()].sort((x, y) => y.pages - x.pages || x.a - y.a || x.b - y.b);
}

function togetherOf(s: Snapshot, { users }: ReverseMap): Together[] {
  const { firstPfn, count } = s.frames;
  const pids = pidsByAspace(s);
  const trees = [...s.trees].map(([address, { leaves }]) => ({ pid: pids.get(address) ?? 0, leaves })).sort((a, b) => a.pid - b.pid);
  const shown = new Map<number, number[]>();
  for (const { pid, leaves } of trees)
    for (let i = 0; i < leaves.count; i++) {
      const first = ptePfn(leaves.lo[i]!, leaves.hi[i]!) - firstPfn;
      const end = Math.min(first + levelPages(leaves.level[i]!), count);
      for (let f = Math.max(first, 0); f < end; f++) if (users[f]! > 1) noteUser(shown, f, pid, leaves.lo[i]! & PTE_W ? 1 : 0);
    }
  const sets = new Map<string, Together>();
  for (const all of shown.values()) {
    const who = all.slice(0, MOST_SHARERS); // the page of zeroes is everybody's
    const key = who.join();
    const known = sets.get(key);
    if (known) known.frames++;
    else sets.set(key, { who, frames: 1 });
  }
  return [...sets.values()];
}

/* One process may show a frame in several places. */
function noteUser(shown: Map<number, number[]>, f: number, pid: number, write: number): void {
  const who = shown.get(f);
  if (!who) shown.set(f, [2 * pid + write]);
  else if (who.at(-1)! >> 1 === pid) who[who.length - 1]! |= write;
  else who.push(2 * pid + write);
}
