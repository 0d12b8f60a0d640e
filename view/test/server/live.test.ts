/*
 * The server as strangers meet it: VITRINE_ADDRESS is that of a running one. Only the page that its address was given to is let
 * in; and what is served loads nothing from anywhere.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { request } from 'node:http';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { decode, PROTOCOL, type ServerMessage } from '../../shared/protocol.ts';

const address = new URL(process.env['VITRINE_ADDRESS'] ?? '');
const token = address.searchParams.get('token') ?? '';

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: address.port, path, method, headers: { Host: address.host, ...headers } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** The first message, or the status with which the socket was refused. */
function socket(path: string, headers: Record<string, string>): Promise<ServerMessage | number> {
  return new Promise((resolve, reject) => {
    const opened = new WebSocket(`ws://127.0.0.1:${address.port}${path}`, { headers: { Host: address.host, ...headers } });
    opened.on('message', (data, binary) => {
      if (binary) return;
      opened.close();
      resolve(decode<ServerMessage>(String(data)));
    });
    opened.on('unexpected-response', (asked, response) => {
      asked.destroy();
      resolve(response.statusCode ?? 0);
    });
    opened.on('error', reject);
  });
}

const page = `/?token=${token}`;
const wire = `/socket?token=${token}`;

test('the page is served to its address, whole and alone', async () => {
  const { status, headers, body } = await get(page);
  assert.equal(status, 200);
  assert.match(String(headers['content-type']), /^text\/html; charset=utf-8/);
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['x-frame-options'], 'DENY');
  assert.match(body, /Content-Security-Policy" content="default-src 'none'; script-src 'nonce-/);
  assert.ok(!/<(?:link|img|iframe)\b|<script[^>]*\bsrc=|@import|url\((?!["']?data:)/.test(body.replace(/<script[^]*<\/script>/, '')), 'nothing is loaded');
  assert.ok(!body.includes(token), 'the token stays in the address');
});

test('a wrong token, no token', async () => {
  for (const path of ['/', '/?token=', `/?token=${'0'.repeat(32)}`, '/main.js', `/socket`]) assert.equal((await get(path)).status, 403, path);
});

test('a wrong Host', async () => {
  for (const host of ['evil.example', `evil.example:${address.port}`, '127.0.0.1', `127.0.0.1:${Number(address.port) + 1}`])
    assert.equal((await get(page, { Host: host })).status, 403, host);
});

test('files beside the page are not there, and nothing is written', async () => {
  for (const path of ['/main.js', '/../server.cjs', '/..%2fserver.cjs', '/etc/passwd']) assert.ok([403, 404].includes((await get(`${path}?token=${token}`)).status), path);
  assert.equal((await get(page, {}, 'POST')).status, 404);
});

test('a socket from the page', async () => {
  const first = await socket(wire, { Origin: address.origin });
  assert.ok(typeof first === 'object' && first.t === 'hello');
  assert.equal(first.protocol, PROTOCOL);
});

test('a socket from another origin, from none, without the token, by another name', async () => {
  assert.equal(await socket(wire, { Origin: 'http://evil.example' }), 403);
  assert.equal(await socket(wire, { Origin: 'null' }), 403);
  assert.equal(await socket(wire, {}), 403);
  assert.equal(await socket('/socket', { Origin: address.origin }), 403);
  assert.equal(await socket(`/socket?token=${'f'.repeat(32)}`, { Origin: address.origin }), 403);
  assert.equal(await socket(wire, { Origin: address.origin, Host: `evil.example:${address.port}` }), 403);
});

test('what is no message ends the connection, not the server', async () => {
  for (const text of ['{', 'null', '{"t":"want"}', '{"t":"nothing"}', '[]', '{"t":"want","want":{"state":true,"walk":{"pid":{},"expr":7}}}', '{"t":"catch"}', '{"t":"type","text":{}}']) {
    await new Promise<void>((resolve, reject) => {
      const opened = new WebSocket(`ws://127.0.0.1:${address.port}${wire}`, { headers: { Host: address.host, Origin: address.origin } });
      opened.on('open', () => opened.send(text));
      opened.on('close', () => resolve());
      opened.on('error', reject);
      setTimeout(() => opened.close(), 1000);
    });
  }
  assert.equal((await get(page)).status, 200, 'the server is still there');
});

test('only this host is listened to', async () => {
  // 127.0.0.2 is this host too, but not the address that is bound.
  const refused = await new Promise<boolean>((resolve) => {
    const tried = connect({ host: '127.0.0.2', port: Number(address.port) });
    tried.on('connect', () => (tried.destroy(), resolve(false)));
    tried.on('error', () => resolve(true));
  });
  assert.ok(refused);
});
