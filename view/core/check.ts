/*
 * The invariants that the lamp watches: of page tables (kernel/mm/pagetable.h), of frames and their owners (kernel/mm/frame.h,
 * kernel/mm/anon.h). check() says what is broken in one snapshot. The kernel's counts of its own memory are in books.ts.
 *
 * A running machine is read while it works, so that one snapshot has parts of several instants. Three things keep that
 * from being taken for a bug, and the lamp (lamp.ts) adds a fourth:
 *   1. findings about an address space that was at work meanwhile (Snapshot.moving) are dropped;
 *   2. what is odd about a leaf and its frame is looked at again, both within microseconds (Again);
 *   3. what needs several address spaces to be of one instant is checked only when none was at work, or the machine is paused.
 */
import { checkBooks } from './books.ts';
import { INSIDE, KIND, readBanks, type Bank } from './frames.ts';
import { IndexReader } from './processes.ts';
import { Machine } from './machine.ts';
import {
  hex, isCanonical, levelPages, PAGE_SIZE, PT_ENTRIES, PTE_U, PTE_W, PTE_X, PTE_R, pteBig, ptePfn, u64, vaOf, viewOf,
} from './numbers.ts';
import { KERNEL_HALF } from './reverse.ts';
import { pidsByAspace } from './snapshot.ts';
import { tableTree } from './tables.ts';
import { translate } from './walk.ts';
import { KIND_NAMES, type AspaceInfo, type Finding, type FindingCode, type Snapshot, type TableTree } from './types.ts';

const MOST_FINDINGS = 4096;
const WRITABLE = 1;
const SEVERAL = 2;
const MOVES = 4;

/** Of everything. */
export function check(machine: Machine, s: Snapshot): Finding[] {
  return [...checkSnapshot(machine, s), ...checkBooks(machine, s)];
}

/** Of what processes show, and of the frames they show. */
export function checkSnapshot(machine: Machine, s: Snapshot): Finding[] {
  return machine.layout ? new Checker(machine, s).run() : [];
}

class Checker {
  private readonly found: Finding[] = [];
  private readonly moving: Set<number>;
  private readonly quiet: boolean;
  private readonly pids: Map<number, number>;
  /* Of each frame: the first tree that shows it (from 1), and what there is to say of all that do. */
  private readonly shownBy: Uint16Array;
  private readonly shown: Uint8Array;
  /* Every table page that was met, with the tree it is in. */
  private readonly tables = new Map<number, number>();
  private readonly again: Again;

  constructor(private readonly machine: Machine, private readonly s: Snapshot) {
    this.moving = new Set(s.moving);
    this.quiet = s.paused || s.moving.length === 0;
    this.pids = pidsByAspace(s);
    this.shownBy = new Uint16Array(s.frames.count);
    this.shown = new Uint8Array(s.frames.count);
    this.again = new Again(machine);
  }

  run(): Finding[] {
    for (const problem of this.s.problems) this.add('structure', null, null, null, { what: problem.code, ...problem.args });
    for (const as of this.s.aspaces) {
      const tree = this.s.trees.get(as.address);
      if (!tree) continue;
      this.checkTables(as, tree);
      this.checkLeaves(as, tree);
    }
    this.checkKernelHalf();
    this.checkFrames();
    if (this.quiet) {
      this.checkSharing();
      this.checkCounts();
    }
    return this.found;
  }

  private add(code: FindingCode, pid: number | null, vpn: number | null, pfn: number | null, args: Finding['args'] = {}): void {
    if (this.found.length < MOST_FINDINGS) this.found.push({ code, pid, vpn, pfn, args });
  }

  // ---- tables ----

  private checkTables(as: AspaceInfo, tree: TableTree): void {
    const pid = this.pids.get(as.address) ?? 0;
    const owner = as.address + this.machine.layout!.offset('aspace.pt');
    const moves = this.moving.has(as.address);
    const all = [...tree.tables.pa];
    if (as.userRoot) all.push(as.userRoot);
    for (const pa of all) {
      const other = this.tables.get(pa);
      if (other !== undefined && !moves && !this.moving.has(other)) this.add('table-twice', pid, null, pa / PAGE_SIZE, { table: hex(pa), other: this.pids.get(other) ?? 0 });
      this.tables.set(pa, as.address);
      const frame = moves || this.isTableOf(pa / PAGE_SIZE, owner) ? null : this.again.frame(pa / PAGE_SIZE);
      if (frame && (frame.kind !== KIND.table || frame.owner !== owner || frame.refs !== 1))
        this.add('table-kind', pid, null, pa / PAGE_SIZE, { table: hex(pa), kind: KIND_NAMES[frame.kind]!, refs: frame.refs });
    }
    if (moves) return;
    for (const problem of tree.problems) {
      const args = problem.args;
      const vpn = typeof args.vpn === 'number' ? args.vpn : null;
      this.add(treeFinding(problem.code), pid, vpn, null, { what: problem.code, ...args });
    }
    if (!tree.problems.length && as.nrTables !== all.length) this.add('table-count', pid, null, null, { counted: as.nrTables, found: all.length });
    if (as.userRoot) this.checkUserRoot(as, pid);
  }

