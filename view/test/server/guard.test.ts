/* The server's parts: who is let in, what of their messages is believed, what QEMU's registers say. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Guard } from '../../server/guard.ts';
import { parseRegisters } from '../../server/harts.ts';
import { parseMessage } from '../../server/messages.ts';
import { Programs } from '../../cli/programs.ts';

const guard = new Guard(4321);
const ours = `/?token=${guard.token}`;
const request = (url: string, headers: Record<string, string>) => ({ url, headers }) as unknown as IncomingMessage;

test('our own page is let in, under both names', () => {
  for (const host of ['127.0.0.1:4321', 'localhost:4321']) {
    assert.equal(guard.admit(request(ours, { host })), '/');
    assert.ok(guard.admitSocket(request(`/socket?token=${guard.token}`, { host, origin: `http://${host}` })));
  }
});

test('a wrong token, or none', () => {
  for (const url of ['/', '/?token=', '/?token=0123', `/?token=${'0'.repeat(32)}`, `/?token=${guard.token}0`, `/?Token=${guard.token}`])
    assert.equal(guard.admit(request(url, { host: '127.0.0.1:4321' })), null, url);
});

test('another name for this host is what an attacker’s DNS would use', () => {
  for (const host of ['evil.example:4321', '127.0.0.1', '127.0.0.1:80', '127.0.0.1:4321.evil.example', '0.0.0.0:4321', ''])
    assert.equal(guard.admit(request(ours, { host })), null, host);
});

test('a socket from another origin, or from none', () => {
  const url = `/socket?token=${guard.token}`;
  for (const origin of ['http://evil.example', 'https://127.0.0.1:4321', 'http://127.0.0.1:80', 'null', ''])
    assert.ok(!guard.admitSocket(request(url, { host: '127.0.0.1:4321', origin })), origin);
  assert.ok(!guard.admitSocket(request(url, { host: '127.0.0.1:4321' })));
  assert.ok(!guard.admitSocket(request(ours, { host: '127.0.0.1:4321', origin: 'http://127.0.0.1:4321' })), 'only /socket');
});

test('two servers have two tokens', () => assert.notEqual(new Guard(1).token, new Guard(1).token));

const WANT = { lang: 'zh-CN', state: true, walk: { pid: 3, expr: 'heap', access: 'w', mode: 'kernel' }, frame: 5, space: 3, harts: true };
const MESSAGES = [
  { t: 'want', want: WANT }, { t: 'want', want: { ...WANT, walk: null, frame: null } }, { t: 'ack', n: 1 }, { t: 'type', text: '你好' }, { t: 'machine', do: 'stop' },
  { t: 'catch', catch: null }, { t: 'catch', catch: { how: 'cow', pid: 3 } }, { t: 'history' }, { t: 'dump' }, { t: 'walks' },
  { t: 'ask', id: 1, words: ['walk', '3', '0x4000', '--access', 'w'] },
];
for (const message of MESSAGES) test(`message ${JSON.stringify(message)}`, () => assert.deepEqual(parseMessage(JSON.stringify(message)), message));

const WRONG: unknown[] = [
  null, 7, [], {}, { t: 'quit' }, { t: 'ack' }, { t: 'ack', n: -1 }, { t: 'type', text: 7 }, { t: 'type', text: 'x'.repeat(65537) }, { t: 'machine', do: 'quit' }, { t: 'want' },
  { t: 'catch' }, { t: 'catch', catch: { how: 7, pid: null } }, { t: 'want', want: { ...WANT, state: 1 } }, { t: 'want', want: { ...WANT, frame: 1.5 } }, { t: 'want', want: { ...WANT, harts: 1 } }, { t: 'want', want: { ...WANT, space: 'x' } },
  { t: 'want', want: { ...WANT, walk: { ...WANT.walk, pid: {} } } }, { t: 'want', want: { ...WANT, walk: { ...WANT.walk, access: 'q' } } },
  { t: 'ask', words: ['ps'] }, { t: 'ask', id: 1 }, { t: 'ask', id: 1, words: [] }, { t: 'ask', id: 1, words: 'ps' }, { t: 'ask', id: 1, words: [7] }, { t: 'ask', id: 1, words: ['x'.repeat(201)] },
  { t: 'ask', id: 1, words: Array(17).fill('ps') },
  { t: 'want', want: { ...WANT, walk: { ...WANT.walk, expr: 'x'.repeat(201) } } }, { t: 'want', want: { ...WANT, walk: undefined } },
];
for (const message of WRONG) test(`no message: ${JSON.stringify(message)?.slice(0, 100)}`, () => assert.equal(parseMessage(JSON.stringify(message) ?? ''), null));

test('text that is no JSON is no message', () => assert.equal(parseMessage('{'), null));

test('where the harts are, from what QEMU prints of their registers', () => {
  const part = (n: number, pc: string) => `\nCPU#${n}\n V      =   0\n pc       ${pc}\n mhartid  000000000000000${n}\n mepc     ffffffff802014a4\n`;
  const text = part(0, 'ffffffff802014a4') + part(1, '0000000000010400') + part(2, '0000000080000ab0');
  assert.deepEqual(parseRegisters(text, (pc) => `place of ${pc.toString(16)}`), [
    { hartid: 0, pc: 0xffffffff802014a4n, mode: 'kernel', symbol: 'place of ffffffff802014a4' }, { hartid: 1, pc: 0x10400n, mode: 'user', symbol: '' },
    { hartid: 2, pc: 0x80000ab0n, mode: 'firmware', symbol: '' },
  ]);
  assert.deepEqual(parseRegisters('nothing of the kind', String), []);
});

test('a place in a program without a file, or with one that is no program', () => {
  const programs = new Programs(['/bin/junk=/etc/passwd', '/bin/gone=/nowhere', 'no name']);
  for (const name of ['junk', 'gone', 'busybox'])
    for (const same of [true, false]) assert.deepEqual(programs.describe(`/bin/${name}`, 0x10400, same), { symbol: `${name}+0x10400`, line: '' });
  assert.equal(programs.bytes('/bin/junk'), null);
});
