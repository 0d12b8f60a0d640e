/* Every fault as it happens: who, where, how it was answered, what it cost, and the entry before and after. */
import { useMemo, useState } from 'preact/hooks';
import { explainEvent, hex, type FaultHow } from '../core/index.ts';
import type { FilmEvent } from '../shared/protocol.ts';
import { useView, type View } from './context.ts';
import { flagsOf, paOf, seconds } from './format.ts';
import { filmCsv, filmTrace } from './export.ts';
import { AddressLink, Empty, FrameLink, Steady, Twin } from './parts.tsx';

/**
 * Rows that are shown; the film is longer. And those that are seen before anybody scrolls. A row stays where it is, and with it the focus; what
 * it says is another: elements that come and go cost most.
 */
const ROWS = 80;
const ROWS_SEEN = 14;
const CATCHABLE: readonly FaultHow[] = ['cow', 'reuse', 'zero', 'anon', 'huge', 'file', 'file-copy', 'shared', 'swap', 'usyscall', 'none'];

export function FilmView() {
  const view = useView();
  const { model, place, t, go } = view;
  const [mine, setMine] = useState(false);
  const [others, setOthers] = useState(false);
  const [chosen, setChosen] = useState<FilmEvent | null>(null);
  const [catching, setCatching] = useState<FaultHow>('cow');
  const newest = model.events.at(-1);
  const events = useMemo(() => model.eventsAt(place.at), [newest, model.events.length, place.at, model.history]);
  const found = useMemo(() => events.filter((e) => accepts(e, place.how, others) && (!mine || e.pid === place.pid)), [events, events.length, place.how, place.pid, mine, others]);
  const [scrolled, setScrolled] = useState(false);
  const rows = found.slice(-ROWS).reverse();
  return (
    <div class="film">
      <div class="controls">
        <label>
          {t.film.how}{' '}
          <select name="how" value={place.how} onChange={(e) => go({ how: e.currentTarget.value })}>
            <option value="">{t.film.all}</option>
            {Object.keys(t.hows).filter((how) => how !== 'unknown').map((how) => <option key={how} value={how}>{t.hows[how]}</option>)}
          </select>
        </label>
        <label class="check"><input type="checkbox" checked={mine} disabled={place.pid === null} onChange={(e) => setMine(e.currentTarget.checked)} />{t.film.onlyPid} {place.pid ?? ''}</label>
        <label class="check"><input type="checkbox" checked={others} onChange={(e) => setOthers(e.currentTarget.checked)} />{t.film.others}</label>
        {model.connection !== 'kept' && (
          <span class="group">
            <label>
              {t.film.pauseAt}{' '}
              <select name="catch" value={catching} onChange={(e) => setCatching(e.currentTarget.value as FaultHow)}>
                {CATCHABLE.map((how) => <option key={how} value={how}>{t.hows[how]}</option>)}
              </select>
            </label>
            <button type="button" data-do="catch" onClick={() => model.arm(model.armed ? null : { how: catching, pid: mine ? place.pid : null })}>{model.armed ? `${t.film.waiting} ${t.film.cancel}` : 'OK'}</button>
          </span>
        )}
        <span class="group">
          {t.film.export}{' '}
          <button type="button" onClick={() => save('vitrine-faults.csv', 'text/csv', filmCsv(found, timebase(view)))}>{t.film.csv}</button>{' '}
          <button type="button" onClick={() => save('vitrine-trace.json', 'application/json', filmTrace(found, timebase(view)))}>{t.film.trace}</button>
        </span>
      </div>
      <p class="fine" role="status">{t.film.shown(rows.length, found.length)} · {t.film.lost(model.lost, model.dropped)}</p>
      {rows.length === 0 ? <Empty>{place.at !== null && events.length === 0 && model.events.length > 0 ? t.film.gone : t.film.none}</Empty> : (
        <div class="film-body">
          <div class="film-rows" tabIndex={0} onScroll={(e) => setScrolled(e.currentTarget.scrollTop > 0)}>
            <table class="plain" data-table="film">
              <colgroup><col class="c-time" /><col class="c-who" /><col /><col class="c-address" /><col class="c-pc" /><col class="c-cost" /></colgroup>
              <thead><tr><th class="num">{t.film.time}</th><th>{t.film.who}</th><th>{t.film.what}</th><th>{t.address}</th><th>{t.film.pc}</th><th class="num">{t.film.cost}</th></tr></thead>
              <Steady by={[found, chosen, scrolled, t]}>
                {() => <tbody>{rows.slice(0, scrolled ? ROWS : ROWS_SEEN).map((event, i) => <Row key={i} event={event} view={view} on={event === chosen} choose={() => setChosen(event)} />)}</tbody>}
              </Steady>
            </table>
          </div>
          {chosen ? <Story event={chosen} view={view} /> : <p class="fine">{t.film.choose}</p>}
        </div>
      )}
      <Twin name="film" text={() => rows.map((event) => line(event, view)).join('\n') + '\n'} />
    </div>
  );
}

