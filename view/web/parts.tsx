/* Small parts that the views share. */
import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { hex } from '../core/index.ts';
import { useView } from './context.ts';

/** What is drawn again only when something of `by` is another: most of a page is the same from tick to tick. */
export function Steady({ by, children }: { by: readonly unknown[]; children: () => ComponentChildren }) {
  return <>{useMemo(children, by)}</>;
}

/** The text beside a picture: the same content for whoever reads or listens. It is made only while it is open. */
export function Twin({ name, text }: { name: string; text: () => string }) {
  const { place, t, go } = useView();
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text()).then(() => setCopied(true));
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <details class="twin" open={place.text} onToggle={(e) => e.currentTarget.open !== place.text && go({ text: e.currentTarget.open })}>
      <summary>{t.asText}</summary>
      {place.text && (
        <div class="twin-body">
          <button type="button" onClick={copy}>{copied ? t.copied : t.copy}</button>
          <pre tabIndex={0} data-twin={name} aria-label={`${t.asText}: ${t.views[place.view]}`}>{text()}</pre>
        </div>
      )}
    </details>
  );
}

/** A physical address that leads to its frame. */
export function FrameLink({ pa, children }: { pa: number; children?: ComponentChildren }) {
  const { go } = useView();
  return <button type="button" class="link mono" onClick={() => go({ view: 'frames', frame: pa - (pa % 4096) })}>{children ?? hex(pa)}</button>;
}

/** A virtual address that leads to its translation. */
export function AddressLink({ pid, vpn, va }: { pid: number; vpn?: number; va?: bigint }) {
  const { go } = useView();
  const text = hex(va ?? BigInt(vpn ?? 0) << 12n);
  return <button type="button" class="link mono" onClick={() => go({ view: 'walk', pid, va: text })}>{text}</button>;
}

export function Choice<T extends string>({ label, value, options, onChange }: {
  label: string;
  value: T;
  options: readonly { value: T; text: string }[];
  onChange: (value: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      {options.map((option) => (
        <label key={option.value} class={option.value === value ? 'on' : ''}>
          <input type="radio" checked={option.value === value} onChange={() => onChange(option.value)} />
          {option.text}
        </label>
      ))}
    </fieldset>
  );
}

/** A word where a view has nothing to show. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
