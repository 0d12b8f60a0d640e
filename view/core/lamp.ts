/*
 * The lamp: green, or red with what is wrong. A single look at a running machine proves nothing (check.ts): what was found may be
 * an operation half done. So a finding is believed when it was there, the same in all its details, in three looks in a row
 * between which the machine went on.
 *
 * That it went on is measured in the machine's own time, for the host may take its processor away from a hart in the middle of an
 * operation, and the kernel its hart from a task: each hart is idle, or has taken so many interrupts or made so many switches
 * that what waited has had its turn. A look at a paused machine counts double, because its parts are of
 * one instant, though that instant may lie within an operation; two looks at one pause are one.
 *
 * The kernel's own books (books.ts) cost as much as a snapshot, and no process can break them by itself: they are looked at in every
 * eighth look that counts, and as long as something is odd, in each.
 */
import { checkBooks } from './books.ts';
import { check, checkSnapshot } from './check.ts';
import { Machine } from './machine.ts';
import { ringHeads } from './rings.ts';
import type { Finding, HartInfo, LampState, Snapshot } from './types.ts';

const ENOUGH = 3;
const MOST_SHOWN = 100;
const MANY_IRQS = 10;
const MANY_SWITCHES = 16;
const BOOKS_EVERY = 8;

export class Lamp {
  state: LampState = { colour: 'green', findings: [], suspects: 0, total: 0, looks: 0, counted: 0 };
  private readonly shown = new Tally();
  private readonly books = new Tally();
  private harts: HartInfo[] = [];
  private pausedAt: string | null = null;

  look(machine: Machine, s: Snapshot): LampState {
    const weight = this.weigh(machine, s);
    const counted = this.state.counted + (weight ? 1 : 0);
    this.shown.add(checkSnapshot(machine, s), weight);
    if (weight && (this.books.size > 0 || this.state.counted % BOOKS_EVERY === 0)) this.books.add(checkBooks(machine, s), weight);
    const believed = [...this.shown.believed, ...this.books.believed];
    this.state = {
      colour: believed.length ? 'red' : 'green', findings: believed.slice(0, MOST_SHOWN), suspects: this.shown.size + this.books.size - believed.length,
      total: believed.length, looks: this.state.looks + 1, counted,
    };
    return this.state;
  }

  /** What a look counts. */
  private weigh(machine: Machine, s: Snapshot): number {
    const instant = s.paused ? JSON.stringify([...ringHeads(machine)]) + JSON.stringify(s.harts) : null;
    const again = instant !== null && instant === this.pausedAt;
    this.pausedAt = instant;
    if (again || (!s.paused && !s.harts.every((hart) => wentOn(hart, this.harts[hart.index])))) return 0;
    this.harts = s.harts;
    return s.paused ? 2 : 1;
  }
}

/** Of a machine that will never go on, a dump: all that is found, though a thing may have been half done. */
export function lampOfDump(machine: Machine, s: Snapshot): LampState {
  const found = check(machine, s);
  return { colour: found.length ? 'red' : 'green', findings: found.slice(0, MOST_SHOWN), suspects: 0, total: found.length, looks: 1, counted: 1 };
}

function wentOn(now: HartInfo, before: HartInfo | undefined): boolean {
  return !before || now.idle || now.irqs - before.irqs >= MANY_IRQS || now.switches - before.switches >= MANY_SWITCHES;
}

/** How often in a row each finding was there. */
class Tally {
  believed: Finding[] = [];
  private seen = new Map<string, number>();

  get size(): number {
    return this.seen.size;
  }

  add(findings: Finding[], weight: number): void {
    const seen = new Map<string, number>();
    this.believed = [];
    for (const finding of findings) {
      const key = JSON.stringify(finding);
      if (seen.has(key)) continue;
      const count = Math.min((this.seen.get(key) ?? 0) + weight, ENOUGH);
      if (count >= ENOUGH) this.believed.push(finding);
      seen.set(key, count);
    }
    this.seen = seen;
  }
}
