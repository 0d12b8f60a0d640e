/*
 * Which source line an address belongs to: the line table (.debug_line) of an ELF file, versions 2 to 5 of DWARF, 32- and 64-bit form.
 * (DWARF Debugging Information Format, version 5, section 6.2 "Line Number Information".)
 *
 * A wrong line is worse than none. What is compressed, of another machine or damaged has no lines; so have functions that
 * the linker dropped (their addresses lie outside of the code), sequences that run backwards, and addresses that two sequences claim. Every
 * step of every loop here consumes a byte of the file at least.
 */
import { elfSections, elfSegments, PF_X, PT_LOAD, type ElfSection } from './elf.ts';
import { u64, viewOf } from './numbers.ts';

export interface SourceLine {
  /** As the compiler was given it: "kernel/mm/fault.c", "/usr/src/x.c". */
  file: string;
  line: number;
}

/** The largest table that is read: a browser's has some. */
const MOST_BYTES = 64 << 20;
const MOST_ROWS = 1 << 23;
const MOST_FILES = 1 << 16;
const MOST_COLUMNS = 16;
const LONGEST_NAME = 255;
const SHF_COMPRESSED = 0x800;
const SHT_NOBITS = 8;

/** Standard and extended opcodes, columns of a table of files, and how their values are written. */
const LNS = { copy: 1, advancePc: 2, advanceLine: 3, setFile: 4, constAddPc: 8, fixedAdvancePc: 9 } as const;
const LNE = { endSequence: 1, setAddress: 2 } as const;
const LNCT = { path: 1, directory: 2 } as const;
const FORM = {
  block: 0x09, data1: 0x0b, data2: 0x05, data4: 0x06, data8: 0x07, data16: 0x1e, string: 0x08, strp: 0x0e, udata: 0x0f, lineStrp: 0x1f,
} as const;

/** Reads forward; beyond the end everything is 0, and `bad`. */
class Cursor {
  bad = false;
  private readonly view: DataView;

  constructor(readonly bytes: Uint8Array, public pos: number, public end: number) {
    this.view = viewOf(bytes);
  }

  get more(): boolean {
    return !this.bad && this.pos < this.end;
  }

  skip(size: number): void {
    this.take(size);
  }

  u8(): number {
    const at = this.take(1);
    return at < 0 ? 0 : this.bytes[at]!;
  }

  u16(): number {
    const at = this.take(2);
    return at < 0 ? 0 : this.view.getUint16(at, true);
  }

  u32(): number {
    const at = this.take(4);
    return at < 0 ? 0 : this.view.getUint32(at, true);
  }

  /** Exact below 2^53. */
  u64(): number {
    const at = this.take(8);
    return at < 0 ? 0 : u64(this.view, at);
  }

  address(): bigint {
    const at = this.take(8);
    return at < 0 ? 0n : this.view.getBigUint64(at, true);
  }

  offset(size: 4 | 8): number {
    return size === 4 ? this.u32() : this.u64();
  }

  /** A number of seven bits a byte; bad where it is none that a number holds. */
  uleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (!(byte & 0x80)) break;
      scale *= 128;
      if (this.bad || value > Number.MAX_SAFE_INTEGER) break;
    }
    if (value > Number.MAX_SAFE_INTEGER) this.bad = true;
    return this.bad ? 0 : value;
  }

  sleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte & 0x80 && !this.bad && scale <= Number.MAX_SAFE_INTEGER) continue;
      if (byte & 0x80) this.bad = true;
      if (byte & 0x40) value -= scale;
      return this.bad ? 0 : value;
    }
  }

  /** Goes behind a string; returns where it begins. */
  string(): number {
    const start = this.pos;
    const length = this.bad ? -1 : this.bytes.subarray(start, this.end).indexOf(0);
    if (length < 0) this.bad = true;
    else this.pos = start + length + 1;
    return start;
  }

  private take(size: number): number {
    if (this.bad || !(size <= this.end - this.pos)) {
      this.bad = true;
      return -1;
    }
    this.pos += size;
    return this.pos - size;
  }
}

interface Sections {
  line: Uint8Array;
  lineStr: Uint8Array;
  str: Uint8Array;
}

interface Unit {
  version: number;
  offsetSize: 4 | 8;
  minLength: number;
  lineBase: number;
  lineRange: number;
  opcodeBase: number;
  /** Operands of the standard opcodes. */
  operands: number[];
  tables: number;
  program: number;
}

/** A name: where it begins, and in which section. */
interface Name {
  section: Uint8Array;
  at: number;
}

interface FileEntry {
  name: Name | null;
  directory: number;
}

