/* Every frame of RAM as a cell, and of the one under the cursor all that is known. */
import { useMemo, useState } from 'preact/hooks';
import { hex, KIND_NAMES, mappingsOf, type FrameKind, type Mapping, type ReverseMap } from '../core/index.ts';
import { useView, type View } from './context.ts';
import { count, flagsOf, pageSize } from './format.ts';
import { Grid } from './grid.tsx';
import { colour, kindColour, mix } from './palette.ts';
import { AddressLink, Choice, Twin } from './parts.tsx';

type By = 'kind' | 'count' | 'age' | 'heat';
type Cell = '3' | '6' | '12';

/** Milliseconds until a change has faded. */
const FADE = 20_000;
/** What somebody must own: without an owner it is lost memory. */
const OWNED: readonly FrameKind[] = ['anon', 'file', 'table', 'usyscall'];

export function FramesView() {
  const view = useView();
  const { model, state, place, t, go } = view;
  const [by, setBy] = useState<By>('kind');
  const [cell, setCell] = useState<Cell>('6');
  const [cursor, setCursor] = useState(() => (place.frame === null ? 0 : indexOf(view, place.frame)));
  const { frames } = state;
  const reverse = by === 'count' || by === 'heat' ? model.reverseMap(state) : null;
  const orphans = useMemo(() => findOrphans(view), [frames, view.lamp]);
  const fill = useMemo(() => painter(view, by, reverse, orphans), [frames, by, reverse, orphans, by === 'age' && Math.floor(state.at / 500)]);
  const selected = place.frame === null ? undefined : indexOf(view, place.frame);
  const mappings = useMemo(() => (selected === undefined ? [] : mappingsOf(state, frames.firstPfn + selected)), [state.trees, selected]);
  const keep = (index: number) => go({ frame: (frames.firstPfn + index) * 4096 });
  return (
    <div class="frames">
      <p class="help">{t.frames.help}</p>
      <div class="controls">
        <Choice
          label={t.frames.colour} value={by} onChange={setBy}
          options={[{ value: 'kind', text: t.frames.byKind }, { value: 'count', text: t.frames.byCount }, { value: 'age', text: t.frames.byAge }, { value: 'heat', text: t.frames.byHeat }]}
        />
        <Choice label={t.frames.size} value={cell} onChange={setCell} options={[{ value: '3', text: '3' }, { value: '6', text: '6' }, { value: '12', text: '12' }]} />
      </div>
      <Legend view={view} by={by} />
      {orphans.size > 0 && <p class="bad" role="alert">▲ {t.frames.orphans(orphans.size)}</p>}
      <Grid
        name="frames" label={t.frames.map} count={frames.count} cell={Number(cell)} height={330} version={fill} cursor={cursor} {...(selected !== undefined && { selected })}
        fill={fill} mark={(draw, i, x, y, size) => markFrame(draw, view, orphans, i, x, y, size)} describe={(i) => describe(view, i)} onCursor={setCursor} onPick={keep}
      />
      {selected !== undefined && <Detail view={view} index={selected} mappings={mappings} />}
      <Twin name="frames" text={() => framesText(view, orphans, selected)} />
    </div>
  );
}

function indexOf({ state }: View, pa: number): number {
  return Math.min(state.frames.count - 1, Math.max(0, pa / 4096 - state.frames.firstPfn));
}

function kindOf({ state }: View, index: number): FrameKind {
  return KIND_NAMES[state.frames.kind[index]!] ?? 'unknown';
}

/** Frames that are allocated though nobody has them: by their own record, and by the lamp. */
function findOrphans(view: View): Set<number> {
  const { frames } = view.state;
  const found = new Set<number>();
  const { count, kind, refs, owner, order } = frames;
  const isOwned = KIND_NAMES.map((name) => OWNED.includes(name));
  for (let i = 0; i < count; i++) if (owner[i] === 0 && isOwned[kind[i]!] && refs[i]! > 0 && order[i] !== 255) found.add(i);
  for (const finding of view.lamp?.findings ?? [])
    if (finding.code === 'leak' && finding.pfn !== null) found.add(finding.pfn - frames.firstPfn);
  return found;
}

function painter(view: View, by: By, reverse: ReverseMap | null, orphans: Set<number>): (index: number) => string {
  const { frames, at } = view.state;
  const kinds = KIND_NAMES.map((kind) => kindColour(kind));
  const [faint, accent, hot, bad] = [colour('faint'), colour('accent'), colour('writable'), colour('bad')];
  const steps = Array.from({ length: 17 }, (_, i) => mix(faint, accent, i / 16));
  const counts = [faint, mix(faint, accent, 0.35), mix(faint, accent, 0.7), accent, hot];
  const heats = [faint, mix(faint, hot, 0.45), mix(faint, hot, 0.7), hot];
  return (i) => {
    if (orphans.has(i)) return bad;
    if (by === 'kind') return kinds[frames.kind[i]!] ?? bad;
    if (by === 'count') return counts[Math.min(4, reverse!.users[i]!)]!;
    if (by === 'heat') return heats[reverse!.heat[i]! & 3]!;
    return steps[Math.round(16 * Math.max(0, 1 - (at - (view.model.changedAt[i] ?? 0)) / FADE))]!;
  };
}

