/*
 * What the engine speaks of. Data only: everything here is plain objects, numbers, strings and typed arrays.
 *
 * Numbers. A virtual address is a bigint (64 bits, as unsigned) or a page of it: `vpn` = address >> 12, at most 2^52, so
 * that a number holds it exactly, kernel half included. A physical address is a number (below 2^53), a frame `pfn` = pa >> 12.
 * A structure of the kernel is named by its physical address. A page-table entry is two 32-bit halves, `lo` and `hi`, in
 * arrays, and a bigint where there is one of it.
 *
 * Nothing that was read is believed: a field that could not be read is null, a list that went wrong ends early, and a
 * Problem says so.
 */

/** Guest physical memory. Neither function throws. */
export interface Memory {
  /** What is memory, ascending, disjoint. */
  readonly ranges: readonly MemoryRange[];
  /** A copy of `length` bytes from `pa` on, the caller's to keep. null: not all of it is memory. */
  read(pa: number, length: number): Uint8Array | null;
  /** The same into the caller's buffer, to its full length; true when it was done. For hot loops. */
  readInto(pa: number, into: Uint8Array): boolean;
  /** Are two pieces of the same length alike, byte for byte? Where the host can tell faster than a loop. */
  same?(a: Uint8Array, b: Uint8Array): boolean;
}

export interface MemoryRange {
  base: number;
  size: number;
}

export type Lang = 'en' | 'zh-CN';
export type Access = 'r' | 'w' | 'x';
export type Mode = 'user' | 'kernel';

/** Something that was found wrong while reading; `code` has its words in words/*.ts, with the numbers in `args`. */
export interface Problem {
  code: string;
  args: Record<string, string | number>;
}

// ---- the layout note ----

export type LayoutKind = 'const' | 'address' | 'struct' | 'field';

export interface LayoutEntry {
  name: string;
  kind: LayoutKind;
  /** Of a constant: it; of a variable: its kernel address; of a member: its offset. */
  value: bigint;
  size: number;
}

// ---- walking ----

/** Why a translation ended where it did. The words are in words/*.ts. */
export type Reason =
  | 'ok'
  | 'non-canonical' // the upper bits of the address are not copies of the highest that counts
  | 'table-not-memory' // the table is not in RAM: an access fault, not a page fault
  | 'not-valid' // V is 0
  | 'write-without-read' // W without R is reserved
  | 'reserved-bits' // bits 54 and above are set
  | 'pointer-bits' // an entry that points to a table has D, A or U
  | 'no-leaf' // the last level still points to a table
  | 'misaligned' // a superpage whose frame is not aligned to its size
  | 'supervisor-page' // user mode, and U is 0
  | 'user-page' // kernel mode, U is 1, and SUM is 0
  | 'user-code' // kernel mode never executes a page with U
  | 'no-read'
  | 'no-write'
  | 'no-execute'
  | 'not-accessed' // A is 0, and the machine does not set it by itself
  | 'not-dirty'; // the same of D, for a write

export interface WalkOptions {
  access: Access;
  mode: Mode;
  /** sstatus.SUM; default true in kernel mode (the kernel copies under it). */
  sum?: boolean;
  /** sstatus.MXR: what is executable can be read. Default false. */
  mxr?: boolean;
  /** True (default): the machine sets A and D itself, as QEMU 7.2 does; false: a page fault asks for it. */
  hardwareAD?: boolean;
}

/** One look at one entry. */
export interface WalkStep {
  /** 0: the 4 KiB leaves. */
  level: number;
  /** Which of the 512 entries. */
  index: number;
  /** Physical address of the table, and of the entry. */
  table: number;
  slot: number;
  /** null: not in RAM. */
  pte: bigint | null;
  /** Its eight bytes as they lie in memory, hexadecimal, lowest address first. */
  bytes: string | null;
  /** "DAGUXWRV", a dash for each bit that is 0. */
  flags: string;
  /** Physical address in the entry. */
  pa: number;
  kind: 'pointer' | 'leaf' | 'invalid' | 'unreadable';
  /** What was looked at here, in order; the first that failed ended the walk. */
  checks: { code: Reason; pass: boolean }[];
}

export interface WalkResult {
  va: bigint;
  access: Access;
  mode: Mode;
  levels: number;
  root: number;
  canonical: boolean;
  /** Index of each level, root first, and the offset within a 4 KiB page. */
  indices: number[];
  offset: number;
  steps: WalkStep[];
  reason: Reason;
  /** Where the byte is. null: a fault. */
  pa: number | null;
  /** Bytes that the leaf covers: 4096, 2 MiB, 1 GiB ...; 0 without a leaf. */
  size: number;
  /** The leaf, also where it did not allow the access. */
  pte: bigint | null;
  /** scause of the fault: 12, 13, 15 page fault (execute, read, write); 1, 5, 7 access fault. null: none. */
  cause: number | null;
  /** A leaf that is fine as it is, of which the hardware sets these bits at this access. */
  sets: { a: boolean; d: boolean };
}

