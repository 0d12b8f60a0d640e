/*
 * The page, driven as a reader would: it types in the shell and sees the page tables answer, in both languages, with nothing
 * loaded from anywhere. VITRINE_ADDRESS and VITRINE_MACHINE: of a viewer whose guest has just been started. The steps follow
 * one another in that one guest; with VITRINE_SCREENSHOTS=DIR they leave pictures there.
 */
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { Lang } from '../../core/types.ts';
import { VIEWS, type ViewName } from '../../web/link.ts';
import { PATIENCE, Visitor } from './browser.ts';

/** Of one step; each wait in it has its own, shorter one. */
const LIMIT = { timeout: 3 * PATIENCE };
const address = process.env['VITRINE_ADDRESS'] ?? '';
let visitor: Visitor;

before(async () => {
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/\?token=[0-9a-f]{32}$/);
  visitor = await Visitor.open(address);
});
after(async () => {
  await visitor?.close();
});

/** Pages of the pair that are joined, that are split, and that were seen to split. */
async function pair(): Promise<[joined: number, split: number, seen: number]> {
  const text = (await visitor.attribute('[data-pair]', 'data-pair')) ?? '0/0/0';
  return text.split('/').map(Number) as [number, number, number];
}

async function processNamed(name: string): Promise<number> {
  const row = visitor.page.locator('.processes tbody tr', { has: visitor.page.locator(`button:text-is("${name}")`) });
  return Number(await row.first().locator('td').first().textContent());
}

