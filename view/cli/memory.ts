/* Guest RAM in a file that QEMU writes at the same time, or a dump in one. */
import { closeSync, openSync, readFileSync, readSync, fstatSync } from 'node:fs';
import { dumpMemory, type Memory } from '../core/index.ts';

/** The RAM file of a running machine. Reading a hole gives zeroes and costs no memory. */
export class FileMemory implements Memory {
  readonly ranges;
  private readonly fd: number;

  /** size: of the RAM; a shorter file is a mistake. Throws an Error that says what is wrong. */
  constructor(path: string, private readonly base: number, private readonly size: number) {
    this.fd = openSync(path, 'r');
    const there = fstatSync(this.fd).size;
    if (there < size) {
      closeSync(this.fd);
      throw new Error(`${path} has ${there} bytes, not the ${size} of the machine's RAM`);
    }
    this.ranges = [{ base, size }];
  }

  read(pa: number, length: number): Uint8Array | null {
    if (!this.holds(pa, length)) return null;
    const into = new Uint8Array(length);
    return this.fill(pa, into) ? into : null;
  }

  readInto(pa: number, into: Uint8Array): boolean {
    return this.holds(pa, into.length) && this.fill(pa, into);
  }

  same(a: Uint8Array, b: Uint8Array): boolean {
    return Buffer.compare(a, b) === 0;
  }

  close(): void {
    closeSync(this.fd);
  }

  private holds(pa: number, length: number): boolean {
    return pa >= this.base && length >= 0 && pa + length <= this.base + this.size;
  }

  private fill(pa: number, into: Uint8Array): boolean {
    for (let done = 0; done < into.length; ) {
      const got = readSync(this.fd, into, done, into.length - done, pa - this.base + done);
      if (got <= 0) return false; // the file was cut under our feet
      done += got;
    }
    return true;
  }
}

export function dumpFile(path: string): Memory {
  return dumpMemory(new Uint8Array(readFileSync(path)));
}
