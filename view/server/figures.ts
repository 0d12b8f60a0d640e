/* How the benchmark prints what it has measured. */

const NAME = 12;
const FIGURES = 54;

/** Median, 90 %, 99 %, most. */
export function spread(values: number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return [0.5, 0.9, 0.99, 1].map((part) => (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0).toFixed(digits)).join(' / ');
}

export function rowOf(name: string, ...figures: string[]): string {
  return `${name.padEnd(NAME)}${figures.map((text) => text.padEnd(FIGURES)).join('').trimEnd()}\n`;
}
