/* Functions and source lines of user programs: where the host has the file that the guest runs, and it has symbols and line tables. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { elfSegments, PT_LOAD, type ElfSegment } from '../core/elf.ts';
import { lineText, SourceLines, Symbols } from '../core/index.ts';

/** Where an instruction is. */
export interface CodePlace {
  /** "init main+0x12", or "init+0x10400"; empty: not known. */
  symbol: string;
  /** "user/init.c:45", or empty. */
  line: string;
}

export const NOWHERE: CodePlace = { symbol: '', line: '' };

class Program {
  private lines: SourceLines | null = null;

  constructor(readonly bytes: Uint8Array, private readonly segments: ElfSegment[], private readonly symbols: Symbols) {}

  /** The address that the file gives to what lies at this offset in it. */
  address(offset: number): bigint | null {
    const segment = this.segments.find((s) => s.type === PT_LOAD && offset >= s.offset && offset < s.offset + s.fileSize);
    return segment ? segment.vaddr + BigInt(offset - segment.offset) : null;
  }

  symbol(address: bigint): string | null {
    return this.symbols.describe(address);
  }

  line(address: bigint): string {
    this.lines ??= SourceLines.fromElf(this.bytes);
    return lineText(this.lines.find(address));
  }
}

export class Programs {
  private readonly files = new Map<string, string>();
  private readonly read = new Map<string, Program | null>();

  /** named: "PATH=FILE" each; PATH is the program's in the guest, FILE the same file here. */
  constructor(named: string[]) {
    for (const one of named) {
      const at = one.indexOf('=');
      if (at > 0) this.files.set(one.slice(0, at), one.slice(at + 1));
    }
  }

  /** The bytes of a program whose file is here: for whoever makes sure that the guest's is the same. */
  bytes(guestPath: string): Uint8Array | null {
    return this.program(guestPath)?.bytes ?? null;
  }

  /** same: the guest's file was seen to be the one that is here. offset: in the file. */
  describe(guestPath: string, offset: number, same: boolean): CodePlace {
    const name = path.posix.basename(guestPath);
    const program = same ? this.program(guestPath) : null;
    const address = program?.address(offset) ?? null;
    const symbol = address === null ? null : program!.symbol(address);
    return { symbol: symbol ? `${name} ${symbol}` : `${name}+0x${offset.toString(16)}`, line: address === null ? '' : program!.line(address) };
  }

  private program(guestPath: string): Program | null {
    const known = this.read.get(guestPath);
    if (known !== undefined) return known;
    const file = this.files.get(guestPath);
    const program = file === undefined ? null : load(file);
    this.read.set(guestPath, program);
    return program;
  }
}

/** null: no program for this machine. What it has wrong is its own affair. */
function load(file: string): Program | null {
  try {
    const bytes = new Uint8Array(readFileSync(file));
    return new Program(bytes, elfSegments(bytes), Symbols.fromElf(bytes));
  } catch {
    return null;
  }
}
