/*
 * The price of looking, measured on a guest that works: ./vitrine view --bench. The console is used to start processes; then
 * the machine is looked at as often as the server would, for a page that has everything open.
 */
import type { WebSocket } from 'ws';
import { encode, type ClientMessage } from '../shared/protocol.ts';
import type { GuestConsole } from './console.ts';
import { Page } from './page.ts';
import type { Monitor } from './qmp.ts';
import type { Watcher } from './watcher.ts';

/** With init and two shells twenty processes; the last shell starts a program twice a second, as somebody who types does. */
const WORKLOAD = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do sleep 1000 & done; sh -c "while :; do ls / >/dev/null; usleep 500000; done"\r';
const PROCESSES = 20;
const PATIENCE_MS = 60_000;

/** The half of a WebSocket that a Page uses: what it sends is counted, and acknowledged at once. */
class Counter {
  bytes: number[] = [];
  readonly bufferedAmount = 0;
  private listener: (data: string, binary: boolean) => void = () => {};

  on(event: string, listener: (data: string, binary: boolean) => void): void {
    if (event === 'message') this.listener = listener;
  }

  say(message: ClientMessage): void {
    this.listener(encode(message), false);
  }

  send(text: string): void {
    this.bytes.push(Buffer.byteLength(text));
    this.say({ t: 'ack', n: this.bytes.length });
  }
}

export async function bench(watcher: Watcher, console: GuestConsole, monitor: Monitor, seconds: number): Promise<void> {
  await prompt(console);
  console.type(WORKLOAD);
  const socket = new Counter();
  const page = new Page(socket as unknown as WebSocket, watcher);
  await busy(watcher);
  socket.say({ t: 'want', want: { lang: 'en', state: true, walk: { pid: 1, expr: 'stack', access: 'w', mode: 'user' }, frame: watcher.now!.frames.firstPfn, space: 1, harts: true } });
  const cpu: number[] = [];
  const begin = Date.now();
  while (Date.now() - begin < seconds * 1000) {
    const begun = Date.now();
    const start = process.cpuUsage();
    const look = watcher.look(false);
    if (look) page.tick(look);
    const used = process.cpuUsage(start);
    cpu.push((used.user + used.system) / 1000);
    await new Promise((resolve) => setTimeout(resolve, watcher.pause(begun)));
  }
  const hz = (cpu.length * 1000) / (Date.now() - begin);
  await monitor.run('quit').catch(() => {});
  // The first message is the whole state; the ticks follow.
  print(watcher, cpu, socket.bytes.slice(1), socket.bytes[0] ?? 0, hz);
}

async function prompt(console: GuestConsole): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!/# (\x1b\[6n)?$/.test(console.backlog().toString('utf8'))) {
    if (Date.now() > end) throw new Error('the guest has no prompt after a minute');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function busy(watcher: Watcher): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while ((watcher.look(false)?.now.processes.filter((p) => p.aspace !== 0).length ?? 0) < PROCESSES) {
    if (Date.now() > end) throw new Error('the guest did not start its processes within a minute');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function print(watcher: Watcher, cpu: number[], bytes: number[], first: number, hz: number): void {
  const rows = [
    ['RAM', `${watcher.ram.ranges[0]!.size / 2 ** 20} MiB`],
    ['processes', String(watcher.now!.processes.filter((p) => p.aspace !== 0).length)],
    ['looks a second', hz.toFixed(1)],
    ['host CPU a look, ms (median, 90 %, most)', spread(cpu, 1)],
    ['bytes a look (median, 90 %, most)', spread(bytes, 0)],
    ['bytes of the first message', String(first)],
  ];
  for (const [name, value] of rows) process.stdout.write(`${name!.padEnd(44)}${value}\n`);
}

function spread(values: number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return [0.5, 0.9, 1].map((part) => (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0).toFixed(digits)).join(' / ');
}
