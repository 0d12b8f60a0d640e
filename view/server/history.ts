/* The session so far: the oldest state that is kept, and the differences that lead to the newest. Bounded; the oldest go first. */
import { apply, type Delta, type Snapshot } from '../core/index.ts';
import type { History } from '../shared/protocol.ts';
import { snapshotToJson } from '../core/index.ts';

interface Kept {
  delta: Delta;
  size: number;
}

export class Session {
  private first: Snapshot | null = null;
  private kept: Kept[] = [];
  private size = 0;

  /** limit: bytes of differences, as text. */
  constructor(private readonly limit = 32 << 20) {}

  begin(first: Snapshot): void {
    this.first = first;
    this.kept = [];
    this.size = 0;
  }

  /** delta: from the state that came last; size: of its text. */
  add(delta: Delta, size: number): void {
    this.kept.push({ delta, size });
    this.size += size;
    while (this.size > this.limit && this.kept.length > 1) {
      const oldest = this.kept.shift()!;
      this.first = apply(this.first!, oldest.delta);
      this.size -= oldest.size;
    }
  }

  message(): History | null {
    if (!this.first) return null;
    return { t: 'history', first: snapshotToJson(this.first), deltas: this.kept.map((kept) => kept.delta) };
  }
}
