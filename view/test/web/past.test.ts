/* The past: translations from kept tables are those that the machine's memory gave, and what was beside a state comes back with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diff, tableTree, treeDiff, walk, type AspaceInfo, type LampState, type Snapshot, type TableTree } from '../../core/index.ts';
import { Session } from '../../server/history.ts';
import type { Note } from '../../shared/protocol.ts';
import { Beside } from '../../web/beside.ts';
import { pastAnswer, type Known } from '../../web/past.ts';
import { A, D, FakeRam, G, R, U, V, W, X } from '../fake.ts';

const TEXT = V | R | X | U | A;
const DATA = V | R | W | U | A | D;

interface Made {
  ram: FakeRam;
  state: Snapshot;
  kernel: TableTree;
  root: number;
  userRoot: number;
  levels: number;
}

/** A process (pid 7) and the kernel, whose half is in the process's root too, as the kernel makes them. */
function machineWith(levels: number, isolating = false): Made {
  const ram = new FakeRam();
  const [kernelRoot, root] = [ram.page(), ram.page()];
  const top = (1n << 64n) - (1n << BigInt(11 + 9 * levels));
  ram.map(kernelRoot, levels, 0xffffffc080000000n, 0x80000000, V | R | W | G | A | D, 1);
  ram.map(kernelRoot, levels, 0xffffffc0c0000000n, 0xc0000000, V | R | W | G | A | D, 2);
  ram.map(kernelRoot, levels, 0xffffffff80200000n, 0x80200000, V | R | X | G | A);
  assert.ok(0xffffffc080000000n >= top);
  ram.map(root, levels, 0x10000n, 0x80300000, TEXT);
  ram.map(root, levels, 0x20000n, 0x80301000, DATA);
  ram.map(root, levels, 0x40000000n, 0x40000000, DATA, 1);
  ram.map(root, levels, 0x3fffff0000n, 0x80302000, DATA);
  for (let i = 256; i < 512; i++) ram.write(root + 8 * i, ram.read(kernelRoot + 8 * i));
  const userRoot = isolating ? ram.page() : 0;
  for (let i = 0; isolating && i < 256; i++) ram.write(userRoot + 8 * i, ram.read(root + 8 * i));
  const as = { address: 0xa000, root, userRoot, vmas: [], stackLimit: -1 } as unknown as AspaceInfo;
  const state = {
    seq: 5, levels, isolating, kernelRoot, aspaces: [as], trees: new Map([[as.address, tableTree(ram.memory, root, levels, 'user')]]),
    processes: [{ pid: 7, aspace: as.address, tasks: [] }],
  } as unknown as Snapshot;
  return { ram, state, kernel: tableTree(ram.memory, kernelRoot, levels, 'all'), root, userRoot, levels };
}

const ADDRESSES = [
  0n, 0x10000n, 0x10abcn, 0x11000n, 0x20008n, 0x40000000n, 0x4012345n, 0x401fffffn, 0x40200000n, 0x3fffff0ff8n, 0x3ffffff000n, 0x7f_ffff_ffffn, 0x4000000000n, 1n << 63n,
  0xffffffc080000000n, 0xffffffc080123456n, 0xffffffc080200000n, 0xffffffc0c0000000n, 0xffffffc0fffffff8n, 0xffffffc100000000n, 0xffffffff80200040n, 0xffffffff80201000n,
  0xffffffffffffffffn,
];
const known = (kernel: TableTree | null): Known => ({ kernel, symbols: null, live: null });

for (const levels of [3, 4, 5])
  test(`Sv${12 + 9 * levels}: step for step what the memory gave`, () => {
    const made = machineWith(levels);
    const { ram, state, kernel } = made;
    for (const pid of [7, 0])
      for (const va of ADDRESSES)
        for (const access of ['r', 'w', 'x'] as const)
          for (const mode of ['user', 'kernel'] as const) {
            const asked = { pid, expr: `0x${va.toString(16)}`, access, mode };
            const answer = pastAnswer(state, asked, known(kernel), 'en');
            const wanted = walk(ram.memory, pid ? made.root : state.kernelRoot, levels, va, { access, mode });
            assert.deepEqual(answer.result, wanted, JSON.stringify(asked));
            assert.ok(answer.words && !answer.lost && !answer.error);
          }
  });

test('isolate=1: below as it was; what is not kept is said to be so', () => {
  const { ram, state, kernel, userRoot, levels } = machineWith(3, true);
  const ask = (expr: string, mode: 'user' | 'kernel') => pastAnswer(state, { pid: 7, expr, access: 'r', mode }, known(kernel), 'en');
  for (const va of [0x10000n, 0x11000n, 0x40000000n]) {
    const answer = ask(`0x${va.toString(16)}`, 'user');
    assert.deepEqual(answer.result, walk(ram.memory, userRoot, levels, va, { access: 'r', mode: 'user' }));
    assert.equal(answer.result!.root, userRoot);
  }
  for (const expr of ['0x3fffffe000', '0xffffffff80200000']) {
    const { result, words, lost, error } = ask(expr, 'user');
    assert.deepEqual({ result, words, lost, error }, { result: null, words: null, lost: true, error: '' });
    assert.equal(ask(expr, 'kernel').lost, false);
  }
});

