import { Buffer } from 'node:buffer';
import { deflateRawSync, constants } from 'node:zlib';
import { fitLength, frameOf, joinFrames, splitFrames, type RawFrame } from './frames';
import type { Target } from './law';
import type { Random } from './random';
import { TOKENS } from './tokens';

/** Longer inputs find nothing that shorter ones do not, and are slow. */
export const MAX_INPUT = 6000;

const INTERESTING_BYTES = [0, 1, 2, 3, 0x7f, 0x80, 0x81, 0x88, 0xbf, 0xc0, 0xe2, 0xed, 0xf4, 0xff];

const INTERESTING_LENGTHS = [
  0n,
  1n,
  2n,
  125n,
  126n,
  127n,
  300n,
  65_535n,
  65_536n,
  65_537n,
  1_048_576n,
  1_048_577n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1_0000_0001n,
  0x1f_ffff_ffff_ffffn,
  0x20_0000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];

const FIRST_BYTES = [0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xc2, 0x41, 0x42];

/** Pieces of text on both sides of the edges of RFC 3629 §4, whole and cut. */
const TEXT_PIECES = [
  '61',
  'c3a9',
  'e282ac',
  'f09f9880',
  'e282',
  'ac',
  'c0',
  'eda080',
  'f490',
  '80',
];

type ByteMutation = (random: Random, bytes: Buffer) => Buffer;

const put = (bytes: Buffer, at: number, removed: number, added: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);

const BYTE_MUTATIONS: readonly ByteMutation[] = [
  (random, bytes) => {
    const out = Buffer.from(bytes);
    const at = random.int(out.length);
    out[at] = (out[at] ?? 0) ^ (1 << random.int(8));
    return out;
  },
  (random, bytes) => {
    const out = Buffer.from(bytes);
    out[random.int(out.length)] = random.pick(INTERESTING_BYTES);
    return out;
  },
  (random, bytes) => put(bytes, random.int(bytes.length), 0, Buffer.from([random.int(256)])),
  (random, bytes) => put(bytes, random.int(bytes.length), 1 + random.int(8), Buffer.alloc(0)),
  (random, bytes) => {
    const from = random.int(bytes.length);
    const piece = bytes.subarray(from, from + 1 + random.int(32));
    return put(bytes, random.int(bytes.length), random.int(3), piece);
  },
  (random, bytes) => bytes.subarray(0, 1 + random.int(bytes.length)),
];

type FrameMutation = (random: Random, frames: RawFrame[], at: number, frame: RawFrame) => void;

const anyKey = (random: Random): number => random.pick([0, 0x37fa213d, random.int(2 ** 32)]);

const FRAME_MUTATIONS: readonly FrameMutation[] = [
  (random, frames, at, frame) => void (frames[at] = { ...frame, first: random.pick(FIRST_BYTES) }),
  (random, frames, at, frame) =>
    void (frames[at] = { ...frame, first: frame.first ^ (0x80 >> random.int(8)) }),
  (random, frames, at, frame) => void (frames[at] = { ...frame, key: anyKey(random) }),
  (random, frames, at, frame) =>
    void (frames[at] = { ...frame, form: random.pick([7, 16, 64] as const) }),
  (random, frames, at, frame) => {
    frames[at] = { ...frame, form: random.pick([16, 64] as const), length: anyLength(random) };
  },
  (random, frames, at, frame) => void (frames[at] = { ...frame, isMasked: random.once(2) }),
  (_random, frames, at) => void frames.splice(at, 1),
  (random, frames, _at, frame) => void frames.splice(random.int(frames.length + 1), 0, frame),
  (random, frames, at) => void frames.splice(at, 0, frameOf(random.pick([0x89, 0x8a]), 'hi')),
  (random, frames, at) => void frames.splice(at, 0, anyClose(random)),
  splitInFragments,
  (random, frames, at, frame) => {
    const text = Buffer.from(random.pick(TEXT_PIECES).repeat(1 + random.int(3)), 'hex');
    const payload = put(frame.payload, random.int(frame.payload.length + 1), random.int(3), text);
    frames[at] = fitLength({ ...frame, payload });
  },
  (random, frames, at, frame) => {
    const payload = Buffer.alloc(random.pick([0, 1, 124, 125, 126, 300, 2047, 2048, 4096]), 'ab');
    frames[at] = fitLength({ ...frame, payload });
  },
  (random, frames, at, frame) => {
    const payload = anyOf(BYTE_MUTATIONS, random)(random, Buffer.concat([frame.payload, ONE]));
    frames[at] = fitLength({ ...frame, payload });
  },
  compress,
];

