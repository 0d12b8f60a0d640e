/* The machine in numbers: memory, faults, harts, what RAM is used for, and what looking costs. */
import { useEffect, useRef } from 'preact/hooks';
import { hex, KIND_NAMES } from '../core/index.ts';
import { useView, type View } from './context.ts';
import { count, pageSize } from './format.ts';
import type { Sample } from './model.ts';
import { colour, kindColour } from './palette.ts';
import { Twin } from './parts.tsx';

export function VitalsView() {
  const view = useView();
  const { state, t } = view;
  const { totals } = state;
  const curve = curveOf(view);
  const users = state.processes.filter((p) => p.aspace !== 0);
  return (
    <div class="vitals">
      <div class="tiles">
        <Tile title={t.vitals.free} value={pageSize(totals.free)} note={`${t.vitals.of(pageSize(totals.ram))} · ${t.vitals.frames(count(totals.free))}`}>
          <Curve samples={curve} of={(s) => s.free} ink={colour('accent')} label={`${t.vitals.free}, ${t.vitals.lastMinute}`} />
        </Tile>
        <Tile title={t.vitals.faults} value={faultsText(view)} note={t.vitals.lastMinute}>
          <Curve samples={curve} of={(s) => s.faults} ink={colour('writable')} label={`${t.vitals.faults}, ${t.vitals.lastMinute}`} fromZero />
        </Tile>
        <Tile title={t.vitals.processes} value={String(users.length)} note={`${t.pages}: ${count(users.reduce((n, p) => n + residentOf(view, p.aspace), 0))}`} />
      </div>
      <h2>{t.vitals.harts}</h2>
      <table class="plain" data-table="harts">
        <thead>
          <tr><th class="num">{t.hart}</th><th>{t.running}</th><th>{t.vitals.mode}</th><th>{t.vitals.table}</th><th class="num">{t.vitals.switches}</th><th class="num">{t.vitals.interrupts}</th></tr>
        </thead>
        <tbody>
          {state.harts.map((hart) => (
            <tr key={hart.index}>
              <td class="num">{hart.index}</td>
              <td>{hartText(view, hart.tid, hart.pid)}</td>
              <td>{placeText(view, hart.hartid)}</td>
              <td class="mono">{hart.root ? hex(hart.root) : '–'}</td>
              <td class="num">{count(hart.switches)}</td>
              <td class="num">{count(hart.irqs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h2>{t.vitals.usedFor}</h2>
      <KindBar view={view} />
      <details open>
        <summary>{t.vitals.counters}</summary>
        <dl class="counters">
          {Object.entries(state.stats).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{count(value)}</dd></div>)}
        </dl>
      </details>
      <p class="fine" data-cost>{t.vitals.cost}: {costText(view)}</p>
      <Twin name="console" text={() => vitalsText(view)} />
    </div>
  );
}

function Tile({ title, value, note, children }: { title: string; value: string; note: string; children?: preact.ComponentChildren }) {
  return (
    <section class="tile">
      <h2>{title}</h2>
      <p class="big">{value}</p>
      <p class="fine">{note}</p>
      {children}
    </section>
  );
}

/** A curve of the last minute. */
export function Curve({ samples, of, ink, label, fromZero }: {
  samples: Sample[];
  of: (sample: Sample) => number;
  ink: string;
  label: string;
  fromZero?: boolean;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = canvas.current!.getContext('2d')!;
    const { width, height } = canvas.current!;
    draw.clearRect(0, 0, width, height);
    if (samples.length < 2) return;
    const values = samples.map(of);
    const low = fromZero ? 0 : Math.min(...values);
    const span = Math.max(1, Math.max(...values) - low);
    const begin = samples.at(-1)!.at - 60_000;
    draw.beginPath();
    values.forEach((value, i) => draw.lineTo(((samples[i]!.at - begin) / 60_000) * width, height - 3 - ((value - low) / span) * (height - 6)));
    draw.strokeStyle = ink;
    draw.lineWidth = 2;
    draw.lineJoin = 'round';
    draw.stroke();
  }, [samples, ink]);
  return <canvas ref={canvas} class="curve" width={400} height={64} role="img" aria-label={label} />;
}

function KindBar({ view }: { view: View }) {
  const { state, t } = view;
  const kinds = usedKinds(view);
  return (
    <div>
      <div class="kindbar" aria-hidden="true">
        {kinds.map(([kind, frames]) => <span key={kind} style={{ flexGrow: frames, background: kindColour(kind) }} title={t.kinds[kind]} />)}
      </div>
      <ul class="legend" aria-label={t.vitals.usedFor}>
        {kinds.map(([kind, frames]) => (
          <li key={kind}><i style={{ background: kindColour(kind) }} />{t.kinds[kind]} <b>{pageSize(frames)}</b></li>
        ))}
        <li><i style={{ background: kindColour('free') }} />{t.kinds.free} <b>{pageSize(state.totals.free)}</b></li>
      </ul>
    </div>
  );
}

/** What is in use, by kind, with how many frames. */
function usedKinds({ state }: View) {
  return KIND_NAMES.map((kind, i) => [kind, state.totals.kinds[i] ?? 0] as const).filter(([kind, n]) => n > 0 && kind !== 'free' && kind !== 'cached' && kind !== 'none');
}

function residentOf({ state }: View, aspace: number): number {
  return state.trees.get(aspace)?.leaves.count ?? 0;
}

function hartText({ state, t }: View, tid: number | null, pid: number | null): string {
  if (tid === null) return t.idle;
  const name = state.processes.find((p) => p.tasks.some((task) => task.tid === tid))?.name ?? '';
  return `${t.vitals.thread} ${tid}, ${t.pid} ${pid ?? '–'} ${name}`;
}

/** The minute before the instant that is shown, as far as this page has seen it. */
function curveOf({ model, place, state }: View): Sample[] {
  return place.at === null ? model.curve : model.curve.filter((sample) => sample.at <= state.at);
}

function faultsText(view: View): string {
  if (view.place.at === null) return count(view.model.faultsPerSecond);
  const last = curveOf(view).at(-1);
  return last ? count(last.faults) : '–';
}

/** What the hart does right now; of the past nobody knows. */
function placeText({ model, place, t }: View, hartid: number): string {
  const at = place.at === null ? model.harts.find((one) => one.hartid === hartid) : undefined;
  return at ? `${t.vitals.modes[at.mode]} ${at.symbol.replace(/\+0x[0-9a-f]+/, '') || hex(at.pc)}` : '–';
}

function costText({ model, t }: View): string {
  const { cpuMs, bytes, hz } = model.cost;
  return t.vitals.costText(cpuMs.toFixed(1), (bytes / 1000).toFixed(1), hz.toFixed(1), model.pageMs.toFixed(1));
}

function vitalsText(view: View): string {
  const { state, t } = view;
  const lines = [
    `${t.vitals.free}: ${pageSize(state.totals.free)} ${t.vitals.of(pageSize(state.totals.ram))}`,
    `${t.vitals.faults}: ${faultsText(view)}`,
    ...state.harts.map((hart) => `${t.hart} ${hart.index}: ${hartText(view, hart.tid, hart.pid)}, ${placeText(view, hart.hartid)}`),
    ...usedKinds(view).map(([kind, frames]) => `${t.kinds[kind]}: ${pageSize(frames)}`),
    '',
    `${t.pid}\t${t.parent}\t${t.name}\t${t.resident}`,
    ...state.processes.filter((p) => p.aspace !== 0).map((p) => `${p.pid}\t${p.ppid}\t${p.name}\t${pageSize(residentOf(view, p.aspace))}`),
  ];
  return lines.join('\n');
}
