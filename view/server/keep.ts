/*
 * Keeps what there is to see of a machine, for later:
 *   node keep.cjs --machine MACHINE.json [--elf KERNEL] [--program PATH=FILE]... --out FILE
 *       looks at it until its standard input ends, then writes the session
 *   node keep.cjs --page SESSION --console FILE --elf KERNEL --out FILE.html
 *       makes a page of a session, which needs no server
 *   node keep.cjs --dump FILE [--elf KERNEL] [--candidate KERNEL]... [--program PATH=FILE]... --out FILE.html
 *       makes a page of a dump, with the names of its kernel: --elf, which must be it, or of the candidates the one that is
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dumpFile, FileMemory } from '../cli/memory.ts';
import { kernelLog, lampOfDump, logText, Machine, Symbols, type Memory } from '../core/index.ts';
import { encode, PROTOCOL } from '../shared/protocol.ts';
import { parseSession, SESSION_FORMAT, type SessionFile } from '../shared/session.ts';
import { sessionText } from './html.ts';
import { Programs } from '../cli/programs.ts';
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
  const watcher = new Watcher(machine, new Programs(options('--program')), EVENTS_KEPT);
  let ended = false;
  process.stdin.on('end', () => (ended = true)).resume();
  while (!ended) {
    const begin = Date.now();
    watcher.look(false);
    await new Promise((resolve) => setTimeout(resolve, watcher.pause(begin)));
  }
  watcher.look(true); // the file outlives the machine
  const session = sessionOf(watcher, about.kernel); // null: the kernel never came so far
  if (session) writeFileSync(out, encode(session));
}

/** null: there was nothing to see yet. */
function sessionOf(watcher: Watcher, kernel: string): SessionFile | null {
  const history = watcher.session.message();
  const { machine } = watcher;
  const ram = machine.memory.ranges.reduce((sum, range) => sum + range.size, 0);
  return history && {
    format: SESSION_FORMAT, version: PROTOCOL,
    hello: { t: 'hello', protocol: PROTOCOL, kernel, ram, console: false, timebase: machine.timebase },
    history, events: watcher.events, lost: watcher.lost + watcher.eventsBefore, lamp: watcher.lampState, console: '',
  };
}

function symbolsOf(kernel: string): SessionFile['symbols'] {
  return kernel ? Symbols.fromElf(readFileSync(kernel)).list() : [];
}

function page(session: string, consoleText: string, kernel: string, out: string): void {
  const kept = parseSession(readFileSync(session, 'utf8'));
  writeFileSync(out, sessionText(encode({ ...kept, console: readFileSync(consoleText, 'utf8'), symbols: symbolsOf(kernel) })));
}

/** With the file of the kernel that it is. null: this file is of another. */
function machineOf(memory: Memory, kernel: string): Machine | null {
  const machine = new Machine(memory, { kernel: readFileSync(kernel) });
  return machine.refresh() && machine.runsItsFile() ? machine : null;
}

/** A candidate may be half built. */
function isOf(memory: Memory, candidate: string): boolean {
  try {
    return machineOf(memory, candidate) !== null;
  } catch {
    return false;
  }
}

function dumpPage(dump: string, kernel: string, candidates: string[], out: string): void {
  const memory = dumpFile(dump);
  const known = kernel || candidates.find((one) => isOf(memory, one)) || '';
  const machine = known ? machineOf(memory, known) : new Machine(memory);
  if (!machine) throw new Error(`the kernel in ${dump} is not ${known}`);
  const watcher = new Watcher(machine, new Programs(options('--program')), EVENTS_KEPT);
  const session = watcher.look(true) && sessionOf(watcher, known || dump);
  if (!session) throw new Error(`${dump}: no Vitrine kernel in it that has set up its tables`);
  const console = kernelLog(machine).map((line) => logText(line) + '\n').join('');
  writeFileSync(out, sessionText(encode({ ...session, lamp: lampOfDump(machine, watcher.now!), console, symbols: symbolsOf(known) })), { mode: 0o600 });
}

async function main(): Promise<void> {
  const out = option('--out');
  if (option('--page')) page(option('--page'), option('--console'), option('--elf'), out);
  else if (option('--dump')) dumpPage(option('--dump'), option('--elf'), options('--candidate'), out);
  else await keep(option('--machine'), out);
}

main().catch((error: unknown) => {
  process.stderr.write(`vitrine: the session's view: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
