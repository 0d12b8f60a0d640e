/*
 * The session so far: the oldest state that is kept, the differences that lead to the newest, and beside them what each look found that
 * is no part of a state (notes). Bounded; the oldest go first.
 */
import { apply, snapshotToJson, treeApply, treeDiff, type Delta, type LampState, type Snapshot, type TableTree } from '../core/index.ts';
import { encode, type History, type Note } from '../shared/protocol.ts';

interface Kept {
  delta: Delta;
  size: number;
}

/** All that notes tell, at one look. */
export interface Beside {
  seq: number;
  heads: number[];
  lamp: LampState;
  kernel: TableTree;
}

export class Session {
  private first: Snapshot | null = null;
  private kept: Kept[] = [];
  private size = 0;
  /** What was beside the oldest state, and what is beside the newest. */
  private oldest: Beside | null = null;
  private newest: Beside | null = null;
  /** From the oldest on; the last of them, counted from the first that ever was. */
  private notes: { note: Note; size: number }[] = [];
  noted = 0;

  /** limit: bytes of differences and notes, as text. */
  constructor(private readonly limit = 32 << 20) {}

  begin(first: Snapshot): void {
    this.first = first;
    this.kept = [];
    this.notes = [];
    this.oldest = this.newest = null;
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
      this.forgetNotes(this.first.seq);
    }
  }

  /** What was found with the state that came last. */
  note(beside: Beside): void {
    const before = this.newest;
    this.newest = beside;
    this.oldest ??= beside;
    const note = before && noteOf(before, beside);
    if (!note) return;
    const size = encode(note).length;
    this.notes.push({ note, size });
    this.noted++;
    this.size += size;
  }

  /** Notes from number `from` on; null: they are no longer all here. */
  notesFrom(from: number): Note[] | null {
    const first = this.noted - this.notes.length;
    return from < first ? null : this.notes.slice(from - first).map(({ note }) => note);
  }

  message(): History | null {
    if (!this.first) return null;
    const { oldest } = this;
    const base: Note[] = oldest ? [{ seq: oldest.seq, heads: oldest.heads, lamp: oldest.lamp, kernel: treeDiff(null, oldest.kernel)! }] : [];
    return { t: 'history', first: snapshotToJson(this.first), deltas: this.kept.map((kept) => kept.delta), notes: [...base, ...this.notes.map(({ note }) => note)] };
  }

  /** Notes up to the state with this number become one. */
  private forgetNotes(seq: number): void {
    let count = 0;
    for (; count < this.notes.length && this.notes[count]!.note.seq <= seq; count++) {
      const { note, size } = this.notes[count]!;
      const old = this.oldest!;
      this.oldest = { seq: note.seq, heads: note.heads ?? old.heads, lamp: note.lamp ?? old.lamp, kernel: note.kernel ? treeApply(old.kernel, note.kernel) : old.kernel };
      this.size -= size;
    }
    this.notes.splice(0, count);
  }
}

/** null: nothing is new. */
function noteOf(before: Beside, now: Beside): Note | null {
  const note: Note = { seq: now.seq };
  const kernel = treeDiff(before.kernel, now.kernel);
  if (kernel) note.kernel = kernel;
  if (String(before.heads) !== String(now.heads)) note.heads = now.heads;
  if (before.lamp !== now.lamp && encode(before.lamp) !== encode(now.lamp)) note.lamp = now.lamp;
  return Object.keys(note).length > 1 ? note : null;
}
