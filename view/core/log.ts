/* The kernel's log, which the panic of a dump is in. Lines that are overwritten while they are read are left out. */
import { Machine } from './machine.ts';
import { u64, viewOf } from './numbers.ts';
import type { LogLine } from './types.ts';

export function kernelLog(machine: Machine): LogLine[] {
  const layout = machine.layout;
  if (!layout?.has('log_ring')) return [];
  const at = machine.addressOf('log_ring');
  const size = layout.size('log_slot');
  const first = (): number => machine.member(at, 'log_state.first_seq') ?? 0;
  const next = machine.member(at, 'log_state.next_seq') ?? 0;
  const slots = machine.memory.read(at + layout.offset('log_state.slots'), layout.size('log_state.slots'));
  const text = machine.memory.read(at + layout.offset('log_state.text'), layout.size('log_state.text'));
  const count = Math.floor((slots?.length ?? 0) / size);
  if (!slots || !text?.length || !count || !Number.isSafeInteger(next)) return [];
  const view = viewOf(slots);
  const lines: LogLine[] = [];
  for (let seq = Math.max(first(), next - count); seq < next; seq++) {
    const slot = (seq % count) * size;
    const start = u64(view, slot + layout.offset('log_slot.start')) % text.length;
    const length = Math.min(view.getUint16(slot + layout.offset('log_slot.len'), true), text.length);
    lines.push({
      seq, time: u64(view, slot + layout.offset('log_slot.time_ns')), level: view.getUint8(slot + layout.offset('log_slot.level')), text: piece(text, start, length),
    });
  }
  const kept = first();
  return lines.filter((line) => line.seq >= kept);
}

/** As dmesg(1) prints it. */
export function logText(line: LogLine): string {
  const us = Math.floor(line.time / 1000);
  return `[${String(Math.floor(us / 1e6)).padStart(5)}.${String(us % 1e6).padStart(6, '0')}] ${line.text}`;
}

/** Out of the ring, whose end goes on at its beginning. Control characters are not for the reader's terminal. */
function piece(ring: Uint8Array, start: number, length: number): string {
  const bytes = new Uint8Array(length);
  const whole = Math.min(length, ring.length - start);
  bytes.set(ring.subarray(start, start + whole));
  bytes.set(ring.subarray(0, length - whole), whole);
  return new TextDecoder().decode(bytes).replace(/[\x00-\x1f\x7f]/g, '.');
}
