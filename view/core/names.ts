/* What a VMA is called: as /proc/PID/maps has it (kernel/proc/procfs/maps.c, kernel/fs/path.c). */
import { Machine, Shape } from './machine.ts';
import { u64, vpnOf } from './numbers.ts';
import type { PageCache } from './pages.ts';
import type { VmaKind } from './types.ts';

const DEEPEST = 64;
const LONGEST = 255;

export interface VmaName {
  kind: VmaKind;
  name: string;
  ino: number;
}

export class VmaNames {
  private readonly file;
  private readonly dentry;
  private readonly mount;
  private readonly bits: Record<'READ' | 'WRITE' | 'EXEC' | 'SHARED' | 'STACK' | 'HEAP' | 'SPECIAL', number>;
  private readonly usyscall: number;

  constructor(private readonly machine: Machine, private readonly memory: PageCache) {
    const layout = machine.layout!;
    const bit = (name: string): number => Number(layout.constant('VMA_' + name));
    this.file = new Shape(layout, 'file', ['inode', 'path.mount', 'path.dentry']);
    this.dentry = new Shape(layout, 'dentry', ['parent', 'name', 'len']);
    this.mount = new Shape(layout, 'mount', ['root', 'parent', 'mountpoint']);
    this.bits = {
      READ: bit('READ'), WRITE: bit('WRITE'), EXEC: bit('EXEC'), SHARED: bit('SHARED'), STACK: bit('STACK'), HEAP: bit('HEAP'), SPECIAL: bit('SPECIAL'),
    };
    this.usyscall = vpnOf(layout.constant('USER_USYSCALL'));
  }

  perms(flags: number): string {
    const b = this.bits;
    return (flags & b.READ ? 'r' : '-') + (flags & b.WRITE ? 'w' : '-') + (flags & b.EXEC ? 'x' : '-') + (flags & b.SHARED ? 's' : 'p');
  }

  of(start: number, flags: number, file: number): VmaName {
    const b = this.bits;
    if (file > 0) {
      const { path, ino } = this.memory.keep(`file ${file}`, () => this.fileName(file));
      return { kind: flags & b.EXEC ? 'text' : flags & b.WRITE && !(flags & b.SHARED) ? 'data' : 'file', name: path, ino };
    }
    if (start === this.usyscall) return { kind: 'usyscall', name: '[usyscall]', ino: 0 };
    if (flags & b.SPECIAL) return flags & b.EXEC ? { kind: 'vdso', name: '[vdso]', ino: 0 } : { kind: 'vvar', name: '[vvar]', ino: 0 };
    if (flags & b.STACK) return { kind: 'stack', name: '[stack]', ino: 0 };
    if (flags & b.HEAP) return { kind: 'heap', name: '[heap]', ino: 0 };
    return { kind: flags & b.SHARED ? 'shared' : 'anon', name: '', ino: 0 };
  }

  private fileName(pa: number): { path: string; ino: number } {
    const v = this.file.read(this.memory, pa);
    if (!v) return { path: '?', ino: 0 };
    const inode = this.machine.pointer(v, this.file.at.inode);
    const ino = inode > 0 ? this.memory.read(inode + this.machine.layout!.offset('inode.ino'), 8) : null;
    return {
      path: this.path(this.machine.pointer(v, this.file.at['path.mount']), this.machine.pointer(v, this.file.at['path.dentry'])),
      ino: ino ? u64(new DataView(ino.buffer, ino.byteOffset, 8), 0) : 0,
    };
  }

  /* Up to the root of the root mount. A mount's root goes on at the directory that it covers. */
  private path(mount: number, dentry: number): string {
    let text = '';
    for (let depth = 0; depth < DEEPEST; depth++) {
      const m = this.mount.read(this.memory, mount);
      const d = this.dentry.read(this.memory, dentry);
      if (!m || !d) return '?' + text;
      if (this.machine.pointer(m, this.mount.at.root) === dentry) {
        const parent = this.machine.pointer(m, this.mount.at.parent);
        if (parent === 0) return text || '/';
        dentry = this.machine.pointer(m, this.mount.at.mountpoint);
        mount = parent;
        continue;
      }
      const name = this.name(d);
      if (name === null) return '?' + text;
      const parent = this.machine.pointer(d, this.dentry.at.parent);
      text = '/' + name + text;
      if (parent === dentry || parent === 0) return text.slice(1); // of no tree: memfd and the like
      dentry = parent;
    }
    return '?' + text;
  }

  private name(d: DataView): string | null {
    const length = d.getUint32(this.dentry.at.len, true);
    const at = this.machine.pointer(d, this.dentry.at.name);
    if (length > LONGEST || at <= 0) return null;
    const bytes = this.memory.read(at, length);
    return bytes && new TextDecoder().decode(bytes);
  }
}
