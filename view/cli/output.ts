/* What the commands print: text, or JSON. */
import { hex } from '../core/index.ts';

/** bigint as "0x…", arrays of numbers as lists, maps as objects. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return hex(item);
    if (ArrayBuffer.isView(item) && !(item instanceof DataView)) return Array.from(item as unknown as ArrayLike<number>);
    if (item instanceof Map) return Object.fromEntries(item as Map<string, unknown>);
    return item;
  }, 2);
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(head: string[], rows: (string | number)[][]): string {
  const text = [head, ...rows.map((row) => row.map(String))];
  const right = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  const width = head.map((_, column) => Math.max(...text.map((row) => displayWidth(row[column] ?? ''))));
  return text.map((row) => row.map((cell, column) => {
    const space = ' '.repeat(width[column]! - displayWidth(cell));
    return right[column] ? space + cell : cell + space;
  }).join('  ').trimEnd() + '\n').join('');
}

/* A Chinese character takes two columns of a terminal. */
function displayWidth(text: string): number {
  let width = 0;
  for (const c of text) width += c >= '\u2e80' ? 2 : 1;
  return width;
}

/** Takes a command's answer, in one piece or in several. */
export type Print = (text: string) => void;

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') || !text ? text : text + '\n');
}
