/* The commands of ./vitrine x. Each prints its answer, to where its caller wants it, and returns an exit status. */
import {
  aspaceOf, changes, check, explainEvent, explainFinding, explainProblem, explainWalk, frameInfo, hex, kernelLog, KIND_NAMES, Lamp, logText, mapsText, PAGE_SIZE,
  reverseMap, RingReader, rootOf, sharePairs, swappedPages, takeSnapshot, vmprint, walk, type AspaceInfo, type Finding, type Snapshot,
} from '../core/index.ts';
import { Film } from './film.ts';
import { parseNumber, parsePid, UsageError, type Options } from './options.ts';
import type { FilmEvent } from '../shared/protocol.ts';
import { table, toJson, type Print } from './output.ts';
import { Programs } from './programs.ts';
import { needKernel, SourceError, type Source } from './source.ts';

export type Command = (source: Source, options: Options, print: Print) => number | Promise<number>;

const LOOKS = 4;
const LOOK_MS = 60;
const LOOK_LIMIT_MS = 5000;
const FOLLOW_MS = 50;
const MOST_CHANGES = 1000;

function snapshotOf(source: Source): Snapshot {
  needKernel(source);
  const s = takeSnapshot(source.machine, { paused: source.still });
  if (!source.machine.layout) throw new SourceError('only walk and pt work without a Vitrine kernel');
  return s;
}

