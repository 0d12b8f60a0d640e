/*
 * Pages of memory as they are at this look, each read once, and what was made of them. From one look at a machine to the next
 * nearly all of its memory stays as it is: what was made of pages that are the same, byte for byte, is not made again.
 */
import { isSame } from './memory.ts';
import { PAGE_SIZE } from './numbers.ts';
import type { Memory } from './types.ts';

interface Page {
  /** null: not memory. */
  bytes: Uint8Array | null;
  /** The looks at which it was read last, and was found to be another than before. */
  read: number;
  changed: number;
}

interface Kept {
  value: unknown;
  /** What it was made of. */
  pages: Map<number, Page>;
  /** The looks at which it was made, and was wanted last. */
  made: number;
  wanted: number;
}

export class PageCache implements Memory {
  readonly ranges;
  private look = 1;
  private readonly pages = new Map<number, Page>();
  private readonly kept = new Map<string, Kept>();
  /* Pages that the result which is being made has read so far. */
  private reading: Map<number, Page> | null = null;
  private spare = new Uint8Array(PAGE_SIZE);

  constructor(private readonly memory: Memory) {
    this.ranges = memory.ranges;
  }

  /** Begins a look: memory is read anew. What the last one had no use for is forgotten. */
  next(): void {
    for (const [pa, page] of this.pages) if (page.read < this.look) this.pages.delete(pa);
    for (const [key, kept] of this.kept) if (kept.wanted < this.look) this.kept.delete(key);
    this.look++;
  }

  /**
   * What `make` gives, which must follow from `key` and what it reads here, and must not hold on to the bytes. It is made anew only
   * when one of its pages has changed, or `holds` says of what was kept that it will not do.
   */
  keep<T>(key: string, make: () => T, holds: (value: T) => boolean = () => true): T {
    let kept = this.kept.get(key);
    if (!kept || !this.isAsMade(kept) || !holds(kept.value as T)) {
      kept = this.make(make);
      this.kept.set(key, kept);
    }
    kept.wanted = this.look;
    if (this.reading) for (const [pa, page] of kept.pages) this.reading.set(pa, page);
    return kept.value as T;
  }

  /** The bytes themselves, where they are in one page: good until the next look. */
  read(pa: number, length: number): Uint8Array | null {
    const offset = pa % PAGE_SIZE;
    if (offset + length <= PAGE_SIZE) {
      const page = this.page(pa - offset);
      return page && page.subarray(offset, offset + length);
    }
    const into = new Uint8Array(length);
    return this.readInto(pa, into) ? into : null;
  }

  readInto(pa: number, into: Uint8Array): boolean {
    for (let done = 0; done < into.length; ) {
      const offset = (pa + done) % PAGE_SIZE;
      const page = this.page(pa + done - offset);
      if (!page) return false;
      const part = page.subarray(offset, offset + Math.min(PAGE_SIZE - offset, into.length - done));
      into.set(part, done);
      done += part.length;
    }
    return true;
  }

  private make(make: () => unknown): Kept {
    const outer = this.reading;
    const pages = new Map<number, Page>();
    this.reading = pages;
    try {
      return { value: make(), pages, made: this.look, wanted: this.look };
    } finally {
      this.reading = outer;
    }
  }

  private isAsMade(kept: Kept): boolean {
    for (const [pa, page] of kept.pages) {
      this.refresh(pa, page);
      if (page.changed > kept.made) return false;
    }
    return true;
  }

  private page(pa: number): Uint8Array | null {
    let page = this.pages.get(pa);
    if (!page) this.pages.set(pa, (page = { bytes: null, read: 0, changed: 0 }));
    this.refresh(pa, page);
    this.reading?.set(pa, page);
    return page.bytes;
  }

  /* Once a look. */
  private refresh(pa: number, page: Page): void {
    if (page.read === this.look) return;
    page.read = this.look;
    const old = page.bytes;
    const isThere = this.memory.readInto(pa, this.spare);
    if (isThere ? old !== null && isSame(this.memory, old, this.spare) : old === null) return;
    page.changed = this.look;
    page.bytes = isThere ? this.spare : null;
    if (isThere) this.spare = old ?? new Uint8Array(PAGE_SIZE);
  }
}
