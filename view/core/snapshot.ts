/*
 * Everything at one instant; of a running machine, nearly one. The order of reading matters little: what was at work meanwhile
 * is noted in `moving`, by the event rings.
 */
import { countedFree, emptyFrames, FrameReader, INSIDE, KIND, readBanks, type Bank, type FrameChanges } from './frames.ts';
import { Machine } from './machine.ts';
import { hex, PAGE_SIZE, u64, viewOf } from './numbers.ts';
import { PageCache } from './pages.ts';
import { IndexReader, ProcessReader, type Population } from './processes.ts';
import { ringHeads, threadsMoving, type RingHeads } from './rings.ts';
import { budgetFor, tableTree } from './tables.ts';
import { KIND_NAMES, type AspaceInfo, type FrameTable, type HartInfo, type Memory, type Problem, type Snapshot, type TableTree } from './types.ts';

const MOST_HARTS = 64;

/** Reads one machine again and again; what has not changed in between is not made anew. */
export class SnapshotReader {
  private pages: PageCache;
  private frames: FrameReader | null = null;
  private processes: ProcessReader | null = null;
  private kinds: { of: FrameTable; counts: number[] } | null = null;
  private of = '';

  constructor(private readonly machine: Machine) {
    this.pages = new PageCache(machine.memory);
  }

  /** From the frames of the snapshot before to those of the last. */
  get frameChanges(): FrameChanges | null {
    return this.frames?.changes ?? null;
  }

  /** Of a machine whose refresh() was true. Without a layout note: an empty one with the table of satp as the kernel's. */
  take(options: { paused?: boolean; at?: number } = {}): Snapshot {
    const { machine } = this;
    const problems: Problem[] = [...machine.problems];
    const paused = options.paused ?? false;
    const snapshot: Snapshot = {
      version: 1, seq: ++machine.snapshots, at: options.at ?? Date.now(), paused, levels: machine.levels, isolating: machine.isolating,
      kernelRoot: machine.kernelRoot, harts: [], processes: [], aspaces: [], trees: new Map(), frames: emptyFrames(0, 0),
      totals: { ram: 0, free: 0, kinds: KIND_NAMES.map(() => 0) }, stats: {}, problems, slots: null, kernel: null, moving: [],
    };
    if (!machine.layout) return snapshot;
    const heads = paused ? null : ringHeads(machine);
    const { pages, frames, processes } = this.begin();
    const banks = readBanks(machine, problems);
    const found = processes.read(problems);
    snapshot.processes = found.processes;
    snapshot.aspaces = found.aspaces;
    /* The frames before the trees: where a tree leads into what is no table, it is not followed. */
    snapshot.frames = frames.read(pages, banks, problems);
    snapshot.trees = readTrees(machine, pages, found.aspaces, snapshot.frames);
    snapshot.kernel = pages.keep(`kernel ${machine.kernelRoot}`, () => tableTree(pages, machine.kernelRoot, machine.levels, 'all'));
    snapshot.slots = readSlots(machine, pages, found.aspaces, snapshot.frames, problems);
    snapshot.totals = this.totals(snapshot.frames, banks);
    snapshot.stats = readStats(machine);
    snapshot.harts = readHarts(machine, found);
    if (heads) snapshot.moving = movingOf(machine, heads, found);
    return snapshot;
  }

  /* What was kept is of no use once refresh() has found the kernel elsewhere. */
  private begin(): { pages: PageCache; frames: FrameReader; processes: ProcessReader } {
    const of = `${this.machine.levels} ${this.machine.addressOf('boot_ram')}`;
    if (of !== this.of) {
      this.of = of;
      this.pages = new PageCache(this.machine.memory);
      this.frames = this.processes = null;
    }
    this.frames ??= new FrameReader(this.machine);
    this.processes ??= new ProcessReader(this.machine, this.pages);
    this.pages.next();
    return { pages: this.pages, frames: this.frames, processes: this.processes };
  }

  private totals(frames: FrameTable, banks: Bank[]): Snapshot['totals'] {
    if (this.kinds?.of !== frames) this.kinds = { of: frames, counts: countKinds(frames) };
    const kinds = this.kinds.counts;
    return { ram: banks.reduce((sum, b) => sum + b.end - b.start, 0), free: countedFree(this.machine) ?? kinds[KIND.free]! + kinds[KIND.cached]!, kinds };
  }
}

