/**
 * Who may talk to the server. It shows all of a machine's memory and types on its console, so any other page of the user's
 * browser, and any other user of the host, is kept out: three checks, each enough to stop a kind of stranger.
 *
 *   Host    must be 127.0.0.1 or localhost with our port: a name that an attacker's server resolved to 127.0.0.1 is refused
 *   token   128 random bits in the address: another user of the host cannot guess it
 *   Origin  of a WebSocket must be our own page: browsers let any page open a socket to anywhere
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export class Guard {
  readonly token = randomBytes(16).toString('hex');

  constructor(private readonly port: number) {}

  /** The path of an allowed request for a file, or null. */
  admit(request: IncomingMessage): string | null {
    const url = this.ourUrl(request);
    return url && this.knows(url.searchParams.get('token')) ? url.pathname : null;
  }

  /** May this request become a WebSocket? */
  admitSocket(request: IncomingMessage): boolean {
    return this.hosts().some((host) => request.headers.origin === `http://${host}`) && this.admit(request) === '/socket';
  }

  private hosts(): string[] {
    return [`127.0.0.1:${this.port}`, `localhost:${this.port}`];
  }

  private ourUrl(request: IncomingMessage): URL | null {
    const host = request.headers.host ?? '';
    if (!this.hosts().includes(host)) return null;
    try {
      return new URL(request.url ?? '/', `http://${host}`);
    } catch {
      return null;
    }
  }

  private knows(token: string | null): boolean {
    const given = Buffer.from(token ?? '');
    const wanted = Buffer.from(this.token);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }
}
