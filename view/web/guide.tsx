/* The guided walks: predict, do, see, prove (docs/walks.md). What is typed goes to the guest's console, what is claimed is proved here. */
import { useEffect, useState } from 'preact/hooks';
import type { WalkJson, WalkStepJson, WalkTexts } from '../walks/prove.ts';
import { useView, type View } from './context.ts';
import { commandFor, misfit, wantedArguments, type Misfit, type Running } from './fitting.ts';
import { size } from './format.ts';
import { formatLink } from './link.ts';
import { Empty, Twin } from './parts.tsx';
import { ENTER, holds, type Asked, type StepTaken, type Taken } from './taken.ts';

/** Characters of an answer that are shown; a table can be much longer. */
const SHOWN = 20_000;

export function GuideView() {
  const { model, place, t } = useView();
  useEffect(() => model.askWalks(), [model.connection]);
  if (model.connection === 'kept') return <Empty>{t.guide.kept}</Empty>;
  if (!model.walks) return <Empty>…</Empty>;
  const walk = model.walks.find((one) => one.name === place.walk);
  if (walk) return <Walk walk={walk} key={walk.name} />;
  return <List walks={model.walks} />;
}

function textsOf(walk: WalkJson, view: View): WalkJson['languages'][string] {
  return walk.languages[view.place.lang] ?? walk.languages['en']!;
}

/** The walk on its way, if it is this one. */
function takenOf(walk: WalkJson, view: View): Taken | null {
  return view.model.taken?.walk === walk ? view.model.taken : null;
}

function runningMachine({ model, state }: View): Running {
  return { ram: model.hello?.ram ?? 0, harts: state.harts.length, bootargs: model.hello?.bootargs ?? null };
}

function mark(taken: StepTaken | undefined): string {
  if (!taken) return '○';
  if (taken.phase === 'taking') return '…';
  return holds(taken) ? '✓' : '✗';
}

// ---- the list ----

function List({ walks }: { walks: WalkJson[] }) {
  const view = useView();
  const { place, t } = view;
  const other = (walk: WalkJson) => walk.steps.some((_, i) => misfit(walk, i, runningMachine(view)));
  return (
    <div class="guide">
      <h2>{t.guide.title}</h2>
      <p class="help">{walks.length ? t.guide.help : t.guide.noWalks}</p>
      {place.walk !== '' && <p class="bad" role="alert">{t.guide.unknown(place.walk)}</p>}
      <ul class="walks">
        {walks.map((walk) => (
          <li key={walk.name} data-walk={walk.name}>
            <a href={formatLink({ ...place, walk: walk.name, step: 1 })}>{textsOf(walk, view).title}</a>{' '}
            <code>{walk.name}</code> <span class="fine">{t.guide.steps(walk.steps.length)}{other(walk) ? ` · ${t.guide.otherShort}` : ''}</span>
          </li>
        ))}
      </ul>
      <Twin name="guide" text={() => [t.guide.title, ...walks.map((walk) => `${walk.name}: ${textsOf(walk, view).title}${other(walk) ? ` (${t.guide.otherShort})` : ''}`)].join('\n') + '\n'} />
    </div>
  );
}

// ---- one walk ----

