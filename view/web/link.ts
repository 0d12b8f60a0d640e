/**
 * Where the page is, as text: `#v=1&view=walk&pid=3&va=0x4000&acc=w&lang=zh-CN`. Links are kept in lessons and bug reports, so
 * a version stands first, and what a link of version 1 means never changes. What cannot be understood is left out: the rest
 * of the link still works.
 */
import type { Access, Lang, Mode } from '../core/types.ts';

export const VIEWS = ['console', 'space', 'tree', 'walk', 'frames', 'share', 'film', 'time', 'guide', 'lamp'] as const;
export type ViewName = (typeof VIEWS)[number];

/** What all views are bound to. */
export interface Place {
  view: ViewName;
  /** The process; null: none chosen yet. 0 is the kernel. */
  pid: number | null;
  /** The address as it was typed: hexadecimal, a symbol, an expression, or empty. */
  va: string;
  acc: Access;
  mode: Mode;
  /** Physical address of a frame; null: none chosen. */
  frame: number | null;
  /** The table whose 512 entries are shown: the indices from the root on, '' the root. */
  table: string;
  /** The other process of a pair. */
  peer: number | null;
  /** The instant that is looked at (its sequence number); null: now. And the one it is compared with. */
  at: number | null;
  base: number | null;
  /** Do addresses grow up the screen? */
  grow: 'up' | 'down';
  /** Which faults the film shows: a way (cow, zero, …), or empty. */
  how: string;
  /** The guided walk, or empty: the list of them; and its step, from 1 on. */
  walk: string;
  step: number;
  /** Is the text beside the picture open? */
  text: boolean;
  lang: Lang;
}

export const HOME: Place = {
  view: 'console', pid: null, va: '', acc: 'r', mode: 'user', frame: null, table: '', peer: null, at: null, base: null,
  grow: 'up', how: '', walk: '', step: 1, text: false, lang: 'en',
};

/** The links that this page writes, and the newest that it reads. */
export const LINK_VERSION = 1;

export interface Link {
  place: Place;
  /** False: the link is of a later version; what is known of it was taken. */
  known: boolean;
}

export function parseLink(hash: string, lang: Lang = 'en'): Link {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  const version = whole(words.get('v'));
  const place: Place = {
    view: one(words.get('view'), VIEWS, HOME.view),
    pid: whole(words.get('pid')),
    va: address(words.get('va')),
    acc: one(words.get('acc'), ['r', 'w', 'x'] as const, HOME.acc),
    mode: one(words.get('mode'), ['user', 'kernel'] as const, HOME.mode),
    frame: physical(words.get('frame')),
    table: path(words.get('table')),
    peer: whole(words.get('peer')),
    at: whole(words.get('at')),
    base: whole(words.get('base')),
    grow: one(words.get('grow'), ['up', 'down'] as const, HOME.grow),
    how: /^[a-z-]{1,16}$/.test(words.get('how') ?? '') ? words.get('how')! : '',
    walk: /^[a-z][a-z0-9-]{0,31}$/.test(words.get('walk') ?? '') ? words.get('walk')! : '',
    step: whole(words.get('step')) || HOME.step,
    text: words.get('text') === '1',
    lang: one(words.get('lang'), ['en', 'zh-CN'] as const, lang),
  };
  return { place, known: version === null || version <= LINK_VERSION };
}

/** The shortest link to a place: what is as at home is left out, but for the language. */
export function formatLink(place: Place): string {
  const words = new URLSearchParams({ v: String(LINK_VERSION), view: place.view });
  const put = (key: keyof Place, text: string | null) => {
    if (text !== null && text !== '' && place[key] !== HOME[key]) words.set(key, text);
  };
  put('pid', number(place.pid));
  put('va', place.va);
  put('acc', place.acc);
  put('mode', place.mode);
  put('frame', place.frame === null ? null : '0x' + place.frame.toString(16));
  put('table', place.table);
  put('peer', number(place.peer));
  put('at', number(place.at));
  put('base', number(place.base));
  put('grow', place.grow);
  put('how', place.how);
  put('walk', place.walk);
  put('step', String(place.step));
  put('text', place.text ? '1' : null);
  words.set('lang', place.lang);
  return '#' + words.toString();
}

function one<T extends string>(text: string | null, known: readonly T[], fallback: T): T {
  return known.find((word) => word === text) ?? fallback;
}

function whole(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function number(value: number | null): string | null {
  return value === null ? null : String(value);
}

/** What may be typed as an address: one line, short. */
function address(text: string | null): string {
  return text !== null && text.length <= 200 && !/[\x00-\x1f]/.test(text) ? text.trim() : '';
}

/** A frame is named by any address in it. */
function physical(text: string | null): number | null {
  if (text === null || !/^0x[0-9a-f]{1,13}$/i.test(text)) return null;
  const value = Number(text);
  return value - (value % 4096);
}

function path(text: string | null): string {
  return text !== null && /^\d{1,3}(\.\d{1,3}){0,3}$/.test(text) && text.split('.').every((index) => Number(index) < 512) ? text : '';
}
