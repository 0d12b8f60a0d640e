/*
 * A session as it is kept: the first state, the differences, the events. It lies in a recorded session (docs/sessions.md) and in
 * a page of its own, which shows it without a server.
 */
import type { LampState } from '../core/types.ts';
import { decode, PROTOCOL, type Hello, type History, type PackedEvent } from './protocol.ts';

export const SESSION_FORMAT = 'vitrine-view';

export interface SessionFile {
  format: typeof SESSION_FORMAT;
  /** Of the protocol whose messages these are. */
  version: number;
  hello: Hello;
  history: History;
  events: PackedEvent[];
  lost: number;
  lamp: LampState;
  /** What the console showed. */
  console: string;
  /** The kernel's names: address (hexadecimal without 0x), size, name. A page has them; the session has them in its kernel. */
  symbols?: [address: string, size: number, name: string][];
}

/** Throws an Error that says what is wrong with it. */
export function parseSession(text: string): SessionFile {
  let session: SessionFile;
  try {
    session = decode<SessionFile>(text);
  } catch {
    throw new Error('this is no session');
  }
  if (session?.format !== SESSION_FORMAT) throw new Error('this is no session');
  if (session.version !== PROTOCOL) throw new Error(`the session has version ${session.version}; this viewer shows version ${PROTOCOL}`);
  return session;
}