function Walk({ walk }: { walk: WalkJson }) {
  const view = useView();
  const { model, place, t, go } = view;
  const index = Math.min(place.step, walk.steps.length) - 1;
  const taken = takenOf(walk, view);
  const texts = textsOf(walk, view);
  const again = () => {
    model.begin(walk);
    go({ step: 1 });
  };
  return (
    <div class="guide" data-guide={walk.name}>
      <p><a href={formatLink({ ...place, walk: '', step: 1 })}>{t.guide.back}</a></p>
      <h2>{texts.title}</h2>
      <ol class="way">
        {walk.steps.map((step, i) => (
          <li key={step.name}>
            <a href={formatLink({ ...place, step: i + 1 })} aria-current={i === index ? 'step' : undefined}><span aria-hidden="true">{mark(taken?.steps[i])}</span> {i + 1}. {step.name}</a>
          </li>
        ))}
      </ol>
      <Machine walk={walk} index={index} view={view} />
      <Step walk={walk} index={index} key={`${walk.name} ${index}`} />
      <p class="buttons">
        <button type="button" data-do="previous" disabled={index === 0} onClick={() => go({ step: index })}>{t.guide.previous}</button>{' '}
        <button type="button" data-do="next" disabled={index + 1 === walk.steps.length} onClick={() => go({ step: index + 2 })}>{t.guide.next}</button>{' '}
        <button type="button" data-do="again" disabled={!taken || taken.busy} onClick={again}>{t.guide.again}</button>{' '}
        {taken?.lingers && <button type="button" data-do="end" onClick={() => taken.end()}>{t.guide.end}</button>}
      </p>
      <details>
        <summary>{t.guide.why}</summary>
        <div class="prose">{texts.prose.replace(/^#+ /gm, '')}</div>
      </details>
    </div>
  );
}

function Machine({ walk, index, view }: { walk: WalkJson; index: number; view: View }) {
  const { t } = view;
  const found = misfit(walk, index, runningMachine(view));
  return (
    <section aria-label={t.guide.machine} class={found ? 'other' : ''} data-machine-fits={found ? 'no' : 'yes'}>
      {machineText(walk, index, view, found).map((line) => <p key={line} class={found ? '' : 'fine'}>{line}</p>)}
    </section>
  );
}

function machineText(walk: WalkJson, index: number, view: View, found: Misfit | null): string[] {
  const { t } = view;
  const running = runningMachine(view);
  const words = (text: string) => text || t.guide.noArguments;
  const lines = [
    `${t.guide.wants}: ${walk.machine.mem}, ${t.guide.harts(Number(walk.machine.harts))}, ${words(wantedArguments(walk, index).join(' '))}. `
      + `${t.guide.runs}: ${size(running.ram)}, ${t.guide.harts(running.harts)}, ${running.bootargs === null ? '?' : words(running.bootargs)}.`,
  ];
  if (!found) return lines;
  const why = [
    ...(found.small ? [t.guide.small] : []), ...(found.lacks.length ? [t.guide.lacks(found.lacks.join(' '))] : []), ...(found.has.length ? [t.guide.has(found.has.join(' '))] : []),
  ];
  return [...lines, t.guide.other(why.join(t.guide.and)), `${t.guide.forIt}: ${commandFor(walk, index)}`];
}

function Step({ walk, index }: { walk: WalkJson; index: number }) {
  const view = useView();
  const { model, t } = view;
  const [shown, setShown] = useState(false);
  const step = walk.steps[index]!;
  const texts = textsOf(walk, view).steps[step.name]!;
  const taken = takenOf(walk, view)?.steps[index];
  const answered = shown || taken?.phase === 'done';
  const take = () => void (takenOf(walk, view) ?? model.begin(walk)).take(index);
  const refused = refusal(walk, index, view);
  return (
    <>
      <section class="prediction" aria-label={t.guide.predict}>
        <h2>{t.guide.step(index + 1, walk.steps.length)}. {t.guide.predict}</h2>
        <p class="ask">{texts.ask}</p>
        {answered ? <p data-answer><b>{t.guide.answer}:</b> {texts.answer}</p> : <button type="button" data-do="answer" onClick={() => setShown(true)}>{t.guide.show}</button>}
      </section>
      {!taken && (
        <p>
          <button type="button" data-do="take" disabled={refused !== ''} onClick={take}>{step.do === null ? t.guide.look : t.guide.doIt(doText(step, view))}</button>{' '}
          <span class="fine">{refused}</span>
        </p>
      )}
      {taken?.phase === 'taking' && <p role="status">{step.do !== null && taken.asked.length === 0 ? t.guide.waiting(step.wait ?? '') : t.guide.asking}</p>}
      {taken?.line && <p>{t.guide.said}: <code>{taken.line}</code></p>}
      {taken && taken.asked.length > 0 && (
        <section aria-label={t.guide.see}>
          <h2>{t.guide.see}</h2>
          <div class="answers">{taken.asked.map((asked) => <Answer key={asked.name} asked={asked} view={view} />)}</div>
        </section>
      )}
      {taken && <Verdict taken={taken} texts={texts} view={view} />}
      <Twin name="guide" text={() => stepText(walk, index, view, answered)} />
    </>
  );
}

function doText(step: WalkStepJson, { t }: View): string {
  return step.do === ENTER ? t.guide.enterKey : step.do ?? '';
}

/** Why the step cannot be taken now; empty when it can. */
function refusal(walk: WalkJson, index: number, view: View): string {
  const { model, t } = view;
  const taken = takenOf(walk, view);
  if (model.taken?.busy) return t.guide.busy;
  if (model.machine !== 'running' && walk.steps[index]!.do !== null) return t.guide.stands;
  if (!taken) return index === 0 || walk.steps[index]!.boot !== null ? '' : t.guide.first(index);
  if (taken.ready(index)) return '';
  return taken.steps[index - 1]?.phase === 'astray' ? t.guide.afresh : t.guide.first(index);
}

function Answer({ asked, view }: { asked: Asked; view: View }) {
  return (
    <details open data-asked={asked.name}>
      <summary><b>{asked.name}</b> = <code>{asked.words.join(' ')}</code></summary>
      <pre class="data" tabIndex={0} aria-label={asked.name}>{cut(asked.text, view)}</pre>
    </details>
  );
}

function cut(text: string, { t }: View): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}\n${t.guide.more(text.length - SHOWN)}`;
}

function Verdict({ taken, texts, view }: { taken: StepTaken; texts: WalkTexts; view: View }) {
  const { t } = view;
  if (taken.why) return <p class="result fault" role="status" data-verdict="astray">{t.guide.astray} {t.guide.astrayWhy[taken.why.code](taken.why.message)}</p>;
  if (taken.phase !== 'done') return null;
  const good = holds(taken);
  return (
    <section class={`result ${good ? 'good' : 'fault'}`} role="status" aria-label={t.guide.verdict} data-verdict={good ? 'holds' : 'fails'}>
      <h2><span aria-hidden="true">{good ? '✓' : '✗'}</span> {good ? t.guide.holds : t.guide.fails}</h2>
      <p>{good ? texts.proof : texts.wrong}</p>
      <ul class="claims">
        {taken.proofs.map((proof) => (
          <li key={proof.text} class={proof.holds ? 'pass' : 'fail'} data-claim={proof.holds ? 'holds' : 'fails'}>
            <span role="img" aria-label={proof.holds ? t.walk.pass : t.walk.fail}>{proof.holds ? '✓' : '✗'}</span> <code>{proof.text}</code>{proof.why && <>: {proof.why}</>}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The same as is shown, for reading and listening. */
function stepText(walk: WalkJson, index: number, view: View, answered: boolean): string {
  const { t } = view;
  const step = walk.steps[index]!;
  const all = textsOf(walk, view);
  const texts = all.steps[step.name]!;
  const taken = takenOf(walk, view)?.steps[index];
  const lines = [
    all.title, ...machineText(walk, index, view, misfit(walk, index, runningMachine(view))), `${t.guide.step(index + 1, walk.steps.length)}: ${step.name}`,
    `${t.guide.predict}: ${texts.ask}`, ...(answered ? [`${t.guide.answer}: ${texts.answer}`] : []),
    ...(step.do === null ? [] : [t.guide.doIt(doText(step, view))]), ...(taken?.line ? [`${t.guide.said}: ${taken.line}`] : []),
    ...(taken?.asked ?? []).map((asked) => `${asked.name} = ${asked.words.join(' ')}\n${cut(asked.text, view).trimEnd()}`),
  ];
  if (taken?.why) lines.push(`${t.guide.astray} ${t.guide.astrayWhy[taken.why.code](taken.why.message)}`);
  if (taken?.phase === 'done') {
    lines.push(`${holds(taken) ? t.guide.holds : t.guide.fails}: ${holds(taken) ? texts.proof : texts.wrong}`);
    lines.push(...taken.proofs.map((proof) => `${proof.holds ? '✓' : '✗'} ${proof.text}${proof.why && `: ${proof.why}`}`));
  }
  return lines.join('\n') + '\n';
}
