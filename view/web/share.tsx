/* Who shares frames with whom. A pair is drawn page by page: joined while one frame serves both, cut in two once somebody wrote. */
import { useMemo, useRef, useState } from 'preact/hooks';
import { aspaceOf, hex, sharePairs, type AspaceInfo, type ProcessInfo, type SharePair, type TableTree } from '../core/index.ts';
import { useView, type View } from './context.ts';
import { pageSize } from './format.ts';
import { Grid } from './grid.tsx';
import { colour } from './palette.ts';
import { Empty, Steady, Twin } from './parts.tsx';
import { vmaAt } from './tables.ts';
import { vmaName } from './space.tsx';

const CELL = 18;
/** Milliseconds for which a split is shown as new. */
const NEW = 4000;
/** Pages of a pair that are drawn. */
const PAGES = 20_000;

/** One page of a pair: the frame that each of the two has there (-1: none). */
interface PairPage {
  vpn: number;
  a: number;
  b: number;
}

export function ShareView() {
  const view = useView();
  const { model, state, place, t } = view;
  const reverse = model.reverseMap(state);
  const pairs = useMemo(() => sharePairs(state, reverse), [reverse]);
  const by = [pairs, state.processes.map((p) => p.name).join(), place, t];
  const a = place.pid;
  const b = place.peer;
  return (
    <div class="share">
      <p class="help">{t.share.help}</p>
      <div class="columns">
        <section aria-label={t.share.family}>
          <h2>{t.share.family}</h2>
          <Steady by={by}>{() => <Family view={view} />}</Steady>
        </section>
        <section aria-label={t.share.pairs}>
          <h2>{t.share.pairs}</h2>
          <Steady by={by}>{() => (pairs.length === 0 ? <Empty>{t.share.none}</Empty> : <Pairs view={view} pairs={pairs} />)}</Steady>
        </section>
      </div>
      {a !== null && b !== null ? <Pair key={`${a}/${b}`} view={view} a={a} b={b} /> : <p class="empty">{t.share.choose}</p>}
      <Twin name="share" text={() => shareText(view, pairs)} />
    </div>
  );
}