/** Rows by address, as they are found. `address` counts from the lowest of the code. */
class Rows {
  readonly address: number[] = [];
  readonly file: number[] = [];
  readonly line: number[] = [];
  /** Sequences: their first and last address (exclusive), and their first row. */
  readonly sequences: { start: number; end: number; first: number; rows: number }[] = [];
  readonly files: string[] = [];
  private readonly ids = new Map<string, number>();

  add(address: number, file: number, line: number): void {
    this.address.push(address);
    this.file.push(file);
    this.line.push(line);
  }

  cut(count: number): void {
    this.address.length = this.file.length = this.line.length = count;
  }

  fileId(path: string): number {
    const known = this.ids.get(path);
    if (known !== undefined) return known;
    this.ids.set(path, this.files.length);
    return this.files.push(path) - 1;
  }
}

interface Range {
  start: number;
  end: number;
}

// ---- one unit ----

/** At the start of a unit; the cursor's end is then the unit's. Returns the size of its offsets; null: nothing that could be skipped. */
function unitBounds(c: Cursor, end: number): 4 | 8 | null {
  c.end = end;
  let size: 4 | 8 = 4;
  let length = c.u32();
  if (length === 0xffffffff) {
    size = 8;
    length = c.u64();
  }
  if (c.bad || length > end - c.pos) return null;
  c.end = c.pos + length;
  return size;
}

/** null: a version, or a machine, that is not read here. */
function unitHeader(c: Cursor, offsetSize: 4 | 8): Unit | null {
  const version = c.u16();
  if (version < 2 || version > 5) return null;
  if (version === 5 && (c.u8() !== 8 || c.u8() !== 0)) return null; // size of addresses, of segment selectors
  const length = c.offset(offsetSize);
  if (c.bad || length > c.end - c.pos) return null;
  const program = c.pos + length;
  const minLength = c.u8();
  if (version >= 4 && c.u8() !== 1) return null; // operations in an instruction
  c.skip(1); // whether rows begin as statements
  const lineBase = (c.u8() << 24) >> 24;
  const lineRange = c.u8();
  const opcodeBase = c.u8();
  const operands = [0];
  for (let i = 1; i < opcodeBase; i++) operands.push(c.u8());
  if (c.bad || !lineRange || !opcodeBase || c.pos > program) return null;
  return { version, offsetSize, minLength, lineBase, lineRange, opcodeBase, operands, tables: c.pos, program };
}

/** Runs the unit's program. `fileOf`: the id of the file with that number in the unit; negative: it has no name. */
class Program {
  private address = NaN;
  private fileNumber = 1;
  private line = 1;
  private first: number;
  private hidden = false;
  private last = -1;

  constructor(
    private readonly c: Cursor, private readonly unit: Unit, private readonly rows: Rows, private readonly code: Range[], private readonly base: bigint,
    private readonly fileOf: (n: number) => number,
  ) {
    this.first = rows.line.length;
  }

  run(): void {
    const { c, unit } = this;
    c.pos = unit.program;
    while (c.more && this.rows.line.length < MOST_ROWS) {
      const op = c.u8();
      if (op >= unit.opcodeBase) {
        const step = op - unit.opcodeBase;
        this.address += Math.floor(step / unit.lineRange) * unit.minLength;
        this.line += unit.lineBase + (step % unit.lineRange);
        this.row();
      } else if (op === 0) this.extended();
      else this.standard(op);
    }
    this.rows.cut(this.first); // what no end_sequence closed
  }

  private standard(op: number): void {
    const { c, unit } = this;
    if (op === LNS.copy) this.row();
    else if (op === LNS.advancePc) this.address += c.uleb() * unit.minLength;
    else if (op === LNS.advanceLine) this.line += c.sleb();
    else if (op === LNS.setFile) this.fileNumber = c.uleb();
    else if (op === LNS.constAddPc) this.address += Math.floor((255 - unit.opcodeBase) / unit.lineRange) * unit.minLength;
    else if (op === LNS.fixedAdvancePc) this.address += c.u16();
    else for (let i = 0; i < unit.operands[op]!; i++) c.uleb();
  }

  private extended(): void {
    const { c } = this;
    const length = c.uleb();
    if (c.bad || length === 0 || length > c.end - c.pos) {
      c.bad = true;
      return;
    }
    const next = c.pos + length;
    const op = c.u8();
    if (op === LNE.endSequence) this.end();
    else if (op === LNE.setAddress) {
      // Of a function that was dropped, the linker leaves 0, or an address where no code can be.
      const address = length === 9 ? c.address() : 0n;
      this.address = address === 0n ? NaN : Number(address - this.base);
    }
    c.pos = next;
  }