test('the console: a command, and Chinese', LIMIT, async () => {
  await visitor.console(/#$/);
  await visitor.type('echo 你好-$((6*7))');
  await visitor.console(/^你好-42$/m);
});

test('vitals: harts, memory, and what looking costs', async () => {
  await visitor.go({ view: 'console', text: true });
  await visitor.page.waitForSelector('[data-table=harts] tbody tr');
  assert.equal(await visitor.page.locator('[data-table=harts] tbody tr').count(), 2);
  await visitor.twin(/hart 1: .*(?:kernel|user|firmware) \w+.*\n[^]*page table: .*KiB[^]*\n1\t0\tinit\t/);
  await visitor.go({ view: 'console', text: true, lang: 'zh-CN' });
  await visitor.twin(/hart 0: .*\n[^]*页表: .*KiB/);
});

test('vitals: the hart that a program keeps busy is the one in user mode', LIMIT, async () => {
  await visitor.go({ view: 'console', text: true });
  await visitor.type('while :; do :; done &');
  await visitor.twin(/^hart \d: .* sh, user 0x[0-9a-f]+$/m);
  await visitor.type('kill $!; wait');
  await visitor.twin(/^hart 0: (?!.* sh, user)/m);
});

test('the film names the functions of programs whose file is here', LIMIT, async () => {
  await visitor.go({ view: 'film', text: true });
  // An orphan is init's to bury: code that it has not run before.
  await visitor.type('(sleep 1 &)');
  await visitor.twin(/ {2}1 init {2}.* init [\w.]+(?:\+0x[0-9a-f]+)?/);
});

test('the film tells the source line of a program, of a fault that is known beforehand', LIMIT, async () => {
  const source = readFileSync('user/walks/lazy.c', 'utf8').split('\n');
  const line = source.findIndex((text) => text.includes('start[0] = 1;')) + 1;
  assert.ok(line > 0);
  await visitor.go({ view: 'film', how: 'anon', text: true });
  await visitor.type('walk lazy');
  await visitor.console(/^promised: pid \d+ start 0x[0-9a-f]+/m);
  await visitor.type('');
  await visitor.console(/^wrote: /m);
  await visitor.twin(new RegExp(` walk {2}anonymous page {2}0x[0-9a-f]+ .*walk walk_lazy lazy\\.c:${line} `));
  await visitor.page.locator('tr[data-how=anon] button').first().click();
  await visitor.page.waitForSelector(`[data-line="user/walks/lazy.c:${line}"]`);
  for (const wait of [/^looked: /m, /^changed: /m, /#$/]) {
    await visitor.type('');
    await visitor.console(wait);
  }
  // The kernel's own: it copied to or from memory that was not there yet.
  await visitor.go({ view: 'film', text: true });
  await visitor.twin(/ at \w+ \w+\.[cS]:\d+ /);
});

test('the film: a pipeline’s copies on write, told in both languages', LIMIT, async () => {
  await visitor.go({ view: 'film', how: 'cow' });
  await visitor.type('(sleep 100) & ls /bin | wc -l');
  await visitor.console(/^\d+\n[^]*#$/m);
  await visitor.page.locator('tr[data-how=cow] button').first().click();
  const story = visitor.page.locator('[data-story=cow]');
  assert.match((await story.textContent()) ?? '', /[Cc]opy-on-write/);
  assert.match((await story.locator('.entry-change').textContent()) ?? '', /before0x[0-9a-f]{16}.*after0x[0-9a-f]{16}/);
  await visitor.picture('film');
  await visitor.go({ view: 'film', how: 'cow', text: true });
  await visitor.twin(/hart \d {2}\d+ sh {2}copy on write {2}0x[0-9a-f]+.* before 0x[0-9a-f]{16} .* after 0x[0-9a-f]{16} DA-U-WRV/);
  await visitor.go({ view: 'film', how: 'cow', lang: 'zh-CN', text: true });
  await visitor.twin(/写时复制 {2}0x[0-9a-f]+/);
  await visitor.page.locator('tr[data-how=cow] button').first().click();
  assert.match((await story.textContent()) ?? '', /写时复制/);
});

test('sharing: a fork’s pages are joined, and are cut in two when the child writes', LIMIT, async () => {
  const shell = await processNamed('sh');
  // Thirty variables of three kilobytes: memory of the parent's that the child lets go, and so writes to, after a while.
  await visitor.type('p=$(printf %3000s); n=$(seq 30); for i in $n; do eval "v$i=\\$p"; done; echo re""ady');
  await visitor.console(/^ready$/m);
  const known = new Set(await visitor.page.locator('.processes tbody td:first-child').allTextContents());
  await visitor.go({ view: 'share', pid: shell });
  await visitor.type('(sleep 4; for i in $n; do unset v$i; done; sleep 100; :) &');
  const child = await visitor.until((before) => {
    const rows = [...document.querySelectorAll('.processes tbody tr')].map((row) => row.querySelectorAll('td'));
    return rows.find((cells) => !before.includes(cells[0]!.textContent ?? '') && cells[1]!.textContent === 'sh')?.[0]!.textContent;
  }, [...known]);
  await visitor.go({ view: 'share', pid: shell, peer: Number(child) });
  await visitor.page.waitForSelector('[data-pair]');
  const [joined, split] = await pair();
  assert.ok(joined > 20, `${joined} pages joined after the fork`);
  await visitor.until(() => Number(document.querySelector('[data-pair]')?.getAttribute('data-pair')?.split('/')[2]) > 0, null);
  await visitor.picture('share');
  const [, splitAfter, seen] = await pair();
  assert.ok(splitAfter >= split + seen, `${split} pages were split, ${seen} were seen to split, ${splitAfter} are`);
  await visitor.go({ view: 'share', pid: shell, peer: Number(child), text: true });
  await visitor.twin(/\d+ joined, \d+ split\n {2}0x[0-9a-f]+: split: one frame each, 0x[0-9a-f]+ \| 0x[0-9a-f]+/);
});

test('the walk: a translation, a fault, a kernel function; predict first', LIMIT, async () => {
  await visitor.go({ view: 'walk', pid: 1, va: '0x10000', acc: 'x', text: true });
  await visitor.page.waitForSelector('[data-result=ok]');
  assert.equal(await visitor.page.locator('.steps > li').count(), 3);
  await visitor.twin(/✓ V: holds[^]*physical address: 0x8[0-9a-f]+\n$/);
  await visitor.picture('walk');
  await visitor.go({ view: 'walk', pid: 1, va: '0x10000', acc: 'w', text: true });
  await visitor.page.waitForSelector('[data-result=no-write]');
  await visitor.go({ view: 'walk', pid: 1, va: '0x0', acc: 'r', text: true, lang: 'zh-CN' });
  await visitor.page.waitForSelector('[data-result=not-valid]');
  await visitor.twin(/✗ V: 不成立/);
  await visitor.go({ view: 'walk', pid: 0, va: 'kernel_main', acc: 'x', mode: 'kernel', text: true });
  await visitor.page.waitForSelector('[data-result=ok]');
  await visitor.go({ view: 'walk', pid: 1, va: 'no-such-thing' });
  await visitor.page.waitForSelector('[role=alert]');
  await visitor.go({ view: 'walk', pid: 1, va: 'stack+0x20ff0', acc: 'w' });
  await visitor.page.waitForSelector('[data-result]');
  await visitor.page.getByText('Predict first').click();
  assert.equal(await visitor.page.locator('.steps, [data-result]').count(), 0, 'the answer is hidden');
  await visitor.page.getByText('It is translated').click();
  await visitor.page.waitForSelector('[data-result]');
  assert.match((await visitor.page.locator('.result').textContent()) ?? '', /You were right|Not so/);
});

test('the address space is /proc/PID/maps, and more', LIMIT, async () => {
  await visitor.go({ view: 'space', pid: 1, text: true });
  const text = await visitor.twin(/\[stack\]\n/);
  for (const name of ['/sbin/init', '[heap]', '[stack]', '[vdso]']) assert.ok(text.includes(name), name);
  assert.match(text, /of \d+ pages present/);
  await visitor.go({ view: 'space', pid: 1 });
  await visitor.picture('space');
  const order = () => visitor.page.locator('.rails .vma b').allTextContents();
  const up = await order();
  await visitor.go({ view: 'space', pid: 1, grow: 'down' });
  assert.deepEqual(await order(), up.reverse());
});

test('the tree: from the root to a leaf by the keyboard; its text is vmprint’s', LIMIT, async () => {
  await visitor.go({ view: 'tree', pid: 1 });
  const grid = visitor.page.locator('[data-grid=tree]');
  await grid.focus();
  await visitor.page.keyboard.press('Enter');
  await visitor.until(() => location.hash.includes('table=0&'), null);
  await visitor.page.keyboard.press('Enter');
  await visitor.until(() => location.hash.includes('table=0.0&'), null);
  for (let i = 0; i < 16; i++) await visitor.page.keyboard.press('ArrowRight');
  assert.match((await visitor.page.locator('.tree .cursor').textContent()) ?? '', /^\[16\] 0x10000: 4 KiB, code \S+ → 0x8/);
  await visitor.picture('tree');
  await visitor.page.keyboard.press('Backspace');
  await visitor.until(() => location.hash.includes('table=0&'), null);
  await visitor.go({ view: 'tree', pid: 1, text: true });
  await visitor.twin(/^page table 0x[0-9a-f]{16}\n\.\.0: pte 0x[0-9a-f]{16} pa 0x[0-9a-f]{16}\n\.\. \.\.0: pte .*\n\.\. \.\. \.\.16: pte /);
});

test('the frame map: any frame, and everybody who shows it', LIMIT, async () => {
  await visitor.go({ view: 'walk', pid: 1, va: '0x10000', acc: 'x' });
  await visitor.page.locator('.result button').click();
  await visitor.until(() => /view=frames&.*frame=0x8/.test(location.hash), null);
  await visitor.page.waitForSelector('.detail li');
  assert.match((await visitor.page.locator('.detail').textContent()) ?? '', /file.*pid 1 init 0x10000/);
  const before = await visitor.page.evaluate(() => location.hash);
  await visitor.page.locator('[data-grid=frames]').focus();
  await visitor.page.keyboard.press('ArrowRight');
  await visitor.page.keyboard.press('Enter');
  await visitor.until((hash) => location.hash !== hash, before);
  await visitor.picture('frames');
  for (const by of ['count of users', 'age of the last change', 'A and D']) await visitor.page.getByText(by, { exact: true }).click();
  await visitor.go({ view: 'frames', text: true, lang: 'zh-CN' });
  await visitor.twin(/空闲: [\d,]+ \([\d.]+ MiB\)\n[^]*0 个页框已分配，但没有所有者/);
});

test('time: two instants are compared, and the past is looked at', LIMIT, async () => {
  await visitor.go({ view: 'time' });
  await visitor.page.locator('[data-do=base]').click();
  await visitor.until(() => location.hash.includes('base='), null);
  const base = Number(/base=(\d+)/.exec(await visitor.page.evaluate(() => location.hash))![1]);
  await visitor.type('sleep 50 &');
  await visitor.page.waitForSelector('[data-changes]');
  await visitor.picture('time');
  await visitor.go({ view: 'time', base, text: true });
  await visitor.twin(/pid \d+ is new/);
  const count = await visitor.page.locator('.processes tbody tr').count();
  await visitor.go({ view: 'time', at: base });
  await visitor.until((more) => document.querySelectorAll('.processes tbody tr').length < more, count);
  assert.match((await visitor.page.locator('.notices').textContent()) ?? '', new RegExp(`instant ${base} `));
  await visitor.page.locator('.notices button').click();
  await visitor.until((all) => document.querySelectorAll('.processes tbody tr').length >= all, count);
});

test('translations and faults of the past are those of their instant', LIMIT, async () => {
  const steps = () => visitor.page.locator('.steps').textContent();
  const dump = async (): Promise<string> => (await visitor.twin(/physical address: 0x8[0-9a-f]+\n$/)) + (await steps());
  const now = { view: 'walk', pid: 1, va: '0x10000', acc: 'x', text: true } as const;
  await visitor.go(now);
  await visitor.page.waitForSelector('[data-result=ok]');
  const wanted = await dump();
  await visitor.go({ view: 'walk', pid: 0, va: 'kernel_main', acc: 'x', mode: 'kernel', text: true });
  await visitor.page.waitForSelector('[data-result=ok]');
  const kernel = await dump();
  await visitor.go({ view: 'film', text: true });
  await visitor.type('clear');
  await visitor.console(/^[^\n]*#$/);
  await visitor.type('walk lazy');
  await visitor.console(/^promised: pid \d+ start 0x[0-9a-f]+ pages \d+$/m);
  const [, pid, start] = /promised: pid (\d+) start (0x[0-9a-f]+) pages/.exec(((await visitor.page.locator('.xterm-rows').textContent()) ?? '').replace(/\u00a0/g, ' '))!;
  // The instant before the page is written: kept by the link that the Time view gives.
  await visitor.go({ view: 'time' });
  await visitor.page.locator('[data-do=base]').click();
  const at = Number(await visitor.until(() => /base=(\d+)/.exec(location.hash)?.[1], null));
  await visitor.type('');
  await visitor.console(/^wrote: /m);
  const place = { pid: Number(pid), va: start!, acc: 'w' } as const;
  await visitor.go({ view: 'walk', ...place });
  await visitor.page.waitForSelector('[data-result=ok]');
  await visitor.go({ view: 'walk', ...place, at });
  await visitor.page.waitForSelector('[data-result=not-valid]');
  await visitor.go({ view: 'walk', ...place, at, lang: 'zh-CN', text: true });
  await visitor.page.waitForSelector('[data-result=not-valid]');
  await visitor.twin(/✗ V: 不成立/);
  // What has not changed since is told alike, to the byte; the kernel's half too.
  await visitor.go({ ...now, at });
  await visitor.page.waitForSelector('[data-result=ok]');
  assert.equal(await dump(), wanted);
  await visitor.go({ view: 'walk', pid: 0, va: 'kernel_main', acc: 'x', mode: 'kernel', text: true, at });
  await visitor.page.waitForSelector('[data-result=ok]');
  assert.equal(await dump(), kernel);
  const written = new RegExp(` ${pid} walk {2}anonymous page {2}${start} `);
  await visitor.go({ view: 'film', pid: Number(pid), how: 'anon', text: true });
  await visitor.twin(written);
  await visitor.go({ view: 'film', pid: Number(pid), how: 'anon', text: true, at });
  assert.doesNotMatch(await visitor.twin(/./), written);
  await visitor.page.locator('.notices button').click();
  await visitor.twin(written);
  for (const wait of [/^looked: /m, /^changed: /m, /#$/]) {
    await visitor.type('');
    await visitor.console(wait);
  }
});

test('every view has its text, in both languages', LIMIT, async () => {
  for (const lang of ['en', 'zh-CN'] as Lang[])
    for (const view of VIEWS as readonly ViewName[]) {
      await visitor.go({ view, pid: 1, va: '0x10000', lang, text: true });
      const text = await visitor.twin(/\S/);
      assert.ok(lang === 'en' ? !/[\u4e00-\u9fff]/.test(text) : view === 'tree' || /[\u4e00-\u9fff]/.test(text), `${view} ${lang}: ${text.slice(0, 200)}`);
    }
});

test('a guided walk (view.walks takes them all)', LIMIT, async () => {
  for (let step = 1; step <= 5; step++) {
    await visitor.go({ view: 'guide', walk: 'cow', step });
    await visitor.page.locator('[data-do=take]:not([disabled])').click();
    await visitor.page.waitForSelector('[data-verdict=holds]');
    if (step === 2) await visitor.picture('guide');
  }
  await visitor.page.locator('[data-do=end]').click();
  await visitor.console(/^written-too.*\n[^]*#$/m);
});

test('the machine stops at the next copy on write, and goes on', LIMIT, async () => {
  await visitor.go({ view: 'film', text: true });
  await visitor.page.locator('[data-do=catch]').click();
  await visitor.type('ls /');
  await visitor.page.waitForSelector('[data-machine=paused]');
  assert.match((await visitor.page.locator('.notices').textContent()) ?? '', /the fault that you waited for/);
  // Nothing came after it on its hart: the newest event of one of them is the copy. (view.catch tells more.)
  await visitor.until(() => {
    const newest = new Map<string, string>();
    for (const line of (document.querySelector('[data-twin]')?.textContent ?? '').split('\n')) {
      const hart = / hart (\d+) {2}/.exec(line)?.[1];
      if (hart !== undefined && !newest.has(hart)) newest.set(hart, line);
    }
    return [...newest.values()].some((line) => line.includes('copy on write'));
  }, null);
  await visitor.page.locator('[data-do=cont]').click();
  await visitor.page.waitForSelector('[data-machine=running]');
  await visitor.console(/lost\+found.*\n[^]*#$/);
});

test('a dump is written', LIMIT, async () => {
  await visitor.go({ view: 'time' });
  await visitor.page.locator('[data-do=dump]').click();
  await visitor.until(() => /\S/.test(document.querySelector('[data-dump]')?.textContent ?? ''), null);
  const path = /Written: (\S+)/.exec((await visitor.page.locator('[data-dump]').textContent()) ?? '')?.[1];
  assert.ok(path, (await visitor.page.locator('[data-dump]').textContent()) ?? '');
  const { size, mode } = statSync(path);
  unlinkSync(path);
  assert.ok(size > 64 << 20, `${size} bytes`);
  assert.equal(mode & 0o077, 0, 'nobody else may read it');
  await visitor.page.waitForSelector('[data-machine=running]');
});

test('the lamp was green all the time', async () => {
  await visitor.go({ view: 'lamp' });
  assert.equal(await visitor.attribute('[data-lamp]', 'data-lamp'), 'green', (await visitor.page.locator('.findings').textContent()) ?? '');
});

test('a bit that is flipped in the guest’s memory turns the lamp red', LIMIT, async () => {
  const machine = JSON.parse(readFileSync(process.env['VITRINE_MACHINE'] ?? '', 'utf8')) as { ram: string; base: number };
  await visitor.go({ view: 'walk', pid: 1, va: '0x10000', acc: 'x' });
  await visitor.page.waitForSelector('[data-result=ok]');
  const slot = Number(await visitor.page.locator('.step').last().locator('p code').first().textContent());
  const flip = (): void => {
    const ram = openSync(machine.ram, 'r+');
    const byte = Buffer.alloc(1);
    readSync(ram, byte, 0, 1, slot - machine.base);
    byte[0]! ^= 4;
    writeSync(ram, byte, 0, 1, slot - machine.base);
    closeSync(ram);
  };
  await visitor.go({ view: 'time' });
  await visitor.page.locator('[data-do=base]').click();
  const green = Number(await visitor.until(() => /base=(\d+)/.exec(location.hash)?.[1], null));
  flip(); // W, in a leaf that has X
  await visitor.page.waitForSelector('[data-lamp=red]');
  await visitor.go({ view: 'time', base: green });
  await visitor.page.locator('[data-do=base]').click();
  const red = Number(await visitor.until((old) => {
    const base = /base=(\d+)/.exec(location.hash)?.[1];
    return base !== String(old) && base;
  }, green));
  await visitor.go({ view: 'lamp', pid: 1, text: true });
  await visitor.page.waitForSelector('[data-finding=wx]');
  await visitor.twin(/wx: .*\(0x8[0-9a-f]+\)/);
  await visitor.go({ view: 'lamp', pid: 1 });
  await visitor.picture('lamp');
  await visitor.page.locator('[data-finding=wx] button').first().click();
  await visitor.until(() => /view=frames&.*frame=0x8/.test(location.hash), null);
  flip();
  await visitor.page.waitForSelector('[data-lamp=green]');
  await visitor.go({ view: 'lamp', at: red });
  await visitor.page.waitForSelector('[data-lamp=red]');
  await visitor.page.waitForSelector('[data-finding=wx]');
  await visitor.go({ view: 'lamp', at: green });
  await visitor.page.waitForSelector('[data-lamp=green]');
  assert.equal(await visitor.page.locator('[data-finding]').count(), 0);
});

test('in the dark, for whoever has it so', LIMIT, async () => {
  const night = await Visitor.open(address, { dark: true });
  await night.go({ view: 'console', lang: 'zh-CN' });
  await night.page.waitForSelector('[data-table=harts] tbody tr');
  await night.picture('vitals-dark');
  await night.close();
  await visitor.go({ view: 'console' });
  await visitor.picture('vitals');
});

test('a guest that is switched off says so, and is still shown', LIMIT, async () => {
  await visitor.go({ view: 'walk', pid: 1, va: '0x10000', acc: 'x' });
  await visitor.type('poweroff -f');
  await visitor.page.waitForSelector('[data-machine=off]');
  assert.match((await visitor.page.locator('.notices').textContent()) ?? '', /switched off/);
  await visitor.go({ view: 'walk', pid: 0, va: 'kernel_main', acc: 'x', mode: 'kernel' });
  await visitor.page.waitForSelector('[data-result=ok]');
});

test('nothing was asked of the network, and no script failed', () => {
  assert.deepEqual(visitor.strangers, []);
  assert.deepEqual(visitor.errors, []);
});
