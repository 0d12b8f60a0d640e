/*
 * Looks at the machine again and again: a snapshot, what changed since the last, the new events, the lamp. The pages take
 * from here what they need; with none, it looks twice a second, so that the film and the session lose little.
 */
import { diff, Lamp, Machine, RingReader, SnapshotReader, type Delta, type LampState, type Snapshot, type TraceEvent } from '../core/index.ts';
import { packEvent } from '../shared/film.ts';
import type { Catch, Cost, HartPlace, PackedEvent } from '../shared/protocol.ts';
import { Film } from '../cli/film.ts';
import { Session } from './history.ts';
import type { Page } from './page.ts';
import type { Programs } from '../cli/programs.ts';

/** Events that are kept for pages that are opened later. */
const FILM_KEPT = 5000;
/** Shares of the host: a look may take a quarter of the time, the lamp's check a tenth. */
const FASTEST_MS = 100;
const LOOK_SHARE = 4;
const LAMP_SHARE = 10;

/** What one look found. */
export interface Look {
  now: Snapshot;
  before: Snapshot | null;
  delta: Delta | null;
  /** `delta` as text; empty without one. */
  deltaText: string;
}

export class Watcher {
  private rings: RingReader | null = null;
  private readonly reader: SnapshotReader;
  private readonly film: Film;
  private readonly lamp = new Lamp();
  private lampDue = 0;
  private heads: number[] = [];
  private faults: { at: number; count: number }[] = [];
  private cpuMs = 0;
  private lastLooks: number[] = [];
  readonly session = new Session();
  /** All events so far are numbered from 0; these are the last of them. */
  events: PackedEvent[] = [];
  eventsBefore = 0;
  lost = 0;
  now: Snapshot | null = null;
  lampState: LampState;
  /** Where the harts were when they were last asked for. */
  places: HartPlace[] = [];
  /** A fault like this is waited for, and seen at the look after it (where it cannot be stopped at: catcher.ts). */
  armed: Catch | null = null;
  onCaught: () => void = () => {};

  constructor(readonly machine: Machine, programs: Programs, private readonly filmKept = FILM_KEPT) {
    this.reader = new SnapshotReader(machine);
    this.film = new Film(machine, programs);
    this.lampState = this.lamp.state;
  }

  /** Looks once. paused: the machine stands still. null: the kernel has not set up its tables yet. */
  look(paused: boolean): Look | null {
    const begin = process.cpuUsage();
    const before = this.now;
    if (!before && !this.machine.refresh()) return null;
    this.rings ??= new RingReader(this.machine, { from: 'oldest' });
    const now = this.reader.take({ paused, at: Date.now() });
    this.now = now;
    this.readEvents(now);
    const delta = before ? diff(before, now, this.reader.frameChanges) : null;
    const deltaText = delta ? JSON.stringify(delta) : '';
    if (delta) this.session.add(delta, deltaText.length);
    else this.session.begin(now);
    this.lookAtLamp(now, paused);
    this.session.note({ seq: now.seq, heads: this.heads, lamp: steady(this.lampState), kernel: now.kernel! });
    this.cpuMs = spentSince(begin);
    this.lastLooks = [...this.lastLooks.slice(-9), Date.now()];
    return { now, before, delta, deltaText };
  }

  /** Tells the pages of a look; that is part of its cost. */
  tell(look: Look, pages: Iterable<Page>): void {
    const begin = process.cpuUsage();
    for (const page of pages) page.tick(look);
    this.cpuMs += spentSince(begin);
  }

  /** Milliseconds to wait after a look that began at `begin`, so that looking takes a bounded share of the host. */
  pause(begin: number): number {
    return Math.max(0, begin + Math.max(FASTEST_MS, this.cpuMs * LOOK_SHARE) - Date.now());
  }

  cost(bytes: number): Cost {
    const span = this.lastLooks.length > 1 ? this.lastLooks.at(-1)! - this.lastLooks[0]! : 0;
    return { cpuMs: this.cpuMs, bytes, hz: span > 0 ? ((this.lastLooks.length - 1) * 1000) / span : 0 };
  }

  /** Over the last second. */
  faultsPerSecond(): number {
    const since = Date.now() - 1000;
    this.faults = this.faults.filter((f) => f.at >= since);
    return this.faults.reduce((sum, f) => sum + f.count, 0);
  }

  isWanted(wanted: Catch, event: TraceEvent): boolean {
    return event.kind === 'fault' && event.faultHow === wanted.how && (wanted.pid === null || wanted.pid === this.film.pidOf(event));
  }

  private readEvents(now: Snapshot): void {
    const batch = this.rings!.read();
    this.lost = batch.lostTotal;
    this.heads = batch.heads;
    let faults = 0;
    for (const event of this.film.take(batch, now)) {
      this.events.push(packEvent(event));
      if (event.kind !== 'fault') continue;
      faults++;
      if (this.armed && this.isWanted(this.armed, event)) {
        this.armed = null;
        this.onCaught();
      }
    }
    if (faults) this.faults.push({ at: Date.now(), count: faults });
    const old = this.events.length - this.filmKept;
    if (old > 0) {
      this.events.splice(0, old);
      this.eventsBefore += old;
    }
  }

  private lookAtLamp(now: Snapshot, paused: boolean): void {
    if (Date.now() < this.lampDue && !paused) return;
    const begin = process.cpuUsage();
    this.lampState = this.lamp.look(this.machine, now);
    this.lampDue = Date.now() + Math.max(FASTEST_MS, spentSince(begin) * LAMP_SHARE);
  }
}

/** Without the counts of looks, which alone would make it new every time. */
export function steady(state: LampState): LampState {
  return { ...state, looks: Math.min(state.looks, 2), counted: 0, suspects: 0 };
}

/** Milliseconds of the host's processors. */
function spentSince(begin: NodeJS.CpuUsage): number {
  const used = process.cpuUsage(begin);
  return (used.user + used.system) / 1000;
}