/** A single look. */
export function takeSnapshot(machine: Machine, options: { paused?: boolean; at?: number } = {}): Snapshot {
  return new SnapshotReader(machine).take(options);
}

function readTrees(machine: Machine, pages: PageCache, aspaces: AspaceInfo[], frames: FrameTable): Map<number, TableTree> {
  const budget = budgetFor(machine.memory);
  const trees = new Map<number, TableTree>();
  const isTable = (pa: number): boolean => {
    const i = pa / PAGE_SIZE - frames.firstPfn;
    return frames.count === 0 || (i >= 0 && i < frames.count && frames.kind[i] === KIND.table);
  };
  const make = (root: number): TableTree => tableTree(pages, root, machine.levels, 'user', { budget: { ...budget }, isTable });
  /* A tree follows from more than its pages: what frames are tables, and how many may be read. */
  const holds = (tree: TableTree): boolean =>
    !tree.problems.length && tree.tables.count <= budget.tables && tree.leaves.count <= budget.leaves && tree.tables.pa.every(isTable);
  for (const { address, root } of aspaces) {
    const tree = pages.keep(`tree ${root}`, () => make(root), holds);
    budget.tables -= tree.tables.count;
    budget.leaves -= tree.leaves.count;
    trees.set(address, tree);
  }
  return trees;
}

/* How many amaps hold each frame: every amap that some VMA shows, once. */
function readSlots(machine: Machine, pages: PageCache, aspaces: AspaceInfo[], frames: FrameTable, problems: Problem[]): Uint8Array {
  const slots = new Uint8Array(frames.count);
  const seen = new Set<number>();
  for (const as of aspaces) {
    for (const vma of as.vmas) {
      if (!vma.amap || seen.has(vma.amap)) continue;
      seen.add(vma.amap);
      const held = pages.keep(`amap ${vma.amap} ${frames.count}`, () => framesOf(machine, pages, vma.amap, frames.count + 65536));
      let bad = 0;
      for (const pfn of held.pfns) {
        const i = pfn - frames.firstPfn;
        if (!Number.isInteger(i) || i < 0 || i >= frames.count) bad++;
        else if (slots[i]! < 255) slots[i]!++;
      }
      if (held.wrong || bad) problems.push({ code: 'amap-broken', args: { aspace: hex(as.address), amap: hex(vma.amap), why: held.wrong ?? 'slot' } });
    }
  }
  return slots;
}

/* Where the slots of an amap that are not in swap point to, as frame numbers; a fraction is within a struct frame. */
function framesOf(machine: Machine, memory: Memory, amap: number, most: number): { pfns: number[]; wrong: string | null } {
  const layout = machine.layout!;
  const arrayHi = Number(layout.constant('KVA_FRAMES') >> 32n);
  const size = layout.size('frame');
  const pfns: number[] = [];
  const wrong = new IndexReader(machine, memory).each(amap + layout.offset('amap.pages'), most, (_key, view, at) => {
    const lo = view.getUint32(at, true);
    if (!(lo & 1)) pfns.push(((view.getUint32(at + 4, true) - arrayHi) * 2 ** 32 + lo) / size);
  });
  return { pfns, wrong };
}

/** Pages of a VMA that are in swap. null: not readable. */
export function swappedPages(machine: Machine, vma: { amap: number; apgoff: number; start: number; end: number }): number | null {
  if (!vma.amap || !machine.layout) return 0;
  let count = 0;
  const end = vma.apgoff + vma.end - vma.start;
  const wrong = new IndexReader(machine, machine.memory).each(vma.amap + machine.layout.offset('amap.pages'), 1 << 22, (key, view, at) => {
    if (key >= vma.apgoff && key < end && view.getUint32(at, true) & 1) count++;
    return key < end;
  });
  return wrong ? null : count;
}

function countKinds(frames: FrameTable): number[] {
  const counts = new Uint32Array(KIND_NAMES.length);
  for (let i = 0; i < frames.count; i++) counts[frames.kind[i]!]!++;
  return [...counts];
}

