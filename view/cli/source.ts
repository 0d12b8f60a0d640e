/* Which machine: a running one, by its machine file, or a dump. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Machine, type Memory } from '../core/index.ts';
import { dumpFile, FileMemory } from './memory.ts';
import { type Options } from './options.ts';

/** What the launcher writes (docs/view.md). */
export interface MachineFile {
  version: 1;
  ram: string;
  base: number;
  size: number;
  kernel: string | null;
  qmp: string | null;
  gdb: string | null;
  pid: number;
  console: string | null;
}

export interface Source {
  machine: Machine;
  /** It does not move: a dump. */
  still: boolean;
  name: string;
}

export class SourceError extends Error {}

function isMachineFile(value: unknown): value is MachineFile {
  const m = value as Partial<MachineFile> | null;
  return typeof m === 'object' && m !== null && m.version === 1 && typeof m.ram === 'string' && typeof m.base === 'number' && typeof m.size === 'number' && typeof m.pid === 'number';
}

/** Throws SourceError with what is wrong with it. */
export function readMachineFile(file: string): MachineFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new SourceError(`no machine is running here (${file} is not there): start one with ./vitrine run --watch, or name a dump with --dump`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = null;
  }
  if (!isMachineFile(parsed)) throw new SourceError(`${file} is not a machine file`);
  return parsed;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function defaultFile(): string {
  return path.join(process.env.VITRINE_BUILD ?? 'build', 'run', 'machine.json');
}

function readKernel(file: string): Uint8Array {
  if (!existsSync(file)) throw new SourceError(`no kernel file ${file}`);
  return new Uint8Array(readFileSync(file));
}

export function openSource(options: Options): Source {
  let memory: Memory;
  let kernel = options.elf;
  let name: string;
  if (options.dump) {
    if (!existsSync(options.dump)) throw new SourceError(`no dump ${options.dump}`);
    memory = dumpFile(options.dump);
    name = options.dump;
  } else {
    name = options.machine ?? defaultFile();
    const file = readMachineFile(name);
    if (!isAlive(file.pid)) throw new SourceError(`the machine of ${name} does not run any more`);
    memory = new FileMemory(file.ram, file.base, file.size);
    kernel ??= options.satp === null ? file.kernel : null;
  }
  const machine = new Machine(memory, {
    ...(kernel ? { kernel: readKernel(kernel) } : {}),
    ...(options.satp === null ? {} : { satp: options.satp }),
  });
  if (!machine.layout && options.satp === null)
    throw new SourceError('no Vitrine kernel in this memory; of another one, tables can be read with --satp VALUE');
  return { machine, still: options.dump !== null, name };
}

/** Fails with words when the kernel is not so far yet. */
export function needKernel(source: Source): void {
  if (source.machine.refresh()) {
    if (source.machine.runsItsFile()) return;
    throw new SourceError('the kernel file is not the one that runs: its names would be wrong ones (--elf names another)');
  }
  throw new SourceError('the kernel has not set up its memory yet (or the kernel file is not the one that runs)');
}
