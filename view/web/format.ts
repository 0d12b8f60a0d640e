/* Numbers as people read them, the same in both languages. */
import { hex } from '../core/index.ts';
import type { FilmEvent } from '../shared/protocol.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** "1.5 MiB": two digits at most behind the point, none for whole numbers. */
export function size(bytes: number): string {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${Number(bytes.toFixed(bytes < 10 ? 2 : bytes < 100 ? 1 : 0))} ${UNITS[unit]}`;
}

export function pageSize(pages: number): string {
  return size(pages * 4096);
}

export function address(vpn: number): string {
  return hex(BigInt(vpn) << 12n);
}

const THOUSANDS = new Intl.NumberFormat('en');

export function count(value: number): string {
  return THOUSANDS.format(value);
}

/** The bits of an entry, highest first: "DAGUXWRV" with a dash for each that is 0. */
export function flagsOf(pte: bigint): string {
  return [...'DAGUXWRV'].map((letter, i) => ((pte >> BigInt(7 - i)) & 1n ? letter : '-')).join('');
}

export function paOf(pte: bigint): number {
  return Number((pte >> 10n) & 0xfff_ffff_ffffn) * 4096;
}

/** Seconds since boot. */
export function seconds(event: FilmEvent, timebase: number): string {
  return (Number(event.time) / timebase).toFixed(6);
}
