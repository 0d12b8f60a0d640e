/* Translations, faults and findings in words. The sentences are in words/; here it is decided which of them are said. */
import { plainChanges, rangeText } from './changes.ts';
import { Symbols } from './elf.ts';
import { hex, PAGE_SIZE, vpnOf } from './numbers.ts';
import { ALL_PAGES } from './rings.ts';
import type {
  AspaceInfo, Change, Explanation, Finding, Lang, Problem, Snapshot, TraceEvent, VmaInfo, WalkResult, WalkStep,
} from './types.ts';
import { en, type Words } from './words/en.ts';
import { zhCN } from './words/zh-CN.ts';

const WORDS: Record<Lang, Words> = { en, 'zh-CN': zhCN };
type Args = Record<string, string | number>;

/** One sentence. A name without a value stays as it is, in braces. */
export function say(lang: Lang, key: string, args: Args = {}): string {
  const words: Partial<Record<string, string>> = WORDS[lang];
  return (words[key] ?? key).replace(/\{([\w-]+)\}/g, (whole, name: string) => String(args[name] ?? whole));
}

// ---- translations ----

export function explainWalk(result: WalkResult, lang: Lang, as?: AspaceInfo | null): Explanation {
  const va = hex(result.va);
  const title = say(lang, 'walk.title', {
    bits: 12 + 9 * result.levels, access: say(lang, 'access.' + result.access), va, mode: say(lang, 'mode.' + result.mode),
  });
  const lines = [say(lang, 'walk.split', { indices: result.indices.join(', '), offset: hex(result.offset) })];
  if (result.steps.length) lines.push(say(lang, 'walk.root', { root: hex(result.root) }));
  for (const step of result.steps) lines.push(sayStep(step, lang));
  if (result.pa !== null) {
    const last = result.steps[result.steps.length - 1]!;
    lines.push(say(lang, 'walk.ok', { va, pa: hex(result.pa), size: say(lang, 'size.' + last.level), flags: last.flags }));
    const sets = (result.sets.a ? 'a' : '') + (result.sets.d ? 'd' : '');
    if (sets) lines.push(say(lang, 'walk.sets-' + sets));
  } else {
    const number = result.cause ?? 0;
    lines.push(say(lang, 'walk.fault', { cause: say(lang, 'cause.' + number), number, why: say(lang, 'reason.' + result.reason) }));
  }
  if (as) lines.push(explainAddress(as, result.va, lang));
  return { title, lines };
}

function sayStep(step: WalkStep, lang: Lang): string {
  return say(lang, 'walk.' + step.kind, {
    level: step.level, index: step.index, slot: hex(step.slot), pte: step.pte === null ? '-' : hex(step.pte), pa: hex(step.pa), flags: step.flags,
  });
}

// ---- addresses ----

function nameOf(v: VmaInfo, lang: Lang): string {
  return v.name || say(lang, 'address.anonymous');
}

export function explainAddress(as: AspaceInfo, va: bigint, lang: Lang): string {
  if (va >> 57n) return say(lang, 'address.kernel');
  const vpn = vpnOf(va);
  if (vpn === 0) return say(lang, 'address.null');
  const at = as.vmas.findIndex((v) => v.end > vpn);
  const above = at < 0 ? null : as.vmas[at]!;
  const below = at < 0 ? as.vmas[as.vmas.length - 1] ?? null : as.vmas[at - 1] ?? null;
  if (above && above.start <= vpn)
    return say(lang, 'address.in', {
      name: nameOf(above, lang), range: rangeText(above.start, above.end - above.start), perms: above.perms, offset: hex(va - BigInt(above.start * PAGE_SIZE)),
    });
  if (above?.kind === 'stack') {
    const limit = as.stackLimit < 0 ? 0n : BigInt(above.end * PAGE_SIZE) - BigInt(as.stackLimit);
    const distance = (BigInt(above.start * PAGE_SIZE) - va).toString();
    if (va >= limit) return say(lang, 'address.below-stack', { distance });
    if (limit - va < 1n << 24n) return say(lang, 'address.stack-guard', { distance });
  }
  if (below?.kind === 'heap' && vpn - below.end < 4096)
    return say(lang, 'address.beyond-heap', { distance: (va - BigInt(below.end * PAGE_SIZE)).toString() });
  if (above && below) return say(lang, 'address.between', { below: nameOf(below, lang), above: nameOf(above, lang) });
  return say(lang, above ? 'address.below' : 'address.above');
}

