/* The engine's picture against what the guest's own /proc says. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  advance, apply, aspaceOf, changes, diff, kernelLog, logText, mappingsOf, mapsText, reverseMap, sharePairs, SnapshotReader, snapshotFromJson,
  snapshotToJson, takeSnapshot, vmprint, type AspaceInfo, type Machine, type Snapshot,
} from './reach.ts';
import { Console, machineFile, openMachine, sleep, until } from './guest.ts';

const file = machineFile();
let shell: Console;
let machine: Machine;
let pid = 0;

before(async () => {
  machine = openMachine(file);
  shell = await Console.open(file.console!);
  await until('the kernel', () => machine.refresh());
  pid = Number(/\d+/.exec(await shell.run('sleep 100000 & echo $!'))![0]);
  await sleep(300);
});

after(() => shell.end());

/* What the guest says of a process, and the process as it was meanwhile: nothing of it changed between two readings. */
async function still(who: number): Promise<{ maps: string; table: string; as: AspaceInfo }> {
  const read = async (): Promise<string[]> => [await shell.run(`cat /proc/${who}/maps`), await shell.run(`cat /proc/${who}/pagetable`)];
  return until(`pid ${who} standing still`, async () => {
    const [maps, table] = await read();
    const as = aspaceOf(takeSnapshot(machine), who);
    const after = await read();
    return as && maps === after[0] && table === after[1] && { maps: maps!, table: table!, as };
  });
}

test('maps and pagetable of a sleeping process, and of init', async () => {
  for (const who of [pid, 1]) {
    const { maps, table, as } = await still(who);
    assert.equal(mapsText(as), maps);
    assert.match(maps, / (?!00:00)[0-9a-f]{2}:[0-9a-f]{2} [1-9]\d* +\/s?bin\/\w+\n/);
    assert.equal(vmprint(machine.memory, as.root, machine.levels, 'user').trim(), table.trim());
  }
  const whole = await shell.run('cat /proc/kernel_pagetable 2>/dev/null || true');
  if (whole.startsWith('page table')) assert.equal(vmprint(machine.memory, machine.kernelRoot, machine.levels, 'all').trim(), whole.trim());
});

test('maps of programs that were deleted, renamed, or are on what was unmounted', async () => {
  await shell.run('mkdir -p /tmp/maps /root/maps && mount -t tmpfs none /tmp/maps && cp /bin/busybox /tmp/maps/sleep && cp /bin/busybox /root/maps/sleep');
  const sleeper = async (program: string): Promise<number> => Number(/\d+/.exec(await shell.run(`${program} 100000 & echo $!`))![0]);
  const pids = [await sleeper('/root/maps/sleep'), await sleeper('/tmp/maps/sleep')];
  const same = async (names: string[]): Promise<void> => {
    for (const [i, who] of pids.entries()) {
      const { maps, as } = await still(who);
      assert.equal(mapsText(as), maps);
      assert.ok(maps.includes(` ${names[i]}\n`), `${names[i]} in ${maps}`);
    }
  };
  await same(['/root/maps/sleep', '/tmp/maps/sleep']);
  await shell.run("mv /root/maps/sleep '/root/maps/a b\\c'; rm /tmp/maps/sleep");
  await same(['/root/maps/a b\\134c', '/tmp/maps/sleep (deleted)']);
  await shell.run('rm -r /root/maps; umount -l /tmp/maps');
  await same(['/root/maps/a b\\134c (deleted)', '(unreachable)/sleep (deleted)']);
  await shell.run(`kill ${pids.join(' ')}; rmdir /tmp/maps`);
});

test('processes have the names, parents and sizes of /proc', async () => {
  const s = takeSnapshot(machine);
  const listed = (await shell.run('for p in /proc/[0-9]*; do read -r line < $p/stat; echo "$line"; done')).trim().split('\n');
  let same = 0;
  for (const line of listed) {
    const found = /^(\d+) \((.*)\) (\S) (\d+) /.exec(line);
    const p = found && s.processes.find((one) => one.pid === Number(found[1]));
    if (!found || !p) continue;
    assert.equal(p.name, found[2]);
    assert.equal(p.ppid, Number(found[4]));
    same++;
  }
  assert.ok(same >= 3 && same === listed.length, `${same} processes of ${listed.length}`);
  const status = await shell.run(`cat /proc/${pid}/status`);
  const as = aspaceOf(takeSnapshot(machine), pid)!;
  assert.equal(as.nrPages * 4, Number(/VmSize:\s+(\d+)/.exec(status)![1]));
  assert.equal(as.resident * 4, Number(/RssAnon:\s+(\d+)/.exec(status)![1]));
});

