/* Who is let in. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Guard } from '../../server/guard.ts';

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
