/*
 * The lamp: green, or red with what is wrong. A single look at a running machine proves nothing (check.ts): what was found may be
 * an operation half done. So a finding is believed when it was there, the same in all its details, in three looks in a row;
 * a look at a paused machine counts double, because its parts are of one instant, though that instant may lie within an operation.
 * Two looks at one pause are one: nothing has moved in between.
 */
import { check } from './check.ts';
import { Machine } from './machine.ts';
import { ringHeads } from './rings.ts';
import type { Finding, LampState, Snapshot } from './types.ts';

const ENOUGH = 3;
const MOST_SHOWN = 100;

export class Lamp {
  state: LampState = { colour: 'green', findings: [], suspects: 0, total: 0, looks: 0 };
  private seen = new Map<string, number>();
  private pausedAt: string | null = null;

  look(machine: Machine, s: Snapshot): LampState {
    const instant = s.paused ? JSON.stringify([...ringHeads(machine)]) + JSON.stringify(s.harts) : null;
    const weight = !s.paused ? 1 : instant === this.pausedAt ? 0 : 2;
    this.pausedAt = instant;
    const seen = new Map<string, number>();
    const believed: Finding[] = [];
    for (const finding of check(machine, s)) {
      const key = JSON.stringify(finding);
      const count = Math.min((this.seen.get(key) ?? 0) + weight, ENOUGH);
      if (!seen.has(key) && count >= ENOUGH) believed.push(finding);
      seen.set(key, count);
    }
    this.seen = seen;
    this.state = {
      colour: believed.length ? 'red' : 'green', findings: believed.slice(0, MOST_SHOWN), suspects: seen.size - believed.length, total: believed.length,
      looks: this.state.looks + 1,
    };
    return this.state;
  }
}
