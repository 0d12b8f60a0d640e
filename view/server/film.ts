/*
 * The film: events of the rings with what is known of them when they happen. A program may be gone before the next look
 * at the machine, so names of threads are remembered.
 */
import type { Machine, Snapshot, TraceEvent } from '../core/index.ts';
import { hex } from '../core/index.ts';
import type { FilmEvent } from '../shared/protocol.ts';

interface Owner {
  pid: number;
  name: string;
}

/** Threads that are remembered; the oldest are forgotten. */
const THREADS = 5000;

export class Film {
  private owners = new Map<number, Owner>();

  constructor(private readonly machine: Machine) {}

  /** Learns who the threads of this instant are. */
  learn(now: Snapshot): void {
    for (const process of now.processes)
      for (const task of process.tasks) this.remember(task.tid, { pid: process.pid, name: task.name });
  }

  describe(event: TraceEvent, now: Snapshot | null): FilmEvent {
    const owner = this.owners.get(event.tid) ?? { pid: event.tid, name: '' };
    // The child of a process that nobody has seen yet: it runs its parent's program until it calls exec.
    if (event.kind === 'fork' && !this.owners.has(event.nr)) this.remember(event.nr, { pid: event.nr, name: owner.name });
    return { ...event, ...owner, symbol: this.place(event.pc, owner.pid, now) };
  }

  /** A kernel function, or the file and the offset in it. */
  private place(pc: bigint, pid: number, now: Snapshot | null): string {
    if (pc === 0n) return '';
    if (pc >> 63n) return this.machine.symbols?.describe(pc) ?? '';
    const process = now?.processes.find((p) => p.pid === pid);
    const as = process && now?.aspaces.find((a) => a.address === process.aspace);
    const page = Number(pc >> 12n);
    const vma = as?.vmas.find((v) => page >= v.start && page < v.end);
    if (!vma || vma.name === '') return '';
    return `${vma.name.slice(vma.name.lastIndexOf('/') + 1)}+${hex(pc - BigInt(vma.start - vma.pgoff) * 4096n)}`;
  }

  private remember(tid: number, owner: Owner): void {
    this.owners.delete(tid);
    this.owners.set(tid, owner);
    if (this.owners.size > THREADS) this.owners.delete(this.owners.keys().next().value!);
  }
}
