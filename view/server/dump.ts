/*
 * A machine's memory as an ELF core file, for later: ./vitrine x --dump, or gdb. QEMU writes it with the harts' registers; of a
 * machine that is off, RAM is left, which is written here without them.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Memory } from '../core/types.ts';
import type { Monitor } from './qmp.ts';

const PIECE = 1 << 20;
const HEADER = 64 + 56;

/** RAM alone: QEMU would put the reset code's ROM before it. */
export async function dumpRunning(monitor: Monitor, memory: Memory, path: string): Promise<void> {
  const { base, size } = memory.ranges[0]!;
  await monitor.run('dump-guest-memory', { paging: false, protocol: 'file:' + path, begin: base, length: size });
}

/** ELF64, little-endian, ET_CORE, EM_RISCV, one PT_LOAD. */
export function dumpMemoryTo(memory: Memory, path: string): void {
  const { base, size } = memory.ranges[0]!;
  const header = new DataView(new ArrayBuffer(HEADER));
  [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].forEach((byte, i) => header.setUint8(i, byte));
  const put16 = (at: number, value: number) => header.setUint16(at, value, true);
  const put32 = (at: number, value: number) => header.setUint32(at, value, true);
  const put64 = (at: number, value: number) => header.setBigUint64(at, BigInt(value), true);
  put16(16, 4); // ET_CORE
  put16(18, 243); // EM_RISCV
  put32(20, 1);
  put64(32, 64); // program headers follow the header
  put16(52, 64);
  put16(54, 56);
  put16(56, 1);
  put32(64, 1); // PT_LOAD
  put32(68, 7);
  put64(72, HEADER);
  put64(80, base);
  put64(88, base);
  put64(96, size);
  put64(104, size);
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, new Uint8Array(header.buffer));
    const piece = new Uint8Array(PIECE);
    for (let at = 0; at < size; at += PIECE) {
      const part = piece.subarray(0, Math.min(PIECE, size - at));
      if (!memory.readInto(base + at, part)) throw new Error('RAM could not be read');
      // What is zero stays a hole, but for the last byte, which gives the file its length.
      if (at + PIECE >= size || part.some((byte) => byte !== 0)) writeSync(file, part, 0, part.length, HEADER + at);
    }
  } finally {
    closeSync(file);
  }
}