  private isTableOf(pfn: number, owner: number): boolean {
    const f = this.s.frames;
    const i = pfn - f.firstPfn;
    return f.kind[i] === KIND.table && f.owner[i] === owner && f.refs[i] === 1;
  }

  /* isolate=1: the same user half twice, and nothing above it in the user's. */
  private checkUserRoot(as: AspaceInfo, pid: number): void {
    const root = this.machine.memory.read(as.root, PAGE_SIZE);
    const user = this.machine.memory.read(as.userRoot, PAGE_SIZE);
    if (!root || !user) return this.add('table-outside', pid, null, null, { table: hex(user ? as.root : as.userRoot), slot: '-' });
    const [a, b] = [viewOf(root), viewOf(user)];
    for (let i = 0; i < PT_ENTRIES; i++) {
      const wanted = i < PT_ENTRIES / 2 ? a.getBigUint64(8 * i, true) : 0n;
      const there = b.getBigUint64(8 * i, true);
      if (there !== wanted) this.add('roots-differ', pid, null, as.userRoot / PAGE_SIZE, { index: i, wanted: hex(wanted), pte: hex(there) });
    }
  }

  // ---- leaves of the user half ----

  private checkLeaves(as: AspaceInfo, tree: TableTree): void {
    const pid = this.pids.get(as.address) ?? 0;
    const { leaves } = tree;
    const moves = this.moving.has(as.address);
    const order = this.s.aspaces.indexOf(as) + 1;
    /* The two pages of the crossing (docs/isolation.md). */
    const crossing = as.userRoot ? levelPages(tree.levels) / 2 - 2 : Infinity;
    let v = 0;
    for (let i = 0; i < leaves.count; i++) {
      const vpn = leaves.vpn[i]!;
      const lo = leaves.lo[i]!;
      while (v < as.vmas.length && as.vmas[v]!.end <= vpn) v++;
      const vma = as.vmas[v] && as.vmas[v]!.start <= vpn ? as.vmas[v]! : null;
      if (vpn >= crossing) {
        if (lo & PTE_U) this.leafFinding('kernel-u', as, pid, tree, i);
        continue;
      }
      this.markFrames(leaves, i, order, moves, vma !== null && vma.perms[3] === 'p');
      if (moves) {
        this.checkTarget(as, pid, tree, i);
        continue;
      }
      if (!(lo & PTE_U)) this.leafFinding('user-no-u', as, pid, tree, i);
      if (!vma) this.leafFinding('leaf-no-vma', as, pid, tree, i);
      else if (more(lo, vma.perms)) this.leafFinding(lo & PTE_W && lo & PTE_X ? 'wx' : 'leaf-more', as, pid, tree, i, { perms: vma.perms });
      this.checkTarget(as, pid, tree, i);
    }
  }

  private leafFinding(code: FindingCode, as: AspaceInfo, pid: number, tree: TableTree, i: number, args: Finding['args'] = {}): void {
    const { vpn, lo, hi } = tree.leaves;
    if (!this.s.paused && !this.again.leafIs(as.root, tree.levels, vpn[i]!, lo[i]!, hi[i]!)) return;
    this.add(code, pid, vpn[i]!, ptePfn(lo[i]!, hi[i]!), { pte: hex(pteBig(lo[i]!, hi[i]!)), ...args });
  }

  private markFrames(leaves: TableTree['leaves'], i: number, order: number, moves: boolean, isPrivate: boolean): void {
    const { firstPfn, count } = this.s.frames;
    const bits = (leaves.lo[i]! & PTE_W && isPrivate ? WRITABLE : 0) | (moves ? MOVES : 0);
    const first = ptePfn(leaves.lo[i]!, leaves.hi[i]!) - firstPfn;
    const end = Math.min(first + levelPages(leaves.level[i]!), count);
    for (let f = Math.max(first, 0); f < end; f++) {
      const by = this.shownBy[f]!;
      this.shown[f]! |= bits | (by && by !== order ? SEVERAL : 0);
      if (!by) this.shownBy[f] = order;
    }
  }

