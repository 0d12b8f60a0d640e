/* What tests reach beyond the engine's face. */
export * from '../core/index.ts';
export { translate } from '../core/walk.ts';

/** Bytes of a leaf. */
export function levelTest(level: number): bigint {
  return 4096n << BigInt(9 * level);
}
