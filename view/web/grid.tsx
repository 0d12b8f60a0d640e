/*
 * Many small cells on a canvas: 512 entries of a table, a million frames. Only what can be seen is drawn. It is one stop for
 * the Tab key; arrows move a cursor, whose cell is told to screen readers.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { colour, isDark, pixel } from './palette.ts';

/** Below this size a cell is a plain block of colour, written as pixels. */
const PLAIN = 8;

export interface GridProps {
  name: string;
  label: string;
  count: number;
  /** Side of a cell in CSS pixels. */
  cell: number;
  /** Fixed, or as many as fit. */
  columns?: number;
  /** Of the part that is seen, at most. */
  height: number;
  /** Drawn again when it changes. */
  version: unknown;
  cursor: number;
  selected?: number;
  /** "#rrggbb" of a cell. */
  fill: (index: number) => string;
  /** What is drawn on top of a cell that is large enough. */
  mark?: (draw: CanvasRenderingContext2D, index: number, x: number, y: number, size: number) => void;
  describe: (index: number) => string;
  onCursor: (index: number) => void;
  onPick: (index: number) => void;
  onKey?: (key: string) => boolean;
}

export function Grid(props: GridProps) {
  const { count, cell, cursor } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [top, setTop] = useState(0);
  const columns = props.columns ?? Math.max(1, Math.floor(width / cell));
  const rows = Math.ceil(count / columns);
  const height = Math.min(props.height, rows * cell);

  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(scroller.current?.clientWidth ?? 0));
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (width > 0) paint(canvas.current!, props, columns, rows, top, height);
  }, [props.version, isDark(), width, top, height, cell, columns, count, cursor, props.selected]);
  useEffect(() => {
    const box = scroller.current!;
    const y = Math.floor(cursor / columns) * cell;
    if (y < box.scrollTop) box.scrollTop = y;
    else if (y + cell > box.scrollTop + box.clientHeight) box.scrollTop = y + cell - box.clientHeight;
  }, [cursor, columns, cell]);

  const indexAt = (event: MouseEvent): number | null => {
    const box = canvas.current!.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / cell);
    const index = Math.floor((event.clientY - box.top + top) / cell) * columns + column;
    return column >= 0 && column < columns && index >= 0 && index < count ? index : null;
  };
  const key = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns * 8, PageDown: columns * 8, Home: -count, End: count };
    const step = steps[event.key];
    if (step !== undefined) props.onCursor(Math.min(count - 1, Math.max(0, cursor + step)));
    else if (event.key === 'Enter' || event.key === ' ') props.onPick(cursor);
    else if (!props.onKey?.(event.key)) return;
    event.preventDefault();
  };
  return (
    <div class="grid">
      <div
        ref={scroller} class="scroller" style={{ maxHeight: `${props.height}px` }} tabIndex={0} role="application" aria-roledescription="grid" data-grid={props.name}
        aria-label={props.label} onKeyDown={key} onScroll={(e) => setTop(e.currentTarget.scrollTop)}
        onMouseMove={(e) => { const i = indexAt(e); if (i !== null && i !== cursor) props.onCursor(i); }}
        onClick={(e) => { const i = indexAt(e); if (i !== null) props.onPick(i); }}
      >
        <div style={{ height: `${rows * cell}px` }}>
          <canvas ref={canvas} aria-hidden="true" />
        </div>
      </div>
      <p class="cursor" aria-live="polite">{count > 0 ? props.describe(Math.min(cursor, count - 1)) : ''}</p>
    </div>
  );
}

function paint(canvas: HTMLCanvasElement, props: GridProps, columns: number, rows: number, top: number, height: number): void {
  const { cell, count } = props;
  const scale = Math.max(1, Math.round(devicePixelRatio));
  const width = columns * cell;
  if (canvas.width !== width * scale || canvas.height !== height * scale) {
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const draw = canvas.getContext('2d', { alpha: false })!;
  draw.setTransform(scale, 0, 0, scale, 0, 0);
  const firstRow = Math.floor(top / cell);
  const lastRow = Math.min(rows, Math.ceil((top + height) / cell));
  const first = firstRow * columns;
  const last = Math.min(count, lastRow * columns);
  const shift = firstRow * cell - top;
  if (cell < PLAIN) paintPixels(draw, props, columns, first, last, shift, scale, width, height);
  else {
    draw.fillStyle = colour('paper');
    draw.fillRect(0, 0, width, height);
    for (let i = first; i < last; i++) {
      const x = (i % columns) * cell;
      const y = Math.floor((i - first) / columns) * cell + shift;
      draw.fillStyle = props.fill(i);
      draw.fillRect(x, y, cell - 1, cell - 1);
      props.mark?.(draw, i, x, y, cell - 1);
    }
  }
  for (const [index, ink] of [[props.selected, 'accent'], [props.cursor, 'ink']] as const) {
    if (index === undefined || index < first || index >= last) continue;
    draw.strokeStyle = colour(ink);
    draw.lineWidth = 2;
    const out = cell < PLAIN ? 1 : 0;
    draw.strokeRect((index % columns) * cell + 1 - 2 * out, Math.floor((index - first) / columns) * cell + shift + 1 - 2 * out, cell - 3 + 4 * out, cell - 3 + 4 * out);
  }
}

/** Blocks of `cell` pixels with a gap of one where there is room for it: row by row, each copied down. */
function paintPixels(
  draw: CanvasRenderingContext2D, props: GridProps, columns: number, first: number, last: number, shift: number, scale: number, width: number, height: number,
): void {
  const image = draw.createImageData(width * scale, height * scale);
  const line = width * scale;
  const out = new Uint32Array(image.data.buffer).fill(pixel(colour('paper')));
  const side = props.cell * scale;
  const block = props.cell > 2 ? side - scale : side;
  const pixels = new Map<string, number>();
  for (let begin = first, y = Math.round(shift * scale); begin < last; begin += columns, y += side) {
    const top = Math.max(0, y);
    const bottom = Math.min(y + block, height * scale);
    if (top >= bottom) continue;
    for (let i = begin, at = top * line; i < Math.min(begin + columns, last); i++, at += side) {
      const text = props.fill(i);
      let value = pixels.get(text);
      if (value === undefined) pixels.set(text, (value = pixel(text)));
      out.fill(value, at, at + block);
    }
    for (let row = top + 1; row < bottom; row++) out.copyWithin(row * line, top * line, (top + 1) * line);
  }
  draw.putImageData(image, 0, 0);
}
