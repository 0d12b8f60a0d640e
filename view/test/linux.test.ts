/* A kernel that knows nothing of the viewer: Debian's. Tables by satp alone, compared with QEMU's answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, levelTest, tableTree, vmprint, walk } from './reach.ts';
import { machineFile, openMachine, Qmp, readHart, sleep, until } from './guest.ts';

test('Linux’s tables are read as QEMU reads them', async () => {
  const file = machineFile();
  const qmp = await Qmp.open(file.qmp!);
  await until('paging', async () => {
    const state = await readHart(qmp, 0);
    return state.satp >> 60n && state.pc >> 63n;
  });
  await sleep(8000); // so that there is a user, too
  await qmp.stop();
  for (let hart = 0; hart < 2; hart++) {
    const state = await readHart(qmp, hart);
    if (!(state.satp >> 60n) || !(state.pc >> 63n)) continue;
    const machine = openMachine(file, { satp: state.satp });
    assert.ok(machine.refresh());
    assert.equal(machine.layout, null);
    const tree = tableTree(machine.memory, machine.kernelRoot, machine.levels, 'all');
    assert.ok(tree.leaves.count > 20, `${tree.leaves.count} leaves`);
    const mxr = (state.mstatus >> 19n & 1n) === 1n;
    const every = Math.max(1, Math.floor(tree.leaves.count / 700));
    for (let i = 0; i < tree.leaves.count; i += every) {
      const start = BigInt(tree.leaves.vpn[i]!) << 12n;
      for (const va of [start, start + levelTest(tree.leaves.level[i]!) - 1n, start + levelTest(tree.leaves.level[i]!)]) {
        const ours = walk(machine.memory, machine.kernelRoot, machine.levels, va, { access: 'r', mode: 'kernel', mxr });
        const theirs = (await qmp.monitor(`gva2gpa ${hex(va)}`, hart)).trim();
        assert.equal(theirs, ours.pa === null ? 'Unmapped' : `gpa: ${hex(ours.pa)}`, hex(va));
      }
    }
    assert.match(vmprint(machine.memory, machine.kernelRoot, machine.levels, 'all'), /^page table 0x[0-9a-f]{16}\n\.\.\d+: pte /);
  }
  qmp.end();
});
