/* What server and page share: the wire's numbers, the film's events, and addresses as they are typed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AspaceInfo, VmaInfo } from '../../core/types.ts';
import { resolve, type Names } from '../../shared/expr.ts';
import { packEvent, unpackEvent } from '../../shared/film.ts';
import { decode, encode, type FilmEvent } from '../../shared/protocol.ts';
import { filmCsv, filmTrace } from '../../web/export.ts';

const EVENT: FilmEvent = {
  hart: 1, n: 7, time: 12345678n, kind: 'fault', tid: 12, va: 0xffffffff80200000n, pc: 0x10400n, before: 0n, after: (1n << 63n) | 0xd7n, cost: 2500, nr: 0, how: 4,
  faultHow: 'cow', result: 'done', access: 'w', pid: 11, name: 'a "b", c', symbol: 'busybox main+0x4', line: 'user/busybox.c:45',
};

test('64-bit numbers and Infinity survive the wire', () => {
  const value = { a: 2n ** 64n - 1n, b: [0n, 1, 'x'], c: Infinity, d: null, e: { f: 0x4000n } };
  assert.deepEqual(decode(encode(value)), value);
});

test('no text of the guest is taken for a number', () => {
  const value = { name: '0x1n', other: '{"$n":"0x1"}', inf: 'Infinity' };
  assert.deepEqual(decode(encode(value)), value);
});

test('an event is the same after the wire, as short as it is there', () => {
  assert.deepEqual(unpackEvent(JSON.parse(JSON.stringify(packEvent(EVENT)))), EVENT);
  const other: FilmEvent = { ...EVENT, kind: 'fork', nr: 13 };
  delete other.faultHow;
  delete other.result;
  delete other.access;
  assert.deepEqual(unpackEvent(packEvent(other)), other);
  assert.equal(unpackEvent(packEvent({ ...EVENT, line: '' })).line, '');
});

test('CSV: quotes are doubled, and a name is never a formula', () => {
  const rows = filmCsv([EVENT, { ...EVENT, name: '=1+1' }], 10_000_000).split('\r\n');
  assert.equal(rows.length, 4);
  assert.equal(rows[1], '1.234568,1,11,12,"a ""b"", c",fault,cow,done,w,0xffffffff80200000,0x10400,busybox main+0x4,user/busybox.c:45,2500,0x0,0x80000000000000d7,0');
  assert.ok(rows[2]!.includes(`,'=1+1,`));
});

test('trace: a fault has a length, another event none', () => {
  const trace = JSON.parse(filmTrace([EVENT, { ...EVENT, kind: 'fork', cost: 0 }], 10_000_000)) as { traceEvents: Record<string, unknown>[] };
  assert.deepEqual(trace.traceEvents.map((e) => e['ph']), ['M', 'X', 'i']);
  assert.equal(trace.traceEvents[1]!['dur'], 2.5);
  assert.ok(Math.abs(Number(trace.traceEvents[1]!['ts']) - (1234567.8 - 2.5)) < 1e-6);
});

const vma = (start: number, kind: string, name: string) => ({ start, end: start + 1, kind, name }) as VmaInfo;
const SPACE = { brk: 0x30000, vmas: [vma(0x10, 'text', '/bin/busybox'), vma(0x20, 'heap', '[heap]'), vma(0x3fff0, 'stack', '[stack]')] } as unknown as AspaceInfo;
const NAMES: Names = { aspace: (pid) => (pid === 3 ? SPACE : null), symbol: (name) => (name === 'kernel_main' ? 0xffffffff80200040n : null) };

const TYPED: [text: string, pid: number | null, va: bigint][] = [
  ['0x4000', null, 0x4000n], ['16384', null, 0x4000n], ['  0x4000 ', null, 0x4000n], ['3:0x4000', 3, 0x4000n], ['heap+0x10', null, 0x20010n],
  ['3:stack - 8', 3, 0x3ffefff8n], ['kernel_main+4', null, 0xffffffff80200044n], ['busybox', null, 0x10000n], ['[heap]', null, 0x20000n], ['brk-1', null, 0x2ffffn],
  ['ffffffff80200000', null, 0xffffffff80200000n], ['0-1', null, 0xffffffffffffffffn], ['4:0x10', 4, 0x10n],
];
for (const [text, pid, va] of TYPED) test(`typed ${text}`, () => assert.deepEqual(resolve(text, 3, NAMES), { pid, va }));

for (const text of ['', 'nowhere', '0x', 'heap+', 'heap++1', '0x11112222333344445', '4:heap', '3:', '1 2', 'heap 0x10'])
  test(`not understood: ${text || '(nothing)'}`, () => assert.ok('wrong' in resolve(text, 3, NAMES)));
