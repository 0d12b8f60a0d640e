/* Numbers of the machine: pages, addresses as text, page-table entries, satp. */

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
export const PT_ENTRIES = 512;
const TWO32 = 2 ** 32;
const MASK64 = (1n << 64n) - 1n;

/* Bits of an entry (privileged architecture, "Sv39"). */
export const PTE_V = 1;
export const PTE_R = 2;
export const PTE_W = 4;
export const PTE_X = 8;
export const PTE_U = 16;
export const PTE_G = 32;
export const PTE_A = 64;
export const PTE_D = 128;
export const PTE_RWX = PTE_R | PTE_W | PTE_X;
/** In the upper half: N, PBMT and what is reserved. Neither is used here, so that all must be 0. */
export const PTE_HI_RESERVED = 0xffc00000;

export function vpnOf(va: bigint): number {
  return Number((va & MASK64) >> 12n);
}

export function vaOf(vpn: number): bigint {
  return BigInt(vpn) << 12n;
}

export function hex(value: bigint | number, digits = 0): string {
  return '0x' + value.toString(16).padStart(digits, '0');
}

/** Physical address in an entry. Exact: it has 56 bits, of which the lowest 12 are 0. */
export function ptePa(lo: number, hi: number): number {
  return ((hi & 0x3fffff) * 0x400000 + (lo >>> 10)) * PAGE_SIZE;
}

/** Frame number in an entry. */
export function ptePfn(lo: number, hi: number): number {
  return (hi & 0x3fffff) * 0x400000 + (lo >>> 10);
}

export function pteBig(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

export function pteFlags(lo: number): string {
  let text = '';
  for (let bit = 7; bit >= 0; bit--) text += (lo >>> bit) & 1 ? 'VRWXUGAD'[bit] : '-';
  return text;
}

/** Pages that a leaf of this level covers. */
export function levelPages(level: number): number {
  return PT_ENTRIES ** level;
}

/** True: bits 63 to 12 + 9 × levels - 1 are alike. */
export function isCanonical(va: bigint, levels: number): boolean {
  const top = (va & MASK64) >> BigInt(PAGE_SHIFT + 9 * levels - 1);
  return top === 0n || top === (1n << BigInt(64 - (PAGE_SHIFT + 9 * levels - 1))) - 1n;
}

/** First page of entry `index` of a root, sign-extended. */
export function rootVpn(index: number, levels: number): number {
  const vpn = index * levelPages(levels - 1);
  return index < PT_ENTRIES / 2 ? vpn : 2 ** 52 - levelPages(levels) + vpn;
}

export function satpParts(satp: bigint): { levels: number; root: number; asid: number } | null {
  const mode = Number((satp >> 60n) & 15n);
  if (mode < 8 || mode > 10) return null;
  return { levels: mode - 5, root: Number(satp & ((1n << 44n) - 1n)) * PAGE_SIZE, asid: Number((satp >> 44n) & 0xffffn) };
}

/** A 64-bit number at `at`, as a double: exact below 2^53, which counts and sizes are. */
export function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO32 + view.getUint32(at, true);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
