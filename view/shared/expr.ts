/*
 * Addresses as people type them: `0x4000`, `3:heap+0x10`, `kernel_main`, `stack-8`. A sum of terms, and before a colon the
 * process that it is about. A term is a number (hexadecimal with 0x, else decimal), the name of a region of the process, or
 * a symbol of the kernel. A bare word of hexadecimal digits is taken for an address when nothing has that name.
 */
import type { AspaceInfo } from '../core/types.ts';

export interface Expression {
  /** The process before the colon; null: none was named. */
  pid: number | null;
  va: bigint;
}

export interface Names {
  /** The address space of a process, or null. */
  aspace(pid: number): AspaceInfo | null;
  symbol(name: string): bigint | null;
}

/** What was typed, as an address; or the word that was not understood. */
export function resolve(text: string, pid: number, names: Names): Expression | { wrong: string } {
  const found = /^\s*(?:(\d{1,9})\s*:)?\s*(.+?)\s*$/.exec(text);
  if (!found) return { wrong: text };
  const named = found[1] === undefined ? null : Number(found[1]);
  const as = names.aspace(named ?? pid);
  let sum = 0n;
  let first = true;
  for (const [part, sign, term] of found[2]!.matchAll(/\s*([+-]?)\s*([^\s+-]+)|(.+)/g)) {
    const value = term === undefined || (!first && !sign) ? null : termValue(term, as, names);
    if (value === null) return { wrong: part.trim() };
    sum += sign === '-' ? -value : value;
    first = false;
  }
  return { pid: named, va: BigInt.asUintN(64, sum) };
}

function termValue(term: string, as: AspaceInfo | null, names: Names): bigint | null {
  if (/^0x[0-9a-f]{1,16}$/i.test(term)) return BigInt(term);
  if (/^\d{1,20}$/.test(term)) return BigInt(term);
  return region(term, as) ?? names.symbol(term) ?? (/^[0-9a-f]{3,16}$/i.test(term) ? BigInt('0x' + term) : null);
}

/** heap, stack (their first byte), or a part of the name of a mapping. */
function region(term: string, as: AspaceInfo | null): bigint | null {
  if (!as) return null;
  if (term === 'brk') return BigInt(as.brk);
  const vma = as.vmas.find((v) => v.kind === term) ?? as.vmas.find((v) => v.name !== '' && (v.name === term || v.name.endsWith('/' + term)));
  return vma ? BigInt(vma.start) * 4096n : null;
}
