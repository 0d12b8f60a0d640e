/* One translation, step by step: the bits of the address, each entry that is read, each check, and how it ends. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { hex, type Reason, type WalkResult, type WalkStep } from '../core/index.ts';
import type { WalkAnswer } from '../shared/protocol.ts';
import { useView, type View } from './context.ts';
import { flagsOf } from './format.ts';
import { Choice, Empty, FrameLink, Twin } from './parts.tsx';
import { pastAnswer, type PastAnswer } from './past.ts';

/** The engine's words begin with the indices and the root, and have a line for each step: those are drawn. */
const FIRST_WORDS = 2;

type Guess = 'ok' | 'fault';

export function WalkView() {
  const view = useView();
  const { model, place, t, go } = view;
  const [predict, setPredict] = useState(false);
  const [guess, setGuess] = useState<Guess | null>(null);
  const live = model.walk && fits(model.walk, view) ? model.walk : null;
  const answer: WalkAnswer | PastAnswer | null = useMemo(() => (place.at !== null || model.connection === 'kept' ? inThePast(view, live) : live), [view.state, place, live, model.connection]);
  useEffect(() => setGuess(null), [place.va, place.pid, place.acc, place.mode, predict]);
  const hidden = predict && guess === null;
  return (
    <div class="walk">
      <Question view={view} predict={predict} setPredict={setPredict} />
      {place.va === '' && <Empty>{t.walk.enter}</Empty>}
      {answer && 'lost' in answer && answer.lost && <p class="bad" role="alert">{t.walk.lost}</p>}
      {answer?.error && <p class="bad" role="alert">{t.walk.wrong(answer.error)}</p>}
      {answer?.result && (
        <>
          <Bits result={answer.result} view={view} />
          {answer.where && answer.result.va >> 63n !== 0n && <p><span class="fine">{t.walk.where}:</span> {answer.where}</p>}
          {hidden ? <Prediction view={view} onGuess={setGuess} /> : <Steps view={view} answer={answer} guess={predict ? guess : null} go={go} />}
          {!hidden && <Twin name="walk" text={() => walkText(view, answer)} />}
        </>
      )}
    </div>
  );
}

/** From what is kept: the machine is elsewhere by now. */
function inThePast({ model, place, state }: View, live: WalkAnswer | null): PastAnswer | null {
  if (place.va === '' || (place.at !== null && !model.history)) return null;
  const asked = { pid: place.pid ?? 0, expr: place.va, access: place.acc, mode: place.mode };
  return pastAnswer(state, asked, { kernel: model.beside.kernelAt(state.seq, state.levels), symbols: model.symbols, live }, place.lang);
}

/** Is this the answer to what is asked now, not to the question before? */
function fits(answer: WalkAnswer, { place }: View): boolean {
  return answer.expr === place.va && answer.access === place.acc && answer.mode === place.mode;
}

function Question({ view, predict, setPredict }: { view: View; predict: boolean; setPredict: (on: boolean) => void }) {
  const { place, state, t, go } = view;
  const [text, setText] = useState(place.va);
  useEffect(() => setText(place.va), [place.va]);
  const submit = (event: Event) => {
    event.preventDefault();
    go({ va: text.trim().slice(0, 200) });
  };
  return (
    <form class="question" onSubmit={submit}>
      <label>
        {t.pid}
        <select value={String(place.pid ?? 0)} onChange={(e) => go({ pid: Number(e.currentTarget.value) })}>
          <option value="0">{t.kernel}</option>
          {state.processes.filter((p) => p.aspace !== 0).map((p) => <option key={p.pid} value={String(p.pid)}>{p.pid} {p.name}</option>)}
        </select>
      </label>
      <label>
        {t.walk.expr}
        <input class="mono" name="va" value={text} placeholder={t.walk.exprHelp} autocomplete="off" spellcheck={false} onInput={(e) => setText(e.currentTarget.value)} />
      </label>
      <button type="submit">{t.walk.go}</button>
      <Choice
        label={t.walk.access} value={place.acc} onChange={(acc) => go({ acc })}
        options={[{ value: 'r', text: t.walk.r }, { value: 'w', text: t.walk.w }, { value: 'x', text: t.walk.x }]}
      />
      <Choice
        label={t.walk.mode} value={place.mode} onChange={(mode) => go({ mode })}
        options={[{ value: 'user', text: t.walk.user }, { value: 'kernel', text: t.walk.kernelMode }]}
      />
      <label class="check"><input type="checkbox" checked={predict} onChange={(e) => setPredict(e.currentTarget.checked)} />{t.walk.predict}</label>
    </form>
  );
}

/** Nine bits for each level, twelve for the place in the page. */
function Bits({ result, view }: { result: WalkResult; view: View }) {
  const { t } = view;
  const bits = BigInt.asUintN(64, result.va).toString(2).padStart(64, '0');
  const used = 12 + 9 * result.levels;
  const parts = result.indices.map((index, i) => ({
    bits: bits.slice(64 - used + 9 * i, 64 - used + 9 * i + 9), label: t.walk.levelIndex(result.levels - 1 - i), value: String(index), kind: `level${result.levels - 1 - i}`,
  }));
  return (
    <section aria-label={t.walk.bits}>
      <h2>{t.walk.bits} <span class="mono">{hex(result.va)}</span></h2>
      <ol class="bits">
        <li class={result.canonical ? 'upper' : 'upper wrong'}><code>{bits.slice(0, 3)}…{bits.slice(64 - used - 3, 64 - used)}</code><span>{t.walk.upper}</span><b>{64 - used}</b></li>
        {parts.map((part) => <li key={part.kind} class={part.kind}><code>{part.bits}</code><span>{part.label}</span><b>{part.value}</b></li>)}
        <li class="offset"><code>{bits.slice(52)}</code><span>{t.walk.offset}</span><b>{hex(result.offset)}</b></li>
      </ol>
    </section>
  );
}