  /* What a user leaf shows must be a user's: file, anonymous, USYSCALL; or, read-only, the kernel's zeroes and vDSO. */
  private checkTarget(as: AspaceInfo, pid: number, tree: TableTree, i: number): void {
    const { firstPfn, count, kind } = this.s.frames;
    const { leaves } = tree;
    const lo = leaves.lo[i]!;
    const first = ptePfn(lo, leaves.hi[i]!) - firstPfn;
    const end = first + levelPages(leaves.level[i]!);
    if (first < 0 || end > count) return this.leafFinding('leaf-outside', as, pid, tree, i);
    for (let f = first; f < end; f++) {
      const code = targetWrong(kind[f]!, lo);
      if (!code) continue;
      const now = this.again.frame(firstPfn + f);
      if (now && targetWrong(now.kind, lo) === code) this.leafFinding(code, as, pid, tree, i, { kind: KIND_NAMES[now.kind]!, frame: hex(firstPfn + f) });
      return;
    }
  }

  // ---- the kernel's half ----

  private checkKernelHalf(): void {
    const tree = this.s.kernel ?? tableTree(this.machine.memory, this.s.kernelRoot, this.s.levels, 'all');
    for (const pa of tree.tables.pa) this.tables.set(pa, 0);
    const { vpn, lo, hi, count } = tree.leaves;
    for (let i = 0; i < count; i++) {
      if (vpn[i]! < KERNEL_HALF) continue;
      const isWx = lo[i]! & PTE_W && lo[i]! & PTE_X;
      if (!isWx && !(lo[i]! & PTE_U)) continue;
      const args = { pte: hex(pteBig(lo[i]!, hi[i]!)) };
      if (lo[i]! & PTE_U) this.add('kernel-u', 0, vpn[i]!, ptePfn(lo[i]!, hi[i]!), args);
      if (isWx) this.add('wx', 0, vpn[i]!, ptePfn(lo[i]!, hi[i]!), args);
    }
    for (const problem of tree.problems) this.add(treeFinding(problem.code), 0, null, null, { what: problem.code, ...problem.args });
  }

  // ---- frames ----

  private checkFrames(): void {
    const { kind, order, refs, count, firstPfn } = this.s.frames;
    for (let f = 0; f < count; f++) {
      const k = kind[f]!;
      const wrong = k === KIND.free || k === KIND.cached ? refs[f] !== 0 : k >= KIND.kernel && k <= KIND.usyscall && order[f] !== INSIDE && refs[f] === 0;
      if (wrong || k === KIND.unknown || k === KIND.none) this.frameState(firstPfn + f);
      else if (k === KIND.anon || k === KIND.table || k === KIND.usyscall) this.checkOwned(f);
    }
  }

  private frameState(pfn: number): void {
    const now = this.again.frame(pfn);
    if (!now) return;
    const args = { kind: KIND_NAMES[now.kind]!, refs: now.refs };
    if (now.kind === KIND.unknown || now.kind === KIND.none) this.add('structure', null, null, pfn, { what: 'frame-kind', ...args });
    else if ((now.kind === KIND.free || now.kind === KIND.cached) !== (now.refs === 0) && now.order !== INSIDE) this.add('free-refs', null, null, pfn, args);
  }

  /* Somebody must have it: a slot, a table above it, its address space. */
  private checkOwned(f: number): void {
    const { kind, firstPfn } = this.s.frames;
    const pfn = firstPfn + f;
    if (kind[f] === KIND.anon) {
      if (this.s.slots && this.s.slots[f] === 0 && !this.shownBy[f] && this.again.anonLost(pfn)) this.leak(pfn, KIND.anon);
    } else if (kind[f] === KIND.table) {
      if (!this.tables.has(pfn * PAGE_SIZE) && !this.movesOwner(f, this.machine.layout!.offset('aspace.pt'))) this.leak(pfn, KIND.table);
    } else if (!this.s.aspaces.some((as) => as.address === this.s.frames.owner[f])) this.leak(pfn, KIND.usyscall);
  }

  private movesOwner(f: number, offset: number): boolean {
    return this.moving.has(this.s.frames.owner[f]! - offset);
  }

  private leak(pfn: number, kind: number): void {
    const now = this.again.frame(pfn);
    if (now && now.kind === kind && now.refs > 0) this.add('leak', null, null, pfn, { kind: KIND_NAMES[kind]!, owner: hex(now.owner) });
  }

  // ---- what needs one instant ----

  private checkSharing(): void {
    const { kind, refs, count, firstPfn } = this.s.frames;
    for (let f = 0; f < count; f++) {
      const slots = this.s.slots ? this.s.slots[f]! : 0;
      if (slots && kind[f] !== KIND.anon) this.add('frame-owner', null, null, firstPfn + f, { kind: KIND_NAMES[kind[f]!]!, slots });
      else if (slots > refs[f]!) this.add('anon-refs', null, null, firstPfn + f, { slots, refs: refs[f]! });
      if (kind[f] !== KIND.anon || (this.shown[f]! & (WRITABLE | SEVERAL | MOVES)) !== (WRITABLE | SEVERAL)) continue;
      this.add('anon-writable', this.pids.get(this.s.aspaces[this.shownBy[f]! - 1]!.address) ?? null, null, firstPfn + f);
    }
  }

