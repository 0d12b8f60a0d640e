/* A guided walk on its way, with a guest and an engine that are made up: what is typed, what is heard, and every way to go astray. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WalkJson, WalkStepJson } from '../../walks/prove.ts';
import { commandFor, misfit, wantedArguments } from '../../web/fitting.ts';
import { Astray, holds, Taken, type Hands } from '../../web/taken.ts';

function stepOf(name: string, rest: Partial<WalkStepJson>): WalkStepJson {
  return { name, boot: null, do: null, wait: null, see: [], expect: [], ...rest };
}

const NAME = (name: string) => ({ op: 'name' as const, name });
const WALK: WalkJson = {
  version: 1, name: 'made-up', machine: { mem: '128M', harts: '1', isolate: 'off', append: 'trace=syscalls' }, languages: {},
  steps: [
    stepOf('one', {
      do: 'walk made-up', wait: 'here: pid {pid} page {page}', see: [{ name: 'leaf', words: ['walk', NAME('pid'), NAME('page')] }],
      expect: [{ text: 'leaf.pa == 7', tree: { op: '==', left: { op: 'member', of: NAME('leaf'), name: 'pa' }, right: { op: 'number', value: 7 } } }],
    }),
    stepOf('two', { do: '<Enter>', wait: 'there' }),
    stepOf('three', { boot: 'isolate=1', see: [{ name: 'lost', words: ['walk', NAME('nothing')] }] }),
  ],
};

/** A guest that answers to what is typed, in pieces as small as can be. */
class Guest implements Hands {
  typed: string[] = [];
  asked: string[][] = [];
  private ear: (text: string | null) => void = () => {};
  constructor(private readonly answers: Record<string, string | null>, private readonly engine: (words: string[]) => string = () => '{"pa": 7}') {}

  type(text: string): void {
    this.typed.push(text);
    const answer = text in this.answers ? this.answers[text]! : '';
    if (answer === null) queueMicrotask(() => this.ear(null));
    else for (const letter of answer) queueMicrotask(() => this.ear(letter));
  }

  async ask(words: string[]): Promise<string> {
    this.asked.push(words);
    return this.engine(words);
  }

  listen(sink: (text: string | null) => void): () => void {
    this.ear = sink;
    return () => (this.ear = () => {});
  }

  async settled(): Promise<void> {
    this.typed.push('(settled)');
  }

  changed(): void {}
}

const FINE = {
  '\x03': '^C\r\n/ # \x1b[6n', 'walk made-up\r': 'walk made-up\r\n\x1b[0mhere: pid 5 page 0x4000 and more\r\n', '\r': '\r\nthere\r\n',
};

test('a step: typed after a prompt, heard, asked, proved', async () => {
  const guest = new Guest(FINE);
  const taken = new Taken(WALK, guest);
  assert.ok(taken.ready(0) && !taken.ready(1), 'in order');
  assert.ok(taken.ready(2), 'a new machine needs no step before');
  await taken.take(1);
  assert.deepEqual(guest.typed, [], 'nothing is done out of order');
  await taken.take(0);
  assert.deepEqual(guest.typed, ['\x03', '(settled)', 'walk made-up\r']);
  assert.deepEqual(guest.asked, [['walk', '5', '16384']], 'numbers below 65536 are decimal');
  assert.equal(taken.steps[0]!.line, 'here: pid 5 page 0x4000 and more');
  assert.ok(holds(taken.steps[0]!));
  await taken.take(1);
  assert.deepEqual(guest.typed.slice(3), ['\r']);
  assert.ok(holds(taken.steps[1]!) && !taken.ready(1), 'once');
  assert.ok(!taken.lingers);
  await taken.take(2);
  assert.ok(taken.lingers, 'the program waits for Enter still');
  taken.end();
  taken.end();
  assert.deepEqual(guest.typed.slice(4), ['\r']);
});

test('the terminal’s answer to the shell, which came after the command, is no part of the line', async () => {
  const guest = new Guest({ ...FINE, '\x03': '^C\r\n/ # ^[[24;3R', 'walk made-up\r': 'walk made-up\r\n^[[24;17Rhere: pid 5 page 0x4000\r\n' });
  const taken = new Taken(WALK, guest, 50);
  await taken.take(0);
  assert.equal(taken.steps[0]!.line, 'here: pid 5 page 0x4000');
});

test('a claim that does not hold, and a query that cannot be asked', async () => {
  const taken = new Taken(WALK, new Guest(FINE, () => '{"pa": 8}'));
  await taken.take(0);
  assert.deepEqual(taken.steps[0]!.proofs, [{ text: 'leaf.pa == 7', holds: false, why: '8 == 7' }]);
  assert.ok(taken.ready(1), 'the guest is where it should be: the walk goes on');
  await taken.take(2);
  assert.deepEqual(taken.steps[2]!.proofs, [{ text: 'lost', holds: false, why: 'nothing is called nothing' }]);
});

const WAYS: [code: string, text: RegExp, hands: Guest][] = [
  ['late', /^#$/, new Guest({})],
  ['late', /^here: pid/, new Guest({ ...FINE, 'walk made-up\r': 'walk: not found\r\nhere: pid 5 page 0x40' })],
  ['gone', /^here: pid/, new Guest({ ...FINE, 'walk made-up\r': null })],
  ['panic', /PANIC: at the disco/, new Guest({ ...FINE, 'walk made-up\r': '\r\nPANIC: at the disco\r\n' })],
  ['engine', /^walk 5 16384: no process 5$/, new Guest(FINE, () => { throw new Error('no process 5'); })],
];
for (const [code, text, guest] of WAYS)
  test(`astray: ${code} ${text}`, async () => {
    const taken = new Taken(WALK, guest, 50);
    await taken.take(0);
    const step = taken.steps[0]!;
    assert.equal(step.phase, 'astray');
    assert.ok(step.why instanceof Astray && step.why.code === code, step.why?.code);
    assert.match(step.why.message, text);
    assert.ok(!taken.ready(1) && !holds(step) && !taken.busy);
  });

test('whether the machine is the one that is wanted', () => {
  const fine = { ram: 128 << 20, harts: 1, bootargs: 'quiet trace=syscalls' };
  assert.equal(misfit(WALK, 0, fine), null);
  assert.equal(misfit(WALK, 0, { ...fine, bootargs: 'trace=on isolate=0 trace=syscalls' }), null, 'the last one counts');
  assert.equal(misfit(WALK, 0, { ...fine, ram: 1 << 30, harts: 4, bootargs: null }), null);
  assert.deepEqual(misfit(WALK, 1, { ...fine, ram: 64 << 20 }), { small: true, lacks: [], has: [] });
  assert.deepEqual(misfit(WALK, 2, { ...fine, bootargs: 'thp=never trace=syscalls' }), { small: false, lacks: ['isolate=1'], has: ['thp=never'] });
  assert.deepEqual(wantedArguments(WALK, 2), ['trace=syscalls', 'isolate=1']);
  assert.equal(commandFor(WALK, 2), "./vitrine view --mem 128M --harts 1 --isolate --append 'trace=syscalls'");
});
