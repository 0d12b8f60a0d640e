/* The lamp's findings in words, each with a way to the frame or the address it is about. */
import { explainFinding, hex, type Finding } from '../core/index.ts';
import { useView } from './context.ts';
import { AddressLink, FrameLink, Twin } from './parts.tsx';

export function LampView() {
  const { lamp, place, t } = useView();
  const findings = lamp?.findings ?? [];
  const text = findings.length ? t.lamp.redLong(lamp!.total) : t.lamp.greenLong;
  return (
    <div class="lamp-view">
      <h2><span class={`lamp ${lamp?.colour ?? 'green'}`} aria-hidden="true">{findings.length ? '▲' : '●'}</span> {t.lamp.title}</h2>
      <p>{text}</p>
      <p class="help">{t.lamp.help}</p>
      <ol class="findings">
        {findings.map((finding, i) => (
          <li key={i} data-finding={finding.code}>
            {explainFinding(finding, place.lang)} <Place finding={finding} />
          </li>
        ))}
      </ol>
      <Twin name="lamp" text={() => [text, ...findings.map((finding) => `${finding.code}: ${explainFinding(finding, place.lang)}${finding.pfn === null ? '' : ` (${hex(finding.pfn * 4096)})`}`)].join('\n') + '\n'} />
    </div>
  );
}

function Place({ finding }: { finding: Finding }) {
  return (
    <>
      {finding.pfn !== null && <FrameLink pa={finding.pfn * 4096} />}{' '}
      {finding.vpn !== null && <AddressLink pid={finding.pid ?? 0} vpn={finding.vpn} />}
    </>
  );
}
