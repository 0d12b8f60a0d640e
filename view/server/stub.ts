/*
 * QEMU's gdb stub, as far as breakpoints need it. One client at a time; connecting stops the machine.
 *
 * As QEMU 7.2 has it: any byte that comes while the machine runs stops it, so nothing is acknowledged (a packet's beginning does as
 * well), and an interrupt is sent as "+" and then the byte 3: what is left of the two when one of them was enough does nothing. A
 * breakpoint at the very instruction where a hart stands stops it again at once: it is stepped over it first. Closing the
 * connection leaves breakpoints and machine as they are.
 */
import type { Socket } from 'node:net';
import { connected } from './qmp.ts';

const ANSWER_MS = 5000;
const SIGTRAP = 5;

/** The machine stopped. breakpoint: at one, or after a step; otherwise somebody else stopped it. thread: as the stub counts. */
export interface Stopped {
  breakpoint: boolean;
  thread: string;
}

interface Waiting {
  resolve: (answer: string) => void;
  reject: (reason: Error) => void;
  timer: NodeJS.Timeout;
}

export class GdbStub {
  private text = '';
  private waiting: Waiting[] = [];
  onStop: (stopped: Stopped) => void = () => {};
  onClose: () => void = () => {};

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (data) => this.feed(String(data)));
    socket.on('close', () => {
      this.fail(new Error('the stub is gone'));
      this.onClose();
    });
    socket.on('error', () => socket.destroy());
  }

  /** Rejects when nobody listens there. Whether the stub has another client shows at the first question. */
  static async open(path: string): Promise<GdbStub> {
    return new GdbStub(await connected(path, 0));
  }

  /** A question that the stub answers at once. Rejects when it does not. */
  ask(packet: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) {
        reject(new Error('the stub is gone'));
        return;
      }
      const timer = setTimeout(() => {
        this.fail(new Error('the stub does not answer: another gdb may be attached'));
        this.close();
      }, ANSWER_MS);
      this.waiting.push({ resolve, reject, timer });
      this.send(packet);
    });
  }

  /** All harts go on; onStop tells of the end. */
  run(): void {
    this.send('vCont;c');
  }

  /** One hart makes one step, the others stand; onStop tells of the end. */
  step(thread: string): void {
    this.send(`vCont;s:${thread}`);
  }

  interrupt(): void {
    this.socket.write('+\x03', 'latin1');
  }

  close(): void {
    this.socket.destroy();
  }

  private send(packet: string): void {
    let sum = 0;
    for (let i = 0; i < packet.length; i++) sum = (sum + packet.charCodeAt(i)) & 255;
    this.socket.write(`$${packet}#${sum.toString(16).padStart(2, '0')}`, 'latin1');
  }

  private feed(data: string): void {
    this.text += data;
    for (;;) {
      const found = /\$([^#]*)#[0-9a-f]{2}/.exec(this.text);
      if (!found) break;
      this.text = this.text.slice(found.index + found[0].length);
      this.take(found[1]!);
    }
    if (!this.text.includes('$')) this.text = '';
  }

  private take(packet: string): void {
    const stop = /^[TS]([0-9a-f]{2})(?:.*thread:([0-9a-f.p]+);)?/.exec(packet);
    if (stop) {
      this.onStop({ breakpoint: parseInt(stop[1]!, 16) === SIGTRAP, thread: stop[2] ?? '1' });
      return;
    }
    const waiting = this.waiting.shift();
    if (!waiting) return;
    clearTimeout(waiting.timer);
    waiting.resolve(packet);
  }

  private fail(reason: Error): void {
    for (const waiting of this.waiting.splice(0)) {
      clearTimeout(waiting.timer);
      waiting.reject(reason);
    }
  }
}
