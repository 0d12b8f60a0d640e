/* What every view is given: the model, the place, the words, and how to go elsewhere. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { AspaceInfo, LampState, ProcessInfo, Snapshot } from '../core/types.ts';
import type { Place } from './link.ts';
import type { Model } from './model.ts';
import type { Words } from './words.ts';

export interface View {
  model: Model;
  place: Place;
  t: Words;
  /** The state that is shown: now, or the instant of the past that was chosen. */
  state: Snapshot;
  /** What the lamp said then. */
  lamp: LampState | null;
  /** The chosen process, if it is there. */
  process: ProcessInfo | null;
  aspace: AspaceInfo | null;
  go(change: Partial<Place>): void;
}

export const ViewContext = createContext<View | null>(null);

export function useView(): View {
  const view = useContext(ViewContext);
  if (!view) throw new Error('a view outside of the page');
  return view;
}