// ---- tables ----

/** Leaves in ascending order of vpn: element i of every array is of leaf i. */
export interface LeafList {
  count: number;
  vpn: Float64Array;
  lo: Uint32Array;
  hi: Uint32Array;
  level: Uint8Array;
}

/** Table pages in the order of a walk (root first). */
export interface TableList {
  count: number;
  /** Physical address of the table. */
  pa: Float64Array;
  /** Of its leaves-to-be: a root of Sv39 has 2. */
  level: Uint8Array;
  /** First page that it can map. */
  vpn: Float64Array;
  /** Physical address of the entry that points to it; -1: the root. */
  slot: Float64Array;
  /** Entries with V. */
  valid: Uint16Array;
}

export interface TableTree {
  root: number;
  levels: number;
  half: 'user' | 'all';
  tables: TableList;
  leaves: LeafList;
  /** Entries that are wrong in themselves: see check.ts for what they mean. */
  problems: Problem[];
}

// ---- processes ----

export type TaskState = 'new' | 'runnable' | 'sleeping' | 'stopped' | 'zombie' | 'dead' | 'unknown';

export interface TaskInfo {
  /** Of struct task. */
  address: number;
  tid: number;
  name: string;
  state: TaskState;
  /** The hart it is running on; null: on none. */
  onHart: number | null;
  utimeNs: number;
  stimeNs: number;
}

export interface ProcessInfo {
  /** Of struct process; 0: a kernel thread. */
  address: number;
  pid: number;
  ppid: number;
  name: string;
  zombie: boolean;
  tasks: TaskInfo[];
  /** Of struct aspace: find it in Snapshot.aspaces. 0: none. Several processes may have one (vfork). */
  aspace: number;
}

export type VmaKind = 'text' | 'data' | 'file' | 'heap' | 'stack' | 'vdso' | 'vvar' | 'usyscall' | 'shared' | 'anon';

export interface VmaInfo {
  /** Pages [start, end). */
  start: number;
  end: number;
  /** VMA_… */
  flags: number;
  /** As in /proc/PID/maps: "rw-p". */
  perms: string;
  kind: VmaKind;
  /** As in /proc/PID/maps: a path, "[heap]", or "". */
  name: string;
  /** Page of the file at start. */
  pgoff: number;
  /** Device and inode of the file, as there: "fe:00"; without a file "00:00" and 0. */
  dev: string;
  ino: number;
  /**
   * Physical addresses of struct amap (0: none; of shared memory: its object's) and struct memobj (0: none), and the key in the
   * amap at start.
   */
  amap: number;
  obj: number;
  apgoff: number;
}

export interface AspaceInfo {
  /** Of struct aspace. */
  address: number;
  root: number;
  /** isolate=1: what user code runs on; otherwise 0. */
  userRoot: number;
  asid: number;
  /** Table pages of the user half, as the kernel counts them. */
  nrTables: number;
  brkStart: number;
  brk: number;
  mmapTop: number;
  stackTop: number;
  /** Bytes that the stack may grow to; -1: unlimited. */
  stackLimit: number;
  /** In pages: anonymous frames owned, entries in swap, promised. */
  resident: number;
  swapped: number;
  nrPages: number;
  faultsMinor: number;
  faultsMajor: number;
  vmas: VmaInfo[];
}

// ---- frames ----

/** struct frame of every frame of RAM, as arrays by (pfn - firstPfn). */
export interface FrameTable {
  firstPfn: number;
  count: number;
  /** Index into KIND_NAMES; what lies beyond a bank's frontier is KIND_FREE here. */
  kind: Uint8Array;
  /** Of the block whose first frame it is; 255: inside a block. */
  order: Uint8Array;
  flags: Uint16Array;
  refs: Uint32Array;
  /** Physical address of the owner (0: none or not readable), and its index there. */
  owner: Float64Array;
  index: Float64Array;
}

/** frame.kind as this engine numbers them, whatever numbers the kernel has. */
export const KIND_NAMES = [
  'none', 'reserved', 'free', 'cached', 'kernel', 'slab', 'table', 'stack', 'anon', 'file', 'usyscall', 'unknown',
] as const;
export type FrameKind = (typeof KIND_NAMES)[number];

