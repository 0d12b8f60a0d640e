/* Tasks, processes and address spaces, from the index of numbers on. */
import { Machine, Shape } from './machine.ts';
import { VmaNames } from './names.ts';
import { hex, PAGE_SIZE, u64, viewOf } from './numbers.ts';
import type { PageCache } from './pages.ts';
import type { AspaceInfo, Memory, Problem, ProcessInfo, TaskInfo, TaskState, VmaInfo } from './types.ts';

const MOST_TASKS = 65536;
const MOST_VMAS = 65536;
const INDEX_MAX_SHIFT = 60;
const STATES: TaskState[] = ['new', 'runnable', 'sleeping', 'stopped', 'zombie', 'dead'];

export interface Population {
  processes: ProcessInfo[];
  aspaces: AspaceInfo[];
}

/** An index (kernel/lib/index.h), bounded: calls fn(key, entry) in order. Returns what is wrong with it, or null. */
export class IndexReader {
  private readonly bits: number;
  private readonly slots: number;
  private readonly width: number;

  constructor(private readonly machine: Machine, private readonly memory: Memory) {
    const layout = machine.layout!;
    this.bits = Number(layout.constant('INDEX_BITS'));
    this.slots = layout.offset('index_node.slots');
    this.width = 2 ** this.bits;
  }

  /** `pa`: of the struct index. An entry is what the slot holds, as a DataView and an offset into it. fn says false to end. */
  each(pa: number, most: number, fn: (key: number, view: DataView, at: number) => boolean | void): string | null {
    const layout = this.machine.layout!;
    const head = this.memory.read(pa, layout.offset('index.count') + 8);
    if (!head) return 'unreadable';
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    const shift = view.getUint32(layout.offset('index.shift'), true);
    const root = this.machine.pointer(view, layout.offset('index.root'));
    if (root === 0) return null;
    if (shift > INDEX_MAX_SHIFT || shift % this.bits) return 'shift';
    const budget = { nodes: most + 64, entries: most };
    return this.node(root, shift, 0, budget, fn) ?? null;
  }

  private node(pa: number, shift: number, key: number, budget: { nodes: number; entries: number },
    fn: (key: number, view: DataView, at: number) => boolean | void): string | undefined {
    if (--budget.nodes < 0) return 'too-much';
    const bytes = pa > 0 && pa % 8 === 0 ? this.memory.read(pa + this.slots, 8 * this.width) : null;
    if (!bytes) return 'pointer';
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const step = 2 ** shift;
    for (let i = 0; i < this.width; i++) {
      if (view.getUint32(8 * i, true) === 0 && view.getUint32(8 * i + 4, true) === 0) continue;
      if (shift === 0) {
        if (--budget.entries < 0) return 'too-much';
        if (fn(key + i, view, 8 * i) === false) return undefined;
        continue;
      }
      const wrong = this.node(this.machine.pointer(view, 8 * i), shift - this.bits, key + i * step, budget, fn);
      if (wrong) return wrong;
    }
    return undefined;
  }
}

export class ProcessReader {
  private readonly pid;
  private readonly task;
  private readonly process;
  private readonly aspace;
  private readonly pagetable;
  private readonly vma;
  private readonly node: { left: number; right: number };
  private readonly states = new Map<number, TaskState>();
  private readonly names: VmaNames;
  /* Of the reading under way. */
  private aspaces = new Map<number, AspaceInfo | null>();
  private problems: Problem[] = [];

  constructor(private readonly machine: Machine, private readonly memory: PageCache) {
    const layout = machine.layout!;
    this.pid = new Shape(layout, 'pid', ['nr', 'task']);
    this.task = new Shape(layout, 'task', ['proc', 'tid', 'name', 'state', 'on_hart', 'hart', 'as', 'utime', 'stime']);
    this.process = new Shape(layout, 'process', ['pid', 'ppid', 'zombie']);
    this.aspace = new Shape(layout, 'aspace', [
      'vmas', 'pt', 'brk_start', 'brk', 'mmap_top', 'stack_top', 'stack_limit', 'resident', 'swapped', 'nr_pages', 'nr_faults_minor', 'nr_faults_major',
    ]);
    this.pagetable = new Shape(layout, 'pagetable', ['root', 'user_root', 'asid', 'nr_tables']);
    this.vma = new Shape(layout, 'vma', ['start', 'end', 'flags', 'node', 'obj', 'pgoff', 'file', 'amap', 'apgoff']);
    this.node = { left: layout.offset('tree_node.left'), right: layout.offset('tree_node.right') };
    this.names = new VmaNames(machine, memory);
    for (const name of STATES) this.states.set(Number(layout.constant('TASK_' + name.toUpperCase())), name);
  }

