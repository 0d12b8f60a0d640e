/*
 * The viewer's server: node server.cjs --machine MACHINE.json [--monitor SOCKET] [--port N] [--dumps DIR] [--program PATH=FILE]...
 * [--walks FILE] [--bootargs TEXT] [--bench SECONDS]
 *
 * Started by ./vitrine view beside the guest. It listens on 127.0.0.1 only, prints its address as one line of standard
 * output, and ends when it is told to; a guest that is off can still be looked at.
 */
import { createServer } from 'node:http';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';
import { FileMemory } from '../cli/memory.ts';
import { Machine } from '../core/index.ts';
import { PROTOCOL, type Catch, type ClientMessage, type MachineState } from '../shared/protocol.ts';
import type { WalkJson } from '../walks/prove.ts';
import { answerQuery } from './ask.ts';
import { bench } from './bench.ts';
import { Catcher } from './catcher.ts';
import { GuestConsole } from './console.ts';
import { dumpMemoryTo, dumpRunning } from './dump.ts';
import { Guard } from './guard.ts';
import { Page } from './page.ts';
import { pageText, HEADERS } from './html.ts';
import { askHarts } from './harts.ts';
import { Programs } from '../cli/programs.ts';
import { Monitor } from './qmp.ts';
import { Watcher, type Look } from './watcher.ts';

/** While no page is watching. */
const SLOW_MS = 500;

const LAST_WORDS_MS = 300;
/** For the machine to be let go when this program ends. */
const LAST_DEED_MS = 1000;
/** Queries of one page that wait for their answers. */
const MOST_QUERIES = 8;
/** The first line of a panic's report. */
const PANIC = /^PANIC/m;

interface Description {
  ram: string;
  base: number;
  size: number;
  kernel: string;
  qmp: string;
  gdb: string | null;
  console: string | null;
}

function option(name: string): string | null {
  const at = process.argv.indexOf(name);
  return at < 0 ? null : process.argv[at + 1] ?? null;
}

function options(name: string): string[] {
  return process.argv.flatMap((word, i) => (word === name && process.argv[i + 1] !== undefined ? [process.argv[i + 1]!] : []));
}

class Server {
  private pages = new Set<Page>();
  private state: MachineState = 'running';
  private why: 'catch' | 'user' | 'guest' | undefined;
  private lastError = '';
  /** The dump of a kernel that panicked, for pages that come later. */
  private panicked: { path: string; error: string } | null = null;
  /** The last look was at a machine that stood still, and it still does. */
  private seenStill = false;
  /** The fault that is waited for, and the page that wants it. */
  private wanted: { catch: Catch; page: Page } | null = null;
  private catcher: Catcher | null = null;
  /** What is done to the machine, one after the other. */
  private deeds: Promise<void> = Promise.resolve();

  constructor(
    private readonly about: Description, private readonly watcher: Watcher, private readonly monitor: Monitor,
    private readonly console: GuestConsole, private readonly dumps: string, private readonly walks: WalkJson[], private readonly bootargs: string | null,
  ) {
    console.onData = (data) => this.pages.forEach((page) => page.console(data));
    monitor.onEvent = (name) => {
      if (this.catcher?.busy) this.resumedMeanwhile(name);
      else if (name === 'STOP' && this.state === 'running') this.become('paused', this.why ?? 'guest');
      else if (name === 'RESUME') this.become('running');
    };
    monitor.onClose = () => {
      this.become('off');
      // The console's last bytes may still be on their way.
      setTimeout(() => PANIC.test(console.backlog().toString('utf8')) && void this.keepPanic(), LAST_WORDS_MS);
    };
    watcher.onCaught = () => {
      this.wanted = null;
      this.stop('catch');
    };
  }

