/*
 * The kernel's books of its own memory, compared with what there is: frames by kind (kernel/mm/frame.c), the slabs of every cache
 * (kernel/mm/slab.c), the slots of swap areas (swapbooks.ts).
 *
 * Books change all the time, also where no process is at work, and locks are not seen from outside. So everything is read here anew,
 * within a few milliseconds, and a book is judged only when it reads the same before and after: a cache in which a slab was made,
 * or an object moved, is left for the next time. The lamp (lamp.ts) does this seldom, and believes what it finds as slowly as all else.
 */
import { FrameReader, INSIDE, KIND, readBanks } from './frames.ts';
import { Machine } from './machine.ts';
import { sameBytes } from './memory.ts';
import { hex, PAGE_SIZE, u64, viewOf } from './numbers.ts';
import { PageCache } from './pages.ts';
import { checkSwap } from './swapbooks.ts';
import { translate } from './walk.ts';
import { KIND_NAMES, type Finding, type FindingCode, type FrameTable, type Snapshot } from './types.ts';

const MOST_FINDINGS = 256;
const LONGEST_NAME = 24;

export type Report = (code: FindingCode, pfn: number | null, args: Finding['args']) => void;

export function checkBooks(machine: Machine, s: Snapshot): Finding[] {
  const found: Finding[] = [];
  if (!machine.layout) return found;
  const report: Report = (code, pfn, args) => {
    if (found.length < MOST_FINDINGS) found.push({ code, pid: null, vpn: null, pfn, args });
  };
  const array = new FrameArray(machine);
  const before = [readKinds(machine), readCaches(machine)] as const;
  const frames = new FrameReader(machine).read(new PageCache(machine.memory), readBanks(machine, []), []);
  const slabs = new Slabs(machine, array, frames, before[1], report);
  const judged = slabs.judge();
  const after = [readKinds(machine), readCaches(machine)] as const;
  if (same(before[0], after[0])) checkKinds(machine, before[0], frames, report);
  judged.forEach((say, i) => {
    if (same(before[1][i] ?? null, after[1][i] ?? null)) say.forEach((one) => one());
  });
  checkSwap(machine, s, array, report);
  return found;
}

export function same(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a !== null && b !== null && sameBytes(a, b);
}

/** The array of struct frame: members of single frames, and the kernel's pointers into it. */
export class FrameArray {
  readonly size: number;
  private readonly base: bigint;
  private readonly baseHi: number;
  private readonly baseLo: number;
  private readonly pages = new Map<number, number | null>();

  constructor(private readonly machine: Machine) {
    this.size = machine.layout!.size('frame');
    this.base = machine.layout!.constant('KVA_FRAMES');
    this.baseHi = Number(this.base >> 32n);
    this.baseLo = Number(this.base & 0xffffffffn);
  }

  /** null: its metadata cannot be read. */
  read(pfn: number): DataView | null {
    const beyond = pfn * this.size + (this.baseLo % PAGE_SIZE);
    const page = Number(this.base >> 12n) + Math.floor(beyond / PAGE_SIZE);
    let pa = this.pages.get(page);
    if (pa === undefined) {
      const leaf = translate(this.machine.memory, this.machine.kernelRoot, this.machine.levels, page);
      pa = leaf ? leaf.pfn * PAGE_SIZE : null;
      this.pages.set(page, pa);
    }
    const bytes = pa === null ? null : this.machine.memory.read(pa + (beyond % PAGE_SIZE), this.size);
    return bytes && viewOf(bytes);
  }

  /** The number of the frame that a pointer, to `member` of it, is about. -1: it is none. */
  numberOf(view: DataView, at: number, member = 0): number {
    const number = ((view.getUint32(at + 4, true) - this.baseHi) * 2 ** 32 + view.getUint32(at, true) - this.baseLo - member) / this.size;
    return Number.isInteger(number) && number >= 0 ? number : -1;
  }
}

// ---- frames by kind ----

/* Of all harts: what each gave out and took back. */
function readKinds(machine: Machine): Uint8Array | null {
  return machine.memory.read(machine.addressOf('caches'), machine.layout!.size('caches'));
}

