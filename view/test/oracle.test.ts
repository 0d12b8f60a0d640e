/* The walker and the tables against QEMU's own answers: gva2gpa and info mem, on a paused machine. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { aspaceOf, hex, levelTest, takeSnapshot, tableTree, walk, type Machine } from './reach.ts';
import { Console, machineFile, openMachine, Qmp, readHart, sleep, until, type Hart } from './guest.ts';

const file = machineFile();
let qmp: Qmp;
let shell: Console;
let machine: Machine;

before(async () => {
  machine = openMachine(file);
  qmp = await Qmp.open(file.qmp!);
  shell = await Console.open(file.console!);
  await until('the kernel', () => machine.refresh());
});

after(() => {
  qmp.end();
  shell.end();
});

interface Stop {
  hart: number;
  state: Hart;
  mode: 'user' | 'kernel';
}

/* Stops the machine until some hart is where it is wanted. In the trampoline of isolate=1 the pc is low and the mode is not user's. */
const FIRMWARE = 0x80000000n;
const FIRMWARE_END = 0x80200000n;

async function stopIn(mode: 'user' | 'kernel'): Promise<Stop> {
  return until(`a hart in ${mode} mode`, async () => {
    await qmp.stop();
    for (let hart = 0; hart < 2; hart++) {
      const state = await readHart(qmp, hart);
      /* The firmware runs at low addresses too, and leaves satp as it was. */
      const low = state.pc < 1n << 37n && !(state.pc >= FIRMWARE && state.pc < FIRMWARE_END);
      if (state.satp >> 60n && (mode === 'user' ? low && state.pc > 0n : state.pc >> 63n)) return { hart, state, mode };
    }
    await qmp.go();
    await sleep(7);
    return null;
  });
}

/* Addresses worth asking for: every leaf's first and last byte, their neighbours, and some anywhere. */
function addresses(root: number): bigint[] {
  const list: bigint[] = [];
  const tree = tableTree(machine.memory, root, machine.levels, 'all');
  const step = Math.max(1, Math.floor(tree.leaves.count / 1200));
  for (let i = 0; i < tree.leaves.count; i += step) {
    const start = BigInt(tree.leaves.vpn[i]!) << 12n;
    const size = levelTest(tree.leaves.level[i]!);
    list.push(start, start + size - 1n, start + size, (start - 1n) & ((1n << 64n) - 1n));
  }
  let seed = 12345n;
  for (let i = 0; i < 1000; i++) {
    seed = (seed * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    list.push(i % 2 ? seed >> BigInt(20 + (i % 20)) : seed);
  }
  return list;
}

/* QEMU asks as a debugger: with SUM, whatever the kernel has set. */
async function compare(stop: Stop): Promise<number> {
  const root = Number(stop.state.satp & ((1n << 44n) - 1n)) * 4096;
  const levels = Number(stop.state.satp >> 60n) - 5;
  assert.equal(levels, machine.levels);
  const mxr = (stop.state.mstatus >> 19n & 1n) === 1n;
  let mapped = 0;
  for (const va of addresses(root)) {
    const ours = walk(machine.memory, root, levels, va, { access: 'r', mode: stop.mode, mxr });
    const theirs = await qmp.monitor(`gva2gpa ${hex(va)}`, stop.hart);
    const expected = ours.pa === null ? 'Unmapped' : `gpa: ${hex(ours.pa)}`;
    assert.equal(theirs.trim(), expected, `${hex(va)} in ${stop.mode} mode: ${ours.reason}`);
    if (ours.pa !== null) mapped++;
  }
  return mapped;
}

interface Run {
  va: bigint;
  pa: bigint;
  size: bigint;
  attr: string;
}

/* What lies together in both spaces, with the same bits, is one. QEMU joins less. */
function join(runs: Run[]): string[] {
  const joined: Run[] = [];
  for (const run of runs) {
    const last = joined[joined.length - 1];
    if (last && last.va + last.size === run.va && last.pa + last.size === run.pa && last.attr === run.attr) last.size += run.size;
    else joined.push({ ...run });
  }
  return joined.map((run) => `${hex(run.va)} ${hex(run.pa)} ${hex(run.size)} ${run.attr}`);
}

async function compareInfoMem(stop: Stop): Promise<void> {
  const root = Number(stop.state.satp & ((1n << 44n) - 1n)) * 4096;
  const { lo, hi, vpn, level, count } = tableTree(machine.memory, root, machine.levels, 'all').leaves;
  const ours = Array.from({ length: count }, (_, i): Run => ({
    va: BigInt(vpn[i]!) << 12n, pa: (((BigInt(hi[i]! & 0x3fffff) << 32n) | BigInt(lo[i]!)) >> 10n) << 12n, size: levelTest(level[i]!),
    attr: [...'rwxugad'].map((c, bit) => ((lo[i]! >>> (bit + 1)) & 1 ? c : '-')).join(''),
  }));
  const theirs = [...(await qmp.monitor('info mem', stop.hart)).matchAll(/^([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16}) (\S{7})/gm)].map(
    ([, va, pa, size, attr]): Run => ({ va: BigInt('0x' + va), pa: BigInt('0x' + pa), size: BigInt('0x' + size), attr: attr! }),
  );
  assert.ok(theirs.length > 5);
  assert.deepEqual(join(ours), join(theirs));
}

async function during(mode: 'user' | 'kernel', look: (stop: Stop) => Promise<void>): Promise<void> {
  const stop = await stopIn(mode);
  try {
    await look(stop);
  } finally {
    await qmp.go();
  }
}

test('the walker agrees with gva2gpa and info mem in user mode', async () => {
  await shell.run('while :; do :; done &');
  await during('user', async (stop) => {
    const mapped = await compare(stop);
    assert.ok(mapped > 50, `${mapped} mapped addresses`);
    await compareInfoMem(stop);
  });
});

test('and in kernel mode', async () => {
  await shell.run('dd if=/dev/zero of=/dev/null bs=1M count=1000000 &');
  await during('kernel', async (stop) => {
    assert.ok((await compare(stop)) > 200);
    await compareInfoMem(stop);
  });
  await shell.run('kill %1 %2');
});

test('a process has the roots that the harts run on', async () => {
  await shell.run('while :; do :; done &');
  await during('user', async (stop) => {
    const s = takeSnapshot(machine, { paused: true });
    const root = Number(stop.state.satp & ((1n << 44n) - 1n)) * 4096;
    const owner = s.aspaces.find((as) => (machine.isolating ? as.userRoot : as.root) === root);
    assert.ok(owner, `nobody has the root ${hex(root)}`);
    const pid = s.processes.find((p) => p.aspace === owner.address)!.pid;
    assert.equal(aspaceOf(s, pid), owner);
    // QEMU counts harts by their ids, the kernel in the order in which they came: the firmware boots either.
    const hart = s.harts.find((one) => one.hartid === stop.hart)!;
    assert.equal(hart.pid, pid);
    assert.equal(hart.root, owner.root);
  });
  await shell.run('kill %3');
});
