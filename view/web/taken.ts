/*
 * One guided walk on its way (docs/walks.md): what it has typed, asked and proved so far, and every name that it has got. It works on the
 * machine through Hands, so that it can be tested without one.
 */
import { prove, ProveError, queryWords, waitLine, type Json, type Proof, type WalkJson, type WalkStepJson } from '../walks/prove.ts';

/** In place of a command: an empty line. */
export const ENTER = '<Enter>';

const INTERRUPT = '\x03';
const PROMPT = /[#$] $/;
const KEYS = /\x1b\[[0-9;?]*[A-Za-z]/g;
/** The terminal's answer to "where is the cursor?" that came after the command: the guest prints it like all that is typed while no shell reads. */
const LATE_ANSWER = /\^\[\[\d+;\d+R/g;
/** The first line of a panic's report, once it is whole. */
const PANIC = /^(.*PANIC.*)\n/m;
/** Of the console, what is enough to find a line in. */
const HEARD_KEPT = 1 << 16;
export const PATIENCE_MS = 60_000;
const INTERRUPT_AGAIN_MS = 10_000;

export interface Hands {
  type(text: string): void;
  /** The engine's answer as text; rejects with why there is none. */
  ask(words: string[]): Promise<string>;
  /** Hears the console until the function that is returned is called; null: the machine is gone. */
  listen(sink: (text: string | null) => void): () => void;
  /** The page's terminal has read all of the console, and has answered what it was asked there. */
  settled(): Promise<void>;
  /** Something is new to be shown. */
  changed(): void;
}

/** Why a walk cannot go on: the line or the prompt did not come, the machine is gone, the kernel panicked, the engine refused. */
export type AstrayCode = 'late' | 'gone' | 'panic' | 'engine';

export class Astray extends Error {
  constructor(readonly code: AstrayCode, text: string) {
    super(text);
  }
}

export interface Asked {
  name: string;
  words: string[];
  /** JSON, as ./vitrine x prints it. */
  text: string;
}

export interface StepTaken {
  phase: 'taking' | 'done' | 'astray';
  /** What the guest said. */
  line: string;
  asked: Asked[];
  proofs: Proof[];
  why: Astray | null;
}

export function holds(taken: StepTaken): boolean {
  return taken.phase === 'done' && taken.proofs.every((proof) => proof.holds);
}

export class Taken {
  private readonly names = new Map<string, Json>();
  readonly steps: (StepTaken | undefined)[] = [];
  private isEnded = false;

  constructor(readonly walk: WalkJson, private readonly hands: Hands, private readonly patienceMs = PATIENCE_MS) {}

  get busy(): boolean {
    return this.steps.some((step) => step?.phase === 'taking');
  }

  /** All steps are taken, and the program in the guest still stands there. */
  get lingers(): boolean {
    return !this.isEnded && this.steps.length === this.walk.steps.length && this.steps.at(-1)?.phase === 'done';
  }

  /** Lets the program in the guest end, as its reader would: by Enter. */
  end(): void {
    if (!this.lingers) return;
    this.isEnded = true;
    this.hands.type('\r');
    this.hands.changed();
  }

  /** Whether a step can be taken now. It needs what those before it have done, but for one that begins on a new machine. */
  ready(index: number): boolean {
    const step = this.walk.steps[index];
    if (!step || this.busy || this.steps[index]) return false;
    return index === 0 || step.boot !== null || this.steps[index - 1]?.phase === 'done';
  }

  async take(index: number): Promise<void> {
    if (!this.ready(index)) return;
    const step = this.walk.steps[index]!;
    const taken: StepTaken = { phase: 'taking', line: '', asked: [], proofs: [], why: null };
    this.steps[index] = taken;
    this.hands.changed();
    try {
      if (step.do !== null) taken.line = await this.act(step.do, step.wait ?? '');
      taken.proofs = await this.see(step, taken);
      taken.phase = 'done';
    } catch (error) {
      if (!(error instanceof Astray)) throw error;
      taken.why = error;
      taken.phase = 'astray';
    } finally {
      this.hands.changed();
    }
  }

  /** Types what the step does; the line that the guest answers with gives its names. */
  private async act(what: string, wait: string): Promise<string> {
    const heard = new Heard(this.hands, this.patienceMs);
    try {
      if (what !== ENTER) {
        // A program of an earlier walk may still stand there and wait for Enter.
        heard.type(INTERRUPT);
        // One that is just being started may not hear the first.
        const again = setInterval(() => heard.type(INTERRUPT), INTERRUPT_AGAIN_MS);
        await heard.until((text) => (PROMPT.test(text) ? text : null), '#').finally(() => clearInterval(again));
        // The shell asks the terminal where its cursor is: the answer is to be there before the command, not in its input.
        await this.hands.settled();
      }
      heard.type(what === ENTER ? '\r' : what + '\r');
      const [line, found] = await heard.until((text) => firstLine(text, wait), wait);
      for (const [name, value] of found) this.names.set(name, value);
      return line;
    } finally {
      heard.close();
    }
  }

  private async see(step: WalkStepJson, taken: StepTaken): Promise<Proof[]> {
    for (const query of step.see) {
      let words: string[];
      try {
        words = queryWords(query.words, this.names);
      } catch (error) {
        if (!(error instanceof ProveError)) throw error;
        return [{ text: query.name, holds: false, why: error.message }];
      }
      const text = await this.hands.ask(words).catch((error: unknown) => {
        throw new Astray('engine', `${words.join(' ')}: ${error instanceof Error ? error.message : String(error)}`);
      });
      this.names.set(query.name, JSON.parse(text) as Json);
      taken.asked.push({ name: query.name, words, text });
      this.hands.changed();
    }
    return prove(step, this.names);
  }
}

/** The first whole line that is the one described, with the names that it gives. */
function firstLine(text: string, wait: string): [line: string, names: Map<string, Json>] | null {
  for (const line of text.split('\n').slice(0, -1)) {
    const found = waitLine(wait, line);
    if (found) return [line, found];
  }
  return null;
}

/** What the console has said since something was last typed. */
class Heard {
  private raw = '';
  private isGone = false;
  private look: () => void = () => {};
  private readonly end: () => void;

  constructor(private readonly hands: Hands, private readonly patienceMs: number) {
    this.end = hands.listen((text) => {
      if (text === null) this.isGone = true;
      else this.raw = (this.raw + text).slice(-HEARD_KEPT);
      this.look();
    });
  }

  type(text: string): void {
    this.raw = '';
    this.hands.type(text);
  }

  /** Waits until `find` finds something in what was heard. */
  until<T>(find: (text: string) => T | null, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail('late', what), this.patienceMs);
      const finish = () => {
        clearTimeout(timer);
        this.look = () => {};
      };
      const fail = (code: AstrayCode, text: string) => {
        finish();
        reject(new Astray(code, text));
      };
      this.look = () => {
        const text = this.raw.replace(KEYS, '').replace(LATE_ANSWER, '').replace(/\r/g, '');
        const found = find(text);
        const panic = PANIC.exec(text);
        if (found !== null) {
          finish();
          resolve(found);
        } else if (panic) fail('panic', panic[1]!);
        else if (this.isGone) fail('gone', what);
      };
      this.look();
    });
  }

  close(): void {
    this.end();
  }
}