function checkKinds(machine: Machine, caches: Uint8Array | null, frames: FrameTable, report: Report): void {
  const layout = machine.layout!;
  const stride = layout.size('frame_cache');
  const there = KIND_NAMES.map(() => 0);
  for (const kind of frames.kind) there[kind]!++;
  for (let kind = KIND.kernel; kind <= KIND.usyscall; kind++) {
    const at = layout.offset('frame_cache.kinds') + 8 * Number(layout.constant('FRAME_' + KIND_NAMES[kind]!.toUpperCase()));
    let counted = 0n;
    for (let hart = 0; hart + stride <= caches!.length; hart += stride) counted += viewOf(caches!).getBigInt64(hart + at, true);
    if (counted !== BigInt(there[kind]!)) report('kind-count', null, { kind: KIND_NAMES[kind]!, counted: String(counted), found: there[kind]! });
  }
}

// ---- slabs ----

/* The bytes of each struct slab_cache that there is. */
function readCaches(machine: Machine): Uint8Array[] {
  const layout = machine.layout!;
  const size = layout.size('slab_cache');
  const count = Math.min(machine.variable('nr_slab_caches', 4) ?? 0, Math.floor(layout.size('slab_caches') / size));
  const bytes = machine.memory.read(machine.addressOf('slab_caches'), count * size);
  return bytes ? Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size)) : [];
}

interface Cache {
  index: number;
  view: DataView;
  name: string;
  order: number;
  slabs: number;
  objects: number;
}

class Slabs {
  private readonly base: number;
  private readonly size: number;
  private readonly say: (() => void)[][];
  private readonly caches: Cache[];
  /* First frames of slabs that are in some list, and frames in which a hart's magazine lies. */
  private readonly listed = new Map<number, number>();
  private readonly magazines = new Set<number>();
  private readonly at: { small: number; private: number; link: number; next: number };

  constructor(
    private readonly machine: Machine, private readonly array: FrameArray, private readonly frames: FrameTable, caches: Uint8Array[], private readonly report: Report,
  ) {
    const layout = machine.layout!;
    this.base = machine.addressOf('slab_caches');
    this.size = layout.size('slab_cache');
    this.say = caches.map(() => []);
    this.at = { small: layout.offset('frame.small'), private: layout.offset('frame.private'), link: layout.offset('frame.link'), next: layout.offset('list.next') };
    this.caches = caches.map((bytes, index) => {
      const view = viewOf(bytes);
      return {
        index, view, name: this.nameOf(view), order: view.getUint32(layout.offset('slab_cache.order'), true),
        slabs: u64(view, layout.offset('slab_cache.nr_slabs')), objects: u64(view, layout.offset('slab_cache.nr_out')),
      };
    });
  }

  /** What is wrong, by cache, to be said of those that stood still. What is nobody's is said at once. */
  judge(): (() => void)[][] {
    for (const cache of this.caches) {
      this.readPartial(cache);
      this.readMagazines(cache);
    }
    const heads = this.readHeads();
    this.caches.forEach((cache, i) => this.judgeCache(cache, heads[i]!));
    return this.say;
  }

  private tell(cache: Cache, code: FindingCode, pfn: number | null, args: Finding['args'] = {}): void {
    this.say[cache.index]!.push(() => this.report(code, pfn, { cache: cache.name, ...args }));
  }

  private nameOf(view: DataView): string {
    const at = this.machine.pointer(view, this.machine.layout!.offset('slab_cache.name'));
    const bytes = at > 0 ? this.machine.memory.read(at, LONGEST_NAME) : null;
    return bytes ? String.fromCharCode(...bytes.subarray(0, Math.max(bytes.indexOf(0), 0))) : '?';
  }

  /* From frame.owner, a physical address, to the cache. */
  private cacheOf(owner: number): Cache | null {
    return this.caches[(owner - this.base) / this.size] ?? null;
  }

  private isSlab(i: number, owner: number): boolean {
    return i >= 0 && i < this.frames.count && this.frames.kind[i] === KIND.slab && this.frames.owner[i] === owner;
  }

  private addressOf(cache: Cache): number {
    return this.base + cache.index * this.size;
  }

