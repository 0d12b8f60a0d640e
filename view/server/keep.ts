/*
 * Keeps what there is to see of a machine, for later: node keep.cjs --machine MACHINE.json [--elf KERNEL] [--program PATH=FILE]...
 * --out FILE looks at it until its standard input ends, then writes the session. node keep.cjs --page SESSION --console FILE
 * --elf KERNEL --out FILE.html makes a page of it that needs no server.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { FileMemory } from '../cli/memory.ts';
import { Machine, Symbols } from '../core/index.ts';
import { encode, PROTOCOL } from '../shared/protocol.ts';
import { parseSession, SESSION_FORMAT, type SessionFile } from '../shared/session.ts';
import { sessionText } from './html.ts';
import { Programs } from './programs.ts';
import { Watcher } from './watcher.ts';

/** Events of a session; the rest is counted as lost. */
const EVENTS_KEPT = 100_000;

function option(name: string): string {
  const at = process.argv.indexOf(name);
  return at < 0 ? '' : process.argv[at + 1] ?? '';
}

function options(name: string): string[] {
  return process.argv.flatMap((word, i) => (word === name && process.argv[i + 1] !== undefined ? [process.argv[i + 1]!] : []));
}

async function keep(description: string, out: string): Promise<void> {
  const about = JSON.parse(readFileSync(description, 'utf8')) as { ram: string; base: number; size: number; kernel: string };
  const ram = new FileMemory(about.ram, about.base, about.size);
  const machine = new Machine(ram, { kernel: readFileSync(option('--elf') || about.kernel) });
  const watcher = new Watcher(machine, ram, new Programs(options('--program')), EVENTS_KEPT);
  let ended = false;
  process.stdin.on('end', () => (ended = true)).resume();
  while (!ended) {
    const begin = Date.now();
    watcher.look(false);
    await new Promise((resolve) => setTimeout(resolve, watcher.pause(begin)));
  }
  watcher.look(true); // the file outlives the machine
  const history = watcher.session.message();
  if (!history) return; // the kernel never came so far
  const session: SessionFile = {
    format: SESSION_FORMAT, version: PROTOCOL,
    hello: { t: 'hello', protocol: PROTOCOL, kernel: about.kernel, ram: about.size, console: false, timebase: machine.timebase },
    history, events: watcher.events, lost: watcher.lost + watcher.eventsBefore, lamp: watcher.lampState, console: '',
  };
  writeFileSync(out, encode(session));
}

function page(session: string, consoleText: string, kernel: string, out: string): void {
  const kept = parseSession(readFileSync(session, 'utf8'));
  const symbols = kernel ? Symbols.fromElf(readFileSync(kernel)).list() : [];
  writeFileSync(out, sessionText(encode({ ...kept, console: readFileSync(consoleText, 'utf8'), symbols })));
}

const session = option('--page');
(session ? Promise.resolve().then(() => page(session, option('--console'), option('--elf'), option('--out'))) : keep(option('--machine'), option('--out'))).catch((error: unknown) => {
  process.stderr.write(`vitrine: the session's view: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
