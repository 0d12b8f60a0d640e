/* Memories that need nothing but bytes: RAM in an array, and the segments of a core file. */
import { elfSegments, ElfError, PT_LOAD } from './elf.ts';
import type { Memory, MemoryRange } from './types.ts';

interface Piece extends MemoryRange {
  bytes: Uint8Array;
}

class Pieces implements Memory {
  readonly ranges: readonly MemoryRange[];
  private readonly pieces: Piece[];

  constructor(pieces: Piece[]) {
    this.pieces = pieces.sort((a, b) => a.base - b.base);
    for (let i = 1; i < pieces.length; i++)
      if (this.pieces[i - 1]!.base + this.pieces[i - 1]!.size > this.pieces[i]!.base) throw new ElfError('two segments of the dump overlap');
    this.ranges = this.pieces.map(({ base, size }) => ({ base, size }));
  }

  read(pa: number, length: number): Uint8Array | null {
    const into = this.holds(pa, length) ? new Uint8Array(length) : null;
    return into && this.readInto(pa, into) ? into : null;
  }

  readInto(pa: number, into: Uint8Array): boolean {
    if (!this.holds(pa, into.length)) return false;
    for (const piece of this.pieces) {
      const from = Math.max(pa, piece.base);
      const to = Math.min(pa + into.length, piece.base + piece.size);
      if (from >= to) continue;
      /* What a dump left out at the end of a segment is zeroes. */
      const there = Math.max(from, Math.min(to, piece.base + piece.bytes.length));
      into.set(piece.bytes.subarray(from - piece.base, there - piece.base), from - pa);
      into.fill(0, there - pa, to - pa);
    }
    return true;
  }

  private holds(pa: number, length: number): boolean {
    return inRanges(this.ranges, pa, length);
  }
}

/** True when all of [pa, pa + length) is in the ranges, which may touch. */
export function inRanges(ranges: readonly MemoryRange[], pa: number, length: number): boolean {
  if (!(pa >= 0) || !(length >= 0)) return false;
  let at = pa;
  for (const range of ranges) if (at >= range.base && at < range.base + range.size) at = range.base + range.size;
  return at >= pa + length && at > pa;
}

/** Are two pieces of the same length alike, byte for byte? */
export function isSame(memory: Memory, a: Uint8Array, b: Uint8Array): boolean {
  return memory.same ? memory.same(a, b) : sameBytes(a, b);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function arrayMemory(bytes: Uint8Array, base: number): Memory {
  return new Pieces([{ base, size: bytes.length, bytes }]);
}

/** A core file. Its segments may name the same memory twice, at other virtual addresses, as those of tools/dump.py do. */
export function dumpMemory(file: Uint8Array): Memory {
  const pieces: Piece[] = [];
  for (const s of elfSegments(file)) {
    if (s.type !== PT_LOAD || s.memSize === 0) continue;
    if (s.offset + s.fileSize > file.length) throw new ElfError('the dump is cut short');
    if (pieces.some((piece) => s.paddr >= piece.base && s.paddr + s.memSize <= piece.base + piece.size)) continue;
    pieces.push({ base: s.paddr, size: s.memSize, bytes: file.subarray(s.offset, s.offset + s.fileSize) });
  }
  if (!pieces.length) throw new ElfError('the ELF file has no memory in it: not a dump');
  return new Pieces(pieces);
}
