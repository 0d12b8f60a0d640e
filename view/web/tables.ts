/*
 * The tables of one process as they were at some instant. A snapshot says where the tables are and which leaves there are;
 * from that the table pages are made again, so that whatever the engine does with memory (walk, vmprint) works on the past too.
 */
import type { Memory, TableTree, VmaInfo } from '../core/types.ts';

export const PAGE = 4096;

/** The table pages of a tree, by their physical addresses. Entries that were not valid are 0. */
export function tablePages(tree: TableTree): Map<number, DataView> {
  const pages = new Map<number, DataView>();
  const { tables, leaves } = tree;
  const byRange = new Map<string, DataView>();
  for (let i = 0; i < tables.count; i++) {
    const page = new DataView(new ArrayBuffer(PAGE));
    pages.set(tables.pa[i]!, page);
    byRange.set(`${tables.level[i]}/${tables.vpn[i]}`, page);
  }
  for (let i = 0; i < tables.count; i++) {
    const slot = tables.slot[i]!;
    const above = pages.get(slot - (slot % PAGE));
    if (slot >= 0) above?.setBigUint64(slot % PAGE, (BigInt(tables.pa[i]!) >> 2n) | 1n, true);
  }
  for (let i = 0; i < leaves.count; i++) {
    const level = leaves.level[i]!;
    const reach = 512 ** (level + 1);
    const vpn = leaves.vpn[i]!;
    // The root has one table's place in both halves.
    const page = level === tree.levels - 1 ? pages.get(tree.root) : byRange.get(`${level}/${vpn - (vpn % reach)}`);
    const at = (Math.floor(vpn / 512 ** level) % 512) * 8;
    page?.setUint32(at, leaves.lo[i]!, true);
    page?.setUint32(at + 4, leaves.hi[i]!, true);
  }
  return pages;
}

/** The table pages of a tree as memory. */
export function tableMemory(tree: TableTree): Memory {
  return memoryOf(tablePages(tree));
}

export function memoryOf(pages: Map<number, DataView>): Memory {
  const ranges = [...pages.keys()].sort((a, b) => a - b).map((base) => ({ base, size: PAGE }));
  const readInto = (pa: number, into: Uint8Array): boolean => {
    const page = pages.get(pa - (pa % PAGE));
    if (!page || (pa % PAGE) + into.length > PAGE) return false;
    into.set(new Uint8Array(page.buffer, pa % PAGE, into.length));
    return true;
  };
  return {
    ranges,
    readInto,
    read(pa, length) {
      const into = new Uint8Array(length);
      return readInto(pa, into) ? into : null;
    },
  };
}

/** One entry of a table, ready to be drawn. */
export interface Entry {
  index: number;
  pte: bigint;
  kind: 'empty' | 'pointer' | 'leaf';
  /** Private and writable by its VMA, but not by the entry: the next write copies. */
  cow: boolean;
  vpn: number;
}

/** A table on the way from the root, and its 512 entries. */
export interface Table {
  pa: number;
  level: number;
  /** First page it can map. */
  vpn: number;
  /** The indices that lead to it. */
  path: number[];
  entries: Entry[];
}

/** The tables along a path of indices, root first; ends early where the path leaves the tree. */
export function tablesAlong(tree: TableTree, path: number[], vmas: VmaInfo[]): Table[] {
  const memory = tableMemory(tree);
  const found: Table[] = [];
  let pa = tree.root;
  let vpn = 0;
  for (let depth = 0; depth < tree.levels; depth++) {
    const level = tree.levels - 1 - depth;
    const bytes = memory.read(pa, PAGE);
    if (!bytes) break;
    const entries = readEntries(new DataView(bytes.buffer), level, vpn, vmas);
    found.push({ pa, level, vpn, path: path.slice(0, depth), entries });
    const next = path[depth] === undefined ? undefined : entries[path[depth]!];
    if (!next || next.kind !== 'pointer') break;
    pa = Number((next.pte >> 10n) & 0xfff_ffff_ffffn) * PAGE;
    vpn = next.vpn;
  }
  return found;
}

function readEntries(table: DataView, level: number, first: number, vmas: VmaInfo[]): Entry[] {
  const entries: Entry[] = [];
  for (let index = 0; index < 512; index++) {
    const pte = table.getBigUint64(index * 8, true);
    const vpn = first + index * 512 ** level;
    const kind = !(pte & 1n) ? 'empty' : pte & 0xen ? 'leaf' : 'pointer';
    entries.push({ index, pte, kind, cow: kind === 'leaf' && isCow(pte, vmaAt(vmas, vpn)), vpn });
  }
  return entries;
}

/** Does a write to this leaf make a copy first? */
export function isCow(pte: bigint, vma: VmaInfo | null): boolean {
  return !(pte & 4n) && vma !== null && vma.perms[1] === 'w' && vma.perms[3] === 'p';
}

/** The VMA of a page, by bisection: they are sorted. */
export function vmaAt(vmas: VmaInfo[], vpn: number): VmaInfo | null {
  let low = 0;
  let high = vmas.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (vmas[middle]!.end <= vpn) low = middle + 1;
    else high = middle;
  }
  const vma = vmas[low];
  return vma && vma.start <= vpn ? vma : null;
}
