/* The page's frame: the machine on the left (processes, console), one view of it on the right. */
import type { ComponentType } from 'preact';
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { aspaceOf, type ProcessInfo, type Snapshot, type TableTree } from '../core/index.ts';
import { ViewContext, type View } from './context.ts';
import { pageSize } from './format.ts';
import { FilmView } from './film.tsx';
import { FramesView } from './frames.tsx';
import { GuideView } from './guide.tsx';
import { LampView } from './lamp.tsx';
import { formatLink, parseLink, VIEWS, type Place, type ViewName } from './link.ts';
import type { Model } from './model.ts';
import { Steady } from './parts.tsx';
import { ShareView } from './share.tsx';
import { SpaceView } from './space.tsx';
import { Terminal } from './terminal.tsx';
import { TimeView } from './time.tsx';
import { TreeView } from './tree.tsx';
import { VitalsView } from './vitals.tsx';
import { WalkView } from './walk.tsx';
import { WORDS, type Words } from './words.ts';

const SHOWN: Record<ViewName, ComponentType> = {
  console: VitalsView, space: SpaceView, tree: TreeView, walk: WalkView, frames: FramesView, share: ShareView, film: FilmView, time: TimeView, guide: GuideView,
  lamp: LampView,
};

/** Views that are about now, whatever instant was chosen. */
const LIVE: readonly ViewName[] = ['guide'];