test('frames are of the kinds that meminfo counts', async () => {
  /* By the shell itself, twice: the second time it needs nothing new. */
  const read = 'while read -r a b c; do echo "$a $b"; done < /proc/meminfo';
  await shell.run(read);
  const text = await shell.run(read);
  const s = takeSnapshot(machine);
  const pages = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)![1]) / 4;
  const kind = (name: string): number => s.totals.kinds[['none', 'reserved', 'free', 'cached', 'kernel', 'slab', 'table', 'stack', 'anon', 'file'].indexOf(name)]!;
  assert.equal(s.totals.ram, pages('MemTotal'));
  const near = (ours: number, name: string, by: number): void => assert.ok(Math.abs(ours - pages(name)) <= by, `${name}: ${pages(name)}, here ${ours}`);
  near(s.totals.free, 'MemFree', 8);
  near(kind('anon'), 'AnonPages', 0);
  near(kind('table'), 'PageTables', 0);
  near(kind('stack'), 'KernelStack', 4);
  near(kind('slab'), 'Slab', 4);
  near(kind('kernel'), 'KernelPages', 8);
  near(kind('file'), 'Cached', 0);
  assert.equal(kind('free') + kind('cached'), s.totals.free);
});

test('kpageflags and kpagecount agree, of frames that stayed as they were', async () => {
  const first = 0x80000;
  const count = 8192;
  const words = async (name: string): Promise<bigint[]> => {
    const text = await shell.run(`dd if=/proc/${name} bs=65536 skip=$((${first} * 8 / 65536)) count=$((${count} * 8 / 65536)) 2>/dev/null | od -v -A n -t x8 -w64`);
    return text.trim().split(/\s+/).map((w) => BigInt('0x' + w));
  };
  const before = takeSnapshot(machine);
  const flags = await words('kpageflags');
  const counts = await words('kpagecount');
  const after = takeSnapshot(machine);
  assert.equal(flags.length, count);
  const [a, b] = [reverseMap(before), reverseMap(after)];
  const bits: Record<string, bigint> = { free: 1n << 10n, slab: 1n << 7n, table: 1n << 26n, anon: 1n << 12n };
  let compared = 0;
  let used = 0;
  for (let n = 0; n < count; n++) {
    const i = first + n - before.frames.firstPfn;
    if (before.frames.kind[i] !== after.frames.kind[i] || before.frames.owner[i] !== after.frames.owner[i]) continue;
    const name = ['none', 'reserved', 'free', 'cached', 'kernel', 'slab', 'table', 'stack', 'anon', 'file', 'usyscall', 'unknown'][after.frames.kind[i]!]!;
    /* A free frame may have been dd's, and be free again. */
    if (name === 'cached' || (name === 'free' && !(flags[n]! & bits.free!) && ++used < 600)) continue;
    for (const [kind, bit] of Object.entries(bits)) assert.equal((flags[n]! & bit) !== 0n, kind === name, `frame ${first + n}: ${name}, flags ${flags[n]!.toString(16)}`);
    /* What dd and od show while they run, besides the processes that stay. */
    if (name === 'file' && a.users[i] === b.users[i]) assert.ok(counts[n]! >= BigInt(b.users[i]!), `frame ${first + n}: ${counts[n]} mappings, here ${b.users[i]}`);
    if (name === 'anon' && a.users[i] === b.users[i] && b.users[i]!) assert.ok(counts[n]! >= 1n, `frame ${first + n} is mapped by nobody`);
    compared++;
  }
  assert.ok(compared > count / 2);
});