  private row(): void {
    if (!(this.address >= this.last)) this.hidden = true;
    this.last = this.address;
    const known = this.line > 0 && this.line < 2 ** 31;
    const file = known ? this.fileOf(this.fileNumber) : -1;
    this.rows.add(this.address, Math.max(file, 0), file < 0 ? 0 : this.line);
  }

  private end(): void {
    const { rows, address, first } = this;
    const start = rows.address[first];
    const whole = !this.hidden && start !== undefined && address >= this.last && this.code.some((range) => start >= range.start && address <= range.end);
    if (whole && address > start) rows.sequences.push({ start, end: address, first, rows: rows.line.length - first });
    else rows.cut(first);
    this.first = rows.line.length;
    this.address = NaN;
    this.fileNumber = this.line = 1;
    this.hidden = false;
    this.last = -1;
  }
}

// ---- names ----

/** Versions 2 to 4: strings, a list ends with an empty one. Both lists count from 1. */
function oldNames(c: Cursor, line: Uint8Array): { directories: (Name | null)[]; files: FileEntry[] } {
  const directories: (Name | null)[] = [null];
  const files: FileEntry[] = [{ name: null, directory: 0 }];
  for (; !c.bad && directories.length <= MOST_FILES; ) {
    const at = c.string();
    if (!line[at]) break;
    directories.push({ section: line, at });
  }
  for (; !c.bad && files.length <= MOST_FILES; ) {
    const at = c.string();
    if (!line[at]) break;
    files.push({ name: { section: line, at }, directory: c.uleb() });
    c.uleb(); // time of change
    c.uleb(); // length
  }
  return { directories, files };
}

/** Version 5: a table says itself what its columns are. Both count from 0. */
function newNames(c: Cursor, sections: Sections, unit: Unit): { directories: (Name | null)[]; files: FileEntry[] } {
  const directories = readTable(c, sections, unit);
  return { directories: directories.map((row) => row.name), files: readTable(c, sections, unit) };
}

function readTable(c: Cursor, sections: Sections, unit: Unit): FileEntry[] {
  const columns: { content: number; form: number }[] = [];
  for (let n = c.u8(); n > 0; n--) columns.push({ content: c.uleb(), form: c.uleb() });
  const rows = c.uleb();
  if (columns.length > MOST_COLUMNS || rows > MOST_FILES || (rows > 0 && columns.length === 0)) c.bad = true;
  const found: FileEntry[] = [];
  for (let i = 0; i < rows && !c.bad; i++) {
    const row: FileEntry = { name: null, directory: 0 };
    for (const { content, form } of columns) {
      const value = readValue(c, sections, unit, form);
      if (content === LNCT.path) row.name = typeof value === 'object' ? value : null;
      else if (content === LNCT.directory) row.directory = typeof value === 'number' ? value : 0;
    }
    found.push(row);
  }
  return found;
}

