/* What a page says, checked before anything believes it: a page may be of another version, or no page at all. */
import type { FaultHow, Lang, Mode } from '../core/types.ts';
import type { Catch, ClientMessage, Want } from '../shared/protocol.ts';

/** The longest text that is typed at once: what is pasted. */
const LONGEST = 64 * 1024;
/** Words of a query, and letters of one. */
const MOST_WORDS = 16;
const LONGEST_WORD = 200;

type Fields = Record<string, unknown>;

/** The message, or null when it is none. */
export function parseMessage(text: string): ClientMessage | null {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(raw)) return null;
  switch (raw['t']) {
    case 'ack':
      return isNumber(raw['n']) ? { t: 'ack', n: raw['n'] } : null;
    case 'type':
      return isText(raw['text'], LONGEST) ? { t: 'type', text: raw['text'] } : null;
    case 'machine':
      return raw['do'] === 'stop' || raw['do'] === 'cont' ? { t: 'machine', do: raw['do'] } : null;
    case 'history':
      return { t: 'history' };
    case 'dump':
      return { t: 'dump' };
    case 'walks':
      return { t: 'walks' };
    case 'ask':
      return isNumber(raw['id']) && isWords(raw['words']) ? { t: 'ask', id: raw['id'], words: raw['words'] } : null;
    case 'catch':
      return raw['catch'] === null ? { t: 'catch', catch: null } : parseCatch(raw['catch']);
    case 'want': {
      const want = parseWant(raw['want']);
      return want && { t: 'want', want };
    }
    default:
      return null;
  }
}

function parseCatch(raw: unknown): ClientMessage | null {
  if (!isObject(raw) || !isText(raw['how'], 16) || !isNumberOrNull(raw['pid'])) return null;
  const wanted: Catch = { how: raw['how'] as FaultHow, pid: raw['pid'] };
  return { t: 'catch', catch: wanted };
}

function parseWant(raw: unknown): Want | null {
  if (!isObject(raw) || typeof raw['state'] !== 'boolean' || !isNumberOrNull(raw['frame']) || !isNumberOrNull(raw['space']) || typeof raw['harts'] !== 'boolean') return null;
  const lang: Lang = raw['lang'] === 'zh-CN' ? 'zh-CN' : 'en';
  const want: Want = { lang, state: raw['state'], walk: null, frame: raw['frame'], space: raw['space'], harts: raw['harts'] };
  const walk = raw['walk'];
  if (walk === null) return want;
  if (!isObject(walk) || !isNumber(walk['pid']) || !isText(walk['expr'], 200)) return null;
  const access = walk['access'];
  const mode: Mode = walk['mode'] === 'kernel' ? 'kernel' : 'user';
  if (access !== 'r' && access !== 'w' && access !== 'x') return null;
  return { ...want, walk: { pid: walk['pid'], expr: walk['expr'], access, mode } };
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** Counts and numbers of things. */
function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isNumberOrNull(value: unknown): value is number | null {
  return value === null || isNumber(value);
}

function isWords(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.length <= MOST_WORDS && value.every((word) => isText(word, LONGEST_WORD));
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest;
}