  /* The slabs that have a free object. */
  private readPartial(cache: Cache): void {
    const head = this.machine.layout!.offset('slab_cache.partial');
    let view: DataView | null = cache.view;
    let at = head + this.at.next;
    for (let steps = 0; view && steps <= cache.slabs; steps++) {
      if (this.machine.pointer(view, at) === this.addressOf(cache) + head) return;
      const pfn = this.array.numberOf(view, at, this.at.link);
      const i = pfn - this.frames.firstPfn;
      if (!this.isSlab(i, this.addressOf(cache)) || this.frames.order[i] === INSIDE) return this.tell(cache, 'slab-stray', pfn >= 0 ? pfn : null);
      if (this.listed.has(i)) return this.tell(cache, 'slab-twice', pfn);
      this.listed.set(i, cache.index);
      view = this.array.read(pfn);
      at = this.at.link + this.at.next;
    }
    this.tell(cache, 'slab-stray', null);
  }

  /* Objects that each hart keeps at hand: they count as given out, and lie in slabs of the cache. */
  private readMagazines(cache: Cache): void {
    const { layout, memory } = this.machine;
    const [nr, objects] = [layout!.offset('magazine.nr'), layout!.offset('magazine.obj')];
    const most = Math.floor(layout!.size('magazine.obj') / 8);
    for (let hart = 0; hart < layout!.size('slab_cache.mags') / 8; hart++) {
      const pa = this.machine.pointer(cache.view, layout!.offset('slab_cache.mags') + 8 * hart);
      if (pa === 0) continue;
      const i = Math.floor(pa / PAGE_SIZE) - this.frames.firstPfn;
      const bytes = pa > 0 ? memory.read(pa, objects + 8 * most) : null;
      if (!bytes || !this.isSlab(i, 0)) {
        this.tell(cache, 'slab-magazine', null, { hart });
        continue;
      }
      this.magazines.add(i);
      const view = viewOf(bytes);
      for (let n = 0; n < Math.min(u64(view, nr), most); n++) {
        const object = this.machine.pointer(view, objects + 8 * n);
        if (!this.isSlab(Math.floor(object / PAGE_SIZE) - this.frames.firstPfn, this.addressOf(cache)))
          this.tell(cache, 'slab-object', null, { hart, object: hex(Math.max(object, 0)) });
      }
    }
  }

  /* The first frames of all slabs, by cache. A frame of a slab that is of no block, or of no cache, and holds no magazine, is nobody's. */
  private readHeads(): number[][] {
    const { kind, order, owner, index, count, firstPfn } = this.frames;
    const heads: number[][] = this.caches.map(() => []);
    for (let i = 0; i < count; i++) {
      if (kind[i] !== KIND.slab) continue;
      const cache = this.cacheOf(owner[i]!);
      if (cache && order[i] === cache.order) {
        heads[cache.index]!.push(i);
        const end = i + 2 ** order[i]!;
        for (let n = 1; i + 1 < end; n++) {
          i++;
          if (this.isSlab(i, owner[i - n]!) && order[i] === INSIDE && index[i] === n) continue;
          this.tell(cache, 'slab-owner', firstPfn + i, { owner: hex(owner[i]!) });
        }
      } else if (cache) {
        this.tell(cache, 'slab-owner', firstPfn + i, { owner: hex(owner[i]!) });
      } else if (owner[i] || !this.magazines.has(i)) {
        this.lost(firstPfn + i);
      }
    }
    return heads;
  }

  /* Of no cache that could have changed meanwhile: so the frame itself is looked at once more. */
  private lost(pfn: number): void {
    const layout = this.machine.layout!;
    const view = this.array.read(pfn);
    if (!view || view.getUint8(layout.offset('frame.kind')) !== Number(layout.constant('FRAME_SLAB'))) return;
    const owner = this.machine.pointer(view, layout.offset('frame.owner'));
    if (!this.cacheOf(owner)) this.report('leak', pfn, { kind: KIND_NAMES[KIND.slab]!, owner: hex(Math.max(owner, 0)) });
  }

  private judgeCache(cache: Cache, heads: number[]): void {
    let out = 0;
    for (const i of heads) {
      const pfn = this.frames.firstPfn + i;
      const view = this.array.read(pfn);
      if (!view) continue;
      out += view.getUint16(this.at.small, true);
      const free = u64(view, this.at.private) !== 0;
      if (free && !this.listed.has(i)) this.tell(cache, 'slab-lost', pfn);
      if (!free && this.listed.has(i)) this.tell(cache, 'slab-stray', pfn);
    }
    if (heads.length !== cache.slabs) this.tell(cache, 'slab-count', null, { counted: cache.slabs, found: heads.length });
    if (out !== cache.objects) this.tell(cache, 'slab-objects', null, { counted: cache.objects, found: out });
  }
}
