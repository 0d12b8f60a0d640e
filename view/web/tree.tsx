/* A page table as it is: tables of 512 entries, from the root to the leaf, and any of them to open. */
import { useMemo, useState } from 'preact/hooks';
import { hex, vmprint } from '../core/index.ts';
import { useView, type View } from './context.ts';
import { address, flagsOf, pageSize, paOf } from './format.ts';
import { Grid } from './grid.tsx';
import { colour, isDark } from './palette.ts';
import { AddressLink, Empty, FrameLink, Steady, Twin } from './parts.tsx';
import { tableMemory, tablesAlong, type Entry, type Table } from './tables.ts';
import type { Words } from './words.ts';

const COLUMNS = 32;
const CELL = 16;
const SMALL = 5;

export function TreeView() {
  const view = useView();
  const { process, aspace, state, place, t, go } = view;
  const [cursor, setCursor] = useState(0);
  const tree = aspace && state.trees.get(aspace.address);
  const path = place.table === '' ? [] : place.table.split('.').map(Number);
  const tables = useMemo(() => (tree && aspace ? tablesAlong(tree, path, aspace.vmas) : []), [tree, aspace, place.table]);
  if (!process) return <Empty>{t.pickProcess}</Empty>;
  if (!tree || !tables.length) return <Empty>{t.noSpace}</Empty>;
  const table = tables[Math.min(path.length, tables.length - 1)]!;
  const open = (index: number) => {
    const entry = table.entries[index]!;
    if (entry.kind === 'pointer') go({ table: [...table.path, index].join('.') });
    setCursor(entry.kind === 'pointer' ? 0 : index);
  };
  const up = () => go({ table: table.path.slice(0, -1).join('.') });
  return (
    <div class="tree">
      <p class="help">{t.tree.help} {t.tree.tables(tree.tables.count)}.</p>
      <ol class="crumbs" aria-label={t.tree.table}>
        {tables.map((one, depth) => (
          <li key={depth}>
            <button type="button" aria-current={one === table ? 'true' : undefined} onClick={() => go({ table: one.path.join('.') })}>
              {depth === 0 ? t.tree.root : `[${one.path.at(-1)}]`} <span class="mono">{hex(one.pa)}</span>
            </button>
            <Steady by={[one, path[depth], isDark()]}>{() => <Overview table={one} chosen={path[depth]} />}</Steady>
          </li>
        ))}
      </ol>
      <div class="tree-body">
        <Grid
          name="tree" label={`${t.tree.table} ${hex(table.pa)}, ${t.tree.level(table.level)}`} count={512} cell={CELL} columns={COLUMNS} height={16 * CELL}
          version={table} cursor={cursor} fill={(i) => fillOf(table.entries[i]!, table.level)} mark={(draw, i, x, y, size) => markEntry(draw, table.entries[i]!, table.level, x, y, size)}
          describe={(i) => describe(view, table, table.entries[i]!)} onCursor={setCursor} onPick={open}
          onKey={(key) => key === 'Backspace' && table.path.length > 0 && (up(), true)}
        />
        <EntryPart view={view} table={table} entry={table.entries[cursor]!} open={() => open(cursor)} />
      </div>
      <Steady by={[t, isDark()]}>{() => <Legend t={t} />}</Steady>
      <Twin name="tree" text={() => vmprint(tableMemory(tree), tree.root, tree.levels, 'user')} />
    </div>
  );
}

function kindText({ t }: View, entry: Entry, level: number): string {
  if (entry.kind === 'empty') return t.leaves.empty;
  if (entry.kind === 'pointer') return t.leaves.pointer;
  const size = [t.leaves.page, t.leaves.mega, t.leaves.giga][level] ?? pageSize(512 ** level);
  const rights = entry.cow ? t.leaves.cow : entry.pte & 4n ? t.leaves.writable : entry.pte & 8n ? t.leaves.code : t.leaves.readonly;
  return [size, rights, ...(entry.pte & 16n ? [] : [t.leaves.supervisor])].join(', ');
}

function describe(view: View, table: Table, entry: Entry): string {
  const where = `[${entry.index}] ${address(entry.vpn)}`;
  return `${where}: ${kindText(view, entry, table.level)}${entry.kind === 'empty' ? '' : ` ${flagsOf(entry.pte)} → ${hex(paOf(entry.pte))}`}`;
}

function EntryPart({ view, table, entry, open }: { view: View; table: Table; entry: Entry; open: () => void }) {
  const { t, place } = view;
  return (
    <section class="entry" aria-label={t.tree.entry}>
      <h2>{t.tree.entry} {entry.index}</h2>
      <dl>
        <dt>{t.kind}</dt><dd>{kindText(view, entry, table.level)}</dd>
        <dt>{t.address}</dt><dd><AddressLink pid={place.pid!} vpn={entry.vpn} /></dd>
        <dt>{t.tree.covers}</dt><dd>{pageSize(512 ** table.level)}</dd>
        <dt>{t.tree.pte}</dt><dd class="mono">{hex(entry.pte, 16)}</dd>
        {entry.kind !== 'empty' && <><dt>{t.walk.flags}</dt><dd class="mono">{flagsOf(entry.pte)}</dd><dt>{t.tree.points}</dt><dd><FrameLink pa={paOf(entry.pte)} /></dd></>}
      </dl>
      {entry.kind === 'pointer' && <button type="button" onClick={open}>{t.tree.open}</button>}
    </section>
  );
}

