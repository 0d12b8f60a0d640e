/* The page of a session that was kept (VITRINE_KEPT: its file), in a browser without any network: it has an answer of its own to everything but a walk. */
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { after, before, test } from 'node:test';
import type { SessionFile } from '../../shared/session.ts';
import { PATIENCE, Visitor } from './browser.ts';

const LIMIT = { timeout: 3 * PATIENCE };
let visitor: Visitor;
let session: SessionFile;
/** The first instant, one in the middle, and the last but one. */
let instants: [number, number, number];

before(async () => {
  visitor = await Visitor.open(pathToFileURL(process.env['VITRINE_KEPT'] ?? '').href);
  session = JSON.parse((await visitor.page.locator('#session').textContent()) ?? '') as SessionFile;
  const seqs = session.history.deltas.map((delta) => delta.to);
  instants = [seqs[0]!, seqs[Math.floor(seqs.length / 2)]!, seqs.at(-2)!];
});
after(async () => {
  await visitor?.close();
});

test('any address is translated: of a process, of the kernel, by its name, at every instant', LIMIT, async () => {
  for (const at of [null, ...instants.slice(1)]) {
    await visitor.go({ view: 'walk', pid: 1, va: '0x10000', acc: 'x', text: true, at });
    await visitor.page.waitForSelector('[data-result=ok]');
    assert.equal(await visitor.page.locator('.steps > li').count(), 3);
    await visitor.twin(/✓ V: holds[^]*physical address: 0x8[0-9a-f]+\n$/);
    await visitor.go({ view: 'walk', pid: 1, va: '0x0', acc: 'r', lang: 'zh-CN', text: true, at });
    await visitor.page.waitForSelector('[data-result=not-valid]');
    await visitor.twin(/✗ V: 不成立/);
    for (const pid of [0, 1]) {
      await visitor.go({ view: 'walk', pid, va: 'kernel_main', acc: 'x', mode: 'kernel', text: true, at });
      await visitor.page.waitForSelector('[data-result=ok]');
      await visitor.twin(/kernel_main[^]*physical address: 0x80[0-9a-f]+\n$/);
    }
  }
  await visitor.go({ view: 'walk', pid: 1, va: 'no-such-thing' });
  await visitor.page.waitForSelector('[role=alert]');
});

/** How many faults the film has at an instant. */
async function faults(at: number | null): Promise<number> {
  await visitor.go({ view: 'film', text: true, at });
  return Number(/of (\d+) events/.exec((await visitor.page.locator('.film [role=status]').textContent()) ?? '')![1]);
}

test('the film goes up to the instant, and has source lines', LIMIT, async () => {
  const counts = [await faults(instants[0]), await faults(instants[1]), await faults(null)];
  assert.ok(counts[0]! < counts[1]! && counts[1]! <= counts[2]!, counts.join(' '));
  assert.equal(counts[2], session.events.filter((event) => event[3] === 'fault').length);
  await visitor.twin(/ at \w+ \w+\.[cS]:\d+ /);
});

test('the lamp is the instant’s', LIMIT, async () => {
  for (const at of [null, ...instants]) {
    await visitor.go({ view: 'lamp', text: true, at });
    assert.equal(await visitor.attribute('[data-lamp]', 'data-lamp'), 'green');
    await visitor.twin(/Nothing is broken/);
  }
});

test('nothing was asked of the network, and no script failed', () => {
  assert.deepEqual(visitor.strangers, []);
  assert.deepEqual(visitor.errors, []);
});
