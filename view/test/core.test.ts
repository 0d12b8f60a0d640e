/* The engine on made-up memory: each rule of the walk, the shape of trees, layout notes, dumps, differences, words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  arrayMemory, dumpMemory, ElfError, explainAddress, explainEvent, explainWalk, hex, Layout, LayoutError, leafAt, Machine, RingReader, satpParts, say, Symbols, tableTree,
  vaOf, vmprint, vpnOf, walk, type AspaceInfo, type Reason, type TraceEvent, type VmaInfo, type WalkOptions,
} from '../core/index.ts';
import { PageCache } from '../core/pages.ts';
import { parseNumber, parseOptions, UsageError } from '../cli/options.ts';
import { en } from '../core/words/en.ts';
import { zhCN } from '../core/words/zh-CN.ts';
import { A, BASE, D, FakeRam, G, R, U, V, W, X } from './fake.ts';

const USER_READ: WalkOptions = { access: 'r', mode: 'user' };

function reasonOf(bits: bigint, options: WalkOptions): Reason {
  const ram = new FakeRam();
  const root = ram.page();
  ram.map(root, 3, 0x4000n, ram.page(), bits);
  return walk(ram.memory, root, 3, 0x4123n, options).reason;
}

test('numbers: pages of both halves, satp', () => {
  assert.equal(vpnOf(0xffffffffffffffffn), 2 ** 52 - 1);
  assert.equal(vaOf(vpnOf(0xffffffc080200000n)), 0xffffffc080200000n);
  assert.equal(vpnOf(-4096n), 2 ** 52 - 1);
  assert.deepEqual(satpParts(0x8001000000080200n), { levels: 3, root: 0x80200000, asid: 16 });
  assert.deepEqual(satpParts(0xa000000000080200n)?.levels, 5);
  assert.equal(satpParts(0x80200n), null);
  assert.equal(hex(0x4000n, 16), '0x0000000000004000');
});

test('a walk goes down and ends in a leaf, at each size and number of levels', () => {
  for (const levels of [3, 4, 5])
    for (let level = 0; level < 3; level++) {
      const ram = new FakeRam();
      const root = ram.page();
      const va = (1n << BigInt(12 + 9 * levels - 2)) + (1n << 30n);
      ram.map(root, levels, va, 0x40000000, V | R | U | A, level);
      const found = walk(ram.memory, root, levels, va + 0xabcn, USER_READ);
      assert.equal(found.reason, 'ok');
      assert.equal(found.pa, 0x40000abc);
      assert.equal(found.size, 4096 * 512 ** level);
      assert.equal(found.steps.length, levels - level);
      assert.equal(found.steps[0]!.table, root);
      assert.deepEqual(found.steps.map((s) => s.kind), [...Array<string>(levels - level - 1).fill('pointer'), 'leaf']);
      assert.equal(found.steps[0]!.bytes!.split(' ').length, 8);
      assert.equal(walk(ram.memory, root, levels, va + (1n << BigInt(12 + 9 * level)), USER_READ).reason, 'not-valid');
    }
});

test('every reason for a fault, and its cause', () => {
  const kernel = (access: 'r' | 'w' | 'x', more: Partial<WalkOptions> = {}): WalkOptions => ({ access, mode: 'kernel', ...more });
  const user = (access: 'r' | 'w' | 'x', more: Partial<WalkOptions> = {}): WalkOptions => ({ access, mode: 'user', ...more });
  const cases: [bigint, WalkOptions, Reason][] = [
    [0n, user('r'), 'not-valid'],
    [V | W | U, user('r'), 'write-without-read'],
    [V | W | X | U, user('x'), 'write-without-read'],
    [V | R | U | (1n << 54n), user('r'), 'reserved-bits'],
    [V | R | U | (1n << 63n), user('r'), 'reserved-bits'],
    [V, user('r'), 'no-leaf'],
    [V | A, user('r'), 'pointer-bits'],
    [V | R, user('r'), 'supervisor-page'],
    [V | R | U, kernel('r'), 'ok'],
    [V | R | U, kernel('r', { sum: false }), 'user-page'],
    [V | R | X | U, kernel('x'), 'user-code'],
    [V | X | U, user('r'), 'no-read'],
    [V | X | U, user('r', { mxr: true }), 'ok'],
    [V | R | U, user('w'), 'no-write'],
    [V | R | U, user('x'), 'no-execute'],
    [V | R | U, user('r', { hardwareAD: false }), 'not-accessed'],
    [V | R | W | U | A, user('w', { hardwareAD: false }), 'not-dirty'],
    [V | R | W | U | A | D, user('w', { hardwareAD: false }), 'ok'],
    [V | R | W | X | G, kernel('x'), 'ok'],
  ];
  for (const [bits, options, reason] of cases) assert.equal(reasonOf(bits, options), reason, `${hex(bits)} ${JSON.stringify(options)}`);
});

test('causes, misaligned superpages, tables outside of memory, non-canonical addresses', () => {
  const ram = new FakeRam();
  const root = ram.page();
  const slot = ram.map(root, 3, 0x200000n, 0x40001000, V | R | U, 1);
  assert.equal(walk(ram.memory, root, 3, 0x200000n, USER_READ).reason, 'misaligned');
  ram.write(slot, ram.pte(0x7ffff000, V));
  const outside = walk(ram.memory, root, 3, 0x200000n, { access: 'w', mode: 'user' });
  assert.equal(outside.reason, 'table-not-memory');
  assert.equal(outside.cause, 7);
  assert.equal(outside.steps.at(-1)!.pte, null);
  assert.deepEqual(['x', 'r', 'w'].map((access) => walk(ram.memory, root, 3, 0n, { access: access as 'r', mode: 'user' }).cause), [12, 13, 15]);
  for (const va of [1n << 38n, 1n << 63n, 0xffffffbfffffffffn]) assert.equal(walk(ram.memory, root, 3, va, USER_READ).reason, 'non-canonical');
  assert.equal(walk(ram.memory, root, 3, 0xffffffc000000000n, USER_READ).reason, 'not-valid');
  assert.equal(walk(ram.memory, root, 5, 1n << 55n, USER_READ).reason, 'not-valid');
});

test('the bits that the hardware will set', () => {
  const ram = new FakeRam();
  const root = ram.page();
  ram.map(root, 3, 0x4000n, ram.page(), V | R | W | U);
  assert.deepEqual(walk(ram.memory, root, 3, 0x4000n, { access: 'w', mode: 'user' }).sets, { a: true, d: true });
  assert.deepEqual(walk(ram.memory, root, 3, 0x4000n, USER_READ).sets, { a: true, d: false });
  assert.deepEqual(walk(ram.memory, root, 3, 0x5000n, USER_READ).sets, { a: false, d: false });
});

test('a tree has every table and leaf in order, kernel half last', () => {
  const ram = new FakeRam();
  const root = ram.page();
  ram.map(root, 3, 0xffffffc000000000n, 0x40000000, V | R | W | A | D | G, 2);
  ram.map(root, 3, 0x5000n, BASE, V | R | U);
  ram.map(root, 3, 0x4000n, BASE, V | R | U);
  ram.map(root, 3, 0x400000n, 0x40000000, V | R | U, 1);
  const tree = tableTree(ram.memory, root, 3, 'all');
  assert.deepEqual([...tree.leaves.vpn].map((v) => hex(vaOf(v))), ['0x4000', '0x5000', '0x400000', '0xffffffc000000000']);
  assert.deepEqual([...tree.leaves.level], [0, 0, 1, 2]);
  assert.equal(tree.tables.count, 3);
  assert.deepEqual([...tree.tables.valid], [2, 2, 2]);
  assert.equal(tree.tables.slot[0], -1);
  assert.equal(tableTree(ram.memory, root, 3, 'user').leaves.count, 3);
  assert.equal(leafAt(tree.leaves, 0x401), 2);
  assert.equal(leafAt(tree.leaves, 6), -1);
  assert.equal(
    vmprint(ram.memory, root, 3, 'user').split('\n').slice(0, 4).join('\n'),
    `page table 0x${root.toString(16).padStart(16, '0')}\n..0: pte 0x0000000020004401 pa 0x0000000080011000\n` +
      '.. ..0: pte 0x0000000020004801 pa 0x0000000080012000\n.. .. ..4: pte 0x0000000020000013 pa 0x0000000080000000',
  );
});

test('cycles, shared tables and garbage end, and are told', () => {
  const ram = new FakeRam();
  const root = ram.page();
  ram.write(root, ram.pte(root, V));
  ram.write(root + 8, ram.pte(0x10000, V));
  ram.write(root + 16, ram.pte(ram.page(), V | A));
  ram.write(root + 24, (1n << 60n) | ram.pte(ram.page(), V));
  const codes = tableTree(ram.memory, root, 3, 'user').problems.map((p) => p.code);
  assert.deepEqual(codes, ['table-twice', 'table-outside', 'pointer-bits', 'entry-reserved']);
  assert.ok(vmprint(ram.memory, root, 3, 'all').length > 0);
  assert.equal(tableTree(ram.memory, 0x1000, 3, 'all').problems[0]!.code, 'table-outside');
  const garbage = new FakeRam(2048);
  for (let i = 0; i < garbage.bytes.length; i += 8) garbage.write(BASE + i, garbage.pte(BASE + (i * 7919) % garbage.bytes.length, V));
  assert.ok(tableTree(garbage.memory, BASE, 5, 'all').problems.length > 0);
});

test('what was made of pages is made again when one of them has changed', () => {
  const ram = new FakeRam();
  const [a, b, c] = [ram.page(), ram.page(), ram.page()];
  const cache = new PageCache(ram.memory);
  const word = (pa: number): number => cache.read(pa, 8)![0]!;
  const made = { inner: 0, outer: 0, none: 0 };
  const inner = (): number => cache.keep('inner', () => (made.inner++, word(b) + word(c + 8)));
  const look = (): number => {
    cache.next();
    cache.keep('none', () => (made.none++, cache.read(BASE - 4096, 8)));
    return cache.keep('outer', () => (made.outer++, word(a) + inner()), (sum) => sum !== 7);
  };
  const change = (pa: number, value: bigint): void => ram.write(pa, value);
  assert.deepEqual([look(), look(), look(), made.inner, made.outer, made.none], [0, 0, 0, 1, 1, 1]);
  change(c + 16, 9n); // not what was read, but in its page
  assert.deepEqual([look(), made.inner, made.outer], [0, 2, 2]);
  change(a, 1n);
  assert.deepEqual([look(), look(), made.inner, made.outer], [1, 1, 2, 3]);
  change(b, 5n);
  change(c + 8, 1n);
  assert.deepEqual([look(), made.inner, made.outer], [7, 3, 4]);
  assert.deepEqual([look(), made.inner, made.outer, made.none], [7, 3, 5, 1], 'a result that does not hold is made anew');
  change(b, 4n);
  cache.next();
  change(b, 5n);
  assert.deepEqual([word(b), look()], [5, 7], 'nobody wanted it for one look');
  assert.equal(made.inner, 4);
});

test('what is no table is not entered', () => {
  const ram = new FakeRam();
  const root = ram.page();
  ram.map(root, 3, 0x4000n, BASE, V | R | U);
  const tree = tableTree(ram.memory, root, 3, 'user', { isTable: (pa) => pa === root });
  assert.deepEqual(tree.problems.map((p) => p.code), ['table-kind']);
  assert.equal(tree.leaves.count, 0);
});

function note(entries: { name: string; value: bigint; size: number; kind: number }[]): Uint8Array {
  const bytes = new Uint8Array(24 + 64 * entries.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 8, true);
  view.setUint32(4, 64 * entries.length, true);
  view.setUint32(8, 1, true);
  bytes.set(new TextEncoder().encode('Vitrine'), 12);
  entries.forEach((e, i) => {
    bytes.set(new TextEncoder().encode(e.name), 24 + 64 * i);
    view.setBigUint64(24 + 64 * i + 48, e.value, true);
    view.setUint32(24 + 64 * i + 56, e.size, true);
    view.setUint32(24 + 64 * i + 60, e.kind, true);
  });
  return bytes;
}

test('the layout note is found in RAM, and says what it lacks', () => {
  const ram = new FakeRam(600);
  ram.bytes.set(note([{ name: 'pt_levels', value: 0x80n, size: 4, kind: 1 }, { name: 'task.tid', value: 8n, size: 4, kind: 3 }]), (1 << 20) - 8);
  const layout = Layout.fromMemory(ram.memory)!;
  assert.equal(layout.offset('task.tid'), 8);
  assert.equal(layout.address('pt_levels'), 0x80n);
  assert.throws(() => layout.offset('task.name'), (e: Error) => e instanceof LayoutError && /"task\.name"/.test(e.message));
  assert.throws(() => layout.constant('task.tid'), /as field, not as const/);
  assert.equal(Layout.fromMemory(new FakeRam().memory), null);
  assert.equal(new Machine(new FakeRam().memory).refresh(), false);
});

function core(segments: { pa: number; bytes: Uint8Array; memSize?: number }[], machine = 243): Uint8Array {
  const head = 64 + 56 * segments.length;
  const out = new Uint8Array(head + segments.reduce((sum, s) => sum + s.bytes.length, 0));
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  let at = head;
  segments.forEach((s, i) => {
    const p = 64 + 56 * i;
    view.setUint32(p, 1, true);
    view.setBigUint64(p + 8, BigInt(at), true);
    view.setBigUint64(p + 24, BigInt(s.pa), true);
    view.setBigUint64(p + 32, BigInt(s.bytes.length), true);
    view.setBigUint64(p + 40, BigInt(s.memSize ?? s.bytes.length), true);
    out.set(s.bytes, at);
    at += s.bytes.length;
  });
  return out;
}

test('section headers that are too small are none', () => {
  const file = core([{ pa: 0x80000000, bytes: new Uint8Array(200) }]);
  const view = new DataView(file.buffer);
  view.setBigUint64(40, 250n, true);
  view.setUint16(60, 100, true);
  for (const size of [0, 1, 2, 40, 63]) {
    view.setUint16(58, size, true);
    assert.equal(Symbols.fromElf(file).find('main'), null);
  }
});

test('a dump is memory by physical address; what is none says so', () => {
  const file = core([{ pa: 0x80001000, bytes: Uint8Array.of(5, 6, 7, 8), memSize: 8 }, { pa: 0x80000ffc, bytes: Uint8Array.of(1, 2, 3, 4) }]);
  const memory = dumpMemory(file);
  assert.deepEqual([...memory.read(0x80000ffe, 6)!], [3, 4, 5, 6, 7, 8]);
  assert.deepEqual([...memory.read(0x80001002, 6)!], [7, 8, 0, 0, 0, 0]);
  assert.equal(memory.read(0x80001002, 7), null);
  assert.equal(memory.read(0x80000ffb, 4), null);
  assert.throws(() => dumpMemory(file.subarray(0, 180)), ElfError);
  assert.throws(() => dumpMemory(core([], 62)), /RISC-V/);
  assert.throws(() => dumpMemory(core([])), /no memory/);
  assert.throws(() => dumpMemory(new Uint8Array(3)), /not an ELF file/);
  assert.throws(() => dumpMemory(core([{ pa: 0, bytes: new Uint8Array(8) }, { pa: 4, bytes: new Uint8Array(8) }])), /overlap/);
  assert.equal(arrayMemory(new Uint8Array(16), BASE).read(BASE + 8, 16), null);
  assert.equal(arrayMemory(new Uint8Array(16), BASE).read(NaN, 4), null);
});

test('words: every key in both languages, with the same names to fill in', () => {
  const names = (text: string): string[] => [...new Set(text.match(/\{[\w-]+\}/g) ?? [])].sort();
  assert.deepEqual(Object.keys(zhCN), Object.keys(en));
  for (const key of Object.keys(en) as (keyof typeof en)[]) assert.deepEqual(names(zhCN[key]), names(en[key]), key);
  assert.equal(say('en', 'reason.no-write'), 'W is 0: the page may not be written.');
  assert.match(say('zh-CN', 'reason.no-write'), /不可写/);
});

test('a translation in words', () => {
  const ram = new FakeRam();
  const root = ram.page();
  ram.map(root, 3, 0x4000n, 0x80003000, V | R | U | A);
  const found = walk(ram.memory, root, 3, 0x4010n, { access: 'w', mode: 'user' });
  const words = explainWalk(found, 'en');
  assert.equal(words.title, 'Sv39: write of 0x4010 in user mode');
  assert.deepEqual(words.lines, [
    'The address falls into 0, 0, 4 and offset 0x10.',
    'The root table is at 0x80010000.',
    'Level 2: entry 0 at 0x80010000 is 0x20004401: it points to the table at 0x80011000.',
    'Level 1: entry 0 at 0x80011000 is 0x20004801: it points to the table at 0x80012000.',
    'Level 0: entry 4 at 0x80012020 is 0x20000c53: a leaf, -A-U--RV, of the memory at 0x80003000.',
    'It faults: store page fault (15). W is 0: the page may not be written.',
  ]);
  assert.match(explainWalk(found, 'zh-CN').lines.at(-1)!, /写缺页异常（15）。W 为 0/);
  for (const lang of ['en', 'zh-CN'] as const)
    for (const access of ['r', 'w', 'x'] as const)
      for (const mode of ['user', 'kernel'] as const)
        for (const va of [0x4000n, 0x9000n, 1n << 40n, 0xffffffc000000000n]) {
          const said = explainWalk(walk(ram.memory, root, 3, va, { access, mode }), lang);
          for (const line of [said.title, ...said.lines]) assert.doesNotMatch(line, /\{|\w+\.\w+-?\w*$|undefined/, line);
        }
});

function vma(start: number, end: number, kind: VmaInfo['kind'], name: string, perms = 'rw-p'): VmaInfo {
  return { start, end, flags: 0, perms, kind, name, pgoff: 0, dev: '00:00', ino: 0, amap: 0, obj: 0, apgoff: 0 };
}

test('what an address is', () => {
  const as: AspaceInfo = {
    address: 1, root: 0, userRoot: 0, asid: 0, nrTables: 0, brkStart: 0, brk: 0, mmapTop: 0, stackTop: 0, stackLimit: 8 << 20, resident: 0, swapped: 0,
    nrPages: 0, faultsMinor: 0, faultsMajor: 0,
    vmas: [vma(16, 20, 'text', '/bin/sh', 'r-xp'), vma(32, 40, 'heap', '[heap]'), vma(0x3fff00, 0x3fff10, 'stack', '[stack]'), vma(0x3fffffd, 0x3fffffe, 'usyscall', '[usyscall]')],
  };
  const said = (va: bigint): string => explainAddress(as, va, 'en');
  assert.match(said(0x8n), /null pointer/);
  assert.match(said(0x10010n), /in \/bin\/sh \(0x10000-0x14000, r-xp\), 0x10 bytes/);
  assert.match(said(0x15000n), /between \/bin\/sh and \[heap\]/);
  assert.match(said(0x28010n), /16 bytes beyond the heap/);
  assert.match(said(BigInt(0x3fff00 * 4096 - 8)), /8 bytes below the stack, which may still grow/);
  assert.match(said(BigInt((0x3fff10 - 2048) * 4096 - 8)), /beyond what it may grow to/);
  assert.match(said(0x3ffffff000n), /above all/);
  assert.match(said(0x2000n), /below all/);
  assert.match(said(0xffffffc000000000n), /kernel’s half/);
});

test('a fault in words', () => {
  const event: TraceEvent = {
    hart: 0, n: 0, time: 1n, kind: 'fault', tid: 5, va: 0x4000n, pc: 0x100n, before: 0x53n, after: 0xd7n, cost: 7, nr: 0, how: 4, faultHow: 'cow', result: 'done', access: 'w',
  };
  const words = explainEvent(event, 'en');
  assert.equal(words.title, 'Page fault: write of 0x4000 by tid 5 at 0x100.');
  assert.match(words.lines[0]!, /^Copy-on-write/);
  assert.match(explainEvent({ ...event, result: 'segv-map', after: 0n }, 'zh-CN').lines[0]!, /SIGSEGV/);
});

test('the command line', () => {
  const o = parseOptions(['walk', '5', '0x10', '--access=w', '--user', '--json', '--lang', 'zh-CN']);
  assert.deepEqual([o.command, o.words, o.access, o.mode, o.json, o.lang], ['walk', ['5', '0x10'], 'w', 'user', true, 'zh-CN']);
  for (const bad of [['--access', 'q'], ['--nothing'], ['--pid'], ['--seconds', '0'], ['--machine', 'a', '--dump', 'b'], ['--satp', '0x']])
    assert.throws(() => parseOptions(bad), UsageError, bad.join(' '));
  assert.equal(parseNumber('0xffffffc000000000'), 0xffffffc000000000n);
  assert.throws(() => parseNumber('99999999999999999999'), UsageError);
});

/* A ring of four slots whose events have va = their number, as the struct and the slots would be after `written` of them. */
function ringOf(written: number, more: { odd?: 'before' | 'after' } = {}): { machine: Machine; write: (n: number) => void } {
  const ram = new FakeRam();
  const offsets: Record<string, number> = {
    'hart.trace': 0, 'trace_ring.next': 0, 'trace_ring.end': 8, 'trace_ring.events': 16, 'trace_ring.laps': 24,
    'trace_event.time': 0, 'trace_event.what.tid': 8, 'trace_event.what.cause': 12, 'trace_event.what.how': 13, 'trace_event.what.kind': 14, 'trace_event.what.more': 15,
    'trace_event.va': 16, 'trace_event.pc': 24, 'trace_event.before': 32, 'trace_event.after': 40, 'trace_event.amount': 48,
  };
  const sizes: Record<string, number> = { hart: 64, 'hart.trace': 32, trace_event: 56 };
  const events = ram.page();
  const layout = {
    has: (name: string) => name in offsets || name === 'TRACE_FAULT', offset: (name: string) => offsets[name]!, size: (name: string) => sizes[name]!,
    constant: (name: string) => (name === 'TRACE_BEFORE' ? 0x80n : 0n),
  };
  const machine = {
    layout, memory: ram.memory, variable: () => 1, addressOf: () => BASE, pointer: (v: DataView, at: number) => Number(v.getBigUint64(at, true)),
  } as unknown as Machine;
  const write = (n: number): void => {
    const slot = events + (n % 4) * 56;
    ram.write(slot, BigInt(n));
    ram.write(slot + 16, BigInt(n));
    ram.write(slot + 32, 77n);
    ram.write(slot + 48, 5n);
    const lap = Math.floor((n + 1) / 4);
    ram.write(BASE, BigInt(events + ((n + 1) % 4) * 56));
    ram.write(BASE + 24, BigInt(2 * lap));
  };
  ram.write(BASE, BigInt(events));
  ram.write(BASE + 8, BigInt(events + 4 * 56));
  ram.write(BASE + 16, BigInt(events));
  for (let n = 0; n < written; n++) write(n);
  if (more.odd) {
    ram.write(BASE + 24, BigInt(2 * (written / 4) - 1));
    if (more.odd === 'before') ram.write(BASE, BigInt(events + 3 * 56));
  }
  return { machine, write };
}

