/*
 * What the looks found beside the states, for going back to one of them: how far the rings had come, what the lamp said, the kernel's own
 * table. Notes tell what changed; here they are put together again.
 */
import { emptyTree, treeApply, type LampState, type TableTree } from '../core/index.ts';
import type { Note } from '../shared/protocol.ts';

export class Beside {
  private notes: Note[] = [];
  /** The kernel's table after so many notes: the one that was last asked for. */
  private kernel: { tree: TableTree; notes: number } | null = null;

  begin(notes: Note[]): void {
    this.notes = notes;
    this.kernel = null;
  }

  add(notes: Note[]): void {
    this.notes.push(...notes);
  }

  /** null: not known. */
  headsAt(seq: number): number[] | null {
    return this.lastWith(seq, 'heads')?.heads ?? null;
  }

  lampAt(seq: number): LampState | null {
    return this.lastWith(seq, 'lamp')?.lamp ?? null;
  }

  /** levels: of the machine's tables. */
  kernelAt(seq: number, levels: number): TableTree | null {
    const end = this.count(seq);
    if (!this.notes[0]?.kernel || end === 0) return null;
    const known = this.kernel && this.kernel.notes <= end ? this.kernel : { tree: { ...emptyTree(0, levels), half: 'all' as const }, notes: 0 };
    let { tree } = known;
    for (const note of this.notes.slice(known.notes, end)) if (note.kernel) tree = treeApply(tree, note.kernel);
    this.kernel = { tree, notes: end };
    return tree;
  }

  private lastWith(seq: number, member: 'heads' | 'lamp'): Note | null {
    for (let i = this.count(seq) - 1; i >= 0; i--) if (this.notes[i]![member]) return this.notes[i]!;
    return null;
  }

  /** Notes up to a state. */
  private count(seq: number): number {
    let low = 0;
    let high = this.notes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.notes[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
