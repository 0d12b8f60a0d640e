/*
 * The guided walks in the page: each is taken as a reader would, in a real guest, and its proof is read. VITRINE_ADDRESS: of a viewer whose
 * guest has just been started. VITRINE_GUEST: "default" for the machine that ./vitrine view boots; "other" for one with trace=syscalls,
 * zram=25% and isolation, and without superpages.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Lang } from '../../core/types.ts';
import { PATIENCE, Visitor } from './browser.ts';

const LIMIT = { timeout: 4 * PATIENCE };
const address = process.env['VITRINE_ADDRESS'] ?? '';
const other = process.env['VITRINE_GUEST'] === 'other';
const HOLDS: Record<Lang, RegExp> = { 'en': /^✓ It holds/, 'zh-CN': /^✓ 成立/ };
let visitor: Visitor;

before(async () => {
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/\?token=[0-9a-f]{32}$/);
  visitor = await Visitor.open(address);
  await visitor.console(/#$/);
});
after(async () => {
  await visitor?.close();
});

function textOf(selector: string): Promise<string> {
  return visitor.page.locator(selector).first().textContent().then((text) => text ?? '');
}

/** Which step is open, and of how many. */
async function steps(): Promise<number> {
  await visitor.page.waitForSelector('.way li');
  return visitor.page.locator('.way li').count();
}

/** Takes the step that is open by the keyboard; the verdict. */
async function take(): Promise<string> {
  await visitor.page.locator('[data-do=take]:not([disabled])').focus();
  await visitor.page.keyboard.press('Enter');
  await visitor.page.waitForSelector('[data-verdict]');
  return (await visitor.attribute('[data-verdict]', 'data-verdict')) ?? '';
}

/** Takes a walk from a step on to another; every proof must hold, in the words of the language. */
async function takeWalk(name: string, lang: Lang, from = 1, to?: number): Promise<void> {
  await visitor.go({ view: 'guide', walk: name, step: from, lang });
  await visitor.page.waitForSelector(`[data-guide=${name}]`);
  const last = to ?? (await steps());
  for (let step = from; step <= last; step++) {
    if (step > from) await visitor.page.locator('[data-do=next]').click();
    await visitor.until((n) => document.querySelector('.way [aria-current=step]')?.textContent?.includes(` ${n}. `), step);
    assert.equal(await visitor.page.locator('[data-answer], [data-verdict]').count(), 0, 'nothing is told before');
    const verdict = await take();
    const said = await textOf('[data-verdict]');
    assert.equal(verdict, 'holds', `${name}, step ${step}: ${said}`);
    assert.match(said, HOLDS[lang]);
    assert.equal(await visitor.page.locator('[data-claim=fails]').count(), 0);
    assert.equal(await visitor.page.locator('[data-answer]').count(), 1, 'the answer comes with the proof');
  }
}

test('the list, in both languages', LIMIT, async () => {
  for (const [lang, words] of [['en', /Copy-on-write/], ['zh-CN', /写时复制/]] as [Lang, RegExp][]) {
    await visitor.go({ view: 'guide', lang });
    await visitor.page.waitForSelector('[data-walk=cow]');
    assert.equal(await visitor.page.locator('[data-walk]').count(), 10);
    assert.match(await textOf('[data-walk=cow]'), words);
  }
  await visitor.go({ view: 'guide', walk: 'no-such' });
  await visitor.page.waitForSelector('[role=alert]');
});

if (!other) {
  test('a step before its time, an answer before it is earned', LIMIT, async () => {
    await visitor.go({ view: 'guide', walk: 'cow', step: 3 });
    await visitor.page.waitForSelector('[data-do=take][disabled]');
    assert.match(await textOf('.guide'), /Take step 2 first/);
    assert.equal(await visitor.attribute('[data-machine-fits]', 'data-machine-fits'), 'yes');
    await visitor.page.locator('[data-do=answer]').click();
    assert.match(await textOf('[data-answer]'), /The parent's\. One frame/);
  });

  for (const [name, lang] of [['vmprint', 'en'], ['lazy', 'zh-CN'], ['cow', 'en'], ['superpage', 'zh-CN'], ['pgaccess', 'en'], ['mmap', 'zh-CN'], ['stack', 'en']] as [string, Lang][])
    test(`${name}, ${lang}`, LIMIT, () => takeWalk(name, lang));

  test('a walk that is left in its middle does not stand in the way of the next; it can begin again', LIMIT, async () => {
    await takeWalk('cow', 'en', 1, 4);
    await visitor.go({ view: 'guide', walk: 'cow', step: 4, text: true });
    await visitor.twin(/copy = walk \d+ 0x[0-9a-f]+ --access w\n\{[^]*It holds: Two physical addresses[^]*✓ copy\.pa != before\.pa\n/);
    await takeWalk('vmprint', 'zh-CN', 1, 1);
    await takeWalk('cow', 'zh-CN', 1, 2);
    await visitor.page.locator('[data-do=again]').click();
    await visitor.until(() => !document.querySelector('[data-verdict]'), null);
    await takeWalk('cow', 'en', 1, 1);
  });

  test('another machine is wanted, and said so', LIMIT, async () => {
    await visitor.go({ view: 'guide', walk: 'usyscall' });
    await visitor.page.waitForSelector('[data-machine-fits=no]');
    assert.match(await textOf('[data-machine-fits]'), /booted without trace=syscalls.*--append 'trace=syscalls'/);
    assert.equal(await take(), 'fails', 'nothing was traced');
    await visitor.go({ view: 'guide', walk: 'isolation', step: 2, lang: 'zh-CN' });
    await visitor.page.waitForSelector('[data-machine-fits=no]');
    assert.match(await textOf('[data-machine-fits]'), /启动时没有 isolate=1.*--isolate/);
    await takeWalk('isolation', 'en', 1, 1);
  });

  test('a guest that goes away in the middle is told', LIMIT, async () => {
    await takeWalk('lazy', 'en', 1, 1);
    await visitor.page.locator('[data-do=next]').click();
    await visitor.type('\x03');
    await visitor.console(/#$/);
    await visitor.type('poweroff -f');
    await visitor.page.waitForSelector('[data-machine=off]');
    await visitor.page.waitForSelector('[data-do=take][disabled]');
    assert.match(await textOf('.guide'), /The machine does not run/);
  });
} else {
  test('usyscall', LIMIT, () => takeWalk('usyscall', 'en'));
  test('swap', LIMIT, () => takeWalk('swap', 'zh-CN'));
  test('isolation, from its second machine on', LIMIT, () => takeWalk('isolation', 'en', 2));

  test('superpage without superpages: the proof does not hold, and says why', LIMIT, async () => {
    for (const [lang, has, fails] of [
      ['en', /booted with.*thp=never/, /^✗ It does not hold.*thp=never.*leaf\.size == 0x200000: 4096 == 0x200000/],
      ['zh-CN', /启动时有.*thp=never/, /^✗ 不成立.*leaf\.size == 0x200000: 4096 == 0x200000/],
    ] as [Lang, RegExp, RegExp][]) {
      await visitor.go({ view: 'guide', walk: 'superpage', lang });
      await visitor.page.waitForSelector('[data-machine-fits=no]');
      assert.match(await textOf('[data-machine-fits]'), has);
      if (lang === 'en') assert.equal(await take(), 'fails');
      assert.match(await textOf('[data-verdict]'), fails);
    }
  });
}

test('nothing was asked of the network, and no script failed', () => {
  assert.deepEqual(visitor.strangers, []);
  assert.deepEqual(visitor.errors, []);
});