  read(problems: Problem[]): Population {
    this.aspaces = new Map();
    this.problems = problems;
    const byProcess = new Map<number, ProcessInfo>();
    const kernel: ProcessInfo[] = [];
    const wrong = new IndexReader(this.machine, this.memory).each(this.machine.addressOf('pids'), MOST_TASKS, (nr, view, at) => {
      this.entry(nr, this.machine.pointer(view, at), byProcess, kernel);
    });
    if (wrong) this.problem('pids-broken', { why: wrong });
    const processes = [...byProcess.values(), ...kernel].sort((a, b) => a.pid - b.pid);
    const aspaces = [...this.aspaces.values()].filter((as) => as !== null);
    return { processes, aspaces: aspaces.sort((a, b) => a.address - b.address) };
  }

  private problem(code: string, args: Problem['args']): void {
    if (this.problems.length < 1000) this.problems.push({ code, args });
  }

  /* One struct pid: a number may be a group's name alone. */
  private entry(nr: number, pa: number, byProcess: Map<number, ProcessInfo>, kernel: ProcessInfo[]): void {
    const view = this.pid.read(this.memory, pa);
    if (!view || view.getInt32(this.pid.at.nr, true) !== nr) return this.problem('pid-broken', { nr, at: hex(Math.max(pa, 0)) });
    const task = this.machine.pointer(view, this.pid.at.task);
    if (task === 0) return;
    const t = this.task.read(this.memory, task);
    if (!t || t.getInt32(this.task.at.tid, true) !== nr) return this.problem('task-broken', { nr, at: hex(Math.max(task, 0)) });
    const info = this.taskInfo(task, t);
    const owner = this.machine.pointer(t, this.task.at.proc);
    if (owner === 0) {
      kernel.push({ address: 0, pid: nr, ppid: 0, name: info.name, zombie: false, tasks: [info], aspace: 0 });
      return;
    }
    const known = byProcess.get(owner);
    if (known) return void known.tasks.push(info);
    const p = this.process.read(this.memory, owner);
    if (!p) return this.problem('process-broken', { nr, at: hex(Math.max(owner, 0)) });
    const as = this.machine.pointer(t, this.task.at.as);
    byProcess.set(owner, {
      address: owner, pid: p.getInt32(this.process.at.pid, true), ppid: p.getInt32(this.process.at.ppid, true), name: info.name,
      zombie: p.getUint32(this.process.at.zombie, true) !== 0, tasks: [info], aspace: as && this.aspaceInfo(as, nr) ? as : 0,
    });
  }

  private taskInfo(address: number, t: DataView): TaskInfo {
    const at = this.task.at;
    return {
      address, tid: t.getInt32(at.tid, true), name: textAt(t, at.name, 16), state: this.states.get(t.getUint32(at.state, true)) ?? 'unknown',
      onHart: t.getUint32(at.on_hart, true) ? t.getUint32(at.hart, true) : null, utimeNs: u64(t, at.utime), stimeNs: u64(t, at.stime),
    };
  }

