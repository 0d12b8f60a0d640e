/*
 * A real machine's memory, broken at random: the engine must say something of it, whatever it is, and end. Corruption is done in
 * place and undone. FUZZ_ROUNDS and FUZZ_SEED choose how many and which.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  apply, arrayMemory, changes, check, diff, explainFinding, explainProblem, explainWalk, frameInfo, kernelLog, Machine, mapsText, reverseMap, RingReader, rootOf,
  sharePairs, SnapshotReader, swappedPages, SourceLines, Symbols, takeSnapshot, vaOf, vmprint, walk, type Snapshot,
} from './reach.ts';
import { ElfError, elfSections, elfSegments } from '../core/elf.ts';
import { Console, machineFile, openMachine, Qmp, until } from './guest.ts';

const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 10_000);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const LONGEST_MS = 10_000;

/* xorshift32: small, and the same everywhere. */
class Random {
  constructor(private state: number) {
    this.state = state | 0 || 1;
  }

  next(below: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % below;
  }

  pick<T>(list: ArrayLike<T>): T {
    return list[this.next(list.length)]!;
  }
}

interface Target {
  ram: Uint8Array;
  view: DataView;
  base: number;
  /** Pages that hold what the engine reads, by what they hold. */
  tables: number[];
  slabs: number[];
  metadata: number[];
  variables: number[];
}

/* One corruption; returns how to take it back. */
function corrupt(t: Target, r: Random): () => void {
  const size = t.ram.length;
  const group = r.pick([t.tables, t.tables, t.slabs, t.slabs, t.metadata, t.variables]);
  const page = r.next(8) === 0 ? r.next(size / 4096) * 4096 : r.pick(group);
  const at = page + r.next(512) * 8;
  const old = t.ram.slice(at, at + 8);
  const pointer = (): bigint => 0xffffffc000000000n + BigInt(t.base + r.next(size / 8) * 8);
  switch (r.next(8)) {
    case 0:
      t.ram[at + r.next(8)] = r.next(256);
      break;
    case 1:
      t.ram[at + r.next(8)]! ^= 1 << r.next(8);
      break;
    case 2:
      t.view.setBigUint64(at, pointer(), true);
      break;
    case 3:
      t.view.setBigUint64(at, (BigInt(r.next(2 ** 31)) << 33n) | BigInt(r.next(2 ** 31)), true);
      break;
    case 4:
      t.view.setBigUint64(at, 0n, true);
      break;
    case 5: // an entry: to a table, or anywhere
      t.view.setBigUint64(at, (BigInt((t.base + (r.next(2) ? r.pick(t.tables) : r.next(size))) >>> 12) << 10n) | BigInt(r.next(2) ? 1 : r.next(1024)), true);
      break;
    case 6:
      t.view.setBigUint64(at, 2n ** 64n - 1n, true);
      break;
    default: // a small number where a large one was
      t.view.setBigUint64(at, BigInt(r.next(70)), true);
  }
  return () => t.ram.set(old, at);
}

/* Who looks again and again sees what a first look sees. */
function lookAgain(reader: SnapshotReader, machine: Machine): void {
  const again = reader.take({ paused: true, at: 0 });
  const first = takeSnapshot(machine, { paused: true, at: 0 });
  assert.deepEqual({ ...again, seq: 0 }, { ...first, seq: 0 });
}

/* All that a face of the engine would do with a machine. True: it saw that something is wrong. */
function lookAt(machine: Machine, last: Snapshot, r: Random): boolean {
  if (!machine.refresh()) return true;
  const s = takeSnapshot(machine, { paused: r.next(2) === 0 });
  for (const problem of s.problems) explainProblem(problem, 'en');
  const findings = check(machine, s);
  if (r.next(4) === 0) kernelLog(machine);
  for (const finding of findings.slice(0, 20)) explainFinding(finding, 'zh-CN');
  const reverse = reverseMap(s);
  for (let i = 0; i < 8; i++) frameInfo(machine, s, s.frames.firstPfn + r.next(Math.max(s.frames.count, 1)));
  sharePairs(s, reverse);
  new RingReader(machine).read();
  if (s.aspaces.length) {
    const as = r.pick(s.aspaces);
    mapsText(as);
    for (const vma of as.vmas.slice(0, 4)) swappedPages(machine, vma);
    const leaves = s.trees.get(as.address)!.leaves;
    const vpn = leaves.count ? leaves.vpn[r.next(leaves.count)]! : r.next(2 ** 26);
    explainWalk(walk(machine.memory, rootOf(as, 'user'), machine.levels, vaOf(vpn), { access: r.pick(['r', 'w', 'x'] as const), mode: 'user' }), 'en', as);
    if (r.next(8) === 0) vmprint(machine.memory, as.root, machine.levels, 'all');
  }
  changes(last, s, 'en', 50);
  if (r.next(4) === 0) apply(last, diff(last, s));
  return findings.length > 0;
}