test('rings: whole events alone, and the number of the lost', () => {
  const read = (reader: RingReader): [number[], number] => {
    const { events, lost } = reader.read();
    return [events.map((e) => Number(e.va)), lost];
  };
  const { machine, write } = ringOf(3);
  const reader = new RingReader(machine);
  assert.deepEqual(read(reader), [[0, 1, 2], 0]);
  write(3);
  write(4);
  assert.deepEqual(read(reader), [[3, 4], 0]);
  for (let n = 5; n < 12; n++) write(n);
  /* Slot 12 % 4 is where the hart may be writing: of the four events there, three can be trusted. */
  assert.deepEqual(read(reader), [[9, 10, 11], 4]);
  assert.deepEqual(read(reader), [[], 0]);
  const late = new RingReader(machine).read();
  assert.deepEqual([late.events.map((e) => e.n), late.lost], [[9, 10, 11], 9]);
  assert.deepEqual(late.events.map((e) => [e.kind, e.before, e.cost, e.nr]), Array(3).fill(['fault', 0n, 5, 0]));
});

test('rings: a hart that is just setting its ring back', () => {
  for (const odd of ['before', 'after'] as const) {
    const batch = new RingReader(ringOf(8, { odd }).machine).read();
    assert.deepEqual(batch.events.map((e) => e.n), [5, 6, 7], odd);
  }
});
