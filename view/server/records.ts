/**
 * What a page sees is a set of records: a key and a JSON value each. The server remembers what a page has, and sends only
 * the records that are new, changed or gone.
 */
import type { Patch } from "../shared/protocol";

/** The records of one topic at one instant. */
export type Records = Map<string, unknown>;

/** What one page holds of one topic. */
export class Shown {
  private known = new Map<string, string>();

  /** The patch that makes the page's copy equal to `records`, or null when it is already. */
  update(records: Records): Patch | null {
    const set: Record<string, unknown> = {};
    const gone: string[] = [];
    let changed = false;
    for (const [key, value] of records) {
      const text = JSON.stringify(value);
      if (this.known.get(key) === text) continue;
      this.known.set(key, text);
      set[key] = value;
      changed = true;
    }
    if (this.known.size !== records.size) {
      for (const key of this.known.keys()) {
        if (records.has(key)) continue;
        this.known.delete(key);
        gone.push(key);
        changed = true;
      }
    }
    if (!changed) return null;
    return gone.length ? { set, gone } : { set };
  }
}
