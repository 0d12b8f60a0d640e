/*
 * A whole tree of tables. Each table page is visited once, so that a cycle or a shared table cannot make it endless, and a
 * budget bounds what a tree of garbage may cost.
 */
import {
  hex, levelPages, PAGE_SIZE, PT_ENTRIES, PTE_HI_RESERVED, PTE_R, PTE_RWX, PTE_V, PTE_W, pteBig, ptePa, ptePfn, rootVpn,
} from './numbers.ts';
import { pointerBitsWrong } from './walk.ts';
import type { LeafList, Memory, Problem, TableList, TableTree } from './types.ts';

const MOST_PROBLEMS = 64;

/** What may be read yet; one for all trees of a snapshot. */
export interface Budget {
  tables: number;
  leaves: number;
}

export function budgetFor(memory: Memory): Budget {
  const frames = memory.ranges.reduce((sum, r) => sum + r.size / PAGE_SIZE, 0);
  return { tables: 1024 + frames / 2, leaves: (1 << 20) + 4 * frames };
}

/** Leaves while their number is not known. */
class LeafBuilder {
  count = 0;
  private vpn = new Float64Array(256);
  private lo = new Uint32Array(256);
  private hi = new Uint32Array(256);
  private level = new Uint8Array(256);

  add(vpn: number, lo: number, hi: number, level: number): void {
    if (this.count === this.vpn.length) this.grow();
    const i = this.count++;
    this.vpn[i] = vpn;
    this.lo[i] = lo;
    this.hi[i] = hi;
    this.level[i] = level;
  }

  done(): LeafList {
    const n = this.count;
    return { count: n, vpn: this.vpn.slice(0, n), lo: this.lo.slice(0, n), hi: this.hi.slice(0, n), level: this.level.slice(0, n) };
  }

  private grow(): void {
    const size = this.vpn.length * 2;
    const wider = <T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T => (to.set(from), to);
    this.vpn = wider(this.vpn, new Float64Array(size));
    this.lo = wider(this.lo, new Uint32Array(size));
    this.hi = wider(this.hi, new Uint32Array(size));
    this.level = wider(this.level, new Uint8Array(size));
  }
}

class TreeReader {
  readonly leaves = new LeafBuilder();
  readonly problems: Problem[] = [];
  readonly tables = { pa: [] as number[], level: [] as number[], vpn: [] as number[], slot: [] as number[], valid: [] as number[] };
  private readonly seen = new Set<number>();
  private readonly buffers: Uint32Array[] = [];
  private stopped = false;

  constructor(
    private readonly memory: Memory,
    private readonly levels: number,
    private readonly budget: Budget,
    private readonly isTable: ((pa: number) => boolean) | null,
  ) {
    for (let i = 0; i < levels; i++) this.buffers.push(new Uint32Array(2 * PT_ENTRIES));
  }

  problem(code: string, args: Problem['args']): void {
    if (this.problems.length < MOST_PROBLEMS) this.problems.push({ code, args });
  }

  /** The table at pa, whose first page is vpn, and all below it. */
  read(pa: number, level: number, vpn: number, slot: number, first: number, end: number): void {
    if (this.seen.has(pa)) return this.problem('table-twice', { table: hex(pa), slot: hex(Math.max(slot, 0)) });
    this.seen.add(pa);
    const words = this.buffers[level]!;
    if (!this.memory.readInto(pa, new Uint8Array(words.buffer))) return this.problem('table-outside', { table: hex(pa), slot: hex(Math.max(slot, 0)) });
    if (--this.budget.tables < 0) return this.stop();
    const at = this.tables.pa.push(pa) - 1;
    this.tables.level.push(level);
    this.tables.vpn.push(vpn);
    this.tables.slot.push(slot);
    this.tables.valid.push(0);
    const root = level === this.levels - 1;
    const step = levelPages(level);
    let valid = 0;
    for (let i = first; i < end && !this.stopped; i++) {
      const lo = words[2 * i]!;
      if (!(lo & PTE_V)) continue;
      valid++;
      this.entry(pa + i * 8, lo, words[2 * i + 1]!, level, root ? rootVpn(i, this.levels) : vpn + i * step);
    }
    this.tables.valid[at] = valid;
  }

