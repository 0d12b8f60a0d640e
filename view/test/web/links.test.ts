/* Links that people have kept: what they mean never changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLink, HOME, parseLink, type Place } from '../../web/link.ts';

/** A link, the place it means where that differs from home, and the link that this version writes for it. */
const GOLDEN: [link: string, place: Partial<Place>, written: string][] = [
  ['', {}, '#v=1&view=console&lang=en'],
  ['#v=1&view=walk&pid=3&va=0x4000&acc=w&lang=zh-CN', { view: 'walk', pid: 3, va: '0x4000', acc: 'w', lang: 'zh-CN' }, '#v=1&view=walk&pid=3&va=0x4000&acc=w&lang=zh-CN'],
  ['#v=1&view=walk&pid=3&va=3%3Aheap%2B0x10&mode=kernel&lang=en', { view: 'walk', pid: 3, va: '3:heap+0x10', mode: 'kernel' }, '#v=1&view=walk&pid=3&va=3%3Aheap%2B0x10&mode=kernel&lang=en'],
  ['#v=1&view=frames&frame=0x80123456', { view: 'frames', frame: 0x80123000 }, '#v=1&view=frames&frame=0x80123000&lang=en'],
  ['#v=1&view=tree&pid=1&table=0.511.7&text=1', { view: 'tree', pid: 1, table: '0.511.7', text: true }, '#v=1&view=tree&pid=1&table=0.511.7&text=1&lang=en'],
  ['#v=1&view=share&pid=1&peer=12', { view: 'share', pid: 1, peer: 12 }, '#v=1&view=share&pid=1&peer=12&lang=en'],
  ['#v=1&view=film&how=cow', { view: 'film', how: 'cow' }, '#v=1&view=film&how=cow&lang=en'],
  ['#v=1&view=time&at=120&base=7', { view: 'time', at: 120, base: 7 }, '#v=1&view=time&at=120&base=7&lang=en'],
  ['#v=1&view=space&pid=1&grow=down', { view: 'space', pid: 1, grow: 'down' }, '#v=1&view=space&pid=1&grow=down&lang=en'],
  ['#v=1&view=guide&walk=cow&step=2', { view: 'guide', walk: 'cow', step: 2 }, '#v=1&view=guide&walk=cow&step=2&lang=en'],
  ['#v=1&view=guide&walk=lazy&step=1&lang=zh-CN', { view: 'guide', walk: 'lazy', lang: 'zh-CN' }, '#v=1&view=guide&walk=lazy&lang=zh-CN'],
  ['#v=1&view=guide', { view: 'guide' }, '#v=1&view=guide&lang=en'],
  ['#v=1&view=lamp&lang=zh-CN', { view: 'lamp', lang: 'zh-CN' }, '#v=1&view=lamp&lang=zh-CN'],
];

for (const [link, place, written] of GOLDEN) {
  test(`link ${link || '(none)'}`, () => {
    const parsed = parseLink(link);
    assert.deepEqual(parsed, { place: { ...HOME, ...place }, known: true });
    assert.equal(formatLink(parsed.place), written);
    assert.deepEqual(parseLink(written), parsed);
  });
}

test('what cannot be understood is left out, and the rest works', () => {
  const wrong = '#v=1&view=nowhere&pid=-3&acc=q&mode=root&frame=80000000&table=0.512&at=1e9&lang=xx&how=%3Cscript%3E&grow=sideways&va=0x1000&walk=..%2Fcow&step=0';
  assert.deepEqual(parseLink(wrong), { place: { ...HOME, va: '0x1000' }, known: true });
  assert.deepEqual(parseLink('#&&&=%%%'), { place: HOME, known: true });
  assert.equal(parseLink('#va=' + 'x'.repeat(201)).place.va, '');
});

test('a later version is taken as far as it is known, and said to be later', () => {
  assert.deepEqual(parseLink('#v=2&view=walk&pid=3&novelty=1'), { place: { ...HOME, view: 'walk', pid: 3 }, known: false });
});

test('without a language the reader’s own is taken', () => {
  assert.equal(parseLink('#v=1&view=walk', 'zh-CN').place.lang, 'zh-CN');
  assert.equal(parseLink('#v=1&view=walk&lang=en', 'zh-CN').place.lang, 'en');
});
