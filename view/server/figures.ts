/* How the benchmark prints what it has measured. */

const NAME = 12;
const FIGURES = 54;

/** Mean, which is what it costs over time; median, 90 %, most. */
export function spread(values: number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
  const parts = [0.5, 0.9, 1].map((part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0);
  return [mean, ...parts].map((value) => value.toFixed(digits)).join(' / ');
}

export function rowOf(name: string, ...figures: string[]): string {
  return `${name.padEnd(NAME)}${figures.map((text) => text.padEnd(FIGURES)).join('').trimEnd()}\n`;
}
