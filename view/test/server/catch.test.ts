/*
 * Waiting for a fault (VITRINE_ADDRESS, VIEW_MACHINE: of a running viewer): the machine stops at the very fault, whatever its harts do
 * meanwhile, and nothing is left of it afterwards.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { RingReader, type FaultHow, type Machine, type TraceEvent } from '../../core/index.ts';
import { decode, encode, type ClientMessage, type MachineState, type ServerMessage } from '../../shared/protocol.ts';
import { machineFile, openMachine, Qmp, sleep, until } from '../guest.ts';

const address = new URL(process.env['VITRINE_ADDRESS'] ?? '');
const file = machineFile();
const LIMIT = { timeout: 120_000 };

/** A page, but for its pictures. */
class Client {
  state: MachineState = 'running';
  why = '';
  console = '';

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data, binary) => {
      if (binary) this.console += String(data);
      else this.take(decode<ServerMessage>(String(data)));
    });
  }

  static async open(): Promise<Client> {
    const socket = new WebSocket(`ws://${address.host}/socket${address.search}`, { headers: { Origin: address.origin } });
    const client = new Client(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    client.send({ t: 'want', want: { lang: 'en', state: true, walk: null, frame: null, space: null, harts: true } });
    return client;
  }

  send(message: ClientMessage): void {
    this.socket.send(encode(message));
  }

  wait(how: FaultHow | null, pid: number | null = null): void {
    this.send({ t: 'catch', catch: how && { how, pid } });
  }

  /** Runs a command of the shell, and waits until it is done. */
  async run(command: string): Promise<string> {
    const from = this.console.length;
    this.send({ t: 'type', text: `${command}${command.endsWith('&') ? '' : ';'} echo d"on"e\r` });
    await until(command, () => /^done\r?$/m.test(this.console.slice(from)));
    return this.console.slice(from);
  }

  is(state: MachineState, why = ''): Promise<unknown> {
    return until(`${state} ${why}`, () => this.state === state && this.why === why);
  }

  close(): void {
    this.socket.close();
  }

  private take(message: ServerMessage): void {
    if (message.t === 'tick') this.send({ t: 'ack', n: message.n });
    if (message.t !== 'machine') return;
    this.state = message.state;
    this.why = message.why ?? '';
  }
}

let machine: Machine;
let qmp: Qmp;
let page: Client;

before(async () => {
  machine = openMachine(file);
  qmp = await Qmp.open(file.qmp!);
  await until('the kernel', () => machine.refresh());
  page = await Client.open();
  await until('a prompt', () => page.console.includes('# '));
  // Work for both harts, from here to the end.
  await page.run('for i in 1 2 3; do while :; do (ls /bin; :) > /dev/null; done & done; true');
});

after(() => {
  qmp?.end();
  page?.close();
});

async function status(): Promise<string> {
  return ((await qmp.command('query-status')) as { status: string }).status;
}

/** Has the stub a client? */
async function attached(): Promise<boolean> {
  const devices = (await qmp.command('query-chardev')) as { label: string; filename: string }[];
  return !devices.find((device) => device.label === 'gdb')!.filename.startsWith('disconnected:');
}

/** The machine goes on by itself: faults are answered, the shell too. */
async function goesOn(): Promise<void> {
  const reader = new RingReader(machine, { from: 'now' });
  let faults = 0;
  await until('faults', () => (faults += reader.read().events.filter((event) => event.kind === 'fault').length) > 500);
  assert.match(await page.run('echo $((6*7))'), /^42\r?$/m);
}

/** The newest event of each hart of a machine that stands. */
function newest(): TraceEvent[] {
  const last = new Map<number, TraceEvent>();
  for (const event of new RingReader(machine).read().events) if ((last.get(event.hart)?.n ?? -1) < event.n) last.set(event.hart, event);
  return [...last.values()];
}