  private checkCounts(): void {
    const { kinds, free } = this.s.totals;
    const found = kinds[KIND.free]! + kinds[KIND.cached]!;
    if (found !== free) this.add('free-count', null, null, null, { counted: free, found });
  }
}

function treeFinding(code: string): FindingCode {
  switch (code) {
    case 'table-twice':
    case 'table-outside':
    case 'table-kind':
    case 'pointer-bits':
    case 'misaligned':
    case 'entry-reserved':
      return code;
    case 'no-leaf':
      return 'entry-reserved';
    default:
      return 'structure';
  }
}

/* Read comes with write: there is no write without. */
function more(lo: number, perms: string): boolean {
  const isWritable = perms[1] === 'w';
  return ((lo & PTE_W) !== 0 && !isWritable) || ((lo & PTE_X) !== 0 && perms[2] !== 'x') || ((lo & PTE_R) !== 0 && perms[0] !== 'r' && !isWritable);
}

function targetWrong(kind: number, lo: number): FindingCode | null {
  switch (kind) {
    case KIND.anon:
    case KIND.file:
    case KIND.usyscall:
      return null;
    case KIND.free:
    case KIND.cached:
      return 'mapped-free';
    case KIND.kernel:
    case KIND.reserved:
      return lo & PTE_W ? 'mapped-kernel' : null;
    default:
      return 'mapped-kernel';
  }
}

interface FrameNow {
  kind: number;
  order: number;
  refs: number;
  flags: number;
  owner: number;
  index: number;
  /** Its address in the array, as the kernel's pointers have it. */
  pointer: bigint;
}

/** A second look at single things, now. */
class Again {
  private readonly kinds = new Map<number, number>();
  private readonly size: number;
  private readonly array: bigint;
  private readonly banks: Bank[];

  constructor(private readonly machine: Machine) {
    this.banks = readBanks(machine, []);
    const layout = machine.layout!;
    this.size = layout.size('frame');
    this.array = layout.constant('KVA_FRAMES');
    for (const name of KIND_NAMES) if (layout.has('FRAME_' + name.toUpperCase())) this.kinds.set(Number(layout.constant('FRAME_' + name.toUpperCase())), KIND[name]);
  }

  /** null: it is no RAM, or its metadata cannot be read. Beyond the frontier there is none, and the frame is free. */
  frame(pfn: number): FrameNow | null {
    const bank = this.banks.find((b) => pfn >= b.start && pfn < b.end);
    if (!bank) return null;
    const pointer = this.array + BigInt(Math.floor(pfn)) * BigInt(this.size);
    if (pfn >= bank.frontier) return { kind: KIND.free, order: INSIDE, refs: 0, flags: 0, owner: 0, index: 0, pointer };
    const pa = this.machine.physical(pointer);
    const bytes = pa === null ? null : this.machine.memory.read(pa, this.size);
    if (!bytes) return null;
    const v = viewOf(bytes);
    const at = (name: string): number => this.machine.layout!.offset('frame.' + name);
    return {
      kind: this.kinds.get(v.getUint8(at('kind'))) ?? KIND.unknown, order: v.getUint8(at('order')), refs: v.getUint32(at('refs'), true),
      flags: v.getUint32(at('flags'), true), owner: Math.max(this.machine.pointer(v, at('owner')), 0), index: u64(v, at('index')), pointer,
    };
  }

  leafIs(root: number, levels: number, vpn: number, lo: number, hi: number): boolean {
    if (!isCanonical(vaOf(vpn), levels)) return true;
    const now = translate(this.machine.memory, root, levels, vpn);
    return now !== null && now.pfn === ptePfn(lo, hi);
  }

  /* Of no amap that a VMA shows: of the swap cache, of a process that began meanwhile, of one that ends; or lost. */
  anonLost(pfn: number): boolean {
    const frame = this.frame(pfn);
    const layout = this.machine.layout!;
    if (!frame || frame.kind !== KIND.anon || frame.flags & Number(layout.constant('FRAME_SWAPCACHE'))) return false;
    if (!frame.owner) return true;
    let held = false;
    new IndexReader(this.machine, this.machine.memory).each(frame.owner + layout.offset('amap.pages'), 1 << 16, (key, view, at) => {
      if (key === frame.index) held = view.getBigUint64(at, true) === frame.pointer;
      return key < frame.index;
    });
    return !held;
  }
}