  private entry(slot: number, lo: number, hi: number, level: number, vpn: number): void {
    if (hi & PTE_HI_RESERVED) this.problem('entry-reserved', { slot: hex(slot), pte: hex(pteBig(lo, hi)), vpn });
    if (lo & PTE_RWX) {
      if (lo & PTE_W && !(lo & PTE_R)) this.problem('entry-reserved', { slot: hex(slot), pte: hex(pteBig(lo, hi)), vpn });
      if (level > 0 && ptePfn(lo, hi) % levelPages(level)) this.problem('misaligned', { slot: hex(slot), pte: hex(pteBig(lo, hi)), vpn });
      if (--this.budget.leaves < 0) return this.stop();
      this.leaves.add(vpn, lo, hi, level);
      return;
    }
    if (level === 0) return this.problem('no-leaf', { slot: hex(slot), pte: hex(pteBig(lo, hi)), vpn });
    if (pointerBitsWrong(lo)) this.problem('pointer-bits', { slot: hex(slot), pte: hex(pteBig(lo, hi)), vpn });
    const pa = ptePa(lo, hi);
    if (this.isTable && !this.isTable(pa)) return this.problem('table-kind', { table: hex(pa), slot: hex(slot), vpn });
    this.read(pa, level - 1, vpn, slot, 0, PT_ENTRIES);
  }

  private stop(): void {
    if (!this.stopped) this.problem('too-much', {});
    this.stopped = true;
  }

  tableList(): TableList {
    const t = this.tables;
    return {
      count: t.pa.length, pa: Float64Array.from(t.pa), level: Uint8Array.from(t.level), vpn: Float64Array.from(t.vpn), slot: Float64Array.from(t.slot),
      valid: Uint16Array.from(t.valid),
    };
  }
}

export interface TreeOptions {
  budget?: Budget;
  /** Says whether a frame is a table page, where that is known: others are not entered. */
  isTable?: (pa: number) => boolean;
}

/** Every table and leaf. */
export function tableTree(memory: Memory, root: number, levels: number, half: 'user' | 'all', options: TreeOptions = {}): TableTree {
  const reader = new TreeReader(memory, levels, options.budget ?? budgetFor(memory), options.isTable ?? null);
  if (options.isTable && !options.isTable(root)) reader.problem('table-kind', { table: hex(root), slot: '-', vpn: 0 });
  else reader.read(root, levels - 1, 0, -1, 0, half === 'user' ? PT_ENTRIES / 2 : PT_ENTRIES);
  return { root, levels, half, tables: reader.tableList(), leaves: reader.leaves.done(), problems: reader.problems };
}

/** The leaf that shows a page, or -1. */
export function leafAt(leaves: LeafList, vpn: number): number {
  let low = 0;
  let high = leaves.count;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (leaves.vpn[mid]! <= vpn) low = mid + 1;
    else high = mid;
  }
  const i = low - 1;
  return i >= 0 && vpn < leaves.vpn[i]! + levelPages(leaves.level[i]!) ? i : -1;
}

const MOST_LINES = 1 << 20;

/** The text of /proc/PID/pagetable (kernel/arch/riscv/pagetable_report.c). A table that is met again on its own way is not entered. */
export function vmprint(memory: Memory, root: number, levels: number, half: 'user' | 'all'): string {
  const lines = [`page table ${hex(root, 16)}\n`];
  const above: number[] = [];
  const print = (pa: number, level: number, entries: number): void => {
    const bytes = memory.read(pa, PAGE_SIZE);
    if (!bytes || above.includes(pa)) return;
    const words = new DataView(bytes.buffer, bytes.byteOffset);
    above.push(pa);
    for (let i = 0; i < entries && lines.length < MOST_LINES; i++) {
      const lo = words.getUint32(8 * i, true);
      const hi = words.getUint32(8 * i + 4, true);
      if (!(lo & PTE_V)) continue;
      lines.push(`${'.. '.repeat(levels - 1 - level)}..${i}: pte ${hex(pteBig(lo, hi), 16)} pa ${hex(ptePa(lo, hi), 16)}\n`);
      if (!(lo & PTE_RWX) && level > 0) print(ptePa(lo, hi), level - 1, PT_ENTRIES);
    }
    above.pop();
  };
  print(root, levels - 1, half === 'user' ? PT_ENTRIES / 2 : PT_ENTRIES);
  return lines.join('');
}
