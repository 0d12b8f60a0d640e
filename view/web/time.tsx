/* The session as a line: go back to any instant, compare two, keep one as a dump. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { changes } from '../core/index.ts';
import { useView, type View } from './context.ts';
import { Empty, Twin } from './parts.tsx';
import { colour } from './palette.ts';

const SHOWN = 200;
/** The line grows by a hair's breadth at each look: it is drawn anew now and then. */
const DRAWN_EVERY = 5;

function Dump({ view: { model, t } }: { view: View }) {
  return (
    <>
      <h2>{t.time.dump}</h2>
      <p class="fine">{t.time.dumpHelp}</p>
      <p>
        <button type="button" data-do="dump" onClick={() => model.send({ t: 'dump' })}>{t.time.dump}</button>{' '}
        <span role="status" data-dump>{model.dumped && (model.dumped.error ? t.time.dumpFailed(model.dumped.error) : t.time.dumped(model.dumped.path))}</span>
      </p>
    </>
  );
}

export function TimeView() {
  const view = useView();
  const { model, place, t, go } = view;
  const history = model.history;
  const instants = history?.instants ?? [];
  const here = place.at === null ? instants.length - 1 : instants.findIndex((instant) => instant.seq >= place.at!);
  const found = useMemo(() => compare(view), [place.base, view.state, place.lang]);
  const to = (index: number) => go({ at: index >= instants.length - 1 ? null : instants[Math.max(0, index)]!.seq });
  return (
    <div class="time">
      <p class="help">{t.time.help}</p>
      {!history || instants.length < 2 ? <Empty>{t.time.loading}</Empty> : (
        <>
          <Track view={view} />
          <div class="controls">
            <button type="button" onClick={() => to(here - 1)} aria-label={t.time.older}>◀</button>
            <label class="scrub">
              {t.time.scrub}
              <input type="range" name="at" min={0} max={instants.length - 1} value={here} onInput={(e) => to(Number(e.currentTarget.value))} />
            </label>
            <button type="button" onClick={() => to(here + 1)} aria-label={t.time.newer}>▶</button>
            <output data-instant={view.state.seq}>{place.at === null ? t.time.live : t.time.ago((((model.live?.at ?? 0) - view.state.at) / 1000).toFixed(1))}</output>
            <button type="button" data-do="base" onClick={() => go({ base: view.state.seq })}>{t.time.setA}</button>
          </div>
          <p class="fine">{t.time.kept(instants.length, t.time.seconds(((instants.at(-1)!.at - history.first.at) / 1000).toFixed(0)))}</p>
        </>
      )}
      <h2>{t.time.changes}</h2>
      {found === null ? <Empty>{t.time.noA}</Empty> : (
        <>
          <p>{t.time.between(place.base!, view.state.seq)}</p>
          {found.length === 0 ? <Empty>{t.time.nothing}</Empty> : (
            <ul class="changes" data-changes={found.length}>
              {found.slice(0, SHOWN).map((change, i) => (
                <li key={i} class={change.code}>
                  <button type="button" class="link" onClick={() => go({ view: change.vpn ? 'walk' : 'space', pid: change.pid, va: change.vpn ? '0x' + (BigInt(change.vpn) << 12n).toString(16) : '' })}>{change.text}</button>
                </li>
              ))}
              {found.length > SHOWN && <li>{t.time.more(found.length - SHOWN)}</li>}
            </ul>
          )}
        </>
      )}
      {model.connection !== 'kept' && <Dump view={view} />}
      <Twin name="time" text={() => (found === null ? t.time.noA : [t.time.between(place.base!, view.state.seq), ...found.map((change) => change.text)].join('\n')) + '\n'} />
    </div>
  );
}

/** null: there is nothing to compare with. */
function compare({ model, place, state }: View) {
  if (place.base === null) return null;
  const base = model.instant(place.base) ?? (model.live?.seq === place.base ? model.live : null);
  return base && changes(base, state, place.lang);
}

/** Free frames over the whole session, with a mark for the instant that is shown and one for the other. */
function Track({ view }: { view: View }) {
  const { model, place, t } = view;
  const canvas = useRef<HTMLCanvasElement>(null);
  const instants = model.history!.instants;
  useEffect(() => {
    const draw = canvas.current!.getContext('2d')!;
    const { width, height } = canvas.current!;
    draw.clearRect(0, 0, width, height);
    const points = freePoints(view);
    const low = Math.min(...points);
    const span = Math.max(1, Math.max(...points) - low);
    draw.beginPath();
    points.forEach((free, i) => draw.lineTo((i / Math.max(1, points.length - 1)) * width, height - 4 - ((free - low) / span) * (height - 8)));
    draw.strokeStyle = colour('accent');
    draw.lineWidth = 2;
    draw.stroke();
    for (const [seq, ink] of [[place.base, 'writable'], [place.at, 'ink']] as const) {
      const at = seq === null ? -1 : instants.findIndex((instant) => instant.seq >= seq);
      if (at < 0) continue;
      draw.fillStyle = colour(ink);
      draw.fillRect((at / Math.max(1, instants.length - 1)) * width - 1, 0, 3, height);
    }
  }, [Math.floor(instants.length / DRAWN_EVERY), place.at, place.base]);
  return <canvas ref={canvas} class="curve wide" width={1400} height={90} role="img" aria-label={t.time.freeFrames} />;
}

/** The number of free frames at each instant; where a step says nothing of it, it stays. */
function freePoints({ model }: View): number[] {
  let free = model.history!.first.totals.free;
  return model.history!.instants.map(({ delta }) => (free = delta.totals?.free ?? free));
}
