/* The lamp on a real machine: green when idle and when busy, red at planted bugs, green again when they are taken back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { aspaceOf, check, explainFinding, hex, Lamp, leafAt, reverseMap, swappedPages, takeSnapshot, type Finding, type FindingCode, type Machine, type Snapshot } from './reach.ts';
import { Console, machineFile, openMachine, poke, Qmp, sleep, until } from './guest.ts';

const file = machineFile();
let qmp: Qmp;
let shell: Console;
let machine: Machine;
let pid = 0;

before(async () => {
  machine = openMachine(file);
  qmp = await Qmp.open(file.qmp!);
  shell = await Console.open(file.console!);
  await until('the kernel', () => machine.refresh());
  pid = Number(/\d+/.exec(await shell.run('sleep 100000 & echo $!'))![0]);
});

after(() => {
  qmp.end();
  shell.end();
});

async function looks(lamp: Lamp, count: number, ms: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const state = lamp.look(machine, takeSnapshot(machine));
    assert.equal(state.colour, 'green', state.findings.slice(0, 3).map((f) => explainFinding(f, 'en')).join('; '));
    await sleep(ms);
  }
}

test('green on an idle machine, with nothing found at all', async () => {
  await sleep(300);
  const s = takeSnapshot(machine);
  assert.deepEqual(s.problems, []);
  assert.deepEqual(check(machine, s), []);
  await looks(new Lamp(), 5, 20);
});

test('green on a busy one', async () => {
  await shell.run('while :; do ls /bin /dev | sort | wc -l >/dev/null; cat /proc/self/maps >/dev/null; done &');
  await shell.run('while :; do (echo a; echo b) | cat | grep -c a >/dev/null; seq 1 500 | sort -r >/dev/null; done &');
  const lamp = new Lamp();
  await looks(lamp, 120, 50);
  assert.ok(lamp.state.counted > 10, `${lamp.state.counted} looks counted`);
  await shell.run('kill %2 %3; sleep 1');
});

function word(s: Snapshot, index: number): { slot: number; lo: number; hi: number } {
  const tree = s.trees.get(aspaceOf(s, pid)!.address)!;
  const { vpn, lo, hi } = tree.leaves;
  const t = tree.tables;
  for (let i = 0; i < t.count; i++)
    if (t.level[i] === 0 && t.vpn[i]! <= vpn[index]! && vpn[index]! < t.vpn[i]! + 512)
      return { slot: t.pa[i]! + 8 * (vpn[index]! - t.vpn[i]!), lo: lo[index]!, hi: hi[index]! };
  throw new Error('no table has the leaf');
}

function bytes(value: bigint, size = 8): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value, true);
  return out.slice(0, size);
}

/* Writes a bug into the memory of a process that sleeps, waits for the lamp, and takes the bug back. */
async function planted(what: string, code: FindingCode, plant: (s: Snapshot) => { pa: number; value: Uint8Array }): Promise<Finding> {
  const { pa, value } = plant(takeSnapshot(machine));
  const old = machine.memory.read(pa, value.length)!;
  const lamp = new Lamp();
  try {
    poke(file, pa, value);
    const found = await until(`red for ${what}`, async () => {
      await sleep(20);
      return lamp.look(machine, takeSnapshot(machine)).findings.find((f) => f.code === code);
    });
    assert.doesNotMatch(explainFinding(found, 'en') + explainFinding(found, 'zh-CN'), /\{|undefined/);
    return found;
  } finally {
    poke(file, pa, old);
    for (let i = 0; i < 3; i++) lamp.look(machine, takeSnapshot(machine));
    assert.equal(lamp.state.colour, 'green', `still red after ${what}: ${JSON.stringify(lamp.state.findings)}`);
  }
}

/* Its text: mapped, not writable, and nobody touches it while it sleeps. */
function textLeaf(s: Snapshot): number {
  const as = aspaceOf(s, pid)!;
  const text = as.vmas.find((v) => v.kind === 'text')!;
  const { leaves } = s.trees.get(as.address)!;
  for (let vpn = text.start; vpn < text.end; vpn++) if (leafAt(leaves, vpn) >= 0) return leafAt(leaves, vpn);
  throw new Error('no text is mapped');
}

function stackLeaf(s: Snapshot): number {
  const as = aspaceOf(s, pid)!;
  const stack = as.vmas.find((v) => v.kind === 'stack')!;
  return leafAt(s.trees.get(as.address)!.leaves, stack.end - 1);
}

test('red at a leaf that allows more than its VMA, at one without U, at a free or a kernel’s frame', async () => {
  const more = await planted('W in text', 'wx', (s) => {
    const { slot, lo } = word(s, textLeaf(s));
    return { pa: slot, value: bytes(BigInt(lo | 4), 4) };
  });
  assert.equal(more.pid, pid);
  await planted('X on the stack', 'wx', (s) => {
    const { slot, lo } = word(s, stackLeaf(s));
    return { pa: slot, value: bytes(BigInt(lo | 8), 4) };
  });
  await planted('no U', 'user-no-u', (s) => {
    const { slot, lo } = word(s, textLeaf(s));
    return { pa: slot, value: bytes(BigInt(lo & ~16), 4) };
  });
  for (const pick of ['indexOf', 'lastIndexOf'] as const) // the second has no metadata yet
    await planted('a free frame', 'mapped-free', (s) => {
      const free = s.frames.firstPfn + s.frames.kind[pick](2);
      const { slot, lo } = word(s, textLeaf(s));
      return { pa: slot, value: bytes((BigInt(free) << 10n) | BigInt(lo & 0x3ff)) };
    });
  await planted('a table as memory', 'mapped-kernel', (s) => {
    const { slot, lo } = word(s, textLeaf(s));
    return { pa: slot, value: bytes((BigInt(aspaceOf(s, pid)!.root / 4096) << 10n) | BigInt(lo & 0x3ff)) };
  });
  await planted('no RAM', 'leaf-outside', (s) => {
    const { slot, lo } = word(s, textLeaf(s));
    return { pa: slot, value: bytes((0x12345n << 10n) | BigInt(lo & 0x3ff)) };
  });
});

test('red at tables that are not as they must be', async () => {
  const table = (s: Snapshot, level: number): { slot: number; pa: number } => {
    const t = s.trees.get(aspaceOf(s, pid)!.address)!.tables;
    const i = t.level.indexOf(level);
    return { slot: t.slot[i]!, pa: t.pa[i]! };
  };
  await planted('A in a pointer', 'pointer-bits', (s) => {
    const { slot } = table(s, 0);
    return { pa: slot, value: bytes(BigInt(machine.memory.read(slot, 1)![0]! | 64), 1) };
  });
  await planted('a table outside', 'table-kind', (s) => ({ pa: table(s, 0).slot, value: bytes(1n) }));
  await planted('a table twice', 'table-twice', (s) => {
    const t = s.trees.get(aspaceOf(s, pid)!.address)!.tables;
    const level1 = [...t.level.keys()].find((i) => t.level[i] === 1)!;
    const empty = [...Array(512).keys()].find((i) => machine.memory.read(t.pa[level1]! + 8 * i, 1)![0] === 0)!;
    return { pa: t.pa[level1]! + 8 * empty, value: machine.memory.read(table(s, 0).slot, 8)! };
  });
  await planted('a leaf where no VMA is', 'leaf-no-vma', (s) => {
    const as = aspaceOf(s, pid)!;
    const index = textLeaf(s);
    const { slot, lo, hi } = word(s, index);
    const from = s.trees.get(as.address)!.leaves.vpn[index]!;
    const heap = as.vmas.find((v) => v.kind === 'heap')!;
    /* The first page of the 2 MiB of the text is below it: nothing is promised there. */
    assert.ok(from % 512 > 0 && heap.start > from);
    return { pa: slot - 8 * (from % 512), value: bytes((BigInt(hi) << 32n) | BigInt(lo)) };
  });
  await planted('a wrong count', 'table-count', (s) => {
    const as = aspaceOf(s, pid)!;
    return { pa: as.address + machine.layout!.offset('aspace.pt') + machine.layout!.offset('pagetable.nr_tables'), value: bytes(BigInt(as.nrTables + 1)) };
  });
  if (machine.isolating)
    await planted('roots that differ', 'roots-differ', (s) => ({ pa: aspaceOf(s, pid)!.userRoot + 8 * 300, value: bytes(1n) }));
});

test('red at frames that nobody has, and at counts that do not hold', async () => {
  const stackFrame = (s: Snapshot): number => {
    const { leaves } = s.trees.get(aspaceOf(s, pid)!.address)!;
    const i = stackLeaf(s);
    return (leaves.hi[i]! & 0x3fffff) * 0x400000 + (leaves.lo[i]! >>> 10);
  };
  await planted('no references', 'free-refs', (s) => ({ pa: frameAt(stackFrame(s), 'refs'), value: bytes(0n, 4) }));
  await planted('the kind of a free one', 'mapped-free', (s) => ({ pa: frameAt(stackFrame(s), 'kind'), value: bytes(machine.layout!.constant('FRAME_FREE'), 1) }));
  await planted('an unknown kind', 'structure', (s) => ({ pa: frameAt(stackFrame(s), 'kind'), value: bytes(0xeen, 1) }));
  await planted('a lost frame', 'leak', (s) => {
    const { users } = reverseMap(s); // not the page of zeroes, which processes show
    const { firstPfn, kind, refs, owner } = s.frames;
    const kernel = firstPfn + kind.findIndex((k, i) => k === 4 && refs[i] === 1 && owner[i] === 0 && users[i] === 0);
    return { pa: frameAt(kernel, 'kind'), value: bytes(machine.layout!.constant('FRAME_ANON'), 1) };
  });
  await planted('a wrong counter', 'free-count', () => {
    const pa = machine.addressOf('zone') + machine.layout!.offset('zone.listed');
    return { pa, value: bytes(BigInt(machine.number(pa, 8)! + 3)) };
  });
  await planted('a broken list of VMAs', 'structure', (s) => {
    const as = aspaceOf(s, pid)!;
    const pa = as.address + machine.layout!.offset('aspace.vmas') + machine.layout!.offset('vma_tree.tree') + machine.layout!.offset('tree.root');
    return { pa, value: bytes(BigInt('0xffffffc0') << 32n) };
  });
});

/* struct frame of a frame, in physical memory. */
function frameAt(pfn: number, member: string): number {
  return machine.physical(machine.layout!.constant('KVA_FRAMES') + BigInt(pfn * machine.layout!.size('frame')))! + machine.layout!.offset('frame.' + member);
}

/* A slab cache by its name: a physical address. Those of processes rest while nothing starts or ends. */
function cacheAt(name: string): number {
  const { layout } = machine;
  const size = layout!.size('slab_cache');
  const wanted = new TextEncoder().encode(name + '\0');
  for (let at = machine.addressOf('slab_caches'), n = machine.variable('nr_slab_caches', 4)!; n > 0; n--, at += size) {
    const pointer = new DataView(machine.memory.read(at + layout!.offset('slab_cache.name'), 8)!.buffer);
    if (Buffer.compare(machine.memory.read(machine.pointer(pointer, 0), wanted.length)!, wanted) === 0) return at;
  }
  throw new Error(`no cache ${name}`);
}

function bigAt(pa: number): bigint {
  return new DataView(machine.memory.read(pa, 8)!.buffer).getBigUint64(0, true);
}

/* First frames of a cache's slabs. */
function slabsOf(s: Snapshot, cache: number): number[] {
  const { firstPfn, kind, owner, order } = s.frames;
  return [...kind.keys()].filter((i) => kind[i] === 5 && owner[i] === cache && order[i] !== 255).map((i) => firstPfn + i);
}

test('red at slabs that are not as their caches say', async () => {
  const offset = (name: string): number => machine.layout!.offset(name);
  const more = (pa: number, by: number): { pa: number; value: Uint8Array } => ({ pa, value: bytes(bigAt(pa) + BigInt(by)) });
  const partial = offset('slab_cache.partial') + offset('list.next');
  const empty = (cache: number): bigint =>
    machine.layout!.address('slab_caches') + BigInt(cache - machine.addressOf('slab_caches') + offset('slab_cache.partial'));
  /* Two that have a slab with a free object. */
  const [cache, other] = ['sighand', 'process', 'task', 'aspace', 'pid', 'fdtable', 'siginfo'].map(cacheAt).filter((one) => bigAt(one + partial) !== empty(one));
  assert.ok(cache && other);
  await planted('a slab too many', 'slab-count', () => more(cache + offset('slab_cache.nr_slabs'), 1));
  const found = await planted('an object too few', 'slab-objects', () => more(cacheAt('process') + offset('slab_cache.nr_out'), -1));
  assert.equal(found.args.cache, 'process');
  await planted('a slab in no list', 'slab-lost', () => ({ pa: cache + partial, value: bytes(empty(cache)) }));
  await planted('a slab of another cache in the list', 'slab-stray', () => ({ pa: cache + partial, value: bytes(bigAt(other + partial)) }));
  await planted('a slab twice in its list', 'slab-twice', () => ({ pa: machine.physical(bigAt(cache + partial))! + offset('list.next'), value: bytes(bigAt(cache + partial)) }));
  await planted('a slab of nobody', 'leak', (s) => ({ pa: frameAt(slabsOf(s, cache)[0]!, 'owner'), value: bytes(0n) }));
  await planted('a slab of two caches', 'slab-owner', (s) => {
    const slabs = ['task', 'process', 'sighand', 'inode'].flatMap((name) => slabsOf(s, cacheAt(name)));
    const pfn = slabs.find((one) => s.frames.order[one - s.frames.firstPfn]! > 0)!;
    return { pa: frameAt(pfn + 1, 'owner'), value: bytes(machine.layout!.address('slab_caches')) };
  });
  await planted('objects at hand that are none', 'slab-object', () => {
    const cache = cacheAt('sighand');
    for (let hart = 0; hart < machine.variable('nr_harts', 4)!; hart++) {
      const pa = Number(bigAt(cache + offset('slab_cache.mags') + 8 * hart) - machine.layout!.constant('KVA_DIRECT'));
      if (pa > 0 && bigAt(pa + offset('magazine.nr')) > 0n) return { pa: pa + offset('magazine.obj'), value: bytes(machine.layout!.constant('KVA_DIRECT') + BigInt(aspaceOf(takeSnapshot(machine), pid)!.root)) };
    }
    throw new Error('no hart has any');
  });
});

test('red at frames that are not what the harts gave out', async () => {
  const { layout } = machine;
  const kinds = machine.addressOf('caches') + layout!.offset('frame_cache.kinds');
  const stacks = kinds + 8 * Number(layout!.constant('FRAME_STACK'));
  const found = await planted('a stack too many', 'kind-count', () => ({ pa: stacks, value: bytes(BigInt.asUintN(64, bigAt(stacks) + 1n)) }));
  assert.equal(found.args.kind, 'stack');
});

test('red at swap slots that are not held as they count, of private and of shared memory', async () => {
  const { layout } = machine;
  for (const program of ['swap', 'swap-shared']) {
    const swapper = Number(/\d+/.exec(await shell.run(`{ (echo; sleep 100000) | walk ${program} >/dev/null; } & sleep 1; pidof walk`))![0]);
    const entryOf = (s: Snapshot): { slot: number; entry: number; amap: number } => {
      for (const vma of aspaceOf(s, swapper)!.vmas)
        if (vma.amap && swappedPages(machine, vma) === 16) return { ...entryIn(vma.amap, vma.apgoff), amap: vma.amap };
      throw new Error('nothing is swapped out');
    };
    const slotAt = (s: Snapshot): number => {
      const { entry } = entryOf(s);
      const area = machine.addressOf('swap_areas') + layout!.size('swap_area') * ((entry >>> 1) & 31);
      const slot = entry >>> 6;
      const perChunk = Number(layout!.constant('SWAP_CHUNK'));
      const physical = (pa: number): number => Number(bigAt(pa) - layout!.constant('KVA_DIRECT'));
      const chunk = physical(area + layout!.offset('swap_area.chunk')) + Math.floor(slot / perChunk) * layout!.size('swap_chunk');
      return physical(chunk + layout!.offset('swap_chunk.slots')) + (slot % perChunk) * layout!.size('swap_slot');
    };
    await until(`${program} swaps`, () => aspaceOf(takeSnapshot(machine), swapper)!.vmas.some((v) => swappedPages(machine, v) === 16));
    await looks(new Lamp(), 5, 20);
    const found = await planted('a holder too many', 'swap-refs', (s) => ({ pa: slotAt(s) + layout!.offset('swap_slot.refs'), value: bytes(2n, 4) }));
    assert.deepEqual([found.args.refs, found.args.holders], [2, 1]);
    await planted('a slot that is free', 'swap-slot', (s) => ({ pa: slotAt(s) + layout!.offset('swap_slot.refs'), value: bytes(0n, 4) }));
    await planted('a slot that two hold', 'swap-refs', (s) => {
      const { slot, entry } = entryOf(s);
      return { pa: slot + 8, value: bytes(BigInt(entry)) };
    });
    await planted('a frame in the cache that knows nothing of it', 'swap-cache', (s) => {
      const pfn = s.frames.firstPfn + s.frames.kind.indexOf(6);
      return { pa: slotAt(s) + layout!.offset('swap_slot.frame'), value: bytes(BigInt(pfn + 1), 4) };
    });
    await planted('a count of slots', 'swap-count', (s) => {
      const pa = machine.addressOf('swap_areas') + layout!.size('swap_area') * ((entryOf(s).entry >>> 1) & 31) + layout!.offset('swap_area.used');
      return { pa, value: bytes(bigAt(pa) + 1n) };
    });
    await shell.run(`kill ${swapper}; sleep 1`);
  }
});

/* Where an amap has the entry of a key, and the entry. */
function entryIn(amap: number, key: number): { slot: number; entry: number } {
  const { layout } = machine;
  const pages = amap + layout!.offset('amap.pages');
  const bits = Number(layout!.constant('INDEX_BITS'));
  let node = Number(bigAt(pages + layout!.offset('index.root')) - layout!.constant('KVA_DIRECT'));
  for (let shift = machine.number(pages + layout!.offset('index.shift'), 4)!; ; shift -= bits) {
    const slot = node + layout!.offset('index_node.slots') + 8 * (Math.floor(key / 2 ** shift) % 2 ** bits);
    if (shift === 0) return { slot, entry: Number(bigAt(slot)) };
    node = Number(bigAt(slot) - layout!.constant('KVA_DIRECT'));
  }
}

test('a page of shared memory that nobody has is a leak', async () => {
  const swapper = Number(/\d+/.exec(await shell.run('{ sleep 100000 | walk swap-shared >/dev/null; } & sleep 1; pidof walk'))![0]);
  const shared = (s: Snapshot): { pfn: number; slot: number } => {
    const as = aspaceOf(s, swapper)!;
    const vma = as.vmas.find((v) => v.kind === 'shared')!;
    const { leaves } = s.trees.get(as.address)!;
    const i = leafAt(leaves, vma.start);
    return { pfn: (leaves.hi[i]! & 0x3fffff) * 0x400000 + (leaves.lo[i]! >>> 10), slot: entryIn(vma.amap, vma.apgoff).slot };
  };
  const s = takeSnapshot(machine);
  assert.equal(s.slots![shared(s).pfn - s.frames.firstPfn], 1);
  await planted('fewer references than slots', 'anon-refs', (now) => ({ pa: frameAt(shared(now).pfn, 'refs'), value: bytes(0n, 4) }));
  await planted('a slot with a free frame', 'frame-owner', (now) => ({
    pa: shared(now).slot, value: bytes(machine.layout!.constant('KVA_FRAMES') + BigInt((now.frames.firstPfn + now.frames.kind.indexOf(2)) * machine.layout!.size('frame'))),
  }));
  await shell.run(`kill ${swapper}; sleep 1`);
});

test('two looks at one pause are one', async () => {
  const s = takeSnapshot(machine);
  const { slot, lo } = word(s, textLeaf(s));
  const lamp = new Lamp();
  await qmp.stop();
  poke(file, slot, bytes(BigInt(lo & ~16), 4));
  for (let i = 0; i < 5; i++) assert.equal(lamp.look(machine, takeSnapshot(machine, { paused: true })).colour, 'green');
  assert.ok(lamp.state.suspects > 0);
  await qmp.go();
  await sleep(50);
  lamp.look(machine, takeSnapshot(machine));
  assert.equal(lamp.state.colour, 'red', hex(slot));
  poke(file, slot, bytes(BigInt(lo), 4));
});

/* The last, for it takes the sleeper its pages. */
test('green while memory is short: pages go to swap and come back, slabs are made and given back', async () => {
  await shell.run('while :; do dd if=/dev/zero of=/dev/null bs=70M count=1 2>/dev/null; done &');
  await shell.run('while :; do dd if=/dev/zero bs=60M count=1 2>/dev/null | md5sum >/dev/null; done &');
  await shell.run('while :; do find /proc /bin -maxdepth 3 >/dev/null 2>&1; cp -r /bin /tmp/b; rm -r /tmp/b; done &');
  await looks(new Lamp(), 60, 50);
  await shell.run('kill %2 %3 %4; sleep 1');
  await looks(new Lamp(), 20, 20);
});
