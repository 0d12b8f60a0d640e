/*
 * One translation, as the machine does it: privileged architecture, "Virtual Address Translation Process". Each step is kept,
 * with every check that was made at it, so that a reader sees where it ended and why.
 */
import {
  hex, isCanonical, levelPages, PAGE_SIZE, PTE_A, PTE_D, PTE_G, PTE_HI_RESERVED, PTE_R, PTE_RWX, PTE_U, PTE_V, PTE_W, PTE_X, pteBig, pteFlags, ptePa,
  vpnOf,
} from './numbers.ts';
import type { Access, AspaceInfo, Memory, Mode, Reason, WalkOptions, WalkResult, WalkStep } from './types.ts';

const PAGE_FAULT: Record<Access, number> = { x: 12, r: 13, w: 15 };
const ACCESS_FAULT: Record<Access, number> = { x: 1, r: 5, w: 7 };
const MASK64 = (1n << 64n) - 1n;

export function rootOf(as: AspaceInfo, mode: Mode): number {
  return mode === 'user' && as.userRoot ? as.userRoot : as.root;
}

export function walk(memory: Memory, root: number, levels: number, va: bigint, options: WalkOptions): WalkResult {
  const address = va & MASK64;
  const vpn = vpnOf(address);
  const result: WalkResult = {
    va: address, access: options.access, mode: options.mode, levels, root, canonical: isCanonical(address, levels),
    indices: indicesOf(vpn, levels), offset: Number(address & 0xfffn), steps: [], reason: 'ok', pa: null, size: 0, pte: null, cause: null,
    sets: { a: false, d: false },
  };
  if (!result.canonical) return faulted(result, 'non-canonical');
  let table = root;
  for (let level = levels - 1; ; level--) {
    const step = readStep(memory, table, level, result.indices[levels - 1 - level]!);
    result.steps.push(step);
    if (step.kind === 'unreadable') return faulted(result, 'table-not-memory');
    const lo = Number(step.pte! & 0xffffffffn);
    const hi = Number(step.pte! >> 32n);
    const failed = checkEntry(step, lo, hi, level);
    if (failed) return faulted(result, failed);
    if (step.kind === 'pointer') {
      table = step.pa;
      continue;
    }
    result.pte = step.pte;
    result.size = levelPages(level) * PAGE_SIZE;
    const refused = checkLeaf(step, lo, level, options, result);
    if (refused) return faulted(result, refused);
    result.pa = step.pa + (vpn % levelPages(level)) * PAGE_SIZE + result.offset;
    return result;
  }
}

function indicesOf(vpn: number, levels: number): number[] {
  const indices: number[] = [];
  for (let level = levels - 1; level >= 0; level--) indices.push(Math.floor(vpn / levelPages(level)) % 512);
  return indices;
}

function faulted(result: WalkResult, reason: Reason): WalkResult {
  result.reason = reason;
  result.cause = (reason === 'table-not-memory' ? ACCESS_FAULT : PAGE_FAULT)[result.access];
  result.sets = { a: false, d: false };
  return result;
}

function readStep(memory: Memory, table: number, level: number, index: number): WalkStep {
  const slot = table + index * 8;
  const bytes = memory.read(slot, 8);
  const step: WalkStep = { level, index, table, slot, pte: null, bytes: null, flags: '--------', pa: 0, kind: 'unreadable', checks: [] };
  step.checks.push({ code: 'table-not-memory', pass: bytes !== null });
  if (!bytes) return step;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const lo = view.getUint32(0, true);
  const hi = view.getUint32(4, true);
  step.pte = pteBig(lo, hi);
  step.bytes = Array.from(bytes, (b) => hex(b, 2).slice(2)).join(' ');
  step.flags = pteFlags(lo);
  step.pa = ptePa(lo, hi);
  step.kind = !(lo & PTE_V) ? 'invalid' : lo & PTE_RWX ? 'leaf' : 'pointer';
  return step;
}

/** What holds of every entry. Returns the check that failed. */
function checkEntry(step: WalkStep, lo: number, hi: number, level: number): Reason | null {
  const see = (code: Reason, pass: boolean): boolean => {
    step.checks.push({ code, pass });
    return pass;
  };
  if (!see('not-valid', (lo & PTE_V) !== 0)) return 'not-valid';
  if (!see('reserved-bits', (hi & PTE_HI_RESERVED) === 0)) return 'reserved-bits';
  if (step.kind === 'pointer') {
    if (!see('pointer-bits', (lo & (PTE_D | PTE_A | PTE_U)) === 0)) return 'pointer-bits';
    return see('no-leaf', level > 0) ? null : 'no-leaf';
  }
  return see('write-without-read', !(lo & PTE_W) || (lo & PTE_R) !== 0) ? null : 'write-without-read';
}

/** May this access be made through this leaf? */
function checkLeaf(step: WalkStep, lo: number, level: number, options: WalkOptions, result: WalkResult): Reason | null {
  const { access, mode } = options;
  const sum = options.sum ?? true;
  const readable = (lo & PTE_R) !== 0 || (options.mxr === true && (lo & PTE_X) !== 0);
  const user = (lo & PTE_U) !== 0;
  const wanted: [Reason, boolean][] = [['misaligned', (step.pa / PAGE_SIZE) % levelPages(level) === 0]];
  if (mode === 'user') wanted.push(['supervisor-page', user]);
  else if (access === 'x') wanted.push(['user-code', !user]);
  else wanted.push(['user-page', !user || sum]);
  if (access === 'r') wanted.push(['no-read', readable]);
  else if (access === 'w') wanted.push(['no-write', (lo & PTE_W) !== 0]);
  else wanted.push(['no-execute', (lo & PTE_X) !== 0]);
  const setByHand = options.hardwareAD === false;
  if (setByHand) {
    wanted.push(['not-accessed', (lo & PTE_A) !== 0]);
    if (access === 'w') wanted.push(['not-dirty', (lo & PTE_D) !== 0]);
  }
  for (const [code, pass] of wanted) {
    step.checks.push({ code, pass });
    if (!pass) return code;
  }
  result.sets = { a: !(lo & PTE_A), d: access === 'w' && !(lo & PTE_D) };
  return null;
}

/** Where a mapped page is, without more: for reading the kernel's own structures. -1: nowhere. */
export function translate(memory: Memory, root: number, levels: number, vpn: number): { pfn: number; level: number } | null {
  const entry = new Uint8Array(8);
  const words = new DataView(entry.buffer);
  let table = root;
  for (let level = levels - 1; level >= 0; level--) {
    if (!memory.readInto(table + (Math.floor(vpn / levelPages(level)) % 512) * 8, entry)) return null;
    const lo = words.getUint32(0, true);
    const hi = words.getUint32(4, true);
    if (!(lo & PTE_V)) return null;
    const pfn = ptePa(lo, hi) / PAGE_SIZE;
    if (lo & PTE_RWX) return { pfn: pfn - (pfn % levelPages(level)) + (vpn % levelPages(level)), level };
    table = pfn * PAGE_SIZE;
  }
  return null;
}

/** True when a leaf or pointer has bits that it may not have: what check.ts tells of. */
export function pointerBitsWrong(lo: number): boolean {
  return (lo & (PTE_D | PTE_A | PTE_U | PTE_G)) !== 0;
}