function Pairs({ view, pairs }: { view: View; pairs: SharePair[] }) {
  const { place, t, go } = view;
  return (
    <div class="pairs">
      <table class="plain" data-table="pairs">
        <thead><tr><th>{t.share.pair}</th><th class="num">{t.share.pages}</th><th class="num">{t.share.readOnly}</th></tr></thead>
        <tbody>
          {pairs.slice(0, 60).map((pair) => (
            <tr key={`${pair.a}/${pair.b}`} class={pair.a === place.pid && pair.b === place.peer ? 'on' : ''}>
              <td><button type="button" class="link" onClick={() => go({ pid: pair.a, peer: pair.b })}>{pair.a} {nameOf(view, pair.a)} {t.share.between} {pair.b} {nameOf(view, pair.b)}</button></td>
              <td class="num">{pair.pages}</td>
              <td class="num">{pair.readOnly}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function nameOf({ state }: View, pid: number): string {
  return state.processes.find((p) => p.pid === pid)?.name ?? '';
}

/** Processes below their parents. */
function Family({ view }: { view: View }) {
  const users = view.state.processes.filter((p) => p.aspace !== 0);
  const known = new Set(users.map((p) => p.pid));
  const children = (of: number | null): ProcessInfo[] => users.filter((p) => (of === null ? !known.has(p.ppid) || p.ppid === p.pid : p.ppid === of && p.pid !== of));
  const list = (of: number | null, depth: number) => {
    const below = depth < 30 ? children(of) : [];
    return below.length === 0 ? null : (
      <ul>
        {below.map((p) => (
          <li key={p.pid}>
            <button type="button" class="link" aria-pressed={p.pid === view.place.pid} onClick={() => view.go({ pid: p.pid })}>{p.pid} {p.name}</button>
            {list(p.pid, depth + 1)}
          </li>
        ))}
      </ul>
    );
  };
  return <div class="family">{list(null, 0)}</div>;
}

function Pair({ view, a, b }: { view: View; a: number; b: number }) {
  const { state, t, go } = view;
  const [cursor, setCursor] = useState(0);
  const splits = useRef(new Map<number, number>());
  const joinedBefore = useRef(new Set<number>());
  const spaces = [aspaceOf(state, a), aspaceOf(state, b)] as const;
  const trees = spaces.map((as) => (as ? state.trees.get(as.address) : undefined)) as [TableTree | undefined, TableTree | undefined];
  const pages = useMemo(() => pairPages(trees, spaces), [trees[0], trees[1]]);
  if (!trees[0] || !trees[1]) return null;
  noteSplits(pages, joinedBefore.current, splits.current, state.at);
  const isFading = [...splits.current.values()].some((at) => state.at - at < NEW);
  const joined = pages.filter((page) => page.a === page.b).length;
  const both = pages.filter((page) => page.a >= 0 && page.b >= 0).length;
  const say = (page: PairPage): string => (page.a === page.b ? t.share.joined : page.a < 0 ? t.share.only(String(b)) : page.b < 0 ? t.share.only(String(a)) : t.share.split);
  const describe = (i: number): string => {
    const page = pages[i];
    const vma = page && spaces[0] && vmaAt(spaces[0].vmas, page.vpn);
    return page ? `${hex(BigInt(page.vpn) << 12n)} ${vma ? vmaName(vma) : ''}: ${say(page)}` : '';
  };
  return (
    <section class="pair" aria-label={t.share.pair}>
      <h2>{a} {nameOf(view, a)} {t.share.between} {b} {nameOf(view, b)}: <span data-pair={`${joined}/${both - joined}/${splits.current.size}`}>{t.share.counts(joined, both - joined)}</span></h2>
      <ul class="legend" aria-label={t.tree.legend}>
        <li><i style={{ background: colour('accent') }} />{t.share.joined}</li>
        <li><i style={{ background: `linear-gradient(90deg, ${colour('readonly')} 42%, transparent 42% 58%, ${colour('writable')} 58%)` }} />{t.share.split}</li>
        <li><i style={{ background: `linear-gradient(90deg, ${colour('bad')} 42%, transparent 42% 58%, ${colour('bad')} 58%)` }} />{t.share.justNow}</li>
        <li><i style={{ background: `linear-gradient(90deg, ${colour('readonly')} 42%, ${colour('faint')} 42%)` }} />{t.share.only(String(a))}</li>
      </ul>
      <Grid
        name="share" label={t.share.pair} count={pages.length} cell={CELL} height={200} version={isFading ? state : pages} cursor={cursor} fill={() => colour('paper')}
        mark={(draw, i, x, y, size) => drawPage(draw, pages[i]!, state.at - (splits.current.get(pages[i]!.vpn) ?? 0) < NEW, x, y, size)}
        describe={describe} onCursor={setCursor} onPick={(i) => go({ view: 'walk', pid: a, va: hex(BigInt(pages[i]!.vpn) << 12n), acc: 'w' })}
      />
    </section>
  );
}

/** Pages that were joined at the look before and are not any more. */
function noteSplits(pages: PairPage[], joined: Set<number>, splits: Map<number, number>, at: number): void {
  for (const page of pages) {
    if (page.a === page.b) joined.add(page.vpn);
    else if (joined.delete(page.vpn) && page.a >= 0 && page.b >= 0) splits.set(page.vpn, at);
  }
}

function drawPage(draw: CanvasRenderingContext2D, page: PairPage, fresh: boolean, x: number, y: number, size: number): void {
  if (page.a === page.b) {
    draw.fillStyle = colour('accent');
    draw.fillRect(x, y + 3, size, size - 6);
    return;
  }
  const half = size * 0.42;
  draw.fillStyle = page.a < 0 ? colour('faint') : colour(fresh ? 'bad' : 'readonly');
  draw.fillRect(x, y, half, size - 5);
  draw.fillStyle = page.b < 0 ? colour('faint') : colour(fresh ? 'bad' : 'writable');
  draw.fillRect(x + size - half, y + 5, half, size - 5);
}

/** Of both, by page: what either has. Superpages count as what they cover. */
function pairPages(trees: readonly (TableTree | undefined)[], spaces: readonly (AspaceInfo | null)[]): PairPage[] {
  const found = new Map<number, PairPage>();
  trees.forEach((tree, side) => {
    if (!tree || !spaces[side]) return;
    for (let i = 0; i < tree.leaves.count && found.size < PAGES; i++) {
      const pfn = Math.floor(tree.leaves.lo[i]! / 1024) + (tree.leaves.hi[i]! & 0x3fffff) * 2 ** 22;
      for (let k = 0; k < 512 ** tree.leaves.level[i]! && found.size < PAGES; k++) {
        const vpn = tree.leaves.vpn[i]! + k;
        const page = found.get(vpn) ?? { vpn, a: -1, b: -1 };
        page[side === 0 ? 'a' : 'b'] = pfn + k;
        found.set(vpn, page);
      }
    }
  });
  return [...found.values()].sort((x, y) => x.vpn - y.vpn);
}

function shareText(view: View, pairs: SharePair[]): string {
  const { state, place, t } = view;
  const lines = pairs.map((pair) => `${pair.a} ${nameOf(view, pair.a)} ${t.share.between} ${pair.b} ${nameOf(view, pair.b)}: ${t.share.pages} ${pair.pages} (${pageSize(pair.pages)}), ${t.share.readOnly} ${pair.readOnly}`);
  if (place.pid === null || place.peer === null) return lines.join('\n') + '\n';
  const spaces = [aspaceOf(state, place.pid), aspaceOf(state, place.peer)];
  const pages = pairPages(spaces.map((as) => (as ? state.trees.get(as.address) : undefined)), spaces);
  const both = pages.filter((page) => page.a >= 0 && page.b >= 0);
  lines.push('', t.share.counts(both.filter((page) => page.a === page.b).length, both.filter((page) => page.a !== page.b).length));
  for (const page of both.filter((one) => one.a !== one.b)) lines.push(`  ${hex(BigInt(page.vpn) << 12n)}: ${t.share.split}, ${hex(page.a * 4096)} | ${hex(page.b * 4096)}`);
  return lines.join('\n') + '\n';
}
