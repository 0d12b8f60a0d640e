/*
 * The film: events of the rings with what is known of them when they happen. A program may be gone before the next look
 * at the machine, so threads are remembered: their names, and what was mapped where.
 */
import type { Machine, Snapshot, TraceEvent, VmaInfo } from '../core/index.ts';
import type { FilmEvent } from '../shared/protocol.ts';
import type { Programs } from './programs.ts';

interface Owner {
  pid: number;
  name: string;
  /** Empty: not known. */
  vmas: VmaInfo[];
}

/** Threads that are remembered; the oldest are forgotten. */
const THREADS = 5000;

export class Film {
  private owners = new Map<number, Owner>();

  constructor(private readonly machine: Machine, private readonly programs: Programs) {}

  /** Learns who the threads of this instant are. */
  learn(now: Snapshot): void {
    const spaces = new Map(now.aspaces.map((as) => [as.address, as.vmas]));
    for (const process of now.processes)
      for (const task of process.tasks) this.remember(task.tid, { pid: process.pid, name: task.name, vmas: spaces.get(process.aspace) ?? [] });
  }

  describe(event: TraceEvent): FilmEvent {
    const owner = this.owners.get(event.tid) ?? { pid: event.tid, name: '', vmas: [] };
    // The child of a process that nobody has seen yet: it has its parent's program until it calls exec.
    if (event.kind === 'fork' && !this.owners.has(event.nr)) this.remember(event.nr, { ...owner, pid: event.nr });
    return { ...event, pid: owner.pid, name: owner.name, symbol: this.place(event.pc, owner.vmas) };
  }

  /** A kernel function, or the program and the function or place in its file. */
  private place(pc: bigint, vmas: VmaInfo[]): string {
    if (pc === 0n) return '';
    if (pc >> 63n) return this.machine.symbols?.describe(pc) ?? '';
    const page = Number(pc >> 12n);
    const vma = vmas.find((v) => page >= v.start && page < v.end);
    if (!vma || vma.name === '') return '';
    return this.programs.describe(vma.name, Number(pc) - (vma.start - vma.pgoff) * 4096);
  }

  private remember(tid: number, owner: Owner): void {
    this.owners.delete(tid);
    this.owners.set(tid, owner);
    if (this.owners.size > THREADS) this.owners.delete(this.owners.keys().next().value!);
  }
}