/** With room in the cell, kinds differ in shape too. */
function markFrame(draw: CanvasRenderingContext2D, view: View, orphans: Set<number>, index: number, x: number, y: number, size: number): void {
  if (size < 8) return;
  const kind = kindOf(view, index);
  draw.fillStyle = draw.strokeStyle = colour('paper');
  draw.lineWidth = 1.5;
  if (orphans.has(index)) {
    draw.strokeRect(x + 2, y + 2, size - 4, size - 4);
  } else if (kind === 'anon') draw.fillRect(x + size / 2 - 1.5, y + size / 2 - 1.5, 3, 3);
  else if (kind === 'file') draw.fillRect(x + 2, y + size / 2 - 1, size - 4, 2);
  else if (kind === 'table') draw.strokeRect(x + 3, y + 3, size - 6, size - 6);
  else if (kind === 'slab') draw.fillRect(x + size / 2 - 1, y + 2, 2, size - 4);
}

function describe(view: View, index: number): string {
  const { t, state } = view;
  const { frames } = state;
  const users = mappingsOf(state, frames.firstPfn + index);
  const shown = users.slice(0, 3).map((m) => `${m.pid}:${hex(BigInt(m.vpn) << 12n)}`).join(', ');
  return `${hex((frames.firstPfn + index) * 4096)}: ${t.kinds[kindOf(view, index)]}, ${t.frames.refs} ${frames.refs[index]}${shown ? `, ${t.frames.mappedBy} ${shown}${users.length > 3 ? ` +${users.length - 3}` : ''}` : ''}`;
}

function Detail({ view, index, mappings }: { view: View; index: number; mappings: Mapping[] }) {
  const { model, place, state, t } = view;
  const { frames } = state;
  const pfn = frames.firstPfn + index;
  // The server tells of now only.
  const told = place.at === null && model.frame?.pfn === pfn ? model.frame : null;
  return (
    <section class="detail" aria-label={t.frames.frame}>
      <h2>{t.frames.frame} <span class="mono">{hex(pfn * 4096)}</span></h2>
      <dl>
        <dt>{t.kind}</dt><dd>{t.kinds[kindOf(view, index)]}</dd>
        <dt>{t.frames.refs}</dt><dd>{frames.refs[index]}</dd>
        <dt>{t.frames.owner}</dt><dd>{told?.ownerText || (frames.owner[index] ? hex(frames.owner[index]!) : t.none)}</dd>
        {frames.order[index] !== 255 && frames.order[index]! > 0 && <><dt>{t.frames.order}</dt><dd>{frames.order[index]} ({pageSize(2 ** frames.order[index]!)})</dd></>}
        {told && told.flags.length > 0 && <><dt>{t.frames.flags}</dt><dd>{told.flags.join(', ')}</dd></>}
      </dl>
      <h3>{t.frames.mappedBy}</h3>
      {mappings.length === 0 ? <p class="fine">{t.frames.nobody}</p> : (
        <ul>
          {mappings.slice(0, 40).map((m) => <li key={`${m.pid}/${m.vpn}`}>{t.pid} {m.pid} {nameOf(view, m.pid)} <AddressLink pid={m.pid} vpn={m.vpn} /> <code>{flagsOf(m.pte)}</code></li>)}
        </ul>
      )}
    </section>
  );
}

function nameOf({ state }: View, pid: number): string {
  return state.processes.find((p) => p.pid === pid)?.name ?? '';
}

function Legend({ view, by }: { view: View; by: By }) {
  const { state, t } = view;
  const [faint, accent, hot] = [colour('faint'), colour('accent'), colour('writable')];
  const kinds = KIND_NAMES.filter((kind, i) => (state.totals.kinds[i] ?? 0) > 0 && kind !== 'none').map((kind): [string, string] => [kindColour(kind), t.kinds[kind]!]);
  const items: Record<By, [string, string][]> = {
    kind: [...kinds, [colour('bad'), t.frames.orphan]],
    count: [[faint, '0'], [mix(faint, accent, 0.35), '1'], [mix(faint, accent, 0.7), '2'], [accent, '3'], [hot, '4+']],
    age: [[faint, t.frames.older], [accent, t.frames.fresh]],
    heat: [[faint, t.frames.cold], [mix(faint, hot, 0.45), 'A'], [mix(faint, hot, 0.7), 'D'], [hot, 'A + D']],
  };
  return <ul class="legend" aria-label={t.tree.legend}>{items[by].map(([ink, text]) => <li key={text}><i style={{ background: ink }} />{text}</li>)}</ul>;
}

function framesText(view: View, orphans: Set<number>, selected: number | undefined): string {
  const { state, t } = view;
  const lines = KIND_NAMES.map((kind, i) => [kind, state.totals.kinds[i] ?? 0] as const).filter(([, n]) => n > 0)
    .map(([kind, n]) => `${t.kinds[kind]}: ${count(n)} (${pageSize(n)})`);
  lines.push(t.frames.orphans(orphans.size), ...[...orphans].slice(0, 50).map((i) => '  ' + describe(view, i)));
  if (selected !== undefined) {
    lines.push('', describe(view, selected));
    for (const m of mappingsOf(state, state.frames.firstPfn + selected)) lines.push(`  ${m.pid} ${nameOf(view, m.pid)} ${hex(BigInt(m.vpn) << 12n)} ${flagsOf(m.pte)}`);
  }
  return lines.join('\n') + '\n';
}
