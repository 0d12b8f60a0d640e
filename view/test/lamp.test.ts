/* The lamp on a real machine: green when idle and when busy, red at planted bugs, green again when they are taken back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { aspaceOf, check, explainFinding, hex, Lamp, leafAt, reverseMap, takeSnapshot, type Finding, type FindingCode, type Machine, type Snapshot } from './reach.ts';
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
  const frameAt = (pfn: number, member: string): number =>
    machine.physical(machine.layout!.constant('KVA_FRAMES') + BigInt(pfn * machine.layout!.size('frame')))! + machine.layout!.offset('frame.' + member);
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
