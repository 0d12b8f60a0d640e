/*
 * Source lines of addresses: as objdump reads the line tables of the files that VIEW_ELFS names. (addr2line is no measure: of tables of
 * version 5 it takes another file's name, and it looks away where ranges of addresses are told in a way that it does not read.)
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { elfSegments } from '../core/elf.ts';
import { SourceLines } from './reach.ts';

const FILES = (process.env.VIEW_ELFS ?? '').split(':').filter(Boolean);
const NONE = (process.env.VIEW_NO_LINES ?? '').split(':').filter(Boolean);
const OBJDUMP = process.env.VIEW_OBJDUMP ?? 'riscv64-linux-gnu-objdump';

interface Row {
  address: bigint;
  /** "fault.c:95"; empty: there ends what the rows before it tell of. */
  text: string;
}

/** Sequences of rows, as objdump prints them: "fault.c  95  0xffffffff80200000  3  x", the last one with a dash for the line. */
function sequencesOf(name: string): Row[][] {
  const done = spawnSync(OBJDUMP, ['-w', '--dwarf=decodedline', name], { encoding: 'utf8', maxBuffer: 1 << 30 });
  assert.equal(done.status, 0, done.stderr);
  const found: Row[][] = [];
  let rows: Row[] = [];
  for (const line of done.stdout.split('\n')) {
    const row = /^(\S+)\s+(\d+|-)\s+(0x[0-9a-f]+|0)\b/.exec(line);
    if (!row) continue;
    rows.push({ address: BigInt(row[3]!), text: row[2] === '-' || row[2] === '0' ? '' : `${path.posix.basename(row[1]!)}:${row[2]}` });
    if (row[2] !== '-') continue;
    found.push(rows);
    rows = [];
  }
  return found;
}

for (const name of FILES)
  test(`${path.basename(name)}: the lines that objdump tells`, () => {
    const file = new Uint8Array(readFileSync(name));
    const began = Date.now();
    const lines = SourceLines.fromElf(file);
    const took = Date.now() - began;
    const text = (address: bigint): string => {
      const line = lines.find(address);
      return line ? `${path.posix.basename(line.file)}:${line.line}` : '';
    };
    const code = elfSegments(file).filter((s) => s.type === 1 && s.flags & 1);
    let compared = 0;
    for (const rows of sequencesOf(name)) {
      const start = rows[0]!.address;
      if (start === 0n || !code.some((s) => start >= s.vaddr && start < s.vaddr + BigInt(s.memSize))) continue;
      for (let i = 0; i + 1 < rows.length; i++) {
        const { address, text: wanted } = rows[i]!;
        const next = rows[i + 1]!.address;
        if (next === address) continue; // the last of an address counts
        assert.equal(text(address), wanted, `0x${address.toString(16)}`);
        assert.equal(text(next - 1n), wanted, `0x${(next - 1n).toString(16)}`);
        compared++;
      }
    }
    assert.ok(compared > 10, `${compared} rows`);
    console.log(`# ${path.basename(name)}: ${compared} rows; read in ${took} ms`);
  });

for (const name of NONE)
  test(`${path.basename(name)}: no lines, and no word of it`, () => {
    const file = new Uint8Array(readFileSync(name));
    const lines = SourceLines.fromElf(file);
    for (const s of elfSegments(file).filter((one) => one.type === 1 && one.flags & 1))
      for (let at = 0; at < s.memSize; at += 2) assert.equal(lines.find(s.vaddr + BigInt(at)), null);
  });

test('a byte before and a byte behind the code have no line', () => {
  const file = new Uint8Array(readFileSync(FILES[0]!));
  const lines = SourceLines.fromElf(file);
  for (const s of elfSegments(file).filter((one) => one.type === 1 && one.flags & 1))
    for (const at of [s.vaddr - 1n, s.vaddr + BigInt(s.memSize), 0n, 2n ** 64n - 1n]) assert.equal(lines.find(at), null);
});