  /** Looks for ever; at a machine that stands still only once. */
  async run(): Promise<never> {
    for (let look: Look | null = null; ; ) {
      const begin = Date.now();
      const still = this.state !== 'running';
      if (!still || !this.seenStill) look = this.look(still) ?? look;
      this.seenStill = still && this.state !== 'running';
      if ([...this.pages].some((page) => page.watchingHarts)) this.watcher.places = await askHarts(this.monitor, this.watcher.machine).catch(() => []);
      if (look) this.watcher.tell(look, this.pages);
      const wait = [...this.pages].some((page) => page.watching) || this.watcher.armed ? this.watcher.pause(begin) : SLOW_MS;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** A look that fails is a bug of the viewer's, not a reason to leave the reader without it: it is told once, and the next may do. */
  private look(still: boolean): Look | null {
    try {
      return this.watcher.look(still);
    } catch (error) {
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      if (text !== this.lastError) process.stderr.write(`vitrine: a look at the machine failed: ${text}\n`);
      this.lastError = text;
      return null;
    }
  }

  accept(socket: WebSocket): void {
    const page = new Page(socket, this.watcher);
    page.onMessage = (message) => void this.obey(page, message);
    socket.on('close', () => {
      this.pages.delete(page);
      if (this.wanted?.page === page) this.inTurn(() => this.waitFor(null));
    });
    const { kernel, size } = this.about;
    page.send({ t: 'hello', protocol: PROTOCOL, kernel, ram: size, console: this.console.attached, timebase: this.watcher.machine.timebase, ...(this.bootargs !== null && { bootargs: this.bootargs }) });
    page.send({ t: 'machine', state: this.state, ...(this.why && { why: this.why }) });
    page.console(this.console.backlog());
    if (this.panicked) page.send({ t: 'dumped', ...this.panicked });
    this.pages.add(page);
  }

  private async obey(page: Page, message: ClientMessage): Promise<void> {
    if (message.t === 'type') this.console.type(message.text);
    else if (message.t === 'catch') this.inTurn(() => this.waitFor(message.catch && { catch: message.catch, page }));
    else if (message.t === 'dump') page.send({ t: 'dumped', ...(await this.dump()) });
    else if (message.t === 'walks') page.send({ t: 'walks', walks: this.walks });
    else if (message.t === 'ask') await this.answer(page, message.id, message.words);
    else if (message.t === 'machine') this.inTurn(() => (message.do === 'stop' ? this.pause() : this.goOn()));
    else if (message.t === 'history') page.sendHistory();
  }

  private async answer(page: Page, id: number, words: string[]): Promise<void> {
    if (page.queries >= MOST_QUERIES) {
      page.send({ t: 'answer', id, text: null, error: 'too many queries at once' });
      return;
    }
    page.queries++;
    try {
      page.send({ t: 'answer', id, ...(await answerQuery(this.watcher.machine, this.state !== 'running', words)) });
    } catch (error) {
      // A bug of the engine's, or memory that no table explains: this query has no answer, the next may have one.
      page.send({ t: 'answer', id, text: null, error: error instanceof Error ? error.message : String(error) });
    } finally {
      page.queries--;
    }
  }

  // ---- the machine's stops ----

  /** Before this program ends: the machine may go on without it. */
  async finish(): Promise<void> {
    await this.inTurn(() => this.waitFor(null));
  }

  private inTurn(deed: () => Promise<void>): Promise<void> {
    this.deeds = this.deeds.then(deed).catch((error: unknown) => void process.stderr.write(`vitrine: ${error instanceof Error ? error.message : String(error)}\n`));
    return this.deeds;
  }

  /** In place of what was waited for before. */
  private async waitFor(wanted: { catch: Catch; page: Page } | null): Promise<void> {
    await this.letGo();
    this.wanted = wanted;
    if (this.state === 'running') await this.lieInWait(true);
  }

  private async pause(): Promise<void> {
    await this.letGo();
    this.stop('user');
  }

  private async goOn(): Promise<void> {
    if (!this.catcher) await this.lieInWait(false);
    await this.monitor.run('cont').catch(() => {});
  }

  /** Waits at the very fault, or where that is not possible looks for it. run: the machine runs. */
  private async lieInWait(run: boolean): Promise<void> {
    const { wanted } = this;
    if (!wanted) return;
    const catcher = new Catcher(this.watcher.machine, this.monitor, this.about.gdb, (event) => this.watcher.isWanted(wanted.catch, event));
    catcher.onCaught = () => {
      this.wanted = this.catcher = null;
      this.become('paused', 'catch');
    };
    catcher.onOutside = () => this.become('paused', 'guest');
    this.catcher = catcher;
    try {
      await catcher.start(run);
    } catch (error) {
      this.catcher = null;
      this.watcher.armed = wanted.catch;
      process.stderr.write(`vitrine: the fault will be seen a moment after it: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }

  private async letGo(): Promise<void> {
    this.watcher.armed = null;
    await this.catcher?.end();
    this.catcher = null;
  }

  /** While the catcher stops and starts the machine: of the end of somebody else's stop only QEMU's state tells for sure. */
  private resumedMeanwhile(event: string): void {
    const { catcher } = this;
    if (event !== 'RESUME' || !catcher?.stoppedOutside) return;
    this.monitor.run('query-status').then((status) => {
      if (!(status as { running?: boolean }).running || this.catcher !== catcher) return;
      catcher.resumed();
      this.become('running');
    }, () => {});
  }

  private stop(why: 'catch' | 'user'): void {
    this.why = why;
    this.monitor.run('stop').catch(() => {});
  }

  private become(state: MachineState, why?: 'catch' | 'user' | 'guest'): void {
    this.state = state;
    this.seenStill = false;
    this.why = state === 'paused' ? why : undefined;
    this.pages.forEach((page) => page.send({ t: 'machine', state, ...(this.why && { why: this.why }) }));
  }

  /** A kernel that panicked is worth keeping, whether or not somebody is looking. */
  private async keepPanic(): Promise<void> {
    const done = await this.dump();
    process.stderr.write(done.path ? `vitrine: the kernel panicked; its memory is in ${done.path}: ./vitrine view --dump ${done.path}\n` : `vitrine: the kernel panicked; no dump: ${done.error}\n`);
    this.panicked = done;
    this.pages.forEach((page) => page.send({ t: 'dumped', ...done }));
  }

  private async dump(): Promise<{ path: string; error: string }> {
    const name = new Date().toISOString().replace(/[:.]/g, '-') + '.core';
    const file = path.join(this.dumps, name);
    try {
      mkdirSync(this.dumps, { recursive: true, mode: 0o700 });
      if (this.state === 'off') dumpMemoryTo(this.watcher.machine.memory, file);
      else await dumpRunning(this.monitor, this.watcher.machine.memory, file);
      return { path: file, error: '' };
    } catch (error) {
      return { path: '', error: String(error instanceof Error ? error.message : error) };
    }
  }
}

/** Serves the page and its socket on 127.0.0.1; returns the address. */
function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let guard: Guard | null = null;
    const sockets = new WebSocketServer({ noServer: true, maxPayload: 1 << 20 });
    const http = createServer((request, response) => {
      const file = guard?.admit(request);
      const status = file === null || file === undefined ? 403 : file === '/' && request.method === 'GET' ? 200 : 404;
      response.writeHead(status, HEADERS);
      response.end(status === 200 ? pageText() : `${status}\n`);
    });
    http.on('upgrade', (request, socket, head) => {
      if (!guard?.admitSocket(request)) {
        socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (accepted) => server.accept(accepted));
    });
    http.on('error', reject);
    http.listen(port, '127.0.0.1', () => {
      const address = http.address();
      const real = typeof address === 'object' && address ? address.port : port;
      guard = new Guard(real);
      resolve(`http://127.0.0.1:${real}/?token=${guard.token}`);
    });
  });
}

/** Written by ./vitrine walk --json; what is in it was checked there. */
function readWalks(file: string | null): WalkJson[] {
  return file === null ? [] : (JSON.parse(readFileSync(file, 'utf8')) as WalkJson[]);
}

let running: Server | null = null;

async function main(): Promise<void> {
  const description = option('--machine');
  if (!description) throw new Error('usage: server --machine MACHINE.json');
  const about = JSON.parse(readFileSync(description, 'utf8')) as Description;
  // The console first: QEMU waits for its reader before it makes anything else.
  const console = await GuestConsole.open(about.console);
  const monitor = await Monitor.open(option('--monitor') ?? about.qmp);
  const ram = new FileMemory(about.ram, about.base, about.size);
  const watcher = new Watcher(new Machine(ram, { kernel: readFileSync(about.kernel) }), new Programs(options('--program')));
  const seconds = option('--bench');
  if (seconds) await bench(watcher, console, monitor, Number(seconds));
  const server = new Server(about, watcher, monitor, console, option('--dumps') ?? path.join(path.dirname(description), 'dumps'), readWalks(option('--walks')), option('--bootargs'));
  running = server;
  process.stdout.write((await listen(server, Number(option('--port') ?? 0))) + '\n');
  await server.run();
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  process.on(signal, () => {
    setTimeout(() => process.exit(0), LAST_DEED_MS);
    void (running?.finish() ?? Promise.resolve()).then(() => process.exit(0));
  });
main().catch((error: unknown) => {
  process.stderr.write(`vitrine: the viewer's server: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
