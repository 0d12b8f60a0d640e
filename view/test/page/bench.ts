/*
 * What the page costs its own browser, view by view: the milliseconds of the main thread, of all that it did, from one tick to the next.
 * ./vitrine view --bench runs it on a guest that works; VITRINE_ADDRESS is the page's, VITRINE_SECONDS the time for each view.
 */
import { VIEWS, type Place } from '../../web/link.ts';
import { rowOf, spread } from '../../server/figures.ts';
import { Visitor } from './browser.ts';

/** What is seen of a view for the first time is not what it costs to keep it. */
const SETTLE_MS = 3000;
const MARK = 'vitrine tick';
/** Chromium's name for one thing that a thread does. */
const TASK = 'ThreadControllerImpl::RunTask';

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds; tdur: of the processor, where the host tells. */
  ts: number;
  dur?: number;
  tdur?: number;
}

/** In the page, before its own script: a mark in the trace at each tick that comes. */
function markTicks(mark: string): void {
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(address: string | URL) {
      super(address);
      this.addEventListener('message', (message) => {
        if (typeof message.data !== 'string' || !message.data.endsWith('"t":"tick"}')) return;
        performance.mark(mark);
        performance.clearMarks(mark);
      });
    }
  };
}

/** Of each tick but the last, which is cut short: the milliseconds of the tasks that ran from then on. A tick is marked within its first task. */
function tickCosts(events: TraceEvent[]): number[] {
  const marks = events.filter((event) => event.name === MARK).sort((a, b) => a.ts - b.ts);
  const { pid, tid } = marks[0] ?? { pid: 0, tid: 0 };
  const tasks = events.filter((event) => event.pid === pid && event.tid === tid && event.ph === 'X' && event.name === TASK).sort((a, b) => a.ts - b.ts);
  if (!tasks.length) throw new Error('the browser told of no tick, or of no task');
  const costs = marks.map(() => 0);
  let at = -1;
  for (const task of tasks) {
    while (at + 1 < marks.length && marks[at + 1]!.ts <= task.ts + (task.dur ?? 0)) at++;
    if (at >= 0) costs[at]! += (task.tdur ?? task.dur ?? 0) / 1000;
  }
  return costs.slice(0, -1);
}

/** What each view shows: two processes that sleep, as most do, and share frames. */
async function places(visitor: Visitor): Promise<Partial<Place>> {
  const pids = await visitor.until(() => {
    const found = [...document.querySelectorAll('.processes tbody tr')].map((row) => row.textContent ?? '').filter((text) => text.includes('sleep'));
    return found.length >= 2 ? found.map((text) => parseInt(text, 10)) : null;
  }, null);
  return { pid: pids[0]!, peer: pids[1]!, va: 'stack', acc: 'w', frame: 0x82800000 };
}

async function measure(visitor: Visitor, place: Partial<Place>, seconds: number): Promise<number[]> {
  await visitor.go(place);
  await visitor.page.waitForTimeout(SETTLE_MS);
  const browser = visitor.page.context().browser()!;
  await browser.startTracing(visitor.page, { categories: ['toplevel', 'blink.user_timing'] });
  await visitor.page.waitForTimeout(seconds * 1000);
  const trace = JSON.parse((await browser.stopTracing()).toString('utf8')) as { traceEvents: TraceEvent[] };
  return tickCosts(trace.traceEvents);
}

async function main(): Promise<void> {
  const seconds = Number(process.env['VITRINE_SECONDS']);
  const visitor = await Visitor.open(process.env['VITRINE_ADDRESS'] ?? '', { before: [markTicks, MARK] });
  const common = await places(visitor);
  process.stdout.write(rowOf('the page', 'main thread a tick, ms (mean, median, 90 %, most)', 'ticks a second'));
  for (const view of VIEWS) {
    const costs = await measure(visitor, { ...common, view }, seconds);
    process.stdout.write(rowOf(view, spread(costs, 1), (costs.length / seconds).toFixed(1)));
  }
  await visitor.close();
}

main().catch((error: unknown) => {
  process.stderr.write(`vitrine: the page's benchmark: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