function accepts(event: FilmEvent, how: string, others: boolean): boolean {
  return event.kind === 'fault' ? how === '' || event.faultHow === how : others && how === '';
}

function timebase({ model }: View): number {
  return model.hello?.timebase || 10_000_000;
}

function what(event: FilmEvent, { t }: View): string {
  if (event.kind !== 'fault') return t.events[event.kind] ?? event.kind;
  const bad = event.result && t.results[event.result];
  return bad || t.hows[event.faultHow ?? 'unknown'] || '?';
}

function Row({ event, view, on, choose }: { event: FilmEvent; view: View; on: boolean; choose: () => void }) {
  const isFault = event.kind === 'fault';
  return (
    <tr class={on ? 'on' : ''} data-how={event.faultHow ?? event.kind} onClick={choose}>
      <td class="num mono">{seconds(event, timebase(view))}</td>
      <td>{`${event.pid} ${event.name}`}</td>
      <td><button type="button" class={`link how ${event.faultHow ?? 'other'}`} onClick={choose}>{what(event, view)}</button> {isFault && <code>{event.access}</code>}</td>
      <td class="mono">{hex(event.va)}</td>
      <td class="mono" title={event.line || undefined}>{placeOf(event)}</td>
      <td class="num">{event.cost || ''}</td>
    </tr>
  );
}

function Story({ event, view }: { event: FilmEvent; view: View }) {
  const { t, place, state } = view;
  const words = explainEvent(event, place.lang, { snapshot: state });
  return (
    <section class="story" aria-label={t.film.event} data-story={event.faultHow ?? event.kind}>
      <h2>{words.title}</h2>
      {words.lines.map((text) => <p key={text}>{text}</p>)}
      <p>{t.hart} {event.hart} · {event.pid} {event.name} · <AddressLink pid={event.pid} va={event.va} /></p>
      {event.pc !== 0n && <p class="mono" data-line={event.line}>{hex(event.pc)} {event.symbol} {event.line}</p>}
      {event.kind === 'fault' && event.after !== 0n && (
        <table class="plain entry-change">
          <tbody>
            <Entry label={t.film.before} pte={event.before} other={event.after} />
            <Entry label={t.film.after} pte={event.after} other={event.before} />
          </tbody>
        </table>
      )}
      {event.cost > 0 && <p class="fine">{t.film.cost}: {event.cost} {t.film.cycles}</p>}
    </section>
  );
}

/** An entry, with the bits that differ from the other marked. */
function Entry({ label, pte, other }: { label: string; pte: bigint; other: bigint }) {
  const flags = flagsOf(pte);
  const others = flagsOf(other);
  return (
    <tr>
      <th>{label}</th>
      <td class="mono">{hex(pte, 16)}</td>
      <td><code class="flags" aria-label={flags}>{[...flags].map((letter, i) => <span key={i} class={letter === others[i] ? 'on' : 'on differs'}>{letter}</span>)}</code></td>
      <td>{pte & 1n ? <FrameLink pa={paOf(pte)} /> : '–'}</td>
    </tr>
  );
}

/** "init main init.c:45", or as near as is known; of the source file its name alone. */
function placeOf(event: FilmEvent): string {
  if (!event.pc) return '';
  if (!event.line) return event.symbol || hex(event.pc);
  return `${event.symbol.replace(/\+0x[0-9a-f]+$/, '')} ${event.line.slice(event.line.lastIndexOf('/') + 1)}`.trimStart();
}

function line(event: FilmEvent, view: View): string {
  const { t } = view;
  const entries = event.kind === 'fault' && event.after !== 0n ? `  ${t.film.before} ${hex(event.before, 16)} ${flagsOf(event.before)}  ${t.film.after} ${hex(event.after, 16)} ${flagsOf(event.after)}` : '';
  const pc = event.pc ? `  ${t.film.pc} ${placeOf(event)}` : '';
  return `${seconds(event, timebase(view))} ${t.hart} ${event.hart}  ${event.pid} ${event.name}  ${what(event, view)}  ${hex(event.va)}${pc}${event.cost ? `  ${event.cost} ${t.film.cycles}` : ''}${entries}`;
}

function save(name: string, type: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
