/* ELF64, little-endian, as far as a kernel file or a core dump needs it: segments, notes, symbols. */
import { u64, viewOf } from './numbers.ts';

export class ElfError extends Error {
  override name = 'ElfError';
}

export interface ElfSegment {
  type: number;
  offset: number;
  vaddr: bigint;
  paddr: number;
  fileSize: number;
  memSize: number;
  /** PF_…: 1 execute, 2 write, 4 read. */
  flags: number;
}

export interface ElfSection {
  name: string;
  type: number;
  flags: number;
  offset: number;
  size: number;
}

export interface ElfNote {
  owner: string;
  type: number;
  descriptor: Uint8Array;
  /** Where the note's header is in the running image; 0 in a core file. */
  vaddr: bigint;
}

export const PT_LOAD = 1;
export const PF_X = 1;
const PT_NOTE = 4;
const SHT_SYMTAB = 2;
const RISCV = 243;

function header(file: Uint8Array): DataView {
  const view = viewOf(file);
  if (file.length < 64 || view.getUint32(0, false) !== 0x7f454c46) throw new ElfError('not an ELF file');
  if (file[4] !== 2 || file[5] !== 1) throw new ElfError('an ELF file of another machine (64 bits, little-endian wanted)');
  if (view.getUint16(18, true) !== RISCV) throw new ElfError('an ELF file of another machine (RISC-V wanted)');
  return view;
}

export function elfSegments(file: Uint8Array): ElfSegment[] {
  const view = header(file);
  const offset = u64(view, 32);
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (count && (size < 56 || offset + size * count > file.length)) throw new ElfError('the ELF file is cut short (program headers)');
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = offset + i * size;
    segments.push({
      type: view.getUint32(at, true), offset: u64(view, at + 8), vaddr: view.getBigUint64(at + 16, true), paddr: u64(view, at + 24),
      fileSize: u64(view, at + 32), memSize: u64(view, at + 40), flags: view.getUint32(at + 4, true),
    });
  }
  return segments;
}

/** By name; without section headers, or with such as cannot be: none. */
export function elfSections(file: Uint8Array): ElfSection[] {
  const view = header(file);
  const offset = u64(view, 40);
  const size = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const names = view.getUint16(62, true);
  if (size < 64 || offset + size * count > file.length || names >= count) return [];
  const start = u64(view, offset + names * size + 24);
  const end = start + u64(view, offset + names * size + 32);
  return Array.from({ length: count }, (_, i) => {
    const at = offset + i * size;
    return {
      name: nameAt(file, start + view.getUint32(at, true), Math.min(end, file.length)), type: view.getUint32(at + 4, true), flags: u64(view, at + 8),
      offset: u64(view, at + 24), size: u64(view, at + 32),
    };
  });
}

const LONGEST_SECTION_NAME = 64;

function nameAt(file: Uint8Array, start: number, end: number): string {
  let name = '';
  for (let i = start; i < end && file[i] && name.length < LONGEST_SECTION_NAME; i++) name += String.fromCharCode(file[i]!);
  return name;
}

export function elfNotes(file: Uint8Array): ElfNote[] {
  const notes: ElfNote[] = [];
  const view = viewOf(file);
  for (const segment of elfSegments(file)) {
    if (segment.type !== PT_NOTE || segment.offset + segment.fileSize > file.length) continue;
    const end = segment.offset + segment.fileSize;
    for (let at = segment.offset; at + 12 <= end; ) {
      const nameSize = view.getUint32(at, true);
      const size = view.getUint32(at + 4, true);
      /* Name and descriptor are padded to 4; a segment aligned to 8 begins the descriptor at a multiple of that. */
      const start = at + 12 + ((nameSize + 3) & ~3);
      const body = segment.offset + ((start - segment.offset + 7) & ~7);
      const from = nameSize === 8 ? body : start;
      if (from + size > end) break;
      let owner = '';
      for (let i = at + 12; i < at + 12 + nameSize && file[i]; i++) owner += String.fromCharCode(file[i]!);
      notes.push({ owner, type: view.getUint32(at + 8, true), descriptor: file.subarray(from, from + size), vaddr: segment.vaddr + BigInt(at - segment.offset) });
      at = from + ((size + 3) & ~3);
    }
  }
  return notes;
}

/** The functions and variables of an ELF file. */
export class Symbols {
  private readonly addresses: BigUint64Array;
  private readonly names: string[];
  private readonly sizes: number[];

  private constructor(found: { address: bigint; name: string; size: number }[]) {
    found.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : b.size - a.size));
    this.addresses = BigUint64Array.from(found, (s) => s.address);
    this.names = found.map((s) => s.name);
    this.sizes = found.map((s) => s.size);
  }

  /** Without a symbol table, or with section headers that cannot be: none. */
  static fromElf(file: Uint8Array): Symbols {
    const view = header(file);
    const offset = u64(view, 40);
    const size = view.getUint16(58, true);
    const count = view.getUint16(60, true);
    const found: { address: bigint; name: string; size: number }[] = [];
    for (let i = 0; size >= 64 && i < count && offset + (i + 1) * size <= file.length; i++) {
      const at = offset + i * size;
      const link = offset + view.getUint32(at + 40, true) * size;
      if (view.getUint32(at + 4, true) === SHT_SYMTAB && link + 64 <= file.length)
        readSymbols(file, u64(view, at + 24), u64(view, at + 32), u64(view, link + 24), u64(view, link + 32), found);
    }
    return new Symbols(found);
  }

  static fromList(list: [address: string, size: number, name: string][]): Symbols {
    return new Symbols(list.map(([address, size, name]) => ({ address: BigInt('0x' + address), size, name })));
  }

  list(): [address: string, size: number, name: string][] {
    return this.names.map((name, i) => [this.addresses[i]!.toString(16), this.sizes[i]!, name]);
  }

  /** "fault_handle+0x1c", or null when the address is in no function or variable. */
  describe(address: bigint): string | null {
    let low = 0;
    let high = this.addresses.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.addresses[mid]! <= address) low = mid + 1;
      else high = mid;
    }
    /* The last that begins there or before; its neighbours may be labels without a size at the same place. */
    for (let i = low - 1; i >= 0 && i >= low - 8; i--) {
      const offset = address - this.addresses[i]!;
      if (offset < BigInt(this.sizes[i]!) || offset === 0n) return offset ? `${this.names[i]}+0x${offset.toString(16)}` : this.names[i]!;
    }
    return null;
  }

  find(name: string): bigint | null {
    const at = this.names.indexOf(name);
    return at < 0 ? null : this.addresses[at]!;
  }
}

function readSymbols(file: Uint8Array, offset: number, size: number, names: number, namesSize: number,
  out: { address: bigint; name: string; size: number }[]): void {
  if (offset + size > file.length || names + namesSize > file.length) throw new ElfError('the ELF file is cut short (symbols)');
  const view = viewOf(file);
  const decoder = new TextDecoder();
  for (let at = offset; at + 24 <= offset + size; at += 24) {
    const type = view.getUint8(at + 4) & 15;
    if (type > 2) continue; // sections and files
    const start = names + view.getUint32(at, true);
    let end = start;
    while (end < names + namesSize && file[end]) end++;
    const name = decoder.decode(file.subarray(start, end));
    if (name && !/^[$.]/.test(name)) out.push({ address: view.getBigUint64(at + 8, true), name, size: u64(view, at + 16) });
  }
}
