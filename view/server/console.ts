/** The guest's console: a socket of QEMU's, the bytes of the last while kept for pages that come later. */
import type { Socket } from 'node:net';
import { connected } from './qmp.ts';

/** So much is shown to a page that is opened (again) in the middle of a session. */
const KEPT = 256 * 1024;

export class GuestConsole {
  private kept: Buffer[] = [];
  private size = 0;
  onData: (data: Buffer) => void = () => {};

  private constructor(private readonly socket: Socket | null) {
    socket?.on('data', (data: Buffer) => {
      this.keep(data);
      this.onData(data);
    });
    socket?.on('error', () => socket.destroy());
  }

  /** Connects to the console's socket; null: the console is elsewhere (a terminal), and this one stays empty. */
  static async open(path: string | null): Promise<GuestConsole> {
    return new GuestConsole(path === null ? null : await connected(path));
  }

  get attached(): boolean {
    return this.socket !== null;
  }

  type(text: string): void {
    this.socket?.write(text);
  }

  backlog(): Buffer {
    return Buffer.concat(this.kept);
  }

  close(): void {
    this.socket?.destroy();
  }

  private keep(data: Buffer): void {
    this.kept.push(data);
    this.size += data.length;
    while (this.size > KEPT && this.kept.length > 1) this.size -= this.kept.shift()!.length;
  }
}