function comparable(s: Snapshot): unknown {
  const trees = [...s.trees].sort(([x], [y]) => x - y).map(([as, t]) => [as, t.root, [...t.leaves.vpn], [...t.leaves.lo], [...t.leaves.hi], [...t.leaves.level], [...t.tables.pa]]);
  const f = s.frames;
  return [s.seq, s.at, s.harts, s.processes, s.aspaces, trees, [f.firstPfn, f.count, f.kind, f.order, f.flags, f.refs, f.owner, f.index].map((x) => (typeof x === 'number' ? x : [...x])), s.totals, s.stats];
}

test('deltas lead from one instant to the next, and through JSON', async () => {
  await shell.run('while :; do ls /bin | sort >/dev/null; done &');
  const reader = new SnapshotReader(machine);
  const first = reader.take();
  let known = first;
  let newest = snapshotFromJson(snapshotToJson(first));
  let size = 0;
  for (let i = 0; i < 20; i++) {
    await sleep(30);
    const before: Snapshot = known;
    const now = reader.take();
    const text = JSON.stringify(diff(before, now, reader.frameChanges));
    assert.equal(text, JSON.stringify(diff(before, now)), 'what is known of the frames that changed is what comparing finds');
    size += text.length;
    assert.deepEqual(comparable(apply(before, JSON.parse(text) as ReturnType<typeof diff>)), comparable(now));
    newest = advance(newest, JSON.parse(text) as ReturnType<typeof diff>);
    assert.deepEqual(comparable(newest), comparable(now));
    known = now;
  }
  assert.ok(size > 1000);
  assert.deepEqual(comparable(snapshotFromJson(snapshotToJson(known))), comparable(known));
  assert.throws(() => apply(known, { ...diff(known, known), from: 0 }), /goes on from snapshot 0/);
  await shell.run('kill %2; sleep 1');
});

test('who shows a frame, and who shares, by the map and without it', async () => {
  const s = takeSnapshot(machine);
  const reverse = reverseMap(s);
  const shared = new Map<string, number>();
  for (let i = 0; i < s.frames.count; i++) {
    const pfn = s.frames.firstPfn + i;
    const mappings = reverse.of(pfn);
    assert.equal(mappings.length, reverse.users[i]);
    if (mappings.length || i % 97 === 0) assert.deepEqual(mappingsOf(s, pfn), mappings);
    const pids = [...new Set(mappings.map((m) => m.pid))];
    pids.forEach((a, n) => pids.slice(n + 1).forEach((b) => shared.set(`${a} ${b}`, (shared.get(`${a} ${b}`) ?? 0) + 1)));
  }
  const pairs = sharePairs(s, reverse);
  assert.ok(pairs.length > 0);
  assert.deepEqual(new Map(pairs.map((p) => [`${p.a} ${p.b}`, p.pages])), shared);
  for (const p of pairs) assert.ok(p.readOnly <= p.pages);
});

test('a fork shares, and a write splits', async () => {
  await shell.run('true');
  await sleep(200);
  const before = takeSnapshot(machine);
  const out = await shell.run('(read -r x < /dev/zero) & echo $!');
  const child = Number(/\d+/.exec(out)![0]);
  const s = await until('the child', () => {
    const now = takeSnapshot(machine);
    return aspaceOf(now, child) && now;
  });
  const list = changes(before, s, 'en');
  assert.ok(list.some((c) => c.code === 'process-new' && c.pid === child));
  assert.ok(list.some((c) => c.pid === child && c.code === 'vma-new'));
  // The child shares its parent's memory at once, and shows it page by page, as it touches them.
  await until('pages that both show', () => {
    const now = takeSnapshot(machine);
    return sharePairs(now, reverseMap(now)).some((p) => (p.a === child || p.b === child) && p.pages > 10);
  });
  for (const change of list) assert.doesNotMatch(change.text, /\{|undefined/);
  await shell.run('kill %2');
});

test('the log is that of dmesg', async () => {
  const theirs = (await shell.run('dmesg')).replace(/\r/g, '').trim();
  const ours = kernelLog(machine).map(logText).join('\n');
  assert.match(ours, /memory: \d+ MiB/);
  assert.equal(ours, theirs);
});
