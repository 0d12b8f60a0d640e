/* Events on their way to the page: as short lists, since there may be hundreds a tick. */
import type { Access, EventKind, FaultHow, FaultResult } from '../core/types.ts';
import type { FilmEvent, PackedEvent } from './protocol.ts';

export function packEvent(e: FilmEvent): PackedEvent {
  return [
    e.hart, e.n, Number(e.time), e.kind, e.tid, e.va.toString(16), e.pc.toString(16), e.before.toString(16), e.after.toString(16),
    e.cost, e.nr, e.how, e.faultHow ?? '', e.result ?? '', e.access ?? '', e.pid, e.name, e.symbol, ...(e.line ? [e.line] : []),
  ];
}

export function unpackEvent(p: PackedEvent): FilmEvent {
  const text = (i: number): string => String(p[i]);
  const big = (i: number): bigint => BigInt('0x' + text(i));
  const event: FilmEvent = {
    hart: Number(p[0]), n: Number(p[1]), time: BigInt(Number(p[2])), kind: text(3) as EventKind, tid: Number(p[4]),
    va: big(5), pc: big(6), before: big(7), after: big(8), cost: Number(p[9]), nr: Number(p[10]), how: Number(p[11]),
    pid: Number(p[15]), name: text(16), symbol: text(17), line: p[18] === undefined ? '' : text(18),
  };
  if (p[12]) event.faultHow = text(12) as FaultHow;
  if (p[13]) event.result = text(13) as FaultResult;
  if (p[14]) event.access = text(14) as Access;
  return event;
}