function Prediction({ view, onGuess }: { view: View; onGuess: (guess: Guess) => void }) {
  const { t } = view;
  return (
    <section class="prediction">
      <h2>{t.walk.predictAsk}</h2>
      <button type="button" onClick={() => onGuess('ok')}>{t.walk.predictOk}</button>{' '}
      <button type="button" onClick={() => onGuess('fault')}>{t.walk.predictFault}</button>
    </section>
  );
}

function Steps({ view, answer, guess, go }: { view: View; answer: WalkAnswer; guess: Guess | null; go: View['go'] }) {
  const { t } = view;
  const result = answer.result!;
  const fine = result.cause === null;
  return (
    <>
      <ol class="steps">{result.steps.map((step) => <Step key={step.level} step={step} view={view} />)}</ol>
      <section class={`result ${fine ? 'good' : 'fault'}`} aria-label={t.walk.result} data-result={result.reason}>
        {guess && <p><b>{(guess === 'ok') === fine ? t.walk.right : t.walk.notRight}</b></p>}
        <h2><span aria-hidden="true">{fine ? '✓' : '✗'}</span> {answer.words?.title}</h2>
        {answer.words?.lines.slice(FIRST_WORDS + result.steps.length).map((line) => <p key={line}>{line}</p>)}
        {result.pa !== null && <p>{t.walk.physical} <b class="mono">{hex(result.pa)}</b> <button type="button" onClick={() => go({ view: 'frames', frame: result.pa! - (result.pa! % 4096) })}>{t.walk.toFrame}</button></p>}
        {fine && (result.sets.a || result.sets.d) && <p class="fine">{t.walk.sets}: {[result.sets.a && 'A', result.sets.d && 'D'].filter(Boolean).join(', ')}</p>}
      </section>
    </>
  );
}

function Step({ step, view }: { step: WalkStep; view: View }) {
  const { t } = view;
  return (
    <li class={`step level${step.level}`}>
      <h3>{t.tree.level(step.level)}</h3>
      <p class="fine">{t.walk.read(hex(step.table), step.index)} = <code>{hex(step.slot)}</code></p>
      <dl>
        <dt>{t.walk.bytes}</dt><dd><code>{step.bytes ?? '–'}</code></dd>
        <dt>{t.tree.pte}</dt><dd><code>{step.pte === null ? '–' : hex(step.pte, 16)}</code></dd>
      </dl>
      <p>
        {step.pte !== null && <Flags pte={step.pte} />}
        {step.kind !== 'invalid' && step.kind !== 'unreadable' && <>→ <FrameLink pa={step.pa} /></>}
      </p>
      <ul class="checks">
        {step.checks.map((check) => <CheckPart key={check.code} code={check.code} pass={check.pass} view={view} />)}
      </ul>
    </li>
  );
}

function CheckPart({ code, pass, view }: { code: Reason; pass: boolean; view: View }) {
  const { t } = view;
  return <li class={pass ? 'pass' : 'fail'}><span role="img" aria-label={pass ? t.walk.pass : t.walk.fail}>{pass ? '✓' : '✗'}</span> {t.checks[code] ?? code}</li>;
}

function Flags({ pte }: { pte: bigint }) {
  return <code class="flags" aria-label={flagsOf(pte)}>{[...'DAGUXWRV'].map((letter, i) => <span key={letter} class={(pte >> BigInt(7 - i)) & 1n ? 'on' : ''}>{letter}</span>)}</code>;
}

function walkText(view: View, answer: WalkAnswer): string {
  const { t } = view;
  const result = answer.result!;
  const steps = result.steps.map((step) => [
    `${t.tree.level(step.level)}: ${t.walk.read(hex(step.table), step.index)} = ${hex(step.slot)}`,
    `  ${t.walk.bytes} ${step.bytes ?? '–'}  ${t.tree.pte} ${step.pte === null ? '–' : hex(step.pte, 16)}  ${step.flags}`,
    ...step.checks.map((check) => `  ${check.pass ? '✓' : '✗'} ${t.checks[check.code] ?? check.code}: ${check.pass ? t.walk.pass : t.walk.fail}`),
  ].join('\n'));
  return [
    `${hex(result.va)} ${t.walk[result.access]}, ${result.mode === 'user' ? t.walk.user : t.walk.kernelMode}`,
    ...(answer.where && result.va >> 63n !== 0n ? [`${t.walk.where}: ${answer.where}`] : []),
    `${result.indices.map((index, i) => `${t.walk.levelIndex(result.levels - 1 - i)}: ${index}`).join('  ')}  ${t.walk.offset}: ${hex(result.offset)}`,
    ...steps,
    `${t.walk.result}: ${answer.words?.title ?? ''}`,
    ...(answer.words?.lines ?? []),
    ...(result.pa === null ? [] : [`${t.walk.physical}: ${hex(result.pa)}`]),
  ].join('\n') + '\n';
}
