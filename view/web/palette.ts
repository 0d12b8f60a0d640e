/* Colours by meaning, for light and dark; chosen so that neighbours differ in lightness too, for eyes that do not see hues. */
import type { FrameKind } from '../core/types.ts';

type Pair = readonly [light: string, dark: string];

const KINDS: Record<FrameKind, Pair> = {
  none: ['#ffffff', '#000000'],
  reserved: ['#9aa0a6', '#5a6168'],
  free: ['#edebe4', '#20262c'],
  cached: ['#d9d5c8', '#30383f'],
  kernel: ['#5c6670', '#8a949e'],
  slab: ['#8d7fb8', '#7a6bb0'],
  table: ['#0b7285', '#35b3c9'],
  stack: ['#8a5a00', '#b98a2e'],
  anon: ['#e07b39', '#e88b4d'],
  file: ['#4f8fd0', '#4687c9'],
  usyscall: ['#b0338f', '#d35fb3'],
  unknown: ['#b3261e', '#ff6b5e'],
};

const NAMED = {
  paper: ['#fbfaf7', '#14181c'], ink: ['#24292e', '#d7dde2'], faint: ['#dedbd2', '#2b333a'], accent: ['#0b7285', '#58c4d6'],
  bad: ['#c62828', '#ff6b5e'], good: ['#2b7a3b', '#5fc173'], cow: ['#d9a400', '#f0c040'], code: ['#2b7a3b', '#5fc173'],
  writable: ['#e07b39', '#e88b4d'], readonly: ['#4f8fd0', '#4687c9'], pointer: ['#0b7285', '#35b3c9'], huge: ['#7a4fb5', '#a583d8'],
} as const satisfies Record<string, Pair>;

export type ColourName = keyof typeof NAMED;

const dark = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;

function choose(pair: Pair): string {
  return pair[dark?.matches ? 1 : 0];
}

export function isDark(): boolean {
  return dark?.matches ?? false;
}

export function kindColour(kind: FrameKind): string {
  return choose(KINDS[kind]);
}

export function colour(name: ColourName): string {
  return choose(NAMED[name]);
}

/** "#rrggbb" as a pixel of ImageData read as 32 bits, little-endian. */
export function pixel(text: string): number {
  const value = parseInt(text.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/** A colour between two, part 0 … 1. */
export function mix(from: string, to: string, part: number): string {
  const a = parseInt(from.slice(1), 16);
  const b = parseInt(to.slice(1), 16);
  const channel = (shift: number) => Math.round(((a >> shift) & 255) * (1 - part) + ((b >> shift) & 255) * part);
  return '#' + ((channel(16) << 16) | (channel(8) << 8) | channel(0)).toString(16).padStart(6, '0');
}
