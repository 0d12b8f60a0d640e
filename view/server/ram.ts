/*
 * Guest RAM as the engine reads it: a file that QEMU has mapped, read() a piece at a time. Reading a hole costs nothing and
 * allocates nothing. The file stays readable after the machine is off, until it is closed.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Memory, MemoryRange } from '../core/types.ts';

export class RamFile implements Memory {
  readonly ranges: readonly MemoryRange[];
  private readonly file: number;

  constructor(path: string, private readonly base: number, private readonly size: number) {
    this.file = openSync(path, 'r');
    this.ranges = [{ base, size }];
  }

  read(pa: number, length: number): Uint8Array | null {
    const into = new Uint8Array(length);
    return this.readInto(pa, into) ? into : null;
  }

  readInto(pa: number, into: Uint8Array): boolean {
    const at = pa - this.base;
    if (at < 0 || at + into.length > this.size) return false;
    return readSync(this.file, into, 0, into.length, at) === into.length;
  }

  close(): void {
    closeSync(this.file);
  }
}