function readStats(machine: Machine): Record<string, number> {
  const stats: Record<string, number> = {};
  const base = machine.addressOf('vm_stats');
  const bytes = machine.memory.read(base, machine.layout!.size('vm_stats'));
  if (!bytes) return stats;
  const view = viewOf(bytes);
  for (const [name, offset] of machine.layout!.members('vm_stats')) stats[name] = u64(view, offset);
  return stats;
}

function readHarts(machine: Machine, found: Population): HartInfo[] {
  const layout = machine.layout!;
  const count = Math.min(machine.variable('nr_harts', 4) ?? 0, MOST_HARTS);
  const size = layout.size('hart');
  const bytes = machine.memory.read(machine.addressOf('harts'), count * size);
  if (!bytes) return [];
  const view = viewOf(bytes);
  return Array.from({ length: count }, (_, i) => {
    const word = (name: string): number => u64(view, i * size + layout.offset('hart.' + name));
    const table = machine.pointer(view, i * size + layout.offset('hart.pt'));
    const owner = found.processes.flatMap((p) => p.tasks.map((t) => ({ p, t }))).find(({ t }) => t.onHart === i && t.state === 'runnable');
    return {
      index: i, hartid: word('hartid'), root: table > 0 ? machine.member(table, 'pagetable.root') ?? 0 : 0, tid: owner?.t.tid ?? null,
      pid: owner?.p.pid ?? null, idle: isIdle(machine, machine.pointer(view, i * size + layout.offset('hart.idle'))), switches: word('nr_switches'), irqs: word('nr_irqs'), shootdowns: word('nr_shootdowns'),
    };
  });
}

function isIdle(machine: Machine, task: number): boolean {
  return task > 0 && machine.member(task, 'task.on_hart') === 1;
}

/* Who sleeps is not at work, whatever it did before. Without rings, whoever runs may be. */
function movingOf(machine: Machine, heads: RingHeads, found: Population): number[] {
  const threads = threadsMoving(machine, heads);
  const moving = new Set<number>();
  for (const p of found.processes) {
    const busy = p.tasks.some((t) => {
      const runs = t.onHart !== null || t.state !== 'sleeping';
      return threads ? threads.now.has(t.tid) || (runs && threads.before.has(t.tid)) : runs;
    });
    if (p.aspace && busy) moving.add(p.aspace);
  }
  return [...moving];
}

export function aspaceOf(s: Snapshot, pid: number): AspaceInfo | null {
  const process = s.processes.find((p) => p.pid === pid);
  return (process && s.aspaces.find((as) => as.address === process.aspace)) ?? null;
}

/** pid of each address space: its first process by number. */
export function pidsByAspace(s: Snapshot): Map<number, number> {
  const map = new Map<number, number>();
  for (const p of s.processes) if (p.aspace && !map.has(p.aspace)) map.set(p.aspace, p.pid);
  return map;
}

const NAME_COLUMN = 73;

/** The text of /proc/PID/maps. */
export function mapsText(as: AspaceInfo): string {
  return as.vmas.map((v) => {
    const range = `${(v.start * PAGE_SIZE).toString(16).padStart(8, '0')}-${(v.end * PAGE_SIZE).toString(16).padStart(8, '0')}`;
    const offset = (v.ino ? v.pgoff * PAGE_SIZE : 0).toString(16).padStart(8, '0');
    const line = `${range} ${v.perms} ${offset} ${v.dev} ${v.ino} `;
    return (v.name ? line.padEnd(NAME_COLUMN) + v.name.replace(/[\\\n]/g, (c) => '\\' + c.charCodeAt(0).toString(8).padStart(3, '0')) : line) + '\n';
  }).join('');
}

/** Frames of one block, from any of them. */
export function blockOf(frames: FrameTable, i: number): { first: number; order: number } {
  for (let first = i, back = 0; first >= 0 && back <= 1024; first--, back++) {
    const order = frames.order[first]!;
    if (order !== INSIDE) return i < first + 2 ** order ? { first, order } : { first: i, order: 0 };
  }
  return { first: i, order: 0 };
}
