/* The command line of ./vitrine x, taken apart. */

export class UsageError extends Error {}

export interface Options {
  command: string;
  words: string[];
  json: boolean;
  help: boolean;
  lang: 'en' | 'zh-CN';
  machine: string | null;
  dump: string | null;
  /** The kernel's ELF file. */
  elf: string | null;
  satp: bigint | null;
  access: 'r' | 'w' | 'x';
  mode: 'user' | 'kernel' | null;
  all: boolean;
  follow: boolean;
  pid: number | null;
  seconds: number;
  /** "PATH=FILE": the program's in the guest, the same file here. */
  programs: string[];
}

const FLAGS = new Set(['--json', '--help', '-h', '--user', '--kernel', '--all', '-f', '--follow']);
const VALUES = new Set(['--lang', '--machine', '--dump', '--elf', '--satp', '--access', '--pid', '--seconds', '--program']);

export function parseOptions(argv: string[]): Options {
  const options: Options = {
    command: '', words: [], json: false, help: false, lang: 'en', machine: null, dump: null, elf: null, satp: null, access: 'r', mode: null, all: false,
    follow: false, pid: null, seconds: 1, programs: [],
  };
  for (let i = 0; i < argv.length; i++) {
    const [name, inline] = split(argv[i]!);
    if (FLAGS.has(name) && inline === null) setFlag(options, name);
    else if (VALUES.has(name)) {
      const value = inline ?? argv[++i];
      if (value === undefined) throw new UsageError(`${name} wants a value`);
      setValue(options, name, value);
    } else if (name.startsWith('-') && name !== '-') throw new UsageError(`no option ${name}; see ./vitrine x --help`);
    else if (!options.command) options.command = name;
    else options.words.push(argv[i]!);
  }
  if (options.machine && options.dump) throw new UsageError('--machine and --dump exclude each other');
  return options;
}

function split(arg: string): [string, string | null] {
  const at = arg.startsWith('--') ? arg.indexOf('=') : -1;
  return at < 0 ? [arg, null] : [arg.slice(0, at), arg.slice(at + 1)];
}

function setFlag(options: Options, name: string): void {
  if (name === '--json') options.json = true;
  else if (name === '--all') options.all = true;
  else if (name === '--user') options.mode = 'user';
  else if (name === '--kernel') options.mode = 'kernel';
  else if (name === '-f' || name === '--follow') options.follow = true;
  else options.help = true;
}

function setValue(options: Options, name: string, value: string): void {
  if (name === '--lang') {
    if (value !== 'en' && value !== 'zh-CN') throw new UsageError('--lang takes en or zh-CN');
    options.lang = value;
  } else if (name === '--access') {
    if (value !== 'r' && value !== 'w' && value !== 'x') throw new UsageError('--access takes r, w or x');
    options.access = value;
  } else if (name === '--machine') options.machine = value;
  else if (name === '--dump') options.dump = value;
  else if (name === '--elf') options.elf = value;
  else if (name === '--program') options.programs.push(value);
  else if (name === '--satp') options.satp = parseNumber(value);
  else if (name === '--pid') options.pid = parsePid(value);
  else options.seconds = parseSeconds(value);
}

/** 0x…, or decimal. */
export function parseNumber(text: string): bigint {
  if (!/^(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})$/.test(text)) throw new UsageError(`${text} is not a number: use 0x4000 or 16384`);
  const value = BigInt(text);
  if (value >> 64n) throw new UsageError(`${text} has more than 64 bits`);
  return value;
}

export function parsePid(text: string | undefined): number {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) throw new UsageError(text === undefined ? 'which PID?' : `${text} is not a PID`);
  return Number(text);
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86400)) throw new UsageError(`--seconds takes a number above 0, not ${text}`);
  return value;
}
