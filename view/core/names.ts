/* What a VMA is called: as /proc/PID/maps has it (kernel/proc/procfs/maps.c, kernel/fs/path.c). */
import { Machine, Shape } from './machine.ts';
import { u64, viewOf, vpnOf } from './numbers.ts';
import type { PageCache } from './pages.ts';
import type { VmaKind } from './types.ts';

const DEEPEST = 64;
const LONGEST = 255;

/** Where a file is: its device as maps prints it, and its inode. */
interface FilePlace {
  dev: string;
  ino: number;
}

const NO_FILE: FilePlace = { dev: '00:00', ino: 0 };

export interface VmaName extends FilePlace {
  kind: VmaKind;
  name: string;
}

export class VmaNames {
  private readonly file;
  private readonly dentry;
  private readonly inode;
  private readonly mount;
  private readonly hashLink: number;
  private readonly superDev: number;
  private readonly rootMount: number;
  private readonly bits: Record<'READ' | 'WRITE' | 'EXEC' | 'SHARED' | 'STACK' | 'HEAP' | 'SPECIAL', number>;
  private readonly usyscall: number;

  constructor(private readonly machine: Machine, private readonly memory: PageCache) {
    const layout = machine.layout!;
    const bit = (name: string): number => Number(layout.constant('VMA_' + name));
    this.file = new Shape(layout, 'file', ['inode', 'path.mount', 'path.dentry']);
    this.dentry = new Shape(layout, 'dentry', ['hash_link', 'parent', 'name', 'len']);
    this.inode = new Shape(layout, 'inode', ['ino', 'sb']);
    this.mount = new Shape(layout, 'mount', ['root', 'parent', 'mountpoint']);
    this.hashLink = layout.offset('hlist_node.link');
    this.superDev = layout.offset('superblock.dev');
    this.rootMount = machine.addressOf('root_mount');
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
      const { path, dev, ino } = this.memory.keep(`file ${file}`, () => this.fileOf(file));
      return { kind: flags & b.EXEC ? 'text' : flags & b.WRITE && !(flags & b.SHARED) ? 'data' : 'file', name: path, dev, ino };
    }
    if (start === this.usyscall) return { kind: 'usyscall', name: '[usyscall]', ...NO_FILE };
    if (flags & b.SPECIAL) return flags & b.EXEC ? { kind: 'vdso', name: '[vdso]', ...NO_FILE } : { kind: 'vvar', name: '[vvar]', ...NO_FILE };
    if (flags & b.STACK) return { kind: 'stack', name: '[stack]', ...NO_FILE };
    if (flags & b.HEAP) return { kind: 'heap', name: '[heap]', ...NO_FILE };
    return { kind: flags & b.SHARED ? 'shared' : 'anon', name: '', ...NO_FILE };
  }

  private fileOf(pa: number): FilePlace & { path: string } {
    const v = this.file.read(this.memory, pa);
    if (!v) return { path: '?', ...NO_FILE };
    const dentry = this.machine.pointer(v, this.file.at['path.dentry']);
    const path = this.path(this.machine.pointer(v, this.file.at['path.mount']), dentry);
    return { path: this.isGone(dentry) ? path + ' (deleted)' : path, ...this.place(this.machine.pointer(v, this.file.at.inode)) };
  }

  private place(inode: number): FilePlace {
    const v = this.inode.read(this.memory, inode);
    if (!v) return NO_FILE;
    const sb = this.machine.pointer(v, this.inode.at.sb);
    const number = sb > 0 ? this.memory.read(sb + this.superDev, 4) : null;
    return { dev: number ? deviceText(viewOf(number).getUint32(0, true)) : NO_FILE.dev, ino: u64(v, this.inode.at.ino) };
  }

  private isRoot(mount: number): boolean {
    const root = this.memory.read(this.rootMount, 8);
    return root !== null && this.machine.pointer(viewOf(root), 0) === mount;
  }

  /* Of no directory any more: it has left the hash of names, where roots never are (dentry_is_hashed). */
  private isGone(dentry: number): boolean {
    const d = this.dentry.read(this.memory, dentry);
    return d !== null && this.machine.pointer(d, this.dentry.at.parent) !== dentry && this.machine.pointer(d, this.dentry.at.hash_link + this.hashLink) === 0;
  }

  /* Up to the root of the root mount. A mount's root goes on at the directory that it covers; one that covers none was taken off. */
  private path(mount: number, dentry: number): string {
    let text = '';
    for (let depth = 0; depth < DEEPEST; depth++) {
      const m = this.mount.read(this.memory, mount);
      const d = this.dentry.read(this.memory, dentry);
      if (!m || !d) return '?' + text;
      if (this.machine.pointer(m, this.mount.at.root) === dentry) {
        const parent = this.machine.pointer(m, this.mount.at.parent);
        if (parent === 0) return (this.isRoot(mount) ? '' : '(unreachable)') + (text || '/');
        dentry = this.machine.pointer(m, this.mount.at.mountpoint);
        mount = parent;
        continue;
      }
      const name = this.name(d);
      if (name === null) return '?' + text;
      const parent = this.machine.pointer(d, this.dentry.at.parent);
      if (parent === dentry || parent === 0) return text || '/';
      text = '/' + name + text;
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

/* Major and minor number of a dev_t, as the kernel's maps_line_show prints them. */
function deviceText(dev: number): string {
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}
