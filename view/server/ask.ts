/*
 * Queries of ./vitrine x that a page asks, answered by its commands in this process. A page gets at the machine that the server looks at and at
 * nothing else: no file, no dump, no other root than those of the machine's processes, and no command that has no end.
 */
import { COMMANDS } from '../cli/commands.ts';
import { parseOptions, UsageError, type Options } from '../cli/options.ts';
import { SourceError } from '../cli/source.ts';
import type { Machine } from '../core/index.ts';

/** What a guided walk asks (docs/walks.md). */
const ALLOWED: readonly string[] = ['ps', 'maps', 'walk', 'pt', 'frames', 'share', 'faults', 'check', 'layout'];
/** The table of a process that has all of a large machine is shorter. */
const LONGEST_ANSWER = 16 << 20;

export interface Answered {
  /** JSON; null: `error` says why there is none. */
  text: string | null;
  error: string;
}

/** Throws UsageError for what a page may not ask. */
function parseQuery(words: string[]): Options {
  const options = parseOptions(words);
  const { machine, dump, elf, satp, follow, help, programs } = options;
  if (!ALLOWED.includes(options.command) || machine !== null || dump !== null || elf !== null || satp !== null || follow || help || programs.length > 0)
    throw new UsageError(`a page cannot ask ${words.join(' ')}`);
  return { ...options, json: true };
}

/** still: the machine does not run, so that one look is enough. */
export async function answerQuery(machine: Machine, still: boolean, words: string[]): Promise<Answered> {
  const parts: string[] = [];
  try {
    const options = parseQuery(words);
    await COMMANDS[options.command]!({ machine, still, name: 'the machine' }, options, (text) => parts.push(text));
  } catch (error) {
    if (error instanceof UsageError || error instanceof SourceError) return { text: null, error: error.message };
    throw error;
  }
  const text = parts.join('');
  return text.length <= LONGEST_ANSWER ? { text, error: '' } : { text: null, error: `the answer has ${text.length} characters` };
}
