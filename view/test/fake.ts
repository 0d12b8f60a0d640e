/* A small made-up RAM with page tables in it, for tests that need no guest. */
import { arrayMemory, type Memory } from '../core/index.ts';

export const BASE = 0x80000000;
export const V = 1n;
export const R = 2n;
export const W = 4n;
export const X = 8n;
export const U = 16n;
export const G = 32n;
export const A = 64n;
export const D = 128n;

export class FakeRam {
  readonly bytes: Uint8Array;
  readonly memory: Memory;
  private readonly view: DataView;
  private nextPage = 16;

  constructor(pages = 256) {
    this.bytes = new Uint8Array(pages * 4096);
    this.view = new DataView(this.bytes.buffer);
    this.memory = arrayMemory(this.bytes, BASE);
  }

  /** A page of zeroes that nobody has yet: its physical address. */
  page(): number {
    return BASE + 4096 * this.nextPage++;
  }

  write(pa: number, value: bigint): void {
    this.view.setBigUint64(pa - BASE, value, true);
  }

  read(pa: number): bigint {
    return this.view.getBigUint64(pa - BASE, true);
  }

  pte(pa: number, bits: bigint): bigint {
    return (BigInt(pa) >> 12n << 10n) | bits;
  }

  /** Maps va → pa by a leaf at `level`, making the tables on the way. Returns the address of the leaf. */
  map(root: number, levels: number, va: bigint, pa: number, bits: bigint, level = 0): number {
    let table = root;
    for (let l = levels - 1; l > level; l--) {
      const slot = table + Number((va >> BigInt(12 + 9 * l)) & 511n) * 8;
      if (!(this.read(slot) & V)) this.write(slot, this.pte(this.page(), V));
      table = Number(this.read(slot) >> 10n << 12n);
    }
    const slot = table + Number((va >> BigInt(12 + 9 * level)) & 511n) * 8;
    this.write(slot, this.pte(pa, bits));
    return slot;
  }
}
