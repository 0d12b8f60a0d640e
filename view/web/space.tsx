/*
 * The address space of one process on two rails: what the kernel has promised (VMAs), beside what its page table holds. Gaps
 * are short however wide they are; regions are as tall as the logarithm of their size.
 */
import { useMemo } from 'preact/hooks';
import { hex, mapsText, type AspaceInfo, type LeafList, type VmaInfo } from '../core/index.ts';
import { useView, type View } from './context.ts';
import { address, pageSize } from './format.ts';
import type { Place } from './link.ts';
import { colour, isDark, type ColourName } from './palette.ts';
import { Choice, Empty, Steady, Twin } from './parts.tsx';
import { isCow } from './tables.ts';
import type { Words } from './words.ts';

/** Pages of one look, next to each other in a region. */
interface Run {
  start: number;
  end: number;
  look: Look;
}

type Look = Extract<ColourName, 'writable' | 'readonly' | 'code' | 'cow' | 'huge' | 'bad'>;

/** Runs that are drawn for one region; further ones are joined, over what lies between them. */
const RUNS = 160;

interface Row {
  kind: 'vma' | 'gap' | 'guard' | 'kernel';
  start: number;
  end: number;
  vma?: VmaInfo;
  runs: Run[];
  present: number;
}

export function SpaceView() {
  const view = useView();
  const { process, aspace, place, t, go } = view;
  const tree = aspace && view.state.trees.get(aspace.address);
  const rows = useMemo(() => (aspace && tree ? makeRows(aspace, tree.leaves, place.grow) : []), [aspace, tree, place.grow]);
  if (!process) return <Empty>{t.pickProcess}</Empty>;
  if (!aspace || !tree) return <Empty>{t.noSpace}</Empty>;
  return (
    <div class="space">
      <p class="help">{t.space.help}</p>
      <Choice
        label={t.space.grow} value={place.grow} onChange={(grow) => go({ grow })}
        options={[{ value: 'up', text: t.space.up }, { value: 'down', text: t.space.down }]}
      />
      <Steady by={[t, isDark()]}>{() => <Legend t={t} />}</Steady>
      <div class="rails">
        <div class="rail-heads" aria-hidden="true"><span /><span>{t.space.promised}</span><span>{t.space.present}</span></div>
        <ol aria-label={t.views.space}>
          <Steady by={[rows, view.model.space, place, t, isDark()]}>
            {() => rows.map((row) => <RowPart key={`${row.kind}${row.start}`} row={row} view={view} aspace={aspace} />)}
          </Steady>
        </ol>
      </div>
      <Twin name="space" text={() => spaceText(view, rows)} />
    </div>
  );
}

function RowPart({ row, view, aspace }: { row: Row; view: View; aspace: AspaceInfo }) {
  const { t, place, go } = view;
  const pages = row.end - row.start;
  if (row.kind === 'gap') return <li class="gap"><span /><span>{t.space.gap(pageSize(pages))}</span><span /></li>;
  if (row.kind === 'guard') return <li class="guard"><span class="mono">{address(row.start)}</span><span>{t.space.room(pageSize(pages))}</span><span /></li>;
  if (row.kind === 'kernel')
    return (
      <li class="kernel">
        <span class="mono">{hex((1n << 64n) - (1n << BigInt(11 + 9 * view.state.levels)))}</span><span>{t.space.kernelHalf}</span>
        <span>{aspace.userRoot ? t.space.kernelAway : t.space.kernelThere}</span>
      </li>
    );
  const vma = row.vma!;
  const height = 26 + 4 * Math.log2(pages);
  const start = address(row.start);
  const swapped = swappedOf(view, row);
  return (
    <li class="vma" style={{ minHeight: `${height}px` }}>
      <span class="mono">{start}</span>
      <button type="button" class={`promised ${vma.kind}`} aria-pressed={place.va === start} onClick={() => go({ view: 'walk', va: start })}>
        <b>{vmaName(vma)}</b> <span class="mono">{vma.perms}</span> <span>{pageSize(pages)}</span>
      </button>
      <span class="present" role="img" aria-label={t.space.presentOf(row.present, pages) + (swapped === undefined ? '' : ', ' + t.space.swapped(swapped))}>
        <svg viewBox={`0 0 ${pages} 1`} preserveAspectRatio="none" aria-hidden="true">
          {row.runs.map((run) => (
            <rect key={run.start} x={run.start - row.start} width={Math.max(run.end - run.start, pages / 400)} y={runTop(run.look)} height={1 - runTop(run.look)} fill={colour(run.look)} />
          ))}
        </svg>
        <span class="fine" aria-hidden="true">{row.present} / {pages}{swapped === undefined ? '' : <><br />{t.space.swapped(swapped)}</>}</span>
      </span>
    </li>
  );
}

