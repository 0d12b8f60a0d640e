/*
 * The price of looking, measured on a guest that works: ./vitrine view --bench. The console is used to start processes; then
 * the machine is looked at as the server would, for a page that has one view after the other open. What that costs the page is
 * measured in a browser (test/page/bench.ts).
 */
import type { WebSocket } from 'ws';
import { encode, type ClientMessage, type Want } from '../shared/protocol.ts';
import { VIEWS, type ViewName } from '../web/link.ts';
import type { GuestConsole } from './console.ts';
import { rowOf, spread } from './figures.ts';
import { askHarts } from './harts.ts';
import { Page } from './page.ts';
import type { Monitor } from './qmp.ts';
import type { Watcher } from './watcher.ts';

/** With init and two shells twenty processes; the last shell starts a program twice a second, as somebody who types does. */
const WORKLOAD = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do sleep 1000 & done; sh -c "while :; do ls / >/dev/null; usleep 500000; done"\r';
const PROCESSES = 20;
/** While the server's code is new, and a page has the events of the boot to catch up on, looks cost more: they have a row of their own. */
const FIRST_SECONDS = 5;
const PATIENCE_MS = 60_000;

/** The half of a WebSocket that a Page uses: what it sends is counted, and acknowledged at once. */
class Counter {
  /** Of the last message. */
  bytes = 0;
  private count = 0;
  readonly bufferedAmount = 0;
  private listener: (data: string, binary: boolean) => void = () => {};

  on(event: string, listener: (data: string, binary: boolean) => void): void {
    if (event === 'message') this.listener = listener;
  }

  say(message: ClientMessage): void {
    this.listener(encode(message), false);
  }

  send(text: string): void {
    this.bytes = Buffer.byteLength(text);
    this.say({ t: 'ack', n: ++this.count });
  }
}

/** The guest is left at work, for whoever measures the page. seconds: for each view. */
export async function bench(watcher: Watcher, console: GuestConsole, monitor: Monitor, seconds: number): Promise<void> {
  await prompt(console);
  console.type(WORKLOAD);
  const socket = new Counter();
  const page = new Page(socket as unknown as WebSocket, watcher);
  await busy(watcher);
  print('RAM', `${watcher.machine.memory.ranges[0]!.size / 2 ** 20} MiB`);
  print('processes', String(watcher.now!.processes.filter((p) => p.aspace !== 0).length));
  print('the server', 'host CPU a look, ms (mean, median, 90 %, most)', 'bytes a look (mean, median, 90 %, most)', 'looks a second');
  const sleeper = watcher.now!.processes.find((p) => p.name === 'sleep')?.pid ?? 1;
  for (const [name, of] of [['the first', 'console'], ...VIEWS.map((view) => [view, view] as const)] as [string, ViewName][]) {
    socket.say({ t: 'want', want: wantOf(of, sleeper, watcher.now!.frames.firstPfn) });
    const looks = await measure(watcher, monitor, page, socket, name === 'the first' ? FIRST_SECONDS : seconds);
    print(name, spread(looks.map((look) => look.cpuMs), 1), spread(looks.map((look) => look.bytes), 0), looks.hz.toFixed(1));
  }
}

function print(name: string, ...figures: string[]): void {
  process.stdout.write(rowOf(name, ...figures));
}

/** What the page asks for while it shows a view. */
function wantOf(view: ViewName, pid: number, frame: number): Want {
  return {
    lang: 'en', state: true, walk: view === 'walk' ? { pid, expr: 'stack', access: 'w', mode: 'user' } : null, frame: view === 'frames' ? frame : null,
    space: view === 'space' ? pid : null, harts: view === 'console',
  };
}

async function measure(watcher: Watcher, monitor: Monitor, page: Page, socket: Counter, seconds: number): Promise<{ cpuMs: number; bytes: number }[] & { hz: number }> {
  const looks: { cpuMs: number; bytes: number }[] = [];
  const begin = Date.now();
  while (Date.now() - begin < seconds * 1000) {
    const begun = Date.now();
    const look = watcher.look(false);
    if (page.watchingHarts) watcher.places = await askHarts(monitor, watcher.machine);
    socket.bytes = 0;
    if (look) watcher.tell(look, [page]);
    looks.push({ cpuMs: watcher.cost(0).cpuMs, bytes: socket.bytes });
    await new Promise((resolve) => setTimeout(resolve, watcher.pause(begun)));
  }
  return Object.assign(looks, { hz: (looks.length * 1000) / (Date.now() - begin) });
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
