/* A running guest for tests: its memory, its console, QEMU's monitor. */
import { openSync, readFileSync, writeSync, closeSync } from 'node:fs';
import net from 'node:net';
import { FileMemory } from '../cli/memory.ts';
import { readMachineFile, type MachineFile } from '../cli/source.ts';
import { Machine } from '../core/index.ts';

const PATIENCE_MS = 60_000;

export function machineFile(): MachineFile {
  const file = process.env.VIEW_MACHINE;
  if (!file) throw new Error('VIEW_MACHINE is not set: these tests run by ./vitrine test view');
  return readMachineFile(file);
}

export function openMachine(file: MachineFile, options: { satp?: bigint } = {}): Machine {
  const memory = new FileMemory(file.ram, file.base, file.size);
  return new Machine(memory, file.kernel ? { kernel: new Uint8Array(readFileSync(file.kernel)) } : options);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again until `look` gives something: after a while, or when `change` resolves. */
export async function until<T>(
  what: string, look: () => T | null | undefined | false | Promise<T | null | undefined | false>, change: () => Promise<void> = () => sleep(20),
): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await change();
  }
}

/** Lines and replies of a socket. */
class Wire {
  text = '';
  private readonly socket: net.Socket;
  private wake: () => void = () => undefined;

  constructor(path: string) {
    this.socket = net.connect(path);
    this.socket.setEncoding('utf8');
    this.socket.on('data', (data: string) => {
      this.text += data;
      this.wake();
    });
    this.socket.on('error', () => undefined);
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** When something came, or after a second. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(): void {
    this.socket.destroy();
  }
}

export class Qmp {
  private readonly wire: Wire;
  private read = 0;

  private constructor(path: string) {
    this.wire = new Wire(path);
  }

  static async open(path: string): Promise<Qmp> {
    const qmp = new Qmp(path);
    await qmp.line((message) => 'QMP' in message);
    await qmp.command('qmp_capabilities');
    return qmp;
  }

  async command(execute: string, args?: Record<string, unknown>): Promise<unknown> {
    this.wire.send(JSON.stringify(args ? { execute, arguments: args } : { execute }) + '\n');
    const reply = await this.line((message) => 'return' in message || 'error' in message);
    if ('error' in reply) throw new Error(`${execute}: ${JSON.stringify(reply.error)}`);
    return reply.return;
  }

  /** A command of the human monitor, on one hart. */
  async monitor(line: string, hart = 0): Promise<string> {
    return String(await this.command('human-monitor-command', { 'command-line': line, 'cpu-index': hart }));
  }

  stop(): Promise<unknown> {
    return this.command('stop');
  }

  go(): Promise<unknown> {
    return this.command('cont');
  }

  end(): void {
    this.wire.end();
  }

  private line(wanted: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    return until('an answer of QEMU', () => {
      for (let end = this.wire.text.indexOf('\n', this.read); end >= 0; end = this.wire.text.indexOf('\n', this.read)) {
        const message = JSON.parse(this.wire.text.slice(this.read, end)) as Record<string, unknown>;
        this.read = end + 1;
        if (wanted(message)) return message;
      }
      return null;
    }, () => this.wire.change());
  }
}

/** The shell on the guest's console. */
export class Console {
  private readonly wire: Wire;

  private constructor(path: string) {
    this.wire = new Wire(path);
  }

  static async open(path: string): Promise<Console> {
    const console = new Console(path);
    console.wire.send('\n');
    await until('a prompt', () => console.wire.text.includes('# '), () => console.wire.change());
    await console.run('true');
    return console;
  }

  /** Runs a command of the shell, and gives what it printed. The markers are not what is typed, so that the echo is none. */
  async run(command: string): Promise<string> {
    const from = this.wire.text.length;
    this.wire.send(`echo B"E"GIN; ${command}${command.endsWith('&') ? '' : ';'} echo E"N"D-$?\n`);
    return until(`the end of "${command}"`, () => {
      const found = /BEGIN\r?\n([\s\S]*?)END-\d+\r?\n/.exec(this.wire.text.slice(from));
      return found && { text: clean(found[1]!) };
    }, () => this.wire.change()).then((found) => found.text);
  }

  end(): void {
    this.wire.end();
  }
}

/* Without what the terminal adds. */
function clean(text: string): string {
  return text.replace(/\r/g, '').replace(/\x1b\[[0-9;]*[A-Za-z]/g, '');
}

/** Writes into the guest's RAM, as a bug would. */
export function poke(file: MachineFile, pa: number, bytes: Uint8Array): void {
  const fd = openSync(file.ram, 'r+');
  writeSync(fd, bytes, 0, bytes.length, pa - file.base);
  closeSync(fd);
}

export interface Hart {
  satp: bigint;
  pc: bigint;
  mstatus: bigint;
}

export async function readHart(qmp: Qmp, hart: number): Promise<Hart> {
  const text = await qmp.monitor('info registers', hart);
  const value = (name: string): bigint => BigInt('0x' + (new RegExp(`\\b${name}\\s+([0-9a-f]+)`).exec(text)?.[1] ?? '0'));
  return { satp: value('satp'), pc: value('pc'), mstatus: value('mstatus') };
}
