/* The guest's console. A serial line knows no window size: programs expect 80 columns and 24 rows, so that is what it has. */
import { useEffect, useRef } from 'preact/hooks';
import { Terminal as Xterm, type ITheme } from '@xterm/xterm';
import type { Model } from './model.ts';

const LIGHT: ITheme = {
  background: '#fbfaf7', foreground: '#24292e', cursor: '#0b7285', cursorAccent: '#ffffff', selectionBackground: '#b8dfe6',
  black: '#24292e', red: '#b3261e', green: '#2b6a33', yellow: '#8a5a00', blue: '#1f5fa8', magenta: '#8a3a86', cyan: '#0b7285', white: '#5c6670',
  brightBlack: '#5c6670', brightRed: '#c4372e', brightGreen: '#357a3e', brightYellow: '#9a6700', brightBlue: '#2b6fbf', brightMagenta: '#9c4697', brightCyan: '#0f8499', brightWhite: '#24292e',
};
const DARK: ITheme = { background: '#14181c', foreground: '#d7dde2', cursor: '#58c4d6', selectionBackground: '#26505a' };

const COLUMNS = 80;
const ROWS = 24;

export function Terminal({ model, label, large }: { model: Model; label: string; large: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const xterm = useRef<Xterm | null>(null);
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const term = new Xterm({
      cols: COLUMNS, rows: ROWS, fontSize: 10, fontFamily: 'ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
      theme: dark.matches ? DARK : LIGHT, scrollback: 5000, screenReaderMode: true,
    });
    term.open(place.current!);
    term.onData((text) => model.send({ t: 'type', text }));
    model.attachConsole((data) => term.write(data), () => new Promise((resolve) => term.write('', resolve)));
    const recolour = () => {
      term.options.theme = dark.matches ? DARK : LIGHT;
    };
    dark.addEventListener('change', recolour);
    xterm.current = term;
    return () => {
      dark.removeEventListener('change', recolour);
      term.dispose();
    };
  }, [model]);
  useEffect(() => {
    const term = xterm.current;
    if (!term) return;
    term.options.fontSize = large ? 12 : 10;
    // The rows have their new height a moment later; only a move makes the viewport follow.
    setTimeout(() => {
      term.scrollLines(-1);
      term.scrollToBottom();
    }, 100);
  }, [large]);
  return (
    <section class="guest" aria-label={label}>
      <div ref={place} />
    </section>
  );
}
