/*
 * What the page knows: the connection, the machine's state now and before, the film. Views read it and draw; they are told
 * by `subscribe` when something is new.
 */
import { advance, apply, pidsByAspace, reverseMap, snapshotFromJson, Symbols, type Delta, type FrameInfo, type LampState, type ReverseMap, type Snapshot } from '../core/index.ts';
import { unpackEvent } from '../shared/film.ts';
import { Beside } from './beside.ts';
import type { WalkJson } from '../walks/prove.ts';
import type { SessionFile } from '../shared/session.ts';
import {
  decode, encode, PROTOCOL, type Catch, type ClientMessage, type Cost, type FilmEvent, type HartPlace, type Hello, type History, type MachineState,
  type ServerMessage, type SpaceAnswer, type Tick, type WalkAnswer, type Want,
} from '../shared/protocol.ts';
import { Taken, type Hands } from './taken.ts';

/** Events of the film that a page keeps. */
const FILM_KEPT = 20_000;
/** Samples of the vitals' curves: a minute, as closely as a curve has room for. */
const SAMPLE_MS = 300;
const CURVE = 60_000 / SAMPLE_MS;

export interface Sample {
  at: number;
  free: number;
  faults: number;
}

/** States of the past that are kept: every so many instants, as they are passed, and not more than so many. */
const KEY_EVERY = 250;
const KEYS = 48;

/** One instant of the session, for the time view. */
export interface Instant {
  seq: number;
  at: number;
  delta: Delta;
}

export class Model {
  private socket: WebSocket | null = null;
  private listeners = new Set<() => void>();
  private scheduled = false;
  private wanted = '';
  private reverse: { of: Snapshot['trees']; pids: string; map: ReverseMap } | null = null;
  private past: Snapshot | null = null;
  private keys: Snapshot[] = [];
  private consoleWaiting: Uint8Array[] = [];
  private consoleSink: ((data: Uint8Array) => void) | null = null;
  private consoleSettled: () => Promise<void> = () => Promise.resolve();
  private ears = new Set<(text: string | null) => void>();
  private decoder = new TextDecoder();
  private queries = new Map<number, { resolve(text: string): void; reject(error: Error): void }>();
  private lastQuery = 0;

  /** kept: there is no server, the session is all in the page. */
  connection: 'opening' | 'open' | 'lost' | 'kept' = 'opening';
  /** The server speaks another version of the protocol: reload. */
  stale = false;
  hello: Hello | null = null;
  machine: MachineState = 'running';
  why = '';
  live: Snapshot | null = null;
  events: FilmEvent[] = [];
  lost = 0;
  /** Events that this page has let go. */
  dropped = 0;
  faultsPerSecond = 0;
  lamp: LampState | null = null;
  walk: WalkAnswer | null = null;
  frame: FrameInfo | null = null;
  space: SpaceAnswer | null = null;
  harts: HartPlace[] = [];
  cost: Cost = { cpuMs: 0, bytes: 0, hz: 0 };
  /** Milliseconds of this page's main thread for the last ticks, smoothed. */
  pageMs = 0;
  curve: Sample[] = [];
  armed: Catch | null = null;
  dumped: { path: string; error: string } | null = null;
  /** The guided walks: null until the guide asked for them; and the one that is being taken, for there is one console. */
  walks: WalkJson[] | null = null;
  taken: Taken | null = null;
  /** Host time of the last change of each frame, by its place in the table. */
  changedAt = new Float64Array(0);
  /** The states before: null until the time view asked for them; and what was known beside them. */
  history: { first: Snapshot; instants: Instant[] } | null = null;
  readonly beside = new Beside();
  /** The kernel's names of addresses, where the page has them itself. */
  symbols: Symbols | null = null;

  connect(address: string): void {
    const socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (message) => this.receive(message.data as string | ArrayBuffer);
    socket.onopen = () => {
      this.connection = 'open';
      this.notify();
    };
    socket.onclose = () => {
      this.connection = 'lost';
      this.machineGone();
      for (const query of this.queries.values()) query.reject(new Error('the connection is gone'));
      this.queries.clear();
      this.notify();
    };
    this.socket = socket;
  }