function processSpace(s: Snapshot, pid: number): AspaceInfo {
  const p = s.processes.find((one) => one.pid === pid);
  if (!p) throw new SourceError(`no process ${pid}; ./vitrine x ps lists them`);
  const as = aspaceOf(s, pid);
  if (!as) throw new SourceError(p.address ? `process ${pid} (${p.name}) has no memory any more` : `${p.name} (${pid}) is a kernel thread: it has no user memory`);
  return as;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// ---- processes ----

const ps: Command = (source, options, print) => {
  const s = snapshotOf(source);
  if (options.json) return print(toJson({ processes: s.processes, harts: s.harts, problems: s.problems })), 0;
  const rows = s.processes.map((p) => {
    const as = s.aspaces.find((one) => one.address === p.aspace);
    const leaves = as ? s.trees.get(as.address)!.leaves.count : 0;
    return [p.pid, p.ppid, p.tasks.length, p.zombie ? 'zombie' : p.tasks[0]!.state, as?.nrPages ?? 0, leaves, as?.resident ?? 0, as?.swapped ?? 0, as?.nrTables ?? 0, as ? hex(as.root) : '-', p.name];
  });
  print(table(['PID', 'PPID', 'THREADS', 'STATE', 'PROMISED', 'LEAVES', 'ANON', 'SWAP', 'TABLES', 'ROOT', 'NAME'], rows));
  for (const problem of s.problems) print(explainProblem(problem, options.lang));
  return 0;
};

const maps: Command = (source, options, print) => {
  const s = snapshotOf(source);
  const as = processSpace(s, parsePid(options.words[0]));
  if (options.json) return print(toJson({ ...as, vmas: as.vmas.map((v) => ({ ...v, swapped: swappedPages(source.machine, v) })) })), 0;
  print(mapsText(as));
  return 0;
};

// ---- tables ----

/** Root and address space that PID names; "kernel" is the kernel's own table. */
function rootFor(source: Source, options: Options, word: string | undefined, mode: 'user' | 'kernel'): { root: number; as: AspaceInfo | null } {
  needKernel(source);
  const { machine } = source;
  if (word === 'kernel' || !machine.layout) return { root: machine.kernelRoot, as: null };
  const as = processSpace(takeSnapshot(machine, { paused: source.still }), parsePid(word));
  return { root: rootOf(as, mode), as };
}

function addressOf(source: Source, word: string | undefined): bigint {
  if (word === undefined) throw new UsageError('which address? ./vitrine x walk PID ADDRESS');
  const symbol = /^[A-Za-z_]\w*$/.test(word) ? source.machine.symbols?.find(word) ?? null : null;
  return symbol ?? parseNumber(word);
}

const walkOne: Command = (source, options, print) => {
  const va = addressOf(source, options.words[1]);
  const mode = options.mode ?? (va >> 63n ? 'kernel' : 'user');
  const { root, as } = rootFor(source, options, options.words[0], mode);
  const result = walk(source.machine.memory, root, source.machine.levels, va, { access: options.access, mode });
  const words = explainWalk(result, options.lang, as);
  if (options.json) return print(toJson({ ...result, text: words })), 0;
  print(words.title);
  for (const line of words.lines) print('  ' + line);
  return 0;
};

const pt: Command = (source, options, print) => {
  const word = options.words[0];
  const kernel = word === 'kernel' || !source.machine.layout;
  const { root } = rootFor(source, options, word, options.mode ?? 'kernel');
  const text = vmprint(source.machine.memory, root, source.machine.levels, options.all || kernel ? 'all' : 'user');
  print(options.json ? toJson({ root, levels: source.machine.levels, lines: text.trimEnd().split('\n') }) : text);
  return 0;
};

// ---- frames ----

function summary(s: Snapshot, options: Options, print: Print): number {
  const { ram, free, kinds } = s.totals;
  const byKind = KIND_NAMES.map((kind, i) => ({ kind, frames: kinds[i]! })).filter((k) => k.frames > 0);
  if (options.json) return print(toJson({ ram, free, kinds: Object.fromEntries(byKind.map((k) => [k.kind, k.frames])), stats: s.stats })), 0;
  print(table(['KIND', 'FRAMES', 'KiB'], [...byKind.map((k) => [k.kind, k.frames, k.frames * 4]), ['all', ram, ram * 4]]));
  return 0;
}

const frames: Command = (source, options, print) => {
  const s = snapshotOf(source);
  const word = options.words[0] ?? 'summary';
  if (word === 'summary') return summary(s, options, print);
  const info = frameInfo(source.machine, s, Number(parseNumber(word)));
  if (!info) throw new SourceError(`${word} is no frame of RAM: those are ${hex(s.frames.firstPfn)} to ${hex(s.frames.firstPfn + s.frames.count - 1)}`);
  if (options.json) return print(toJson(info)), 0;
  print(`frame ${hex(info.pfn)} at ${hex(info.pa)}: ${info.kind}, ${info.refs} references, order ${info.order}`);
  if (info.flags.length) print(`  flags ${info.flags.join(' ')}`);
  if (info.owner) print(`  owner ${hex(info.owner)}${info.ownerText ? ` (${info.ownerText})` : ''}, index ${info.index}`);
  for (const m of info.mappings) print(`  ${m.pid ? `pid ${m.pid}` : 'kernel'} at ${hex(m.vpn * PAGE_SIZE)}, level ${m.level}, pte ${hex(m.pte)}`);
  return 0;
};

const share: Command = (source, options, print) => {
  const s = snapshotOf(source);
  const reverse = reverseMap(s);
  const pids = options.words.map(parsePid);
  const pairs = sharePairs(s, reverse).filter((p) => pids.every((pid) => pid === p.a || pid === p.b));
  if (pids.length !== 2) {
    if (options.json) return print(toJson(pairs)), 0;
    print(table(['PID', 'PID', 'FRAMES', 'READ-ONLY'], pairs.map((p) => [p.a, p.b, p.pages, p.readOnly])));
    return 0;
  }
  pids.forEach((pid) => processSpace(s, pid));
  const both: { pfn: number; kind: string; refs: number; at: string[] }[] = [];
  for (let i = 0; i < s.frames.count; i++) {
    if (reverse.users[i]! < 2) continue;
    const shown = reverse.of(s.frames.firstPfn + i).filter((m) => pids.includes(m.pid));
    if (!pids.every((pid) => shown.some((m) => m.pid === pid))) continue;
    both.push({ pfn: s.frames.firstPfn + i, kind: KIND_NAMES[s.frames.kind[i]!]!, refs: s.frames.refs[i]!, at: shown.map((m) => `${m.pid}:${hex(m.vpn * PAGE_SIZE)}`) });
  }
  if (options.json) return print(toJson(both)), 0;
  print(table(['FRAME', 'KIND', 'REFS', 'AT'], both.map((f) => [hex(f.pfn), f.kind, f.refs, f.at.join(' ')])));
  return 0;
};

// ---- time ----

function eventLine(source: Source, event: FilmEvent, s: Snapshot, options: Options): string {
  const seconds = source.machine.timebase ? Number(event.time) / source.machine.timebase : 0;
  const words = explainEvent(event, options.lang, { snapshot: s, place: `${event.symbol} ${event.line}`.trim() });
  const more = words.lines.slice(0, event.result === 'done' ? 1 : 2).join(' ');
  return `${seconds.toFixed(6).padStart(12)} ${words.title} ${more}`.trimEnd();
}

const faults: Command = async (source, options, print) => {
  const first = snapshotOf(source);
  const reader = new RingReader(source.machine);
  const film = new Film(source.machine, new Programs(options.programs));
  const show = (s: Snapshot): void => {
    const batch = reader.read();
    const chosen = film.take(batch, s).filter((e) => (options.all || e.kind === 'fault') && (options.pid === null || e.pid === options.pid || e.tid === options.pid));
    if (batch.lost && !options.json) print(`${batch.lost} events were overwritten before they were read`);
    if (options.json) print(toJson({ lost: batch.lost, events: chosen }));
    else for (const event of chosen) print(eventLine(source, event, s, options));
  };
  show(first);
  while (options.follow && !source.still) {
    await pause(FOLLOW_MS);
    show(takeSnapshot(source.machine));
  }
  return 0;
};

const diffCommand: Command = async (source, options, print) => {
  if (source.still) throw new SourceError('a dump is one instant: there is no difference to show');
  const before = snapshotOf(source);
  await pause(options.seconds * 1000);
  const list = changes(before, snapshotOf(source), options.lang, MOST_CHANGES);
  if (options.json) return print(toJson(list)), 0;
  for (const change of list) print(change.text);
  if (list.length === MOST_CHANGES) print('...');
  return 0;
};

// ---- the lamp ----

/** In a dump everything that is found; of a running machine what the lamp believes. */
async function findings(source: Source): Promise<Finding[]> {
  if (source.still) return check(source.machine, snapshotOf(source));
  const lamp = new Lamp();
  for (const end = Date.now() + LOOK_LIMIT_MS; lamp.state.counted < LOOKS && Date.now() < end; await pause(LOOK_MS))
    lamp.look(source.machine, snapshotOf(source));
  return lamp.state.findings;
}

const checkCommand: Command = async (source, options, print) => {
  const found = await findings(source);
  if (options.json) print(toJson({ colour: found.length ? 'red' : 'green', findings: found.map((f) => ({ ...f, text: explainFinding(f, options.lang) })) }));
  else if (!found.length) print('green: no invariant is broken');
  else for (const finding of found) print(`red: ${finding.code}: ${explainFinding(finding, options.lang)}`);
  return found.length ? 1 : 0;
};

// ---- the log ----

const dmesg: Command = (source, options, print) => {
  needKernel(source);
  const lines = kernelLog(source.machine);
  print(options.json ? toJson(lines) : lines.map(logText).join('\n'));
  return 0;
};

const layout: Command = (source, options, print) => {
  const entries = [...(source.machine.layout?.entries.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  const wanted = options.words[0];
  const shown = wanted ? entries.filter((e) => e.name.includes(wanted)) : entries;
  if (options.json) return print(toJson(shown)), 0;
  print(table(['NAME', 'KIND', 'VALUE', 'SIZE'], shown.map((e) => [e.name, e.kind, hex(e.value), e.size])));
  return 0;
};

export const COMMANDS: Record<string, Command> = { ps, maps, walk: walkOne, pt, frames, share, faults, diff: diffCommand, check: checkCommand, dmesg, layout };