test('without the kernel’s table (a session of before it was kept) its half is lost, the rest is not', () => {
  const { state } = machineWith(3);
  const ask = (pid: number, expr: string) => pastAnswer(state, { pid, expr, access: 'r', mode: 'kernel' }, known(null), 'en');
  assert.deepEqual([ask(7, '0x10000').lost, ask(7, '0xffffffff80200000').lost, ask(0, '0xffffffff80200000').lost], [false, true, true]);
});

test('a symbol is asked of the page’s own, or taken from what the server says now; what is nobody’s is said', () => {
  const { state, kernel } = machineWith(3);
  const asked = { pid: 7, expr: 'kernel_main', access: 'x', mode: 'kernel' } as const;
  assert.equal(pastAnswer(state, asked, known(kernel), 'en').error, 'kernel_main');
  const live = { ...pastAnswer(state, { ...asked, expr: '0xffffffff80200040' }, known(kernel), 'en'), where: 'kernel_main main.c:70' };
  const answer = pastAnswer(state, asked, { ...known(kernel), live }, 'zh-CN');
  assert.deepEqual([answer.result!.pa, answer.where, answer.error], [0x80200040, 'kernel_main main.c:70', '']);
  assert.equal(pastAnswer(state, { ...asked, expr: '8:0x10' }, known(kernel), 'en').error, 'pid 8');
});

// ---- what is beside a state ----

const lamp = (total: number): LampState => ({ colour: total ? 'red' : 'green', findings: [], suspects: 0, total, looks: 2, counted: 0 });
const empty = (seq: number) => ({ ...emptyState(), seq });

function emptyState(): Snapshot {
  const none = new Float64Array(0);
  return {
    version: 1, seq: 0, at: 0, paused: false, levels: 3, isolating: false, kernelRoot: 0, harts: [], processes: [], aspaces: [], trees: new Map(),
    frames: { firstPfn: 0, count: 0, kind: new Uint8Array(0), order: new Uint8Array(0), flags: new Uint16Array(0), refs: new Uint32Array(0), owner: none, index: none },
    totals: { ram: 0, free: 0, kinds: [] }, stats: {}, problems: [], slots: null, kernel: null, moving: [],
  };
}

/** The kernel's table after n stacks were made, and every third given back. */
function tableAfter(n: number): TableTree {
  const ram = new FakeRam();
  const root = ram.page();
  for (let i = 0; i <= n; i++) if (i % 3 !== 1 || i === n) ram.map(root, 3, 0xfffffff000000000n + BigInt(i << 14), 0x80100000 + 4096 * i, V | R | W | G);
  return tableTree(ram.memory, root, 3, 'all');
}

const COUNT = 40;
/** limit: bytes that the session keeps. */
function sessionOf(limit?: number): Session {
  const session = new Session(limit);
  for (let seq = 1; seq <= COUNT; seq++) {
    const delta = diff(empty(seq - 1), empty(seq));
    if (seq === 1) session.begin(empty(1));
    else session.add(delta, 200);
    session.note({ seq, heads: [seq * 10, Math.floor(seq / 4)], lamp: lamp(seq >= 20 && seq < 30 ? 1 : 0), kernel: tableAfter(seq) });
  }
  return session;
}

function checkBeside(beside: Beside, seq: number): void {
  assert.deepEqual(beside.headsAt(seq), [seq * 10, Math.floor(seq / 4)]);
  assert.equal(beside.lampAt(seq)!.colour, seq >= 20 && seq < 30 ? 'red' : 'green');
  const tree = beside.kernelAt(seq, 3)!;
  assert.equal(treeDiff(tree, tableAfter(seq)), null, `the kernel's table at ${seq}`);
  assert.equal(treeDiff(tableAfter(seq), tree), null);
}

test('each instant has its own, forwards and back', () => {
  const beside = new Beside();
  assert.deepEqual([beside.headsAt(3), beside.lampAt(3), beside.kernelAt(3, 3)], [null, null, null]);
  beside.begin(sessionOf().message()!.notes!);
  for (let seq = 1; seq <= COUNT; seq++) checkBeside(beside, seq);
  for (let seq = COUNT; seq >= 1; seq--) checkBeside(beside, seq);
  assert.equal(beside.headsAt(0), null);
});

test('a session that forgets its beginning keeps what follows', () => {
  const session = sessionOf(12_000);
  const { notes } = session.message()!;
  const first = notes![0]!.seq;
  assert.ok(first > 1 && first < COUNT, `the first is ${first}`);
  const beside = new Beside();
  beside.begin(notes!);
  for (let seq = first; seq <= COUNT; seq++) checkBeside(beside, seq);
});

test('a page that follows gets each note once; one that comes too late is told', () => {
  const session = sessionOf(12_000);
  const { noted } = session;
  assert.deepEqual(session.notesFrom(noted), []);
  assert.deepEqual(session.notesFrom(noted - 1)!.map((note: Note) => note.seq), [COUNT]);
  assert.equal(session.notesFrom(0), null);
  session.add(diff(empty(COUNT), empty(COUNT + 1)), 200);
  session.note({ seq: COUNT + 1, heads: [410, 10], lamp: lamp(0), kernel: tableAfter(COUNT) });
  assert.deepEqual(session.notesFrom(noted), [{ seq: COUNT + 1, heads: [410, 10] }]);
  session.add(diff(empty(COUNT + 1), empty(COUNT + 2)), 200);
  session.note({ seq: COUNT + 2, heads: [410, 10], lamp: lamp(0), kernel: tableAfter(COUNT) });
  assert.equal(session.noted, noted + 1, 'nothing new: no note');
});
