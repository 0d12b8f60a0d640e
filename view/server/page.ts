/* One page that is connected: what it has open, what it has been sent, and what comes next. */
import type { WebSocket } from 'ws';
import {
  aspaceOf, diff, explainAddress, explainWalk, frameInfo, rootOf, snapshotToJson, swappedPages, walk, type FrameInfo, type Snapshot,
} from '../core/index.ts';
import { resolve } from '../shared/expr.ts';
import { encode, type ClientMessage, type ServerMessage, type SpaceAnswer, type WalkAnswer, type Want } from '../shared/protocol.ts';
import { parseMessage } from './messages.ts';
import { steady, type Look, type Watcher } from './watcher.ts';

/** Events in one tick, as far as its bytes allow, and a few in any case; the rest come with the next ones. */
const EVENTS_A_TICK = 120;
const EVENTS_AT_LEAST = 10;
const BYTES_A_TICK = 18_000;
/** Console output that waits for a slow page before the machine's console is held up. */
const CONSOLE_WAITING = 4 << 20;

export class Page {
  private want: Want = { lang: 'en', state: false, walk: null, frame: null, space: null, harts: false };
  /** The state that the page has. */
  private has: Snapshot | null = null;
  private unanswered = false;
  private number = 0;
  private nextEvent: number;
  private skipped = 0;
  private last = new Map<string, string>();
  /** Notes of the session that the page has; null: it has no history. */
  private notes: number | null = null;
  private bytes = 0;
  /** Questions of ./vitrine x that wait for their answers. */
  queries = 0;
  onMessage: (message: ClientMessage) => void = () => {};

  constructor(private readonly socket: WebSocket, private readonly watcher: Watcher) {
    this.nextEvent = watcher.eventsBefore;
    socket.on('message', (data, binary) => {
      if (!binary) this.receive(String(data));
    });
    socket.on('error', () => socket.terminate());
  }

  /** Does the page show what changes all the time? */
  get watching(): boolean {
    return this.want.state;
  }

  get watchingHarts(): boolean {
    return this.want.state && this.want.harts;
  }

  send(message: ServerMessage): void {
    this.socket.send(encode(message));
  }

  sendHistory(): void {
    const history = this.watcher.session.message();
    if (!history) return;
    this.notes = this.watcher.session.noted;
    this.send(history);
  }

  console(data: Buffer): void {
    if (this.socket.bufferedAmount < CONSOLE_WAITING) this.socket.send(data);
  }

  /** Sends what is new since the last tick, unless the page still works on that one. */
  tick(look: Look): void {
    if (this.unanswered || !this.want.state) return;
    const parts = [...this.stateParts(look), ...this.noteParts(), ...this.answerParts(look.now)];
    parts.push(...this.eventParts(BYTES_A_TICK - parts.reduce((sum, part) => sum + part.length, 0)));
    if (!parts.length) return;
    this.number++;
    parts.push(`"cost":${JSON.stringify(this.watcher.cost(this.bytes))}`, `"n":${this.number}`, '"t":"tick"');
    const text = `{${parts.join(',')}}`;
    this.bytes = Buffer.byteLength(text);
    this.unanswered = true;
    this.socket.send(text);
  }

  close(): void {
    this.socket.close();
  }

  private receive(text: string): void {
    const message = parseMessage(text);
    if (!message) {
      this.socket.terminate();
      return;
    }
    if (message.t === 'ack') this.unanswered = false;
    else if (message.t === 'want') this.want = message.want;
    else this.onMessage(message);
  }

  private stateParts(look: Look): string[] {
    const { now } = look;
    if (!this.has) {
      this.has = now;
      return [`"full":${JSON.stringify(snapshotToJson(now))}`];
    }
    if (this.has === now) return [];
    const text = this.has === look.before ? look.deltaText : encode(diff(this.has, now));
    this.has = now;
    return [`"delta":${text}`];
  }

  /** A page that was hidden for so long that some are gone is sent the history anew. */
  private noteParts(): string[] {
    const { session } = this.watcher;
    if (this.notes === null || this.notes === session.noted) return [];
    const notes = session.notesFrom(this.notes);
    if (!notes) return this.sendHistory(), [];
    this.notes = session.noted;
    return [`"notes":${encode(notes)}`];
  }

  /** room: bytes that the events may have. */
  private eventParts(room: number): string[] {
    const { watcher } = this;
    if (this.nextEvent < watcher.eventsBefore) {
      this.skipped += watcher.eventsBefore - this.nextEvent;
      this.nextEvent = watcher.eventsBefore;
    }
    const from = this.nextEvent - watcher.eventsBefore;
    const events: string[] = [];
    for (const event of watcher.events.slice(from, from + EVENTS_A_TICK)) {
      const text = JSON.stringify(event);
      room -= text.length;
      if (room < 0 && events.length >= EVENTS_AT_LEAST) break;
      events.push(text);
    }
    this.nextEvent += events.length;
    const parts = events.length ? [`"events":[${events.join(',')}]`] : [];
    return [...parts, ...this.changed('lost', watcher.lost + this.skipped), ...this.changed('faultsPerSecond', watcher.faultsPerSecond())];
  }

  private answerParts(now: Snapshot): string[] {
    return [
      ...this.changed('lamp', steady(this.watcher.lampState)),
      ...this.changed('walk', this.want.walk && this.walkAnswer(now, this.want.walk)),
      ...this.changed('frame', this.frameAnswer(now)),
      ...this.changed('space', this.spaceAnswer(now)),
      ...(this.want.harts ? this.changed('harts', this.watcher.places) : []),
    ];
  }

  /** `"key":value`, if it is not what was sent last. */
  private changed(key: string, value: unknown): string[] {
    const text = encode(value);
    if (this.last.get(key) === text) return [];
    this.last.set(key, text);
    return [`"${key}":${text}`];
  }

  private walkAnswer(now: Snapshot, asked: NonNullable<Want['walk']>): WalkAnswer {
    const { machine } = this.watcher;
    const answer: WalkAnswer = { ...asked, result: null, words: null, where: '', error: '' };
    const found = resolve(asked.expr, asked.pid, {
      aspace: (pid) => aspaceOf(now, pid),
      symbol: (name) => machine.symbols?.find(name) ?? null,
    });
    if ('wrong' in found) return { ...answer, error: found.wrong };
    answer.pid = found.pid ?? asked.pid;
    const as = aspaceOf(now, answer.pid);
    if (!as && answer.pid !== 0) return { ...answer, error: `pid ${answer.pid}` };
    const root = as ? rootOf(as, asked.mode) : now.kernelRoot;
    answer.result = walk(machine.memory, root, now.levels, found.va, { access: asked.access, mode: asked.mode });
    answer.words = explainWalk(answer.result, this.want.lang, as);
    answer.where = found.va >> 63n ? `${machine.symbols?.describe(found.va) ?? ''} ${machine.lineOf(found.va)}`.trim() : as ? explainAddress(as, found.va, this.want.lang) : '';
    return answer;
  }

  private spaceAnswer(now: Snapshot): SpaceAnswer | null {
    const as = this.want.space === null ? null : aspaceOf(now, this.want.space);
    if (!as) return null;
    const { machine } = this.watcher;
    const swapped = as.swapped === 0 ? [] : as.vmas.map((vma): [number, number | null] => [vma.start, swappedPages(machine, vma)]);
    return { pid: this.want.space!, swapped: swapped.filter(([, pages]) => pages !== 0) };
  }

  private frameAnswer(now: Snapshot): FrameInfo | null {
    return this.want.frame === null ? null : frameInfo(this.watcher.machine, now, this.want.frame);
  }
}