function usePlace(): [Place, (change: Partial<Place>) => void, boolean] {
  const home = navigator.language.startsWith('zh') ? 'zh-CN' : 'en';
  const [link, setLink] = useState(() => parseLink(location.hash, home));
  const current = useRef(link);
  current.current = link;
  useEffect(() => {
    const follow = () => setLink(parseLink(location.hash, current.current.place.lang));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const go = (change: Partial<Place>) => {
    const { place } = current.current;
    const next = { ...place, ...change };
    current.current = { place: next, known: true };
    setLink(current.current);
    // Going to another view is a step that the browser's Back undoes; moving about within one is not.
    const method = next.view !== place.view ? 'pushState' : 'replaceState';
    history[method](null, '', formatLink(next));
  };
  return [link.place, go, link.known];
}

export function App({ model }: { model: Model }) {
  const [place, go, known] = usePlace();
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => model.subscribe(() => redraw(undefined)), [model]);
  const t = WORDS[place.lang];
  const state = model.shown(place.at);
  useWanted(model, place, state);
  useEffect(() => {
    document.documentElement.lang = place.lang;
    document.title = `${t.views[place.view]} – Vitrine`;
  }, [place.lang, place.view]);
  useEffect(() => {
    if (place.at !== null || place.view === 'time') model.askHistory();
  }, [place.at, place.view, model.connection, model.live !== null]);

  return (
    <div class="page" data-view={place.view} data-state={model.machine}>
      <Steady by={[place, t, model.lamp, model.machine]}>{() => <Header model={model} place={place} t={t} go={go} />}</Steady>
      <Notices model={model} place={place} t={t} known={known} go={go} />
      <aside>
        <Steady by={[state?.processes, state?.trees, place, t]}>{() => <Processes state={state} place={place} t={t} go={go} />}</Steady>
        <Terminal model={model} label={t.terminal} large={place.view === 'console'} />
      </aside>
      <main id="view" aria-label={t.views[place.view]}>
        {state ? <Shown model={model} place={place} t={t} state={state} go={go} /> : <p class="empty">{t.booting}</p>}
      </main>
    </div>
  );
}

function Shown(props: Omit<View, 'process' | 'aspace' | 'lamp'>) {
  const { place, state } = props;
  const view = useMemo(() => ({
    ...props,
    lamp: props.model.lampAt(place.at),
    process: state.processes.find((p) => p.pid === place.pid) ?? null,
    aspace: place.pid === null ? null : aspaceOf(state, place.pid),
  }), [place, state, props.model.events.length, props]);
  const Content = SHOWN[place.view];
  return (
    <ViewContext.Provider value={view}>
      <Content />
    </ViewContext.Provider>
  );
}

/** Tells the server what this page has open. */
function useWanted(model: Model, place: Place, state: Snapshot | null): void {
  const [hidden, setHidden] = useState(document.hidden);
  useEffect(() => {
    const look = () => setHidden(document.hidden);
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);
  useEffect(() => {
    const walk = place.view === 'walk' && place.va !== '' ? { pid: place.pid ?? 0, expr: place.va, access: place.acc, mode: place.mode } : null;
    const frame = place.view === 'frames' && place.frame !== null ? place.frame / 4096 : null;
    model.want({ lang: place.lang, state: !hidden, walk, frame, space: place.view === 'space' ? place.pid : null, harts: place.view === 'console' });
  }, [place, hidden, model.connection, state === null]);
}

interface Part {
  model: Model;
  place: Place;
  t: Words;
  go: (change: Partial<Place>) => void;
}

function Header({ model, place, t, go }: Part) {
  return (
    <header>
      <h1 title={t.tagline}>Vitrine</h1>
      <nav aria-label={t.viewsLabel}>
        {VIEWS.filter((name) => name !== 'lamp').map((name) => (
          <a key={name} href={formatLink({ ...place, view: name })} aria-current={name === place.view ? 'page' : undefined}>{t.views[name]}</a>
        ))}
      </nav>
      <LampButton model={model} place={place} t={t} go={go} />
      <span class={`chip ${model.machine}`} role="status" data-machine={model.machine}>{t.states[model.machine]}</span>
      {model.machine !== 'off' && (
        <button type="button" data-do={model.machine === 'running' ? 'stop' : 'cont'} onClick={() => model.send({ t: 'machine', do: model.machine === 'running' ? 'stop' : 'cont' })}>
          {model.machine === 'running' ? t.stop : t.cont}
        </button>
      )}
      <button type="button" lang={place.lang === 'en' ? 'zh-CN' : 'en'} aria-label={t.language} onClick={() => go({ lang: place.lang === 'en' ? 'zh-CN' : 'en' })}>
        {place.lang === 'en' ? '中文' : 'English'}
      </button>
    </header>
  );
}

function LampButton({ model, place, t }: Part) {
  const lamp = model.lampAt(place.at);
  const colour = lamp?.colour ?? 'green';
  const text = colour === 'green' ? t.green : t.red(lamp!.total);
  return (
    <a class={`lamp ${colour}`} data-lamp={colour} href={formatLink({ ...place, view: 'lamp' })} aria-current={place.view === 'lamp' ? 'page' : undefined} aria-label={`${t.views.lamp}: ${text}`} title={text}>
      <span aria-hidden="true">{colour === 'green' ? '●' : '▲'}</span> {colour === 'green' ? '' : lamp!.total}
    </a>
  );
}

function Notices({ model, place, t, known, go }: Part & { known: boolean }) {
  const said: [string, string][] = [];
  if (model.connection === 'lost') said.push(['bad', t.lostConnection]);
  else if (model.connection === 'kept') said.push(['note', t.kept]);
  else if (model.machine === 'off') said.push(['note', t.off]);
  else if (model.machine === 'paused') said.push(['note', t.paused[model.why === 'catch' || model.why === 'user' ? model.why : 'guest']]);
  if (model.machine === 'off' && model.dumped?.path) said.push(['note', t.time.dumped(model.dumped.path)]);
  if (model.stale) said.push(['bad', t.stale]);
  if (!known) said.push(['note', t.laterLink]);
  return (
    <div class="notices" role="status">
      {said.map(([kind, text]) => <p key={text} class={kind}>{text}</p>)}
      {place.at !== null && (
        <p class="note">
          {t.backInTime(place.at)} {LIVE.includes(place.view) ? t.liveOnly : ''}{' '}
          <button type="button" onClick={() => go({ at: null })}>{t.backToNow}</button>
        </p>
      )}
    </div>
  );
}

function Processes({ state, place, t, go }: { state: Snapshot | null; place: Place; t: Words; go: (change: Partial<Place>) => void }) {
  const users = (state?.processes ?? []).filter((p) => p.aspace !== 0 || p.zombie);
  const most = Math.max(1, ...users.map((p) => residentOf(state, p)));
  return (
    <section class="processes" aria-label={t.processes}>
      <table>
        <thead>
          <tr><th class="num">{t.pid}</th><th>{t.name}</th><th>{t.state}</th><th class="num">{t.resident}</th></tr>
        </thead>
        <tbody>
          {users.map((p) => {
            const pages = residentOf(state, p);
            const leader = p.tasks[0];
            return (
              <tr key={p.pid} class={p.pid === place.pid ? 'on' : ''} onClick={() => go({ pid: p.pid })}>
                <td class="num">{p.pid}</td>
                <td>
                  <button type="button" class="link" aria-pressed={p.pid === place.pid} onClick={(e) => { e.stopPropagation(); go({ pid: p.pid }); }}>{p.name || '?'}</button>
                </td>
                <td>{leader?.onHart != null ? `${t.hart} ${leader.onHart}` : t.taskStates[p.zombie ? 'zombie' : leader?.state ?? 'unknown']}</td>
                <td class="num bar" style={{ '--part': `${(100 * pages) / most}%` }}>{pageSize(pages)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

const resident = new WeakMap<TableTree, number>();

/** In pages. */
function residentOf(state: Snapshot | null, process: ProcessInfo): number {
  const tree = state?.trees.get(process.aspace);
  if (!tree) return 0;
  let pages = resident.get(tree);
  if (pages === undefined) {
    pages = 0;
    for (let i = 0; i < tree.leaves.count; i++) pages += 512 ** tree.leaves.level[i]!;
    resident.set(tree, pages);
  }
  return pages;
}
