/* Functions of user programs: where the host has the file that the guest runs, and it has symbols. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { elfSegments, PT_LOAD, type ElfSegment } from '../core/elf.ts';
import { Symbols } from '../core/index.ts';

interface Program {
  segments: ElfSegment[];
  symbols: Symbols;
}

export class Programs {
  private readonly files = new Map<string, string>();
  private readonly read = new Map<string, Program | null>();

  /** named: "NAME=FILE" each; NAME is the last part of the path in the guest. */
  constructor(named: string[]) {
    for (const one of named) {
      const at = one.indexOf('=');
      if (at > 0) this.files.set(one.slice(0, at), one.slice(at + 1));
    }
  }

  /** "init+0x10400", or with symbols "init main+0x12". offset: in the file. */
  describe(guestPath: string, offset: number): string {
    const name = path.posix.basename(guestPath);
    const program = this.program(name);
    const segment = program?.segments.find((s) => s.type === PT_LOAD && offset >= s.offset && offset < s.offset + s.fileSize);
    const symbol = segment && program?.symbols.describe(segment.vaddr + BigInt(offset - segment.offset));
    return symbol ? `${name} ${symbol}` : `${name}+0x${offset.toString(16)}`;
  }

  private program(name: string): Program | null {
    const known = this.read.get(name);
    if (known !== undefined) return known;
    const file = this.files.get(name);
    const program = file === undefined ? null : load(file);
    this.read.set(name, program);
    return program;
  }
}

/** null: no program for this machine. What it has wrong is its own affair. */
function load(file: string): Program | null {
  try {
    const bytes = new Uint8Array(readFileSync(file));
    return { segments: elfSegments(bytes), symbols: Symbols.fromElf(bytes) };
  } catch {
    return null;
  }
}