  /** A session that was kept, in place of a connection: its last state, with the way there. */
  open(session: SessionFile): void {
    this.connection = 'kept';
    this.machine = 'off';
    this.hello = session.hello;
    this.symbols = session.symbols ? Symbols.fromList(session.symbols) : null;
    this.lamp = session.lamp;
    this.lost = session.lost;
    let state = snapshotFromJson(session.history.first);
    this.takeFull(state);
    for (const delta of session.history.deltas) {
      state = apply(state, delta);
      this.sample(state, 0);
    }
    this.live = state;
    this.takeHistory(session.history);
    this.takeEvents(session.events.map(unpackEvent));
    this.consoleWaiting.push(new TextEncoder().encode(session.console.replace(/\r?\n/g, '\r\n')));
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Console output goes to one place; what came before it was there is handed over. */
  attachConsole(sink: (data: Uint8Array) => void, settled: () => Promise<void>): void {
    this.consoleSink = sink;
    this.consoleSettled = settled;
    for (const data of this.consoleWaiting.splice(0)) sink(data);
  }

  want(want: Want): void {
    const text = encode({ t: 'want', want });
    if (text === this.wanted || this.connection !== 'open') return;
    this.wanted = text;
    this.socket!.send(text);
  }

  send(message: ClientMessage): void {
    if (this.connection === 'open') this.socket!.send(encode(message));
  }

  arm(armed: Catch | null): void {
    this.armed = armed;
    this.send({ t: 'catch', catch: armed });
    this.notify();
  }

  askHistory(): void {
    if (!this.history) this.send({ t: 'history' });
  }

  askWalks(): void {
    if (!this.walks) this.send({ t: 'walks' });
  }

  /** Begins a walk, in place of the one before. */
  begin(walk: WalkJson): Taken {
    this.taken = new Taken(walk, this.hands());
    this.notify();
    return this.taken;
  }

  /** What a walk may do with the machine. */
  private hands(): Hands {
    return {
      type: (text) => this.send({ t: 'type', text }),
      ask: (words) => this.ask(words),
      listen: (sink) => {
        this.ears.add(sink);
        return () => this.ears.delete(sink);
      },
      settled: () => this.consoleSettled(),
      changed: () => this.notify(),
    };
  }

  private ask(words: string[]): Promise<string> {
    if (this.connection !== 'open') return Promise.reject(new Error('the connection is gone'));
    const id = ++this.lastQuery;
    return new Promise((resolve, reject) => {
      this.queries.set(id, { resolve, reject });
      this.send({ t: 'ask', id, words });
    });
  }

  private takeAnswer(id: number, text: string | null, error: string): void {
    const query = this.queries.get(id);
    this.queries.delete(id);
    if (text === null) query?.reject(new Error(error));
    else query?.resolve(text);
  }

  private machineGone(): void {
    this.ears.forEach((sink) => sink(null));
  }

  /** The state to show: now, or an instant of the past. */
  shown(at: number | null): Snapshot | null {
    return at === null ? this.live : this.instant(at) ?? this.live;
  }

  /** What the lamp said: now, or at an instant of the past. */
  lampAt(at: number | null): LampState | null {
    return at === null ? this.lamp : this.beside.lampAt(at) ?? this.lamp;
  }

  /** The events of the film: all, or those up to an instant of the past. */
  eventsAt(at: number | null): FilmEvent[] {
    const heads = at === null ? null : this.beside.headsAt(at);
    return heads ? this.events.filter((event) => event.n < (heads[event.hart] ?? 0)) : this.events;
  }

  /** The state with this number, if the session has it. */
  instant(seq: number): Snapshot | null {
    if (this.past?.seq === seq) return this.past;
    if (!this.history) return null;
    const { first, instants } = this.history;
    if (seq < first.seq) return null;
    let state = this.nearest(seq, first);
    for (let i = state.seq === first.seq ? 0 : instants.findIndex((instant) => instant.seq > state.seq); i >= 0 && i < instants.length; i++) {
      if (instants[i]!.seq > seq) break;
      state = apply(state, instants[i]!.delta);
      if (i % KEY_EVERY === KEY_EVERY - 1) this.keep(state);
    }
    this.past = state;
    return state.seq === seq ? state : null;
  }

  /** The last state at or before `seq` that is at hand. */
  private nearest(seq: number, first: Snapshot): Snapshot {
    return [...this.keys, this.past].reduce<Snapshot>((best, state) => (state && state.seq <= seq && state.seq > best.seq ? state : best), first);
  }

  private keep(state: Snapshot): void {
    if (this.keys.some((key) => key.seq === state.seq)) return;
    this.keys.push(state);
    if (this.keys.length > KEYS) this.keys.shift();
  }

  /** frame → leaves of a state; the last one is remembered, and serves as long as nothing is mapped anew. */
  reverseMap(of: Snapshot): ReverseMap {
    const pids = [...pidsByAspace(of)].join();
    if (this.reverse?.of !== of.trees || this.reverse.pids !== pids) this.reverse = { of: of.trees, pids, map: reverseMap(of) };
    return this.reverse.map;
  }

  /** Runs `work` and counts it as this page's cost. */
  private timed(work: () => void): void {
    const begin = performance.now();
    work();
    this.pageMs += (performance.now() - begin - this.pageMs) * 0.1;
  }

  private notify(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const run = () => {
      if (!this.scheduled) return;
      this.scheduled = false;
      this.timed(() => this.listeners.forEach((listener) => listener()));
    };
    // No animation frame: the browser would prepare one also where nothing is to be drawn anew.
    setTimeout(run, document.hidden ? 200 : 0);
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data !== 'string') {
      const bytes = new Uint8Array(data);
      if (this.consoleSink) this.consoleSink(bytes);
      else this.consoleWaiting.push(bytes);
      const text = this.decoder.decode(bytes, { stream: true });
      this.ears.forEach((sink) => sink(text));
      return;
    }
    const message = decode<ServerMessage>(data);
    if (message.t === 'tick') this.timed(() => this.tick(message));
    else if (message.t === 'hello') {
      this.hello = message;
      this.stale = message.protocol !== PROTOCOL;
    } else if (message.t === 'machine') {
      this.machine = message.state;
      this.why = message.why ?? '';
      if (this.why === 'catch') this.armed = null;
      if (this.machine === 'off') this.machineGone();
    } else if (message.t === 'history') this.takeHistory(message);
    else if (message.t === 'walks') this.walks = message.walks;
    else if (message.t === 'answer') this.takeAnswer(message.id, message.text, message.error);
    else this.dumped = message;
    this.notify();
  }

