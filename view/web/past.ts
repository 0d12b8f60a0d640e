/*
 * A translation in the past, or in a session that was kept: no machine is asked, the tables are those of the state. Entries that were
 * not valid are not kept and read as 0; of those that point to a table it is kept where they point.
 */
import { aspaceOf, explainAddress, explainWalk, rootOf, walk, type AspaceInfo, type Lang, type Memory, type Snapshot, type Symbols, type TableTree } from '../core/index.ts';
import { resolve } from '../shared/expr.ts';
import type { WalkAnswer, Want } from '../shared/protocol.ts';
import { memoryOf, PAGE, tablePages } from './tables.ts';

/** What a translation needs beside the state. */
export interface Known {
  /** The kernel's own table at that instant. */
  kernel: TableTree | null;
  symbols: Symbols | null;
  /** What the server says of the same question now: kernel symbols are at the same addresses all the time. */
  live: WalkAnswer | null;
}

export interface PastAnswer extends WalkAnswer {
  /** The tables that lead there are not kept. */
  lost: boolean;
}

export function pastAnswer(state: Snapshot, asked: NonNullable<Want['walk']>, known: Known, lang: Lang): PastAnswer {
  const answer: PastAnswer = { ...asked, result: null, words: null, where: '', error: '', lost: false };
  const { live } = known;
  const found = resolve(asked.expr, asked.pid, { aspace: (pid) => aspaceOf(state, pid), symbol: (name) => known.symbols?.find(name) ?? null });
  const fixed = 'wrong' in found && live?.result && live.result.va >> 63n ? live : null;
  if ('wrong' in found && !fixed) return { ...answer, error: found.wrong };
  const va = fixed ? fixed.result!.va : (found as { va: bigint }).va;
  answer.pid = fixed ? fixed.pid : (found as { pid: number | null }).pid ?? asked.pid;
  const as = aspaceOf(state, answer.pid);
  if (!as && answer.pid !== 0) return { ...answer, error: `pid ${answer.pid}` };
  const root = as ? rootOf(as, asked.mode) : state.kernelRoot;
  const memory = pastMemory(state, as, root, va, known.kernel);
  if (!memory) return { ...answer, lost: true };
  answer.result = walk(memory, root, state.levels, va, { access: asked.access, mode: asked.mode });
  answer.words = explainWalk(answer.result, lang, as);
  const described = live?.result?.va === va ? live.where : known.symbols?.describe(va) ?? '';
  answer.where = va >> 63n ? described : as ? explainAddress(as, va, lang) : '';
  return answer;
}

/** The tables on the way to an address, as they were. null: those are not kept. */
function pastMemory(state: Snapshot, as: AspaceInfo | null, root: number, va: bigint, kernel: TableTree | null): Memory | null {
  const upper = va >> 63n !== 0n;
  if ((upper || !as) && !kernel) return null;
  // The table that user code runs on (isolate=1) is the same below, but for its last entry and what is above it: the crossing, and no kernel.
  const shift = BigInt(12 + 9 * (state.levels - 1));
  if (as && root !== as.root && (upper || ((va >> shift) & 511n) === 255n)) return null;
  const pages = kernel ? tablePages(kernel) : new Map<number, DataView>();
  if (!as) return memoryOf(pages);
  const tree = state.trees.get(as.address);
  if (!tree) return null;
  const upperRoot = pages.get(state.kernelRoot);
  for (const [pa, page] of tablePages(tree)) pages.set(pa, page);
  const lowerRoot = pages.get(as.root);
  if (!lowerRoot) return null;
  const whole = new DataView(new ArrayBuffer(PAGE));
  for (let at = 0; at < PAGE; at += 8) whole.setBigUint64(at, (at < PAGE / 2 ? lowerRoot : upperRoot ?? whole).getBigUint64(at, true), true);
  return memoryOf(pages.set(root, whole));
}
