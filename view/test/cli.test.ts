/* ./vitrine x as a program: what it prints, and with which status it ends. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Console, machineFile, openMachine, until } from './guest.ts';

const program = path.join(process.env.VITRINE_BUILD!, 'view', 'x.cjs');
const folder = mkdtempSync(path.join(os.tmpdir(), 'view-'));
let shell: Console;
let pid = '';

before(async () => {
  const file = machineFile();
  const machine = openMachine(file);
  await until('the kernel', () => machine.refresh());
  shell = await Console.open(file.console!);
  pid = /\d+/.exec(await shell.run('sleep 100000 & echo $!'))![0];
});

after(() => {
  shell.end();
  rmSync(folder, { recursive: true });
});

function x(...args: string[]): { status: number | null; out: string; err: string } {
  const done = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

function live(...args: string[]): { status: number | null; out: string; err: string } {
  return x(...args, '--machine', process.env.VIEW_MACHINE!);
}

test('every command answers, in text and in JSON', async () => {
  const cases: [string[], RegExp][] = [
    [['ps'], /^ +1 +0 +1 +sleeping .* init$/m],
    [['maps', pid], /r-xp .* \/bin\/busybox$/m],
    [['walk', pid, '0x10000'], /is physical address 0x8[0-9a-f]{7}, in a leaf of 4 KiB/],
    [['walk', pid, '0x10000', '--access', 'w'], /store page fault \(15\)\. W is 0/],
    [['walk', pid, '0x10000', '--lang', 'zh-CN'], /用户态读 0x10000/],
    [['walk', 'kernel', 'kernel_main', '--access', 'x'], /execution of 0xffffffff80/],
    [['pt', pid], /^page table 0x0{8}8[0-9a-f]{7}\n\.\.0: pte /],
    [['pt', 'kernel'], /^\.\.510: pte /m],
    [['frames'], /^free +\d+ +\d+$/m],
    [['frames', '0x80200'], /^frame 0x80200 at 0x80200000: reserved/],
    [['share'], /^ *\d+ +\d+ +\d+ +\d+$/m],
    [['share', '1', pid], /^FRAME/],
    [['faults'], /Page fault: write of 0x[0-9a-f]+ by /],
    [['faults'], /by .* at 0xffffffff[0-9a-f]+ <\w+\+0x[0-9a-f]+ [\w/]+\.[cS]:\d+>\./],
    [['faults', '--program', `/sbin/init=${process.env.VITRINE_BUILD}/user/init`], / at 0x[0-9a-f]+ <init \w+\+0x[0-9a-f]+>\./],
    [['diff', '--seconds', '0.05'], /^/],
    [['check'], /^green/],
    [['layout', 'task.tid'], /^task\.tid +field +0x[0-9a-f]+ +4$/m],
  ];
  for (const [args, wanted] of cases) {
    const text = live(...args);
    assert.equal(text.status, 0, `${args.join(' ')}: ${text.err}`);
    assert.match(text.out, wanted, args.join(' '));
    assert.doesNotThrow(() => JSON.parse(live(...args, '--json').out), args.join(' '));
  }
});

test('what is wrong is said in a line, with a status', () => {
  const cases: [string[], number, RegExp][] = [
    [['--help'], 0, /^$/],
    [['nothing'], 2, /no command "nothing"/],
    [['toString'], 2, /no command/],
    [['maps'], 2, /which PID\?/],
    [['maps', 'abc'], 2, /abc is not a PID/],
    [['maps', '99999'], 1, /no process 99999/],
    [['maps', '2'], 1, /kernel thread/],
    [['walk', '1'], 2, /which address/],
    [['walk', '1', 'zzz'], 2, /not a number/],
    [['frames', '0x1'], 1, /no frame of RAM/],
  ];
  for (const [args, status, said] of cases) {
    const done = live(...args);
    assert.deepEqual([done.status, said.test(done.err), done.err.includes('    at ')], [status, true, false], `${args.join(' ')}: ${done.err}`);
  }
  assert.match(x('ps', '--machine', '/nowhere').err, /no machine is running here/);
  const file = path.join(folder, 'machine.json');
  writeFileSync(file, '{"version":1}');
  assert.match(x('ps', '--machine', file).err, /not a machine file/);
  writeFileSync(file, JSON.stringify({ ...machineFile(), pid: 2 ** 30 }));
  assert.match(x('ps', '--machine', file).err, /does not run any more/);
  writeFileSync(file, JSON.stringify({ ...machineFile(), kernel: process.execPath }));
  assert.match(x('ps', '--machine', file).err, /another machine/);
  writeFileSync(file, JSON.stringify({ ...machineFile(), size: 2 ** 40 }));
  assert.match(x('ps', '--machine', file).err, /bytes, not the/);
  assert.match(x('ps', '--dump', process.execPath).err, /RISC-V/);
  assert.equal(x().status, 2);
});

test('a dump is looked at alike', async () => {
  const { memory } = openMachine(machineFile());
  const { base, size } = memory.ranges[0]!;
  const head = new Uint8Array(4096);
  const view = new DataView(head.buffer);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, 243, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setBigUint64(72, 4096n, true);
  view.setBigUint64(88, BigInt(base), true);
  view.setBigUint64(96, BigInt(size), true);
  view.setBigUint64(104, BigInt(size), true);
  const dump = path.join(folder, 'dump.elf');
  writeFileSync(dump, head);
  writeFileSync(dump, memory.read(base, size)!, { flag: 'a' });
  assert.match(x('ps', '--dump', dump).out, / init$/m); // the note is found in the dump itself
  assert.match(x('maps', pid, '--dump', dump).out, /busybox/);
  assert.match(x('diff', '--dump', dump).err, /one instant/);
  assert.match(x('pt', 'kernel', '--dump', dump, '--elf', machineFile().kernel!).out, /^page table/);
});
