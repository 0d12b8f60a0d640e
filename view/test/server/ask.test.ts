/* What a page may ask, and what it may not. The machine is made up: that no query gets past it is what counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerQuery } from '../../server/ask.ts';
import type { Machine } from '../../core/index.ts';

/** Any look at it would fail with another message. */
const UNTOUCHED = new Proxy({} as Machine, {
  get: () => {
    throw new Error('the machine was looked at');
  },
});

const REFUSED = [
  ['ps', '--dump', '/etc/passwd'], ['ps', '--dump=/etc/passwd'], ['ps', '--machine', '/tmp/other.json'], ['walk', '1', '0', '--elf', '/etc/passwd'],
  ['walk', '1', '0', '--satp', '0x8000000000080000'], ['faults', '-f'], ['faults', '--follow'], ['ps', '--help'], ['diff'], ['diff', '--seconds', '86400'], ['constructor'],
  ['__proto__'], ['--json'], ['walk', '1', '0', '--access', 'q'], ['walk', '1', '0', '--nothing'],
  ['faults', '--program', '/bin/sh=/etc/passwd'],
];
for (const words of REFUSED)
  test(`refused: ${words.join(' ')}`, async () => {
    const { text, error } = await answerQuery(UNTOUCHED, false, words);
    assert.equal(text, null);
    assert.ok(error !== '', error);
  });

test('what is allowed looks at the machine', async () => {
  for (const words of [['ps'], ['walk', '1', '0x4000', '--access', 'w', '--user'], ['faults', '--pid', '3', '--all'], ['frames', '5'], ['layout']])
    await assert.rejects(answerQuery(UNTOUCHED, false, words), /the machine was looked at/);
});
