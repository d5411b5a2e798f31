import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { closed, cut, rekey } from '../../protocol/every-way';
import { hex } from '../../support/bytes';
import { Link, type Fields, type Target } from './target';
import { readFrames, transcript, type Inflate } from './transcript';

/*
 * What bytes mean must depend neither on how TCP cuts them nor on the masking key (RFC 6455 §5.3,
 * §5.4). A vector is sent to a listening server in every way, each on a connection of its own, all
 * at the same time, and every time the server has to say the same.
 */

/** Bytes of a client, and what a server has to say to them. */
export interface Vector {
  /** In the units that a client would send them in. */
  readonly frames: readonly Buffer[];
  /** One line a message or control frame, in order; a close at the end, when the server fails it. */
  readonly heard: readonly string[];
  /** What has to be said before all of it is there. */
  readonly early?: Early;
}

/** After this much of a vector, and no more, this has been said. */
export interface Early {
  readonly sent: readonly Buffer[];
  readonly heard: readonly string[];
}

export interface WayOptions {
  readonly fields?: Fields;
  /** For servers that compress; one for each connection. */
  readonly inflate?: () => Inflate;
}

interface Way {
  readonly name: string;
  /** In one packet with the handshake. */
  readonly glued?: Buffer;
  readonly pieces: readonly Buffer[];
}

/** A close with 1000, masked with nothing. */
const CLOSE = hex('88 82 00000000 03e8');

/** `npm run test:full` tries every offset of longer vectors too. */
const EVERY_OFFSET = process.env.TEST_FULL === '1' ? 512 : 160;

/** Asserts what the server says to a vector: whole, cut, glued, and under a random key. */
export async function expectEveryWay(
  server: Target,
  vector: Vector,
  options: WayOptions = {},
): Promise<void> {
  const bytes = Buffer.concat(vector.frames);
  const ways = [...waysOf(bytes), { name: 'frame by frame', pieces: vector.frames }];
  const isClosed = vector.heard.at(-1)?.startsWith('close') === true;
  const expected = isClosed ? vector.heard : [...vector.heard, closed(1000)];
  const heard = await Promise.all(ways.map((way) => walk(server, way, isClosed, options)));
  const wrong = heard.findIndex((lines) => !isDeepStrictEqual(lines, expected));
  if (wrong >= 0) throw new Error(complaint(ways[wrong]!.name, heard[wrong]!, expected));
  expect(heard).toHaveLength(ways.length);
  if (vector.early !== undefined) await expectEarly(server, vector.early, options);
}

/** What was said and what should have been, without some megabytes of payload. */
function complaint(way: string, heard: readonly string[], expected: readonly string[]): string {
  const show = (line: string): string =>
    line.length > 120 ? `${line.slice(0, 120)}... (${line.length} characters)` : line;
  const list = (lines: readonly string[]): string =>
    lines.map((line) => `\n  ${show(line)}`).join('');
  return `${way}, the server said:${list(heard)}\ninstead of:${list(expected)}`;
}

/** Asserts that the server says this when it has these packets, and nothing behind them. */
export async function expectEarly(
  server: Target,
  { sent, heard }: Early,
  { fields }: WayOptions = {},
): Promise<void> {
  const link = await Link.open(server, undefined, fields);
  for (const piece of sent) await link.send(piece);
  const lines: string[] = [];
  while (lines.length < heard.length) lines.push(...transcript([await link.peer.readFrame()]));
  expect(lines).toEqual(heard);
  link.peer.socket.destroy();
}

async function walk(
  server: Target,
  { glued, pieces }: Way,
  isClosed: boolean,
  { fields, inflate }: WayOptions,
): Promise<string[]> {
  const link = await Link.open(server, glued, fields);
  for (const piece of pieces) await link.send(piece);
  if (!isClosed) await link.send(CLOSE);
  return transcript(readFrames(await link.peer.readToEnd()), inflate?.());
}

function* waysOf(bytes: Buffer): Generator<Way> {
  yield* roughWays(bytes, 'as printed');
  const key = randomBytes(4);
  const masked = rekey(bytes, key);
  const name = `key ${key.toString('hex')}`;
  yield* roughWays(masked, name);
  for (const at of offsets(bytes.length)) {
    yield { name: `${name}, split at ${at}`, pieces: cut(masked, [at]) };
  }
}

function* roughWays(bytes: Buffer, name: string): Generator<Way> {
  yield { name: `${name}, whole`, pieces: [bytes] };
  yield { name: `${name}, in one packet with the handshake`, glued: bytes, pieces: [] };
  yield { name: `${name}, byte by byte`, pieces: cut(bytes, steps(bytes.length)) };
}

/** Where a vector is split: everywhere, or around its header and where buffers end. */
function offsets(length: number): number[] {
  if (length <= EVERY_OFFSET) return Array.from({ length }, (_, at) => at);
  const header = Array.from({ length: 18 }, (_, at) => at);
  const powers = [64, 255, 256, 4095, 4096, 16_384, 65_535, 65_536].filter((at) => at < length);
  return [...header, ...powers, length - 2, length - 1];
}

/** Every byte, or so many at once that a long vector is some hundred packets. */
function steps(length: number): number[] {
  if (length <= EVERY_OFFSET) return Array.from({ length }, (_, at) => at);
  const header = Array.from({ length: 18 }, (_, at) => at);
  const step = Math.max(7, Math.floor(length / 100) | 1);
  return [...header, ...Array.from({ length: Math.floor(length / step) }, (_, i) => i * step)];
}