/** Pages of a region that are in swap; undefined: none. The page table does not know of them: they are not present. */
function swappedOf({ model, place }: View, row: Row): number | null | undefined {
  return model.space?.pid === place.pid && place.at === null ? model.space.swapped.find(([start]) => start === row.start)?.[1] : undefined;
}

/** Looks differ in height as well as colour: what may be written stands taller. */
function runTop(look: Look): number {
  return { writable: 0, huge: 0, bad: 0, cow: 0.25, code: 0.4, readonly: 0.55 }[look];
}

function Legend({ t }: { t: Words }) {
  const looks: [Look, string][] = [
    ['writable', t.leaves.writable], ['cow', t.leaves.cow], ['code', t.leaves.code], ['readonly', t.leaves.readonly], ['huge', t.leaves.huge],
  ];
  return (
    <ul class="legend" aria-label={t.tree.legend}>
      {looks.map(([look, text]) => (
        <li key={look}><i style={{ background: `linear-gradient(transparent ${runTop(look) * 100}%, ${colour(look)} 0)` }} />{text}</li>
      ))}
    </ul>
  );
}

export function vmaName(vma: VmaInfo): string {
  return vma.name || `[${vma.kind}]`;
}

/** Regions and what lies between them, from the top of the screen. */
function makeRows(aspace: AspaceInfo, leaves: LeafList, grow: Place['grow']): Row[] {
  const rows: Row[] = [];
  let at = 0;
  let leaf = 0;
  for (const vma of aspace.vmas) {
    if (vma.start > at) rows.push(...between(aspace, at, vma));
    while (leaf < leaves.count && leaves.vpn[leaf]! < vma.start) leaf++;
    const runs: Run[] = [];
    let present = 0;
    for (; leaf < leaves.count && leaves.vpn[leaf]! < vma.end; leaf++) {
      const pages = 512 ** leaves.level[leaf]!;
      present += pages;
      addRun(runs, leaves.vpn[leaf]!, pages, lookOf(leaves, leaf, vma));
    }
    rows.push({ kind: 'vma', start: vma.start, end: vma.end, vma, runs, present });
    at = vma.end;
  }
  rows.push({ kind: 'kernel', start: 2 ** 51, end: 2 ** 52, runs: [], present: 0 });
  return grow === 'up' ? rows.reverse() : rows;
}

/** A gap; below a stack the part into which it may grow is told apart. */
function between(aspace: AspaceInfo, start: number, vma: VmaInfo): Row[] {
  const none = { runs: [], present: 0 };
  const limit = aspace.stackLimit / 4096;
  const floor = Math.max(start, Math.ceil(aspace.stackTop / 4096 - limit));
  if (vma.kind !== 'stack' || !Number.isFinite(limit) || floor >= vma.start) return [{ kind: 'gap', start, end: vma.start, ...none }];
  const guard: Row = { kind: 'guard', start: floor, end: vma.start, ...none };
  return floor > start ? [{ kind: 'gap', start, end: floor, ...none }, guard] : [guard];
}

function lookOf(leaves: LeafList, i: number, vma: VmaInfo): Look {
  const lo = leaves.lo[i]!;
  if (!(lo & 0x10)) return 'bad';
  if (leaves.level[i]! > 0) return 'huge';
  if (lo & 4) return 'writable';
  if (isCow(BigInt(lo), vma)) return 'cow';
  return lo & 8 ? 'code' : 'readonly';
}

function addRun(runs: Run[], vpn: number, pages: number, look: Look): void {
  const last = runs.at(-1);
  if (last && last.look === look && (last.end === vpn || runs.length >= RUNS)) last.end = vpn + pages;
  else runs.push({ start: vpn, end: vpn + pages, look });
}

function spaceText(view: View, rows: Row[]): string {
  const { aspace, t } = view;
  const present = rows.filter((row) => row.kind === 'vma').map((row) => {
    const runs = row.runs.map((run) => `${address(run.start)}+${run.end - run.start} ${t.leaves[run.look === 'bad' ? 'supervisor' : run.look]}`);
    const swapped = swappedOf(view, row);
    return `${address(row.start)} ${vmaName(row.vma!)}: ${t.space.presentOf(row.present, row.end - row.start)}${swapped === undefined ? '' : ', ' + t.space.swapped(swapped)}${runs.length ? '\n  ' + runs.join('\n  ') : ''}`;
  });
  return `${t.space.promised}\n${mapsText(aspace!)}\n${t.space.present}\n${present.join('\n')}\n`;
}