  private tick(tick: Tick): void {
    if (tick.full !== undefined) this.takeFull(snapshotFromJson(tick.full));
    if (tick.delta && this.live) this.takeDelta(tick.delta);
    if (tick.notes) this.beside.add(tick.notes);
    if (tick.events) this.takeEvents(tick.events.map(unpackEvent));
    if (tick.lost !== undefined) this.lost = tick.lost;
    if (tick.faultsPerSecond !== undefined) this.faultsPerSecond = tick.faultsPerSecond;
    if (tick.lamp) this.lamp = tick.lamp;
    if (tick.walk !== undefined) this.walk = tick.walk;
    if (tick.frame !== undefined) this.frame = tick.frame;
    if (tick.space !== undefined) this.space = tick.space;
    if (tick.harts) this.harts = tick.harts;
    this.cost = tick.cost;
    if (this.live) this.sample(this.live, this.faultsPerSecond);
    this.send({ t: 'ack', n: tick.n });
  }

  private sample(state: Snapshot, faults: number): void {
    if (state.at - (this.curve.at(-1)?.at ?? 0) < SAMPLE_MS) return;
    this.curve = [...this.curve.slice(1 - CURVE), { at: state.at, free: state.totals.free, faults }];
  }

  private takeFull(state: Snapshot): void {
    this.live = state;
    this.changedAt = new Float64Array(state.frames.count);
  }

  private takeDelta(delta: Delta): void {
    const state = advance(this.live!, delta);
    this.live = state;
    // Runs of frames: [first index, count, …six members and the index's step].
    for (let i = 0; i + 8 < delta.frames.length; i += 9) {
      const first = delta.frames[i]!;
      this.changedAt.fill(state.at, first, first + delta.frames[i + 1]!);
    }
    this.extendHistory(delta);
  }

  private takeEvents(events: FilmEvent[]): void {
    this.events.push(...events);
    const old = this.events.length - FILM_KEPT;
    if (old <= 0) return;
    this.events.splice(0, old);
    this.dropped += old;
  }

  /** The session goes on with this page's own steps, from the state that it had when the history came. */
  private takeHistory(history: History): void {
    const instants = history.deltas.map((delta) => ({ seq: delta.to, at: delta.at, delta }));
    const now = this.live?.seq ?? 0;
    this.keys = [];
    this.past = null;
    this.history = { first: snapshotFromJson(history.first), instants: instants.filter((instant) => instant.seq <= now) };
    this.beside.begin(history.notes ?? []);
  }

  private extendHistory(delta: Delta): void {
    if (!this.history) return;
    const last = this.history.instants.at(-1)?.seq ?? this.history.first.seq;
    if (last === delta.from) this.history.instants.push({ seq: delta.to, at: delta.at, delta });
    else if (last < delta.from) this.history = null;
  }
}