function fillOf(entry: Entry, level: number): string {
  if (entry.kind !== 'leaf') return colour('faint');
  if (entry.cow) return colour('cow');
  if (level > 0) return colour('huge');
  return colour(entry.pte & 4n ? 'writable' : entry.pte & 8n ? 'code' : 'readonly');
}

/*
 * Shapes, for eyes that do not tell the colours apart: nothing (not valid), a hollow square with a corner (points to a table),
 * a full square (4 KiB), a frame in the square (superpage, two frames: 1 GiB), a cut corner (copy on write).
 */
function markEntry(draw: CanvasRenderingContext2D, entry: Entry, level: number, x: number, y: number, size: number): void {
  const paper = colour('paper');
  if (entry.kind === 'empty') return;
  if (entry.kind === 'pointer') {
    draw.fillStyle = paper;
    draw.fillRect(x, y, size, size);
    draw.strokeStyle = colour('pointer');
    draw.lineWidth = 2;
    draw.strokeRect(x + 2, y + 2, size - 4, size - 4);
    draw.beginPath();
    draw.moveTo(x + size * 0.4, y + size * 0.28);
    draw.lineTo(x + size * 0.65, y + size * 0.5);
    draw.lineTo(x + size * 0.4, y + size * 0.72);
    draw.stroke();
    return;
  }
  draw.strokeStyle = draw.fillStyle = paper;
  draw.lineWidth = 1.5;
  for (let ring = 0; ring < level; ring++) draw.strokeRect(x + 3 + ring * 3, y + 3 + ring * 3, size - 6 - ring * 6, size - 6 - ring * 6);
  if (entry.cow) {
    draw.beginPath();
    draw.moveTo(x + size, y);
    draw.lineTo(x + size, y + size * 0.65);
    draw.lineTo(x + size * 0.35, y);
    draw.fill();
  }
  if (!(entry.pte & 16n)) draw.fillRect(x + 2, y + 2, 2, size - 4);
  if (entry.pte & 64n) dot(draw, x + size * 0.3, y + size - 4);
  if (entry.pte & 128n) dot(draw, x + size * 0.7, y + size - 4);
}

function dot(draw: CanvasRenderingContext2D, x: number, y: number): void {
  draw.beginPath();
  draw.arc(x, y, 2, 0, 7);
  draw.fill();
}

/** A whole table in small: the way from the root to the table that is open. */
function Overview({ table, chosen }: { table: Table; chosen: number | undefined }) {
  return (
    <svg class="overview" width={COLUMNS * SMALL} height={16 * SMALL} aria-hidden="true">
      {table.entries.filter((entry) => entry.kind !== 'empty').map((entry) => (
        <rect
          key={entry.index} x={(entry.index % COLUMNS) * SMALL} y={Math.floor(entry.index / COLUMNS) * SMALL} width={SMALL - 1} height={SMALL - 1}
          fill={entry.index === chosen ? colour('bad') : entry.kind === 'pointer' ? colour('pointer') : fillOf(entry, table.level)}
        />
      ))}
    </svg>
  );
}

/** One of each, drawn by what draws the table. */
function Legend({ t }: { t: Words }) {
  const leaf = (flags: bigint, cow = false): Entry => ({ index: 0, pte: flags, kind: 'leaf', cow, vpn: 0 });
  const samples: [Entry, number, string][] = [
    [{ ...leaf(1n), kind: 'pointer' }, 1, t.leaves.pointer], [leaf(0xd7n), 0, t.leaves.writable], [leaf(0x53n), 0, t.leaves.readonly],
    [leaf(0x5bn), 0, t.leaves.code], [leaf(0x53n, true), 0, t.leaves.cow], [leaf(0xd7n), 1, t.leaves.mega], [leaf(0xd7n), 2, t.leaves.giga], [leaf(0xc7n), 0, t.leaves.supervisor],
  ];
  return (
    <>
      <ul class="legend" aria-label={t.tree.legend}>
        {samples.map(([entry, level, text]) => <li key={text}><Sample entry={entry} level={level} />{text}</li>)}
      </ul>
      <p class="fine">{t.tree.marks}</p>
    </>
  );
}

function Sample({ entry, level }: { entry: Entry; level: number }) {
  const paint = (canvas: HTMLCanvasElement | null) => {
    const draw = canvas?.getContext('2d');
    if (!draw) return;
    draw.fillStyle = fillOf(entry, level);
    draw.fillRect(0, 0, CELL, CELL);
    markEntry(draw, entry, level, 0, 0, CELL - 1);
  };
  return <canvas ref={paint} width={CELL - 1} height={CELL - 1} aria-hidden="true" />;
}
