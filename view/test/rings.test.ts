/* Every page fault in QEMU's own log of traps is in the rings, and the reverse. One hart. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { explainEvent, RingReader, takeSnapshot, type Machine, type TraceEvent } from './reach.ts';
import { Console, machineFile, openMachine, Qmp, sleep, until } from './guest.ts';

const file = machineFile();
let qmp: Qmp;
let shell: Console;
let machine: Machine;

before(async () => {
  machine = openMachine(file);
  qmp = await Qmp.open(file.qmp!);
  await until('the kernel', () => machine.refresh());
});

after(() => {
  qmp.end();
  shell.end();
});

const CAUSE = { x: 12, r: 13, w: 15 } as const;
const FAULT = /cause:([0-9a-f]{16}), epc:0x([0-9a-f]{16}), tval:0x([0-9a-f]{16})/;

/** "cause pc va" of each page fault that is about user memory. */
function logged(text: string): string[] {
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const m = /async:0/.test(line) ? FAULT.exec(line) : null;
    const cause = m ? parseInt(m[1]!, 16) : 0;
    if (m && (cause === 12 || cause === 13 || cause === 15) && !m[3]!.startsWith('ffffff')) found.push(`${cause} ${BigInt('0x' + m[2]).toString(16)} ${BigInt('0x' + m[3]).toString(16)}`);
  }
  return found;
}

function told(events: TraceEvent[]): string[] {
  return events.filter((e) => e.kind === 'fault').map((e) => `${CAUSE[e.access!]} ${e.pc.toString(16)} ${e.va.toString(16)}`);
}

test('the same faults, from the first on', async () => {
  const reader = new RingReader(machine);
  const events: TraceEvent[] = [];
  let lost = 0;
  const read = (): void => {
    const batch = reader.read();
    events.push(...batch.events);
    lost += batch.lost;
  };
  const timer = setInterval(read, 20);
  shell = await Console.open(file.console!);
  await shell.run('ls -l /bin | sort | wc -l; cat /proc/self/maps; (sleep 0.1 & wait); seq 1 100 | tail -1; echo hallo > /tmp/x; cat /tmp/x');
  await sleep(500);
  await qmp.stop();
  clearInterval(timer);
  read();
  /* The first is how the kernel turns paging on: it faults its way to where it is mapped, long before there are rings. */
  const [boot, ...theirs] = logged(readFileSync(process.env.VIEW_INT_LOG!, 'latin1'));
  await qmp.go();
  assert.equal(lost, 0);
  assert.match(boot!, /^12 (802000[0-9a-f]{2}) \1$/);
  const ours = told(events);
  assert.ok(ours.length > 300, `${ours.length} faults`);
  assert.deepEqual([...ours].sort(), [...theirs].sort());
  assert.deepEqual(events.map((e) => e.n), events.map((_, i) => i));
  for (let i = 1; i < events.length; i++) assert.ok(events[i]!.time >= events[i - 1]!.time);
});

test('events tell what is in the tables', async () => {
  const reader = new RingReader(machine, { from: 'now' });
  await shell.run('true | cat');
  await sleep(300);
  const { events } = reader.read();
  const kinds = new Set(events.map((e) => e.kind));
  for (const kind of ['fault', 'fork', 'exec', 'exit', 'map'] as const) assert.ok(kinds.has(kind), kind);
  const s = takeSnapshot(machine);
  for (const event of events)
    for (const lang of ['en', 'zh-CN'] as const) {
      const words = explainEvent(event, lang, { snapshot: s, symbols: machine.symbols });
      assert.doesNotMatch([words.title, ...words.lines].join(' '), /\{|undefined/);
    }
  const cow = events.filter((e) => e.faultHow === 'cow');
  assert.ok(cow.length > 0);
  for (const e of cow) assert.ok(e.result === 'done' && e.access === 'w' && (e.after & 4n) !== 0n);
});

test('a reader that comes late is told how much it lost', async () => {
  const reader = new RingReader(machine);
  reader.read();
  await shell.run('i=0; while [ $i -lt 60 ]; do ls -l /bin >/dev/null; i=$((i+1)); done');
  await sleep(200);
  const batch = reader.read();
  assert.ok(batch.lost > 0, 'the ring was large enough for all of it');
  const numbers = batch.events.map((e) => e.n);
  assert.equal(numbers.at(-1)! - numbers[0]! + 1, numbers.length);
  assert.equal(batch.lostTotal, batch.lost);
});