test(`${ROUNDS} broken machines, seed ${SEED}`, async () => {
  const file = machineFile();
  const live = openMachine(file);
  const qmp = await Qmp.open(file.qmp!);
  const shell = await Console.open(file.console!);
  await until('the kernel', () => live.refresh());
  await shell.run('sleep 1000 & (read -r x < /dev/zero) & ls /bin > /tmp/x');
  await qmp.stop();
  const ram = live.memory.read(file.base, file.size)!;
  qmp.end();
  shell.end();
  const kernel = new Uint8Array(readFileSync(file.kernel!));
  const machine = new Machine(arrayMemory(ram, file.base), { kernel });
  assert.ok(machine.refresh());
  const whole = takeSnapshot(machine, { paused: true });
  assert.deepEqual(whole.problems, []);
  const t: Target = { ram, view: new DataView(ram.buffer, ram.byteOffset), base: file.base, tables: [], slabs: [], metadata: [], variables: [] };
  for (const tree of whole.trees.values()) for (const pa of tree.tables.pa) t.tables.push(pa - file.base);
  whole.frames.kind.forEach((kind, i) => {
    const at = (whole.frames.firstPfn + i) * 4096 - file.base;
    if (kind === 5) t.slabs.push(at);
    if (kind === 4) t.metadata.push(at);
  });
  const frames = machine.physical(machine.layout!.constant('KVA_FRAMES') + BigInt(whole.frames.firstPfn * 64))!;
  for (let at = frames - file.base; at < frames - file.base + (64 << 10); at += 4096) t.metadata.push(at);
  for (const entry of machine.layout!.entries.values())
    if (entry.kind === 'address') t.variables.push(Math.floor((machine.addressOf(entry.name) - file.base) / 4096) * 4096);
  const reader = new SnapshotReader(machine);
  let seen = 0;
  let longest = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const r = new Random((SEED + Math.imul(round, 0x9e3779b1)) | 0);
    const undo = Array.from({ length: 1 + r.next(r.next(4) === 0 ? 256 : 12) }, () => corrupt(t, r));
    const began = Date.now();
    try {
      if (lookAt(machine, whole, r)) seen++;
      if (round % 8 === 0 && machine.refresh()) lookAgain(reader, machine);
    } catch (error) {
      throw new Error(`round ${round} of seed ${SEED}: ${(error as Error).stack}`);
    }
    longest = Math.max(longest, Date.now() - began);
    assert.ok(longest < LONGEST_MS, `round ${round} of seed ${SEED} took ${longest} ms`);
    for (const back of undo.reverse()) back();
  }
  assert.ok(machine.refresh());
  const end = takeSnapshot(machine, { paused: true });
  assert.deepEqual(end.problems, []);
  assert.equal(JSON.stringify(diff({ ...whole, at: 0 }, { ...end, at: 0 }).trees), '[]');
  console.log(`# seed ${SEED}: ${ROUNDS} images, something wrong seen in ${seen}, the longest took ${longest} ms`);
  assert.ok(seen > ROUNDS / 4, `something wrong was seen in ${seen} images only`);
});

/** Opcodes and lengths that change the course of a line table. */
const TELLING = [0, 1, 2, 3, 4, 5, 8, 9, 0x7f, 0x80, 0xff];

test(`${ROUNDS} broken line tables, seed ${SEED}`, () => {
  const program = new Uint8Array(readFileSync(path.join(process.env.VITRINE_BUILD!, 'user', 'walk')));
  const sections = elfSections(program).filter((section) => section.name.startsWith('.debug_') || section.name === '.shstrtab');
  const inside = sections.find((section) => section.name === '.debug_line')!;
  const whole = SourceLines.fromElf(program);
  const code = elfSegments(program).find((segment) => segment.flags & 1)!;
  assert.ok(inside.size > 1000);
  let other = 0;
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const r = new Random((SEED + Math.imul(round, 0x9e3779b1)) | 0);
    const file = r.next(4) === 0 ? program.slice(0, 64 + r.next(program.length - 64)) : program.slice();
    for (let n = 1 + r.next(20); n > 0; n--) {
      const section = r.next(4) ? inside : r.pick(sections);
      // The header, the table of sections, or somewhere in a section.
      const place = r.next(12);
      const at = place === 0 ? 16 + r.next(48) : place === 1 ? file.length - 1 - r.next(2048) : section.offset + (r.next(3) ? r.next(section.size) : r.next(64));
      if (at < file.length) file[at] = r.next(2) ? r.pick(TELLING) : r.next(256);
    }
    const began = Date.now();
    try {
      const lines = SourceLines.fromElf(file);
      const symbols = Symbols.fromElf(file);
      for (let i = 0; i < 50; i++) {
        const address = code.vaddr + BigInt(r.next(code.memSize + 64));
        symbols.describe(address);
        const found = lines.find(address);
        assert.ok(found === null || (found.line > 0 && /^[^\x00-\x1f]+$/.test(found.file)));
        if (found?.line !== whole.find(address)?.line) other++;
      }
    } catch (error) {
      if (!(error instanceof ElfError)) throw new Error(`round ${round} of seed ${SEED}: ${(error as Error).stack}`);
      refused++;
    }
    assert.ok(Date.now() - began < LONGEST_MS, `round ${round} of seed ${SEED} took ${Date.now() - began} ms`);
  }
  console.log(`# seed ${SEED}: ${ROUNDS} files, refused ${refused}, other lines at ${other} addresses`);
  assert.ok(other > 0 && refused > 0);
});
