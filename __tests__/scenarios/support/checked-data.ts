import { randomBytes, randomInt } from 'node:crypto';

/*
 * Random messages that say whose they are, so that a byte that is not this socket's shows:
 *
 *   [ stream: 4 ][ number: 4 ][ body: a piece of a random pool, chosen by stream and number ]
 *
 * As text, the first two are 16 hexadecimal digits. Nothing has to be kept to check a message.
 */

const POOL = randomBytes(2_097_152);
const TEXT_POOL = makeTextPool(524_288);
const HEAD = 8;
const TEXT_HEAD = 16;

/** One sender's messages to one reader, or to all. */
export type StreamId = number;

/** What is to be in a stream: all sizes, or two small ones, so that regions of memory look alike. */
export type Mix = 'mixed' | 'small';

/** The stream of this sender, or the one of all. */
export function streamOf(mix: Mix, sender: number | 'all'): StreamId {
  if (sender === 'all') return mix === 'small' ? SMALL_TO_ALL : MIXED_TO_ALL;
  return mix === 'small' ? FIRST_SMALL + sender : sender;
}

const FIRST_SMALL = 1000;
const SMALL_TO_ALL = 0xfffffffe;
const MIXED_TO_ALL = 0xffffffff;

/** The message of this number; every third is text. */
export function makeMessage(stream: StreamId, number: number): string | Buffer {
  const { at, size } = pick(stream, number);
  if (number % 3 === 0) {
    const head = `${hex32(stream)}${hex32(number)}`;
    const start = at % (TEXT_POOL.length - size);
    return head + TEXT_POOL.slice(start, start + size);
  }
  const head = Buffer.allocUnsafe(HEAD);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(number, 4);
  return Buffer.concat([head, POOL.subarray(at, at + size)]);
}

/** Whose message this is, and whether it is that message to the last byte. */
export function checkMessage(
  isText: boolean,
  payload: Buffer,
): { stream: StreamId; number: number; isIntact: boolean } {
  const [stream, number] = isText
    ? [readHex32(payload, 0), readHex32(payload, TEXT_HEAD / 2)]
    : [payload.readUInt32BE(0), payload.readUInt32BE(4)];
  const expected = makeMessage(stream, number);
  const isIntact =
    isText === (typeof expected === 'string') && payload.equals(Buffer.from(expected as string));
  return { stream, number, isIntact };
}

/** Mostly small, often around the sizes where the writer takes another way, now and then large. */
function pick(stream: StreamId, number: number): { at: number; size: number } {
  const mix = Math.imul((stream + 1) ^ 0x9e3779b9, number + 0x85ebca6b) >>> 0;
  const isSmall = stream >= FIRST_SMALL && stream !== MIXED_TO_ALL;
  const size = isSmall ? 100 + (mix & 64) : sizeOf(mix % 100, mix >>> 8);
  return { at: mix % (POOL.length - size), size };
}

function sizeOf(kind: number, mix: number): number {
  if (kind < 60) return mix % 600;
  if (kind < 85) return mix % 9_000;
  if (kind < 92) return 8_170 + (mix % 40);
  if (kind < 97) return 65_500 + (mix % 60);
  return mix % 250_000;
}

function makeTextPool(length: number): string {
  // One, two and three bytes of UTF-8; no halves of surrogate pairs, for it is cut anywhere.
  const codes = Array.from({ length }, () => randomInt(0x20, [0x7f, 0x7ff, 0xd7ff][randomInt(3)]!));
  return codes.map((code) => String.fromCharCode(code)).join('');
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function readHex32(payload: Buffer, at: number): number {
  return Number.parseInt(payload.toString('latin1', at, at + 8), 16);
}
