/* Is the machine that runs the one that a guided walk wants? */
import type { WalkJson } from '../walks/prove.ts';

export interface Running {
  ram: number;
  harts: number;
  /** The kernel's arguments; null: not known. */
  bootargs: string | null;
}

export interface Misfit {
  /** There is less RAM than wanted. */
  small: boolean;
  /** Kernel arguments that are wanted and not there, and the other way round. */
  lacks: string[];
  has: string[];
}

const UNITS: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

export function bytesOf(size: string): number {
  return parseInt(size, 10) * (UNITS[size.slice(-1).toUpperCase()] ?? 1);
}

/** Arguments that change what a walk sees: of each the last one counts; what is as without it is left out. */
function effective(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const word of text.split(/\s+/).filter((one) => one !== '' && one !== 'quiet')) found.set(word.split('=')[0]!, word);
  if (found.get('isolate') === 'isolate=0') found.delete('isolate');
  return found;
}

/** The kernel arguments that a step wants: the walk's own, and those of the last boot up to it. */
export function wantedArguments(walk: WalkJson, index: number): string[] {
  const boot = walk.steps.slice(0, index + 1).reduce<string | null>((last, step) => step.boot ?? last, null);
  return [...effective([walk.machine.isolate === 'on' ? 'isolate=1' : '', walk.machine.append, boot ?? ''].join(' ')).values()];
}

/** null: it fits. More RAM and more harts than wanted do no harm. */
export function misfit(walk: WalkJson, index: number, running: Running): Misfit | null {
  const wanted = wantedArguments(walk, index);
  const there = running.bootargs === null ? wanted : [...effective(running.bootargs).values()];
  const found = {
    small: running.ram < bytesOf(walk.machine.mem), lacks: wanted.filter((word) => !there.includes(word)), has: there.filter((word) => !wanted.includes(word)),
  };
  return found.small || found.lacks.length || found.has.length ? found : null;
}

/** The command line that boots the machine that a step wants. */
export function commandFor(walk: WalkJson, index: number): string {
  const wanted = wantedArguments(walk, index);
  const rest = wanted.filter((word) => word !== 'isolate=1').join(' ');
  const { mem, harts } = walk.machine;
  return `./vitrine view --mem ${mem} --harts ${harts}${wanted.includes('isolate=1') ? ' --isolate' : ''}${rest ? ` --append '${rest}'` : ''}`;
}