/** Who shows a frame. */
export interface Mapping {
  /** 0: the kernel (in FrameInfo). */
  pid: number;
  vpn: number;
  level: number;
  /** The leaf. */
  pte: bigint;
}

/** frame → leaves. of() is O(result); superpages are found by each of their frames. */
export interface ReverseMap {
  of(pfn: number): Mapping[];
  /** Number of user leaves by (pfn - firstPfn). */
  readonly users: Uint16Array;
  /** 1: some leaf has A; 2: some leaf has D; by (pfn - firstPfn). */
  readonly heat: Uint8Array;
}

export interface FrameInfo {
  pfn: number;
  pa: number;
  kind: FrameKind;
  order: number;
  refs: number;
  /** Names of the FRAME_… flags that are set. */
  flags: string[];
  owner: number;
  index: number;
  /** Of a file page: the inode; of a table or USYSCALL page: the process. */
  ownerText: string;
  mappings: Mapping[];
}

/** Frames that two processes both show. */
export interface SharePair {
  a: number;
  b: number;
  /** Pages; and how many of them neither may write (copy-on-write or read-only). */
  pages: number;
  readOnly: number;
}

export interface HartInfo {
  index: number;
  hartid: number;
  /** Root of the table it runs on (0: not known). */
  root: number;
  /** The task on it; null: idle or not known. */
  tid: number | null;
  pid: number | null;
  /** Its idle task is on it. */
  idle: boolean;
  switches: number;
  irqs: number;
  shootdowns: number;
}

// ---- an instant ----

export interface Snapshot {
  version: 1;
  /** Counts up with each snapshot of a Machine. */
  seq: number;
  /** Milliseconds since 1970, of the host. */
  at: number;
  /** True: the machine stood still while this was read. */
  paused: boolean;
  levels: number;
  isolating: boolean;
  kernelRoot: number;
  harts: HartInfo[];
  /** By pid. Kernel threads too (aspace 0). */
  processes: ProcessInfo[];
  aspaces: AspaceInfo[];
  /** The user half of each address space, by AspaceInfo.address. */
  trees: Map<number, TableTree>;
  frames: FrameTable;
  /** Frames: total, and by kind in the order of KIND_NAMES. */
  totals: { ram: number; free: number; kinds: number[] };
  /** The members of vm_stats that the note tells of. */
  stats: Record<string, number>;
  problems: Problem[];
  /** How many amaps hold a frame, by (pfn - firstPfn), at most 255. null: not known (a snapshot made of deltas). */
  slots: Uint8Array | null;
  /** The kernel's own table. null: as with slots. */
  kernel: TableTree | null;
  /** Address spaces that were at work while this was read: what is odd about them may be two halves of two instants. */
  moving: number[];
}

/**
 * What turns one snapshot into the next; plain JSON. Lists of numbers are flat tuples, to be short.
 * Leaves: `lost` [vpn, pages, ...], runs of 4 KiB pages; larger ones are alone with their pages; `set` [vpn, lo, hi, level, ...].
 */
export interface Delta {
  version: 1;
  from: number;
  to: number;
  at: number;
  paused: boolean;
  harts?: HartInfo[];
  processes?: { gone: number[]; set: ProcessInfo[] };
  aspaces?: { gone: number[]; set: AspaceInfo[] };
  trees: { aspace: number; root: number; lost: number[]; set: number[]; tables?: number[] }[];
  /** [first index, count, kind, order, flags, refs, owner, index, index step, ...]: a run of frames that are alike; index grows by the step. */
  frames: number[];
  totals?: Snapshot['totals'];
  stats?: Record<string, number>;
  problems?: Problem[];
  /** kernelRoot, levels, isolating do not change while a machine runs. */
}

/** A delta in the reader's terms. */
export interface Change {
  pid: number;
  code: 'process-new' | 'process-gone' | 'vma-new' | 'vma-gone' | 'vma-changed' | 'leaf-new' | 'leaf-gone' | 'leaf-frame' | 'leaf-bits' | 'cow-split';
  /** Pages [vpn, vpn + pages). */
  vpn: number;
  pages: number;
  before: bigint | null;
  after: bigint | null;
  text: string;
}

// ---- events ----

/** A line of the kernel's log. */
export interface LogLine {
  seq: number;
  /** Nanoseconds since the log's clock began. */
  time: number;
  /** As syslog(2) has them: 0 emergency, 7 debug. */
  level: number;
  text: string;
}

