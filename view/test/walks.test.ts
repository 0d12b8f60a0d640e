/* view/walks/prove.ts says of every expression what tools/walk_expr.py says: the table is the driver's (tests/driver/walks.py). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { evaluate, prove, ProveError, queryWords, waitLine, type Claim, type Json, type WalkJson } from '../walks/prove.ts';

interface Cases {
  values: Record<string, Json>;
  /** want: true, false, or words of the error. */
  cases: { text: string; tree: Claim; want: boolean | string }[];
  walks: WalkJson[];
}

const given = JSON.parse(readFileSync(process.env.WALK_CASES!, 'utf8')) as Cases;
const names = new Map(Object.entries(given.values));

for (const { text, tree, want } of given.cases)
  test(text, () => {
    const step = { name: 'it', boot: null, do: null, wait: null, see: [], expect: [{ text, tree }] };
    const [proof] = prove(step, names);
    if (typeof want === 'boolean') {
      assert.equal(evaluate(tree, names), want);
      assert.equal(proof!.holds, want);
    } else {
      assert.throws(() => evaluate(tree, names), ProveError);
      assert.equal(proof!.holds, false);
      assert.notEqual(proof!.why, '');
    }
  });

test('the words of a query', () => {
  assert.deepEqual(queryWords(['walk', { op: 'name', name: 'a' }, { op: 'number', value: 65536 }], names), ['walk', '5', '0x10000']);
  assert.throws(() => queryWords([{ op: 'name', name: 'l' }], names), ProveError);
});

test('a line of the console', () => {
  assert.deepEqual([...waitLine('it: pid {pid} page {page}', 'it: pid 12 page 0x3f000 more')!], [['pid', 12], ['page', '0x3f000']]);
  assert.equal(waitLine('it: pid {pid}', 'so it: pid 12'), null);
  assert.deepEqual([...waitLine('a+b {c}', 'a+b word; more')!], [['c', 'word']]);
});

test('every walk is whole', () => {
  assert.ok(given.walks.length >= 10);
  for (const walk of given.walks)
    for (const step of walk.steps) {
      assert.ok(step.expect.length > 0, `${walk.name}.${step.name}`);
      /* Nothing has a name yet: each claim fails in words, and none throws anything else. */
      for (const proof of prove(step, new Map())) assert.match(proof.why, /nothing is called/);
    }
});
