/* The layout note: where the kernel's structures are (docs/view.md, kernel/lib/layout.h). */
import { elfNotes } from './elf.ts';
import { viewOf } from './numbers.ts';
import type { LayoutEntry, LayoutKind, Memory } from './types.ts';

const OWNER = 'Vitrine';
const TYPE = 1;
const ENTRY = 64;
const KINDS: LayoutKind[] = ['const', 'address', 'struct', 'field'];
const MOST_ENTRIES = 4096;

export class LayoutError extends Error {
  override name = 'LayoutError';
}

export class Layout {
  readonly entries: ReadonlyMap<string, LayoutEntry>;
  private readonly structs = new Map<string, [name: string, offset: number][]>();

  private constructor(descriptor: Uint8Array) {
    this.entries = parse(descriptor);
  }

  static fromElf(file: Uint8Array): Layout {
    const note = elfNotes(file).find((n) => n.owner === OWNER && n.type === TYPE);
    if (!note) throw new LayoutError('the kernel file has no layout note: not a Vitrine kernel, or one older than the viewer');
    return new Layout(note.descriptor);
  }

  /** The image lies at the beginning of RAM, behind the firmware. */
  static fromMemory(memory: Memory): Layout | null {
    const first = memory.ranges[0];
    if (!first) return null;
    const end = first.base + Math.min(first.size, 64 << 20);
    const step = 1 << 20;
    /* A piece and the beginning of the next, so that a header at the seam is seen. */
    for (let at = first.base; at < end; at += step) {
      const piece = memory.read(at, Math.min(step + 32, first.base + first.size - at));
      const found = piece ? findHeader(piece) : null;
      if (found === null || !piece) continue;
      const length = viewOf(piece).getUint32(found + 4, true);
      const descriptor = memory.read(at + found + 24, length);
      const layout = descriptor ? tryParse(descriptor) : null;
      if (layout) return layout;
    }
    return null;

    function tryParse(descriptor: Uint8Array): Layout | null {
      try {
        const layout = new Layout(descriptor);
        return layout.has('pt_levels') ? layout : null;
      } catch {
        return null; // something that looked like one
      }
    }
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  constant(name: string): bigint {
    return this.get(name, 'const').value;
  }

  address(name: string): bigint {
    return this.get(name, 'address').value;
  }

  offset(name: string): number {
    return Number(this.get(name, 'field').value);
  }

  /** All members of a structure that the note tells of. */
  members(struct: string): readonly [name: string, offset: number][] {
    let found = this.structs.get(struct);
    if (!found) {
      const prefix = struct + '.';
      found = [...this.entries.values()].filter((e) => e.kind === 'field' && e.name.startsWith(prefix)).map((e) => [e.name.slice(prefix.length), Number(e.value)]);
      this.structs.set(struct, found);
    }
    return found;
  }

  /** Of a variable, a structure or a member. */
  size(name: string): number {
    const entry = this.entries.get(name);
    if (!entry) throw missing(name);
    return entry.size;
  }

  private get(name: string, kind: LayoutKind): LayoutEntry {
    const entry = this.entries.get(name);
    if (!entry) throw missing(name);
    if (entry.kind !== kind) throw new LayoutError(`the layout note has "${name}" as ${entry.kind}, not as ${kind}`);
    return entry;
  }
}

function missing(name: string): LayoutError {
  return new LayoutError(`the layout note does not tell of "${name}": kernel and viewer are of different ages`);
}

/* namesz 8, descsz a multiple of 64, type 1, "Vitrine\0". */
function findHeader(piece: Uint8Array): number | null {
  const view = viewOf(piece);
  for (let at = 0; at + 24 <= piece.length; at += 4) {
    if (view.getUint32(at, true) !== 8 || view.getUint32(at + 8, true) !== TYPE) continue;
    const length = view.getUint32(at + 4, true);
    if (length === 0 || length % ENTRY || length > MOST_ENTRIES * ENTRY) continue;
    if (text(piece, at + 12, 8) === OWNER) return at;
  }
  return null;
}

function text(bytes: Uint8Array, at: number, size: number): string {
  let out = '';
  for (let i = at; i < at + size && bytes[i]; i++) out += String.fromCharCode(bytes[i]!);
  return out;
}

function parse(descriptor: Uint8Array): Map<string, LayoutEntry> {
  const entries = new Map<string, LayoutEntry>();
  const view = viewOf(descriptor);
  for (let at = 0; at + ENTRY <= descriptor.length; at += ENTRY) {
    const name = text(descriptor, at, 48);
    const kind = KINDS[view.getUint32(at + 60, true)];
    if (!name) continue; // filler between the sections of object files
    if (!kind) throw new LayoutError(`the layout note is damaged at "${name}"`);
    entries.set(name, { name, kind, value: view.getBigUint64(at + 48, true), size: view.getUint32(at + 56, true) });
  }
  return entries;
}
