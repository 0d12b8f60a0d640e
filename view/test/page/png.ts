/*
 * Makes a browser's picture small: true colour becomes a palette of the 255 commonest colours, which for text and plain areas
 * cannot be told from the original. Portable Network Graphics, second edition: 8 bits a sample, no interlace.
 */
import { crc32 } from './crc.ts';
import { deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 255;

interface Image {
  width: number;
  height: number;
  /** 0xrrggbb, row by row. */
  pixels: Uint32Array;
}

export function shrinkPng(file: Buffer): Buffer {
  const image = decode(file);
  const palette = commonest(image.pixels);
  const nearest = new Map<number, number>();
  const find = (colour: number): number => {
    let index = nearest.get(colour);
    if (index === undefined) nearest.set(colour, (index = nearestOf(palette, colour)));
    return index;
  };
  const { width, height, pixels } = image;
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = find(pixels[y * width + x]!);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.alloc(palette.length * 3);
  palette.forEach((colour, i) => colours.writeUIntBE(colour, i * 3, 3));
  const data = deflateSync(rows, { level: 9, memLevel: 9 });
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('PLTE', colours), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function decode(file: Buffer): Image {
  let [width, height, kind] = [0, 0, 0];
  const data: Buffer[] = [];
  for (let at = SIGNATURE.length; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const body = file.subarray(at + 8, at + 8 + length);
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'IHDR') [width, height, kind] = [body.readUInt32BE(0), body.readUInt32BE(4), body[9]!];
    if (type === 'IDAT') data.push(body);
    at += 12 + length;
  }
  const samples = kind === 6 ? 4 : 3;
  const bytes = unfilter(inflateSync(Buffer.concat(data)), width * samples, height, samples);
  const pixels = new Uint32Array(width * height);
  for (let i = 0; i < pixels.length; i++) pixels[i] = bytes.readUIntBE(i * samples, 3);
  return { width, height, pixels };
}

/** Each row says how it was predicted: from the left, from above, from both. */
function unfilter(raw: Buffer, row: number, height: number, samples: number): Buffer {
  const out = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (row + 1)];
    for (let x = 0; x < row; x++) {
      const left = x >= samples ? out[y * row + x - samples]! : 0;
      const up = y > 0 ? out[(y - 1) * row + x]! : 0;
      const corner = y > 0 && x >= samples ? out[(y - 1) * row + x - samples]! : 0;
      const predicted = filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : filter === 4 ? paeth(left, up, corner) : 0;
      out[y * row + x] = raw[y * (row + 1) + 1 + x]! + predicted;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function commonest(pixels: Uint32Array): number[] {
  const counts = new Map<number, number>();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, COLOURS).map(([colour]) => colour);
}

function nearestOf(palette: number[], colour: number): number {
  let [best, least] = [0, Infinity];
  palette.forEach((other, i) => {
    const distance = [16, 8, 0].reduce((sum, shift) => sum + (((other >> shift) & 255) - ((colour >> shift) & 255)) ** 2, 0);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

function chunk(type: string, body: Buffer): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  body.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}
