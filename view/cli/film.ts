/*
 * The film: events of the rings with what is known of them when they happen. A program may be gone before the next look
 * at the machine, so threads are remembered: their names, and what was mapped where.
 *
 * An event lies between two looks, and a thread may have started another program there. So its place is looked for in what
 * was mapped at the look before, and after an event of exec in what is mapped at the look after; where it cannot be told which
 * of them it was, it has no name. Names come from files of the host: of those only whose bytes are in the process's memory.
 */
import { leafAt, PAGE_SIZE, ptePa, type EventBatch, type Machine, type Snapshot, type TableTree, type TraceEvent, type VmaInfo } from '../core/index.ts';
import type { FilmEvent } from '../shared/protocol.ts';
import { NOWHERE, type CodePlace, type Programs } from './programs.ts';

/** What a process has mapped: at the last look, and at the one before it. */
interface Space {
  aspace: number;
  root: number;
  vmas: VmaInfo[];
  before: VmaInfo[];
  tree: TableTree | null;
  /** It was not there at the look before. */
  fresh: boolean;
  /** Programs whose file in the guest was seen to be the host's. */
  same: Set<string>;
}

interface Owner {
  pid: number;
  name: string;
  /** null: not known. */
  space: Space | null;
}

/** Threads that are remembered; the oldest are forgotten. */
const THREADS = 5000;

export class Film {
  private owners = new Map<number, Owner>();
  /** Of the last look, by aspace. */
  private spaces = new Map<number, Space>();

  constructor(private readonly machine: Machine, private readonly programs: Programs) {}

  /** What the rings gave with this look. */
  take(batch: EventBatch, now: Snapshot): FilmEvent[] {
    const current = this.ownersAt(now);
    const began = new Set(batch.events.filter((event) => event.kind === 'exec').map((event) => event.tid));
    const told = batch.events.map((event) => this.describe(event, current, began, batch.lost > 0));
    for (const [tid, owner] of current) this.remember(tid, owner);
    return told;
  }

  /** The process of an event that was read ahead of the next look. */
  pidOf(event: TraceEvent): number {
    return this.owners.get(event.tid)?.pid ?? event.tid;
  }

  private describe(event: TraceEvent, current: Map<number, Owner>, began: Set<number>, lost: boolean): FilmEvent {
    const now = current.get(event.tid);
    if (!this.owners.has(event.tid) && now) this.remember(event.tid, began.has(event.tid) ? { ...now, space: null } : now);
    if (event.kind === 'exec') {
      const aspace = this.machine.physical(event.va);
      const old = this.owners.get(event.tid);
      this.remember(event.tid, now?.space?.aspace === aspace && now ? now : { pid: old?.pid ?? event.tid, name: old?.name ?? '', space: null });
    }
    const owner = this.owners.get(event.tid) ?? { pid: event.tid, name: '', space: null };
    // The child has its parent's program until it calls exec, and may be gone before the next look.
    if (event.kind === 'fork') this.remember(event.nr, { ...owner, pid: current.get(event.nr)?.pid ?? event.nr });
    // Among events that were lost there may have been an exec.
    const space = lost && (owner.space !== now?.space || owner.space?.fresh) ? null : owner.space;
    return { ...event, pid: owner.pid, name: owner.name, ...this.place(event.pc, space) };
  }

  /** A kernel function, or the program and the function or place in its file; and the line. */
  private place(pc: bigint, space: Space | null): CodePlace {
    if (pc === 0n) return NOWHERE;
    if (pc >> 63n) return { symbol: this.machine.symbols?.describe(pc) ?? '', line: this.machine.lineOf(pc) };
    const page = Number(pc >> 12n);
    const found = space && fileAt(space.vmas, page);
    const before = space && fileAt(space.before, page);
    const vma = found ?? before;
    if (!space || !vma || (found && before && originOf(found) !== originOf(before))) return NOWHERE;
    return this.programs.describe(vma.name, Number(pc) - originOf(vma) * PAGE_SIZE, this.isSame(space, vma.name, page));
  }

  /** The threads of this instant, and what their processes have mapped. */
  private ownersAt(now: Snapshot): Map<number, Owner> {
    const spaces = new Map<number, Space>();
    for (const as of now.aspaces) {
      const old = this.spaces.get(as.address);
      const known = old && old.root === as.root ? old : { aspace: as.address, root: as.root, vmas: as.vmas, same: new Set<string>() };
      const space = Object.assign(known, { before: known.vmas, vmas: as.vmas, tree: now.trees.get(as.address) ?? null, fresh: known !== old });
      spaces.set(as.address, space);
      // While it is there: it may be gone when its events are told.
      if (known !== old) for (const vma of as.vmas) if (vma.perms[2] === 'x') this.isSame(space, vma.name, vma.start);
    }
    this.spaces = spaces;
    const owners = new Map<number, Owner>();
    for (const process of now.processes)
      for (const task of process.tasks) owners.set(task.tid, { pid: process.pid, name: task.name, space: spaces.get(process.aspace) ?? null });
    return owners;
  }

  /**
   * Is the program that the guest runs the file that is here? Its first page, which has its sizes and its build id, is compared, and
   * the page that is asked about; one of them must be in memory.
   */
  private isSame(space: Space, name: string, page: number): boolean {
    if (space.same.has(name)) return true;
    const file = name === '' ? null : this.programs.bytes(name);
    if (!file || !space.tree) return false;
    const first = space.vmas.find((vma) => vma.name === name && vma.pgoff === 0);
    const asked = fileAt(space.vmas, page);
    const seen = [first && this.samePage(space.tree, file, first, first.start), asked && this.samePage(space.tree, file, asked, page)];
    const same = seen.includes(true) && !seen.includes(false);
    if (same) space.same.add(name);
    return same;
  }

  /** undefined: the page is not in memory. */
  private samePage(tree: TableTree, file: Uint8Array, vma: VmaInfo, page: number): boolean | undefined {
    const i = leafAt(tree.leaves, page);
    if (i < 0 || tree.leaves.level[i] !== 0) return undefined;
    const bytes = this.machine.memory.read(ptePa(tree.leaves.lo[i]!, tree.leaves.hi[i]!), PAGE_SIZE);
    const offset = (vma.pgoff + page - vma.start) * PAGE_SIZE;
    const ours = file.subarray(offset, offset + PAGE_SIZE);
    return bytes !== null && ours.length > 0 && ours.every((byte, k) => byte === bytes[k]);
  }

  private remember(tid: number, owner: Owner): void {
    this.owners.delete(tid);
    this.owners.set(tid, owner);
    if (this.owners.size > THREADS) this.owners.delete(this.owners.keys().next().value!);
  }
}

/** The mapping of a file that has the page. */
function fileAt(vmas: VmaInfo[], page: number): VmaInfo | null {
  const vma = vmas.find((v) => page >= v.start && page < v.end);
  return vma && vma.name !== '' ? vma : null;
}

/** Where the file's first page would be. */
function originOf(vma: VmaInfo): number {
  return vma.start - vma.pgoff;
}