// ---- events ----

export interface EventContext {
  snapshot?: Snapshot;
  symbols?: Symbols | null;
  /** The source line of an address of the kernel's, or empty. */
  lineOf?: (pc: bigint) => string;
  /** What is known of the event's pc, in place of both. */
  place?: string;
}

export function explainEvent(event: TraceEvent, lang: Lang, context: EventContext = {}): Explanation {
  const args: Args = {
    who: whoIs(event.tid, context.snapshot), va: hex(event.va), pc: placeOf(event.pc, context), nr: event.nr, after: hex(event.after), before: hex(event.before),
    cost: event.cost, range: event.kind === 'flush' && event.nr === ALL_PAGES ? '*' : rangeOf(event), perms: permsOf(event.how),
    access: event.access ? say(lang, 'access.' + event.access) : '?',
  };
  if (event.kind === 'syscall') args.after = BigInt.asIntN(64, event.after).toString();
  const lines: string[] = [];
  if (event.kind === 'fault') {
    if (event.result === 'done') lines.push(say(lang, 'how.' + (event.faultHow ?? 'unknown')));
    lines.push(say(lang, 'result.' + (event.result ?? 'unknown')));
    lines.push(say(lang, event.after === 0n ? 'event.no-leaf' : event.before === 0n ? 'event.leaf-new' : 'event.leaf', args));
    lines.push(say(lang, 'event.cost', args));
    const as = spaceOf(event.tid, context.snapshot);
    if (as) lines.push(explainAddress(as, event.va, lang));
  }
  return { title: say(lang, 'event.' + event.kind, args), lines };
}

function rangeOf(event: TraceEvent): string {
  return `${hex(event.va)}-${hex(event.va + BigInt(event.nr) * BigInt(PAGE_SIZE))}`;
}

function permsOf(how: number): string {
  return (how & 1 ? 'r' : '-') + (how & 2 ? 'w' : '-') + (how & 4 ? 'x' : '-');
}

function processOf(tid: number, s: Snapshot | undefined): Snapshot['processes'][number] | undefined {
  return s?.processes.find((p) => p.tasks.some((t) => t.tid === tid));
}

function whoIs(tid: number, s: Snapshot | undefined): string {
  const p = processOf(tid, s);
  return p ? `${p.name} (${tid === p.pid ? `pid ${tid}` : `pid ${p.pid}, tid ${tid}`})` : `tid ${tid}`;
}

function spaceOf(tid: number, s: Snapshot | undefined): AspaceInfo | null {
  const p = processOf(tid, s);
  return s?.aspaces.find((as) => as.address === p?.aspace) ?? null;
}

function placeOf(pc: bigint, context: EventContext): string {
  const name = pc >> 63n ? context.symbols?.describe(pc) : null;
  const place = context.place ?? (name ? `${name} ${context.lineOf?.(pc) ?? ''}`.trimEnd() : '');
  return place ? `${hex(pc)} <${place}>` : hex(pc);
}

// ---- findings, problems, changes ----

export function explainFinding(finding: Finding, lang: Lang): string {
  const args: Args = { pid: finding.pid ?? '-', va: finding.vpn === null ? '-' : hex(finding.vpn * PAGE_SIZE), pfn: finding.pfn === null ? '-' : hex(finding.pfn), pte: '-', ...finding.args };
  const text = say(lang, 'finding.' + finding.code, args);
  return finding.code === 'structure' && typeof args.what === 'string' && 'problem.' + args.what in WORDS[lang]
    ? say(lang, 'problem.' + args.what, args)
    : text;
}

export function explainProblem(problem: Problem, lang: Lang): string {
  const key = 'problem.' + problem.code;
  return key in WORDS[lang] ? say(lang, key, problem.args) : say(lang, 'problem.unknown', { code: problem.code });
}

export function changes(from: Snapshot, to: Snapshot, lang: Lang, limit = 1000): Change[] {
  return plainChanges(from, to, limit).map((change) => ({
    ...change,
    text: say(lang, 'change.' + change.code, {
      pid: change.pid, range: rangeText(change.vpn, change.pages), before: change.before === null ? '-' : hex(change.before),
      after: change.after === null ? '-' : hex(change.after),
    }),
  }));
}