const ONE = Buffer.from('a');

function anyLength(random: Random): bigint {
  const length = random.pick(INTERESTING_LENGTHS);
  return length > 0n && random.once(3) ? length - 1n : length;
}

function anyClose(random: Random): RawFrame {
  const code = random.pick([1000, 1001, 1004, 1005, 1006, 1014, 1015, 2999, 3000, 4999, 5000, 0]);
  const body = Buffer.from([code >> 8, code & 0xff]);
  return frameOf(0x88, Buffer.concat([body, Buffer.from('bye')]).subarray(0, random.int(6)));
}

/** §5.4: one frame becomes several. */
function splitInFragments(random: Random, frames: RawFrame[], at: number, frame: RawFrame): void {
  const cut = random.int(frame.payload.length + 1);
  const head = { ...frame, first: frame.first & 0x7f, payload: frame.payload.subarray(0, cut) };
  const tail = { ...frame, first: frame.first & 0x80, payload: frame.payload.subarray(cut) };
  frames.splice(at, 1, fitLength(head), fitLength({ ...tail, key: anyKey(random) }));
}

/** RFC 7692 §7.2.1: the payload compressed, its flush left as it is, cut, or final. */
function compress(random: Random, frames: RawFrame[], at: number, frame: RawFrame): void {
  const finishFlush = random.pick([constants.Z_SYNC_FLUSH, constants.Z_FINISH]);
  const level = random.pick([0, 1, 9]);
  const windowBits = random.pick([9, 15]);
  const raw = deflateRawSync(frame.payload, { finishFlush, level, windowBits });
  const payload = finishFlush === constants.Z_SYNC_FLUSH ? raw.subarray(0, -4) : raw;
  frames[at] = fitLength({ ...frame, first: frame.first | 0x40, payload });
}

function mutateFrames(random: Random, bytes: Buffer): Buffer {
  const { frames, rest } = splitFrames(bytes);
  for (let count = 1 + random.int(3); count > 0; count--) {
    const at = random.int(Math.max(1, frames.length));
    const frame = frames[at] ?? frameOf(random.pick(FIRST_BYTES), 'x');
    anyOf(FRAME_MUTATIONS, random)(random, frames, at, frame);
  }
  return joinFrames(frames, random.once(2) ? Buffer.alloc(0) : rest);
}

function mutateText(random: Random, bytes: Buffer): Buffer {
  const token = Buffer.from(random.pick(TOKENS), 'latin1');
  if (random.once(2)) return put(bytes, random.int(bytes.length + 1), random.int(6), token);
  const lines = bytes.toString('latin1').split('\n');
  const at = random.int(lines.length);
  const line = lines[at] ?? '';
  if (random.once(3)) lines.splice(at, 1);
  else if (random.once(2)) lines.splice(random.int(lines.length), 0, line);
  else lines[at] = `${line.split(':')[0] ?? ''}: ${random.pick(TOKENS)}`;
  return Buffer.from(lines.join('\n'), 'latin1');
}

function anyOf<T>(list: readonly T[], random: Random): T {
  return random.pick(list);
}

/** One input made from one or two others. */
export function mutate(random: Random, target: Target, input: Buffer, other: Buffer): Buffer {
  const settings = Buffer.from(input.subarray(0, target.settings));
  let body = input.subarray(target.settings);
  if (settings.length > 0 && random.once(4))
    settings[random.int(settings.length)] = random.int(256);
  if (random.once(8)) body = splice(random, body, other.subarray(target.settings));
  for (let count = 1 << random.int(4); count > 0; count--) body = mutateOnce(random, target, body);
  return Buffer.concat([settings, body.subarray(0, MAX_INPUT)]);
}

function mutateOnce(random: Random, { shape }: Target, body: Buffer): Buffer {
  if (body.length === 0) return Buffer.from([random.int(256), random.int(256)]);
  if (shape === 'frames' && !random.once(4)) return mutateFrames(random, body);
  if (shape === 'text' && !random.once(3)) return mutateText(random, body);
  return anyOf(BYTE_MUTATIONS, random)(random, body);
}

function splice(random: Random, one: Buffer, other: Buffer): Buffer {
  const from = random.int(other.length + 1);
  return Buffer.concat([one.subarray(0, random.int(one.length + 1)), other.subarray(from)]);
}
