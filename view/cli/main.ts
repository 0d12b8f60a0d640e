/* ./vitrine x: what a running machine's memory says, on the command line. */
import { ElfError, LayoutError } from '../core/index.ts';
import { COMMANDS } from './commands.ts';
import { parseOptions, UsageError } from './options.ts';
import { print } from './output.ts';
import { openSource, SourceError } from './source.ts';

const USAGE = `usage: ./vitrine x COMMAND [options]

Looks at a running machine (./vitrine run --watch) or at a dump. Nothing is asked of the machine: its RAM is read.

  ps                  processes and kernel threads
  maps PID            the VMAs, as /proc/PID/maps has them
  walk PID ADDR       one translation, step by step; ADDR may be a symbol of the kernel, PID may be "kernel"
  pt PID              the page table, as /proc/PID/pagetable has it; --all: with the kernel's half
  frames [PFN]        what memory is used for; one frame: its owner, its references, all that show it
  share [PID [PID]]   frames that processes share; of two: which
  faults [-f]         the page faults in the event rings, explained; -f: as they come; --pid PID; --all: other events too
  diff                what changes within --seconds N (1)
  check               the invariants of tables and frames; exit status 1 when one is broken
  dmesg               the kernel's log
  layout [WORD]       the kernel's layout note

  --access r|w|x      of walk: read (the default), write, execute
  --user, --kernel    of walk: in which mode (by default that of the address); of pt: whose root
  --json              the answer as JSON
  --lang en|zh-CN     the language of explanations
  --machine FILE      the machine's file (default $VITRINE_BUILD/run/machine.json)
  --dump FILE.elf     a dump instead
  --elf FILE          the kernel's ELF file, if not the one that the machine file names
  --program PATH=FILE of faults: the file of a program of the guest's, for names and lines (this tree's own are known)
  --satp VALUE        walk and pt on a guest that is no Vitrine, by this satp
`;

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help || !options.command) {
    process.stdout.write(USAGE);
    return options.help ? 0 : 2;
  }
  const command = Object.hasOwn(COMMANDS, options.command) ? COMMANDS[options.command] : undefined;
  if (!command) throw new UsageError(`no command "${options.command}"; see ./vitrine x --help`);
  return command(openSource(options), options, print);
}

/* A reader that has seen enough (head, less) is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const known = error instanceof UsageError || error instanceof SourceError || error instanceof ElfError || error instanceof LayoutError;
    process.stderr.write(`vitrine x: ${known ? error.message : error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
