/*
 * What the server and the page say to each other, over one WebSocket. Texts are JSON, one message each; binary messages are
 * bytes of the guest's console, as they come.
 *
 * The page keeps a copy of the machine's state (a Snapshot) and turns it into what it draws; the server sends what changed
 * since the last that this page has (a Delta), and for what cannot be told from the state (a walk's entries, one frame) the
 * answer to the question that the page has open. A page acknowledges each tick; until then it is sent none, so that a slow page
 * gets fewer ticks, never a queue of them.
 */
import type {
  Access, Delta, Explanation, FaultHow, FrameInfo, LampState, Lang, Mode, TraceEvent, WalkResult,
} from '../core/types.ts';
import type { TreeChange } from '../core/diff.ts';
import type { WalkJson } from '../walks/prove.ts';

export const PROTOCOL = 1;

/** What a page has open. It is sent whole whenever it changes. */
export interface Want {
  lang: Lang;
  /** Does the page show anything of the state? False while it is hidden. */
  state: boolean;
  walk: { pid: number; expr: string; access: Access; mode: Mode } | null;
  /** A frame's number, to be told all about. */
  frame: number | null;
  /** A process whose swapped pages are counted. */
  space: number | null;
  /** Where the harts are. */
  harts: boolean;
}

/** Stop the machine at the next fault of this kind. */
export interface Catch {
  how: FaultHow;
  pid: number | null;
}

export type ClientMessage =
  | { t: 'want'; want: Want }
  | { t: 'ack'; n: number }
  | { t: 'type'; text: string }
  | { t: 'machine'; do: 'stop' | 'cont' }
  | { t: 'catch'; catch: Catch | null }
  | { t: 'history' }
  | { t: 'dump' }
  /** The guided walks there are. */
  | { t: 'walks' }
  /** A query of ./vitrine x, answered with that id. */
  | { t: 'ask'; id: number; words: string[] };

/** running; paused by us or by anybody; off: QEMU has ended, its last state is still shown. */
export type MachineState = 'running' | 'paused' | 'off';

export interface Hello {
  t: 'hello';
  protocol: number;
  kernel: string;
  ram: number;
  console: boolean;
  /** Ticks of `time` a second. */
  timebase: number;
  /** The kernel's arguments; absent when nobody told the server. */
  bootargs?: string;
}

/** A fault (or another event) with what can be said of it when it happened. */
export interface FilmEvent extends TraceEvent {
  pid: number;
  name: string;
  /** Function of the pc, or empty. */
  symbol: string;
  /** Its source line, "user/init.c:45", or empty. */
  line: string;
}

/** The members of a FilmEvent in the order of PACKED; addresses as hexadecimal without 0x. */
export type PackedEvent = (string | number)[];

export interface WalkAnswer {
  pid: number;
  expr: string;
  access: Access;
  mode: Mode;
  /** null: the expression was not understood, `error` says why. */
  result: WalkResult | null;
  words: Explanation | null;
  /** What the address is. */
  where: string;
  error: string;
}

/** Where a hart is; firmware: in OpenSBI. */
export interface HartPlace {
  /** The machine's number of it; the kernel counts harts in the order in which they came. */
  hartid: number;
  pc: bigint;
  mode: 'user' | 'kernel' | 'firmware';
  /** The kernel's function and line, or empty. */
  symbol: string;
}

/** Pages in swap, by the first page of each region that has any; null: not readable. */
export interface SpaceAnswer {
  pid: number;
  swapped: [start: number, pages: number | null][];
}

/** What the last tick took: host CPU in milliseconds, and the bytes of what was sent for it. */
export interface Cost {
  cpuMs: number;
  bytes: number;
  hz: number;
}

export interface Tick {
  t: 'tick';
  n: number;
  /** The first of a page: all of the state, as snapshotToJson() writes it. */
  full?: string;
  delta?: Delta;
  events?: PackedEvent[];
  /** Events that the rings lost, and those that came faster than they could be sent; since the beginning. */
  lost?: number;
  faultsPerSecond?: number;
  lamp?: LampState;
  walk?: WalkAnswer | null;
  frame?: FrameInfo | null;
  space?: SpaceAnswer | null;
  harts?: HartPlace[];
  /** Once the page has the history: what is to be added to its notes. */
  notes?: Note[];
  cost: Cost;
}

/** What a look found that is no part of a state, for going back to it: each member where it is another than at the look before. */
export interface Note {
  /** The state's number. */
  seq: number;
  /** By hart: the number of its first event that was not there yet. */
  heads?: number[];
  lamp?: LampState;
  /** The kernel's own table, which all processes show in their upper halves. */
  kernel?: TreeChange;
}

export interface History {
  t: 'history';
  /** The oldest state that is kept, and the differences that lead from it to the newest. */
  first: string;
  deltas: Delta[];
  /** The first of them has every member. Sessions that were kept before there were notes have none. */
  notes?: Note[];
}

export type ServerMessage =
  | Hello
  | Tick
  | History
  | { t: 'machine'; state: MachineState; why?: 'catch' | 'user' | 'guest' }
  | { t: 'dumped'; path: string; error: string }
  | { t: 'walks'; walks: WalkJson[] }
  /** What `x --json` prints, as text; null: `error` says why there is none. */
  | { t: 'answer'; id: number; text: string | null; error: string };

/**
 * JSON for what JSON lacks: 64-bit numbers and Infinity travel as {"$n": text}. No text of the guest's can be taken for
 * one, since those are strings.
 */
export function encode(message: unknown): string {
  return JSON.stringify(message, (_key, value: unknown) => {
    if (typeof value === 'bigint') return { $n: `0x${value.toString(16)}` };
    return value === Infinity ? { $n: 'Infinity' } : value;
  });
}

export function decode<T>(text: string): T {
  // Most have none, and are read several times as fast.
  if (!text.includes('{"$n":')) return JSON.parse(text) as T;
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('$n' in value)) return value;
    return value.$n === 'Infinity' ? Infinity : BigInt(String(value.$n));
  }) as T;
}