/** Each form that is known here is a byte at least. */
function readValue(c: Cursor, sections: Sections, unit: Unit, form: number): number | Name {
  switch (form) {
    case FORM.data1: return c.u8();
    case FORM.data2: return c.u16();
    case FORM.data4: return c.u32();
    case FORM.data8: return c.u64();
    case FORM.udata: return c.uleb();
    case FORM.data16: return c.skip(16), 0;
    case FORM.block: return c.skip(c.uleb()), 0;
    case FORM.string: return { section: sections.line, at: c.string() };
    case FORM.lineStrp: return { section: sections.lineStr, at: c.offset(unit.offsetSize) };
    case FORM.strp: return { section: sections.str, at: c.offset(unit.offsetSize) };
    default: return (c.bad = true), 0;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Empty: none that could be shown. */
function textOf(name: Name | null | undefined): string {
  if (!name || name.at >= name.section.length) return '';
  const part = name.section.subarray(name.at, name.at + LONGEST_NAME + 1);
  const length = part.indexOf(0);
  if (length <= 0) return '';
  try {
    const text = decoder.decode(part.subarray(0, length));
    return /[\x00-\x1f\x7f-\x9f]/.test(text) ? '' : text;
  } catch {
    return '';
  }
}

/** The files of one unit by their numbers, as ids of `rows`; read when first asked for. */
function namer(c: Cursor, sections: Sections, unit: Unit, rows: Rows): (n: number) => number {
  let tables: { directories: (Name | null)[]; files: FileEntry[] } | null = null;
  const ids = new Map<number, number>();
  return (n) => {
    const known = ids.get(n);
    if (known !== undefined) return known;
    if (!tables) {
      const own = new Cursor(c.bytes, unit.tables, unit.program);
      tables = unit.version < 5 ? oldNames(own, sections.line) : newNames(own, sections, unit);
      if (own.bad) tables = { directories: [], files: [] };
    }
    const file = tables.files[n];
    const name = textOf(file?.name);
    // Directory 0 is the compilation's own, which says where it was built, not which file it is.
    const directory = file?.directory && !name.startsWith('/') ? textOf(tables.directories[file.directory]) : '';
    const lost = !name || (file!.directory > 0 && !name.startsWith('/') && !directory);
    const id = lost ? -1 : rows.fileId(directory ? `${directory}/${name}` : name);
    ids.set(n, id);
    return id;
  };
}

// ---- the whole table ----

/** The bytes of a section; empty where it is not there, compressed, or cut short. */
function sectionBytes(file: Uint8Array, sections: ElfSection[], name: string): Uint8Array {
  const found = sections.find((section) => section.name === name);
  if (!found || found.type === SHT_NOBITS || found.flags & SHF_COMPRESSED || found.offset + found.size > file.length) return new Uint8Array(0);
  return file.subarray(found.offset, found.offset + found.size);
}

export class SourceLines {
  private readonly address: Float64Array;
  private readonly file: Uint32Array;
  private readonly line: Uint32Array;
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  private readonly firsts: Uint32Array;
  private readonly counts: Uint32Array;
  /** The furthest end of all sequences before each. */
  private readonly reached: Float64Array;
  private readonly files: string[];

  private constructor(rows: Rows, private readonly base: bigint) {
    const sequences = rows.sequences.sort((a, b) => a.start - b.start);
    this.address = Float64Array.from(rows.address);
    this.file = Uint32Array.from(rows.file);
    this.line = Uint32Array.from(rows.line);
    this.starts = Float64Array.from(sequences, (s) => s.start);
    this.ends = Float64Array.from(sequences, (s) => s.end);
    this.firsts = Uint32Array.from(sequences, (s) => s.first);
    this.counts = Uint32Array.from(sequences, (s) => s.rows);
    let reached = -1;
    this.reached = Float64Array.from(sequences, (s) => {
      const before = reached;
      reached = Math.max(reached, s.end);
      return before;
    });
    this.files = rows.files;
  }

  /** Without a line table that can be read: none. Throws ElfError where the file is no ELF file. */
  static fromElf(file: Uint8Array): SourceLines {
    const code = elfSegments(file).filter((s) => s.type === PT_LOAD && s.flags & PF_X && s.memSize > 0);
    const base = code.reduce((low, s) => (s.vaddr < low ? s.vaddr : low), code[0]?.vaddr ?? 0n);
    const ranges = code.map((s) => ({ start: Number(s.vaddr - base), end: Number(s.vaddr - base) + s.memSize })).filter((r) => r.end < 2 ** 52);
    const all = elfSections(file);
    const sections: Sections = {
      line: sectionBytes(file, all, '.debug_line'), lineStr: sectionBytes(file, all, '.debug_line_str'), str: sectionBytes(file, all, '.debug_str'),
    };
    const rows = new Rows();
    if (ranges.length && sections.line.length <= MOST_BYTES) readUnits(sections, rows, ranges, base);
    return new SourceLines(rows, base);
  }

  /** null: no line, or not a single one. */
  find(address: bigint): SourceLine | null {
    const wanted = Number(address - this.base);
    const s = last(this.starts, 0, this.starts.length, wanted);
    if (s < 0 || wanted >= this.ends[s]! || this.reached[s]! > wanted) return null;
    const first = this.firsts[s]!;
    const row = last(this.address, first, first + this.counts[s]!, wanted);
    const line = row < first ? 0 : this.line[row]!;
    return line ? { file: this.files[this.file[row]!]!, line } : null;
  }
}

/** The last of [from, end) that is at most `wanted`; from - 1: none. */
function last(list: Float64Array, from: number, end: number, wanted: number): number {
  let low = from;
  let high = end;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (list[mid]! <= wanted) low = mid + 1;
    else high = mid;
  }
  return low - 1;
}

function readUnits(sections: Sections, rows: Rows, code: Range[], base: bigint): void {
  const whole = sections.line.length;
  for (let at = 0; at < whole; ) {
    const c = new Cursor(sections.line, at, whole);
    const size = unitBounds(c, whole);
    if (size === null) return;
    at = c.end;
    const unit = unitHeader(c, size);
    if (unit) new Program(c, unit, rows, code, base, namer(c, sections, unit, rows)).run();
  }
}

/** "mm/fault.c:95", or empty. */
export function lineText(line: SourceLine | null): string {
  return line ? `${line.file}:${line.line}` : '';
}
