/** QEMU's monitor (QMP): one connection to its socket, commands in order, events to a listener. */
import { connect, type Socket } from 'node:net';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (reason: Error) => void;
}

interface Answer {
  QMP?: unknown;
  event?: string;
  return?: unknown;
  error?: { desc: string };
}

export class Monitor {
  private waiting: Waiting[] = [];
  private text = '';
  /** Called with the name of each event: STOP, RESUME, SHUTDOWN, … */
  onEvent: (name: string) => void = () => {};
  onClose: () => void = () => {};

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (data) => this.feed(String(data)));
    socket.on('close', () => this.end());
    socket.on('error', () => socket.destroy());
  }

  /** Connects and negotiates. Errors: rejects when nobody listens there. */
  static async open(path: string): Promise<Monitor> {
    const socket = await connected(path);
    const monitor = new Monitor(socket);
    await monitor.run('qmp_capabilities');
    return monitor;
  }

  /** Runs one command; resolves with what it returns, rejects with QEMU's own words. */
  run(execute: string, args?: Record<string, unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) {
        reject(new Error('the machine is off'));
        return;
      }
      this.waiting.push({ resolve, reject });
      this.socket.write(JSON.stringify({ execute, arguments: args }) + '\n');
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private feed(data: string): void {
    this.text += data;
    for (let end = this.text.indexOf('\n'); end >= 0; end = this.text.indexOf('\n')) {
      const line = this.text.slice(0, end).trim();
      this.text = this.text.slice(end + 1);
      if (line) this.answer(JSON.parse(line) as Answer);
    }
  }

  private answer(answer: Answer): void {
    if (answer.QMP) return;
    if (answer.event) {
      this.onEvent(answer.event);
      return;
    }
    const waiting = this.waiting.shift();
    if (answer.error) waiting?.reject(new Error(answer.error.desc));
    else waiting?.resolve(answer.return);
  }

  private end(): void {
    for (const waiting of this.waiting.splice(0)) waiting.reject(new Error('the machine is off'));
    this.onClose();
  }
}

/** A connected socket; it may take QEMU a moment to listen. */
export async function connected(path: string, patience = 10_000): Promise<Socket> {
  const end = Date.now() + patience;
  for (;;) {
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = connect(path);
        socket.once('connect', () => {
          socket.off('error', reject);
          resolve(socket);
        });
        socket.once('error', reject);
      });
    } catch (error) {
      if (Date.now() >= end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
