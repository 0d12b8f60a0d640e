/*
 * Where the harts are at this moment. Their registers are not in RAM: QEMU is asked, which takes it less than a millisecond, and
 * only while a page shows the answer.
 */
import type { Machine } from '../core/index.ts';
import type { HartPlace } from '../shared/protocol.ts';
import type { Monitor } from './qmp.ts';

/** OpenSBI's place on QEMU's `virt` machine; the kernel, and user programs, lie elsewhere. */
const FIRMWARE = { start: 0x80000000n, end: 0x80200000n };

export async function askHarts(monitor: Monitor, machine: Machine): Promise<HartPlace[]> {
  const text = await monitor.run('human-monitor-command', { 'command-line': 'info registers -a' });
  return typeof text === 'string' ? parseRegisters(text, (pc) => `${machine.symbols?.describe(pc) ?? ''} ${machine.lineOf(pc)}`.trim()) : [];
}

/** From QEMU's text: a part for each hart, with lines "pc  HEX" and "mhartid  HEX" in it. kernelPlace: what an address of the kernel's is. */
export function parseRegisters(text: string, kernelPlace: (pc: bigint) => string): HartPlace[] {
  return text.split(/^CPU#\d+\s*$/m).slice(1).flatMap((part): HartPlace[] => {
    const found = /^\s*pc\s+([0-9a-f]{1,16})\s*$/m.exec(part);
    const id = /^\s*mhartid\s+([0-9a-f]{1,16})\s*$/m.exec(part);
    if (!found || !id) return [];
    const pc = BigInt('0x' + found[1]!);
    const hartid = parseInt(id[1]!, 16);
    if (pc >> 63n) return [{ hartid, pc, mode: 'kernel', symbol: kernelPlace(pc) }];
    return [{ hartid, pc, mode: pc >= FIRMWARE.start && pc < FIRMWARE.end ? 'firmware' : 'user', symbol: '' }];
  });
}