  private aspaceInfo(pa: number, nr: number): AspaceInfo | null {
    const known = this.aspaces.get(pa);
    if (known !== undefined) return known;
    const v = this.aspace.read(this.memory, pa);
    const at = this.aspace.at;
    const pt = v && this.pagetable.read(this.memory, pa + at.pt);
    if (!v || !pt) {
      this.problem('aspace-broken', { nr, at: hex(Math.max(pa, 0)) });
      this.aspaces.set(pa, null);
      return null;
    }
    const limit = u64(v, at.stack_limit);
    const info: AspaceInfo = {
      address: pa, root: u64(pt, this.pagetable.at.root), userRoot: u64(pt, this.pagetable.at.user_root), asid: u64(pt, this.pagetable.at.asid) % 65536,
      nrTables: u64(pt, this.pagetable.at.nr_tables), brkStart: u64(v, at.brk_start), brk: u64(v, at.brk), mmapTop: u64(v, at.mmap_top),
      stackTop: u64(v, at.stack_top), stackLimit: limit >= 2 ** 52 ? -1 : limit, resident: u64(v, at.resident), swapped: u64(v, at.swapped),
      nrPages: u64(v, at.nr_pages), faultsMinor: u64(v, at.nr_faults_minor), faultsMajor: u64(v, at.nr_faults_major), vmas: [],
    };
    this.aspaces.set(pa, info);
    const tree = this.machine.pointer(v, at.vmas + this.machine.layout!.offset('vma_tree.tree') + this.machine.layout!.offset('tree.root'));
    const { vmas, broken } = this.memory.keep(`vmas ${tree}`, () => this.vmas(tree));
    info.vmas = vmas;
    if (broken !== null) this.problem('vmas-broken', { pid: nr, aspace: hex(pa), at: hex(broken) });
    return info;
  }

  /* In order, by a stack of our own: the tree may be a mess. What is out of order or met twice ends it, and is where it is broken. */
  private vmas(root: number): { vmas: VmaInfo[]; broken: number | null } {
    const vmas: VmaInfo[] = [];
    const seen = new Set<number>();
    const path: { pa: number; view: DataView }[] = [];
    let at = root;
    for (;;) {
      while (at !== 0) {
        const pa = at - this.vma.at.node;
        const view = at > 0 && !seen.has(at) && seen.size < MOST_VMAS ? this.vma.read(this.memory, pa) : null;
        if (!view) return { vmas, broken: Math.max(at, 0) };
        seen.add(at);
        path.push({ pa, view });
        at = this.machine.pointer(view, this.vma.at.node + this.node.left);
      }
      const next = path.pop();
      if (!next) return { vmas, broken: null };
      const info = this.vmaInfo(next.view);
      const last = vmas[vmas.length - 1];
      if (!(info.start < info.end) || (last && info.start < last.end)) return { vmas, broken: next.pa };
      vmas.push(info);
      at = this.machine.pointer(next.view, this.vma.at.node + this.node.right);
    }
  }

  private vmaInfo(v: DataView): VmaInfo {
    const at = this.vma.at;
    const flags = v.getUint32(at.flags, true);
    const start = Math.floor(u64(v, at.start) / PAGE_SIZE);
    const obj = this.machine.pointer(v, at.obj);
    const file = this.machine.pointer(v, at.file);
    const named = this.names.of(start, flags, file);
    const shared = obj > 0 && file === 0 ? this.sharedAmap(obj) : 0;
    const pgoff = obj ? u64(v, at.pgoff) : 0;
    return {
      start, end: Math.floor(u64(v, at.end) / PAGE_SIZE), flags, perms: this.names.perms(flags), kind: named.kind, name: named.name,
      pgoff, dev: named.dev, ino: named.ino, amap: shared || Math.max(this.machine.pointer(v, at.amap), 0), obj: Math.max(obj, 0),
      apgoff: shared ? pgoff : u64(v, at.apgoff),
    };
  }

  /* Of shared memory the object has the pages, in an amap that names it in turn. Of other objects: 0. */
  private sharedAmap(obj: number): number {
    const layout = this.machine.layout!;
    const owner = this.memory.read(obj + layout.offset('memobj.owner'), 8);
    const amap = owner ? this.machine.pointer(viewOf(owner), 0) : 0;
    const back = amap > 0 ? this.memory.read(amap + layout.offset('amap.obj'), 8) : null;
    return back && this.machine.pointer(viewOf(back), 0) === obj ? amap : 0;
  }
}

function textAt(view: DataView, at: number, size: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? size : end));
}
