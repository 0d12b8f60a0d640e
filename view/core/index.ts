/*
 * The engine: what Vitrine's memory says, read from outside. Plain TypeScript, without Node or the DOM.
 *
 *   const machine = new Machine(memory, { kernel: elfBytes });
 *   if (machine.refresh()) {                       // has the kernel set up its tables yet?
 *     const now = takeSnapshot(machine);
 *     const found = walk(machine.memory, root, machine.levels, va, { access: 'r', mode: 'user' });
 *   }
 *
 * Nothing here throws on account of what is in the guest's memory, and every loop over it is bounded. What throws: a
 * kernel file or dump that is no ELF file (ElfError), one without a layout note, or a name that the note lacks
 * (LayoutError).
 *
 *   numbers.ts     pages, entries, satp             snapshot.ts   everything at one instant
 *   elf.ts         segments, notes, symbols         reverse.ts    frame → who shows it; sharing
 *   layout.ts      the layout note                  diff.ts       one instant to the next, as JSON; and back
 *   memory.ts      RAM in arrays and dumps          changes.ts    the same for readers
 *   machine.ts     kernel addresses, members        rings.ts      events, with their losses
 *   walk.ts        one translation                  check.ts      the invariants; lamp.ts: what of them to believe
 *                                                   books.ts, swapbooks.ts: the kernel's own counts
 *   tables.ts      whole trees, vmprint             explain.ts    words, of words/; log.ts: the kernel's own
 *   frames.ts, processes.ts, names.ts, pages.ts     what a snapshot is read with; lines.ts: source lines of addresses
 */
export * from './types.ts';
export { hex, PAGE_SHIFT, PAGE_SIZE, pteFlags, ptePa, satpParts, vaOf, vpnOf } from './numbers.ts';
export { ElfError, Symbols } from './elf.ts';
export { lineText, SourceLines, type SourceLine } from './lines.ts';
export { Layout, LayoutError } from './layout.ts';
export { arrayMemory, dumpMemory } from './memory.ts';
export { Machine } from './machine.ts';
export { rootOf, walk } from './walk.ts';
export { leafAt, tableTree, vmprint } from './tables.ts';
export { aspaceOf, mapsText, pidsByAspace, SnapshotReader, swappedPages, takeSnapshot } from './snapshot.ts';
export { frameInfo, mappingsOf, reverseMap, sharePairs } from './reverse.ts';
export { advance, apply, diff, emptyTree, snapshotFromJson, snapshotToJson, treeApply, treeDiff, type TreeChange } from './diff.ts';
export { RingReader } from './rings.ts';
export { check } from './check.ts';
export { Lamp, lampOfDump } from './lamp.ts';
export { kernelLog, logText } from './log.ts';
export { changes, explainAddress, explainEvent, explainFinding, explainProblem, explainWalk, say } from './explain.ts';