async function pcs(): Promise<bigint[]> {
  const text = await qmp.monitor('info registers -a');
  return [...text.matchAll(/^\s*pc\s+([0-9a-f]+)\s*$/gm)].map((found) => BigInt('0x' + found[1]));
}

/** A stop that falls into a moment in which the machine stands at a breakpoint is none to QEMU. */
async function stopFromOutside(): Promise<void> {
  await until('paused from outside', async () => {
    await qmp.stop();
    await sleep(50);
    return page.state === 'paused' && page.why === 'guest';
  });
}

const KINDS: FaultHow[] = ['cow', 'anon', 'file', 'reuse'];

test('the kernel tells where a fault’s event has just been written', () => {
  const places = machine.faultPlaces();
  assert.ok(places.length > 0);
  for (const place of places) assert.match(machine.symbols!.describe(place)!, /^trap_(user|kernel)|^trace_|fault/);
});

for (let round = 0; round < 2; round++)
  for (const how of KINDS)
    test(`it stops at a fault of kind ${how}, not after it`, LIMIT, async () => {
      page.wait(how);
      await page.is('paused', 'catch');
      assert.equal((await status()) === 'running', false);
      const found = newest().filter((event) => event.kind === 'fault' && event.faultHow === how);
      assert.ok(found.length > 0, `the newest events: ${newest().map((event) => `${event.kind} ${event.faultHow ?? ''}`).join(', ')}`);
      const places = machine.faultPlaces();
      assert.ok((await pcs()).some((pc) => places.includes(pc)), 'a hart stands where the event was written');
      assert.equal(await attached(), false, 'gdb may have the stub');
      page.send({ t: 'machine', do: 'cont' });
      await page.is('running');
      await goesOn();
    });

test('what never comes: the machine works on meanwhile, and when it is cancelled nothing is left', LIMIT, async () => {
  page.wait('swap');
  await until('the stub is taken', attached);
  await goesOn();
  assert.equal(page.state, 'running');
  page.wait(null);
  await until('the stub is free', async () => !(await attached()));
  await goesOn();
  for (let i = 0; i < 20; i++) {
    assert.equal(await status(), 'running');
    await sleep(20);
  }
});

test('a page that goes takes its wish with it', LIMIT, async () => {
  const other = await Client.open();
  other.wait('swap');
  await until('the stub is taken', attached);
  other.close();
  await until('the stub is free', async () => !(await attached()));
  await goesOn();
  assert.equal(page.state, 'running');
});

test('Pause and Continue while it waits; and what is asked for while the machine stands', LIMIT, async () => {
  page.wait('swap');
  await until('the stub is taken', attached);
  page.send({ t: 'machine', do: 'stop' });
  await page.is('paused', 'user');
  assert.notEqual(await status(), 'running');
  page.wait('cow');
  page.send({ t: 'machine', do: 'cont' });
  await page.is('paused', 'catch');
  assert.ok(newest().some((event) => event.faultHow === 'cow'));
  page.send({ t: 'machine', do: 'cont' });
  await page.is('running');
  await goesOn();
});

test('somebody else’s stop is seen, and is his to end', LIMIT, async () => {
  page.wait('swap');
  await until('the stub is taken', attached);
  await stopFromOutside();
  await sleep(300);
  assert.equal(await status(), 'paused');
  await qmp.go();
  await page.is('running');
  await goesOn();
  await stopFromOutside();
  page.wait(null);
  await until('the stub is free', async () => !(await attached()));
  assert.equal(await status(), 'paused');
  page.send({ t: 'machine', do: 'cont' });
  await page.is('running');
  await goesOn();
});

test('wished and cancelled again and again', LIMIT, async () => {
  for (let i = 0; i < 30; i++) {
    page.wait(i % 3 ? 'swap' : 'usyscall');
    if (i % 2) await sleep(i);
    page.wait(null);
  }
  await until('the stub is free', async () => !(await attached()));
  await until('it runs', async () => (await status()) === 'running' && page.state === 'running');
  await goesOn();
});
