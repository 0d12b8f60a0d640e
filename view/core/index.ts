/*
 * The engine: what Vitrine's memory says, read from outside. Plain TypeScript, without Node or the DOM.
 *
 *   const machine = new Machine(memory, { kernel: elfBytes });
 *   if (machine.refresh()) {                       // has the kernel set up its tables yet?
 *     const now = takeSnapshot(machine);
 *     const found = walk(machine.memory, root, machine.levels, va, { access: 'r', mode: 'user' });
 *   }
 *
 * Nothing here throws on account of what is in the guest's memory, and every loop over it is bounded. What throws: a
 * kernel file that is no ELF or has no layout note (LayoutError), and a name that the note lacks (LayoutError too).
 */
import type {
  Change, Delta, EventBatch, Explanation, Finding, FrameInfo, LampState, Lang, LayoutEntry, Memory, Problem, ReverseMap, SharePair,
  Snapshot, TableTree, TraceEvent, AspaceInfo, WalkOptions, WalkResult,
} from './types.ts';

export * from './types.ts';

/** The layout note. Lookups throw LayoutError, which says the name, when the note lacks it. */
export declare class Layout {
  readonly entries: ReadonlyMap<string, LayoutEntry>;
  static fromElf(file: Uint8Array): Layout;
  /** Looks for the note in RAM (first 64 MiB of it). null: there is none. */
  static fromMemory(memory: Memory): Layout | null;
  has(name: string): boolean;
  constant(name: string): bigint;
  address(name: string): bigint;
  offset(name: string): number;
  size(name: string): number;
}
export declare class LayoutError extends Error {}

/** The functions and variables of an ELF file (.symtab). */
export declare class Symbols {
  static fromElf(file: Uint8Array): Symbols;
  /** "fault_handle+0x1c", or null. */
  describe(address: bigint): string | null;
  find(name: string): bigint | null;
}

/** A machine: its memory, and what is known of its kernel. With neither `kernel` nor a note in RAM: level 0, tables only. */
export declare class Machine {
  constructor(memory: Memory, options?: { kernel?: Uint8Array; satp?: bigint });
  readonly memory: Memory;
  readonly layout: Layout | null;
  readonly symbols: Symbols | null;
  /** Valid once refresh() was true. */
  readonly levels: number;
  readonly kernelRoot: number;
  readonly isolating: boolean;
  readonly timebase: number;
  /** Reads the machine's constants again. False: the kernel is not so far yet (or this is level 0 without satp). */
  refresh(): boolean;
  /** A kernel address as a physical one: direct map, image, or by walking. null: not mapped. */
  physical(va: bigint): number | null;
  readonly problems: readonly Problem[];
}

/** The memory of an ELF core file (PT_LOAD segments by physical address). Throws an Error that says what is wrong with it. */
export declare function dumpMemory(file: Uint8Array): Memory;
/** RAM in one piece. */
export declare function arrayMemory(bytes: Uint8Array, base: number): Memory;

export declare const PAGE_SHIFT: 12;
/** Unsigned 64-bit address ↔ page. */
export declare function vpnOf(va: bigint): number;
export declare function vaOf(vpn: number): bigint;
/** "0x4000", lower case. */
export declare function hex(value: bigint | number, digits?: number): string;
/** levels and root of a satp value; null: mode bare or unknown. */
export declare function satpParts(satp: bigint): { levels: number; root: number; asid: number } | null;

/** Translates one address, step by step. */
export declare function walk(memory: Memory, root: number, levels: number, va: bigint, options: WalkOptions): WalkResult;
/** The root that `mode` runs on: isolate=1 has two. */
export declare function rootOf(as: AspaceInfo, mode: 'user' | 'kernel'): number;
/** Every table and leaf. */
export declare function tableTree(memory: Memory, root: number, levels: number, half: 'user' | 'all'): TableTree;
/** The text of /proc/PID/pagetable. */
export declare function vmprint(memory: Memory, root: number, levels: number, half: 'user' | 'all'): string;

/** Everything at this instant. `paused`: the machine stands still. */
export declare function takeSnapshot(machine: Machine, options?: { paused?: boolean; at?: number }): Snapshot;
/** The text of /proc/PID/maps, but for device numbers. */
export declare function mapsText(as: AspaceInfo): string;
export declare function aspaceOf(s: Snapshot, pid: number): AspaceInfo | null;
export declare function reverseMap(s: Snapshot): ReverseMap;
export declare function frameInfo(machine: Machine, s: Snapshot, reverse: ReverseMap, pfn: number): FrameInfo | null;
/** Largest first. Pairs of processes with one address space (vfork, threads) are not among them. */
export declare function sharePairs(s: Snapshot, reverse: ReverseMap): SharePair[];

export declare function diff(from: Snapshot, to: Snapshot): Delta;
/** A new snapshot; `from` stays as it is (unchanged parts are shared). Throws when the delta belongs to another one. */
export declare function apply(from: Snapshot, delta: Delta): Snapshot;
/** In the reader's terms, at most `limit` (default 1000). */
export declare function changes(from: Snapshot, to: Snapshot, lang: Lang, limit?: number): Change[];
/** Snapshots as JSON text and back, for files. */
export declare function snapshotToJson(s: Snapshot): string;
export declare function snapshotFromJson(text: string): Snapshot;

/** Reads the rings of all harts; each read() gives what is new. */
export declare class RingReader {
  constructor(machine: Machine, options?: { from?: 'oldest' | 'now' });
  read(): EventBatch;
}

/** The invariants that are broken in one snapshot (of a running machine: may be work in progress). */
export declare function check(machine: Machine, s: Snapshot): Finding[];
/** The lamp: believes what is found twice in a row, or in a paused machine. */
export declare class Lamp {
  look(machine: Machine, s: Snapshot): LampState;
  readonly state: LampState;
}

export declare function explainWalk(result: WalkResult, lang: Lang, as?: AspaceInfo | null): Explanation;
export declare function explainEvent(event: TraceEvent, lang: Lang, context?: { snapshot?: Snapshot; symbols?: Symbols | null }): Explanation;
export declare function explainFinding(finding: Finding, lang: Lang): string;
export declare function explainProblem(problem: Problem, lang: Lang): string;
/** What an address is: "in [heap], 3 pages after its start", "in the guard below the stack" ... */
export declare function explainAddress(as: AspaceInfo, va: bigint, lang: Lang): string;