export type EventKind =
  | 'fault' | 'syscall' | 'map' | 'unmap' | 'protect' | 'fork' | 'exec' | 'exit' | 'huge-make' | 'huge-split'
  | 'alloc' | 'free' | 'flush' | 'asid-roll' | 'swap-out' | 'unknown';
export type FaultHow =
  | 'none' | 'zero' | 'anon' | 'huge' | 'cow' | 'reuse' | 'present' | 'file' | 'file-copy' | 'shared' | 'swap' | 'usyscall' | 'unknown';
export type FaultResult = 'done' | 'segv-map' | 'segv-acc' | 'bus' | 'oom' | 'unknown';

export interface TraceEvent {
  hart: number;
  /** Number in the hart's ring, from 0. */
  n: number;
  /** Ticks of `time`; Machine.timebase of them a second. */
  time: bigint;
  kind: EventKind;
  tid: number;
  va: bigint;
  pc: bigint;
  before: bigint;
  after: bigint;
  cost: number;
  nr: number;
  /** By kind; of a fault see `faultHow`. */
  how: number;
  faultHow?: FaultHow;
  result?: FaultResult;
  /** Of a fault: what was tried, from scause. */
  access?: Access;
}

/** What one reading of the rings gave. */
export interface EventBatch {
  /** Of all harts, by time. */
  events: TraceEvent[];
  /** Events lost to overwriting since the reading before, of all harts; and since the beginning. */
  lost: number;
  lostTotal: number;
  /** By hart: the number of the first event that is not read yet. */
  heads: number[];
}

// ---- the lamp ----

export type FindingCode =
  | 'mapped-free' // a leaf shows a frame that is free
  | 'mapped-kernel' // a user leaf shows a frame of the kernel: table, slab, stack ...
  | 'leaf-outside' // a leaf shows what is no RAM (and no device)
  | 'wx' // a user leaf is writable and executable, and no VMA asked for both
  | 'user-no-u' // a leaf of the user half without U
  | 'kernel-u' // a leaf of the kernel half with U
  | 'pointer-bits' // an entry that points to a table has D, A, U or G
  | 'entry-reserved' // reserved bits, or W without R
  | 'misaligned'
  | 'leaf-no-vma' // a user leaf where no VMA is
  | 'leaf-more' // a leaf allows more than its VMA
  | 'table-kind' // a table page that is not FRAME_TABLE, or not its page table's
  | 'table-twice' // a table page that two entries point to (isolate=1: roots aside)
  | 'table-outside'
  | 'table-count' // pagetable.nr_tables is not what the walk finds
  | 'roots-differ' // isolate=1: the two roots do not agree
  | 'anon-refs' // an anonymous frame has fewer references than slots that hold it
  | 'anon-writable' // writable in two address spaces, though private
  | 'frame-owner' // a slot holds a frame that says it is another's
  | 'free-refs' // free, but with references; or the reverse
  | 'free-count' // the counters of free frames are not what the frames say
  | 'leak' // allocated, and nobody has it
  | 'kind-count' // frames of a kind are not as many as the harts gave out
  | 'slab-owner' // a frame of a slab that is not as the block it is in
  | 'slab-stray' // a list of slabs with free objects has what is none of them
  | 'slab-twice' // a slab is in two lists, or twice in one
  | 'slab-lost' // a slab has free objects, and is in no list
  | 'slab-count' // a cache has more or fewer slabs than it counts
  | 'slab-objects' // the same of objects that are given out
  | 'slab-magazine' // what a hart keeps at hand is in no frame of the slabs
  | 'slab-object' // a hart keeps at hand what is no object of the cache
  | 'swap-slot' // an entry names a slot that nobody may hold
  | 'swap-refs' // a slot is held by more or fewer than it counts
  | 'swap-cache' // a slot's frame is not in the swap cache for it
  | 'swap-count' // an area counts more or fewer slots in use, or in the cache
  | 'structure'; // a list, tree or pointer of the kernel's is broken

export interface Finding {
  code: FindingCode;
  /** What it is about, where that is known. */
  pid: number | null;
  vpn: number | null;
  pfn: number | null;
  args: Record<string, string | number>;
}

export interface LampState {
  colour: 'green' | 'red';
  /** Seen in several looks in a row: believed. At most 100. */
  findings: Finding[];
  /** Not seen often enough yet: may be the machine at work. */
  suspects: number;
  /** How many were believed, with those beyond 100. */
  total: number;
  looks: number;
  /** Looks that counted: the machine had gone on since the one before. */
  counted: number;
}

// ---- words ----

/** A text that was put together: a headline and what follows from what. */
export interface Explanation {
  title: string;
  /** Sentences, in order. */
  lines: string[];
}
