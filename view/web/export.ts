/* The film for other programs: a table for spreadsheets, and the trace format that Chrome's and Perfetto's viewers read. */
import { hex } from '../core/index.ts';
import type { FilmEvent } from '../shared/protocol.ts';
import { seconds } from './format.ts';

const COLUMNS = ['seconds', 'hart', 'pid', 'tid', 'name', 'kind', 'how', 'result', 'access', 'va', 'pc', 'symbol', 'line', 'cycles', 'before', 'after', 'nr'];

export function filmCsv(events: FilmEvent[], timebase: number): string {
  const rows = events.map((e) => [
    seconds(e, timebase), e.hart, e.pid, e.tid, e.name, e.kind, e.faultHow ?? '', e.result ?? '', e.access ?? '', hex(e.va), hex(e.pc), e.symbol, e.line, e.cost, hex(e.before), hex(e.after), e.nr,
  ].map(cell).join(','));
  return [COLUMNS.join(','), ...rows].join('\r\n') + '\r\n';
}

/** Quoted where it must be. A name that a spreadsheet would run as a formula is made a text. */
function cell(value: string | number): string {
  const text = typeof value === 'string' && /^[=+\-@\t]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/**
 * Harts are rows. A fault has a length: its cost is in cycles, which QEMU counts at 1 GHz, so a thousand are a microsecond;
 * the event is written at its end.
 */
export function filmTrace(events: FilmEvent[], timebase: number): string {
  const traceEvents = events.map((e) => {
    const end = (Number(e.time) / timebase) * 1e6;
    const common = { name: e.faultHow ?? e.kind, cat: e.kind, pid: 1, tid: e.hart };
    const args = { pid: e.pid, name: e.name, va: hex(e.va), pc: e.symbol || hex(e.pc), line: e.line || undefined, before: hex(e.before), after: hex(e.after), result: e.result };
    return e.cost > 0 ? { ...common, ph: 'X', ts: end - e.cost / 1000, dur: e.cost / 1000, args } : { ...common, ph: 'i', s: 't', ts: end, args };
  });
  const harts = [...new Set(events.map((e) => e.hart))].map((hart) => ({ name: 'thread_name', ph: 'M', pid: 1, tid: hart, args: { name: `hart ${hart}` } }));
  return JSON.stringify({ displayTimeUnit: 'ns', traceEvents: [...harts, ...traceEvents] });
}
