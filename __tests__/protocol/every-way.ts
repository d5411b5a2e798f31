import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Decoder, type DecoderLimits, type DecoderSink } from '../../lib/protocol/decoder';
import { ProtocolError } from '../../lib/protocol/errors';
import { hex } from '../support/bytes';

/*
 * What the bytes of a client mean must not depend on how TCP cuts them (RFC 6455 §5.4: a receiver
 * cannot rely on reads), nor on the masking key. A vector is therefore decoded in every way, and
 * what was heard is kept as one line an event, so that two ways can be compared.
 */

export const LIMITS: DecoderLimits = { maxPayload: 1 << 20, maxFragments: 65_536 };

/** A masking key that leaves the payload readable in a vector. */
export const M = '00000000';

/** The payload zeros that a vector of a declared length needs. */
export const zeros = (length: number): string => '00'.repeat(length);

export const text = (data: string): string => `text ${JSON.stringify(data)}`;
export const binary = (digits = ''): string => `binary ${hex(digits).toString('hex')}`;
export const ping = (digits = ''): string => `ping ${hex(digits).toString('hex')}`;
export const pong = (digits = ''): string => `pong ${hex(digits).toString('hex')}`;
export const closed = (code: number, reason = ''): string => `close ${code} ${reason}`;
export const fault = (closeCode: number): string => `fault ${closeCode}`;

/** Writes down what a decoder says. */
export function listener(heard: string[]): DecoderSink {
  return {
    onMessage: (data, isBinary) => heard.push(message(data, isBinary)),
    onCompressed: (payload, isBinary) =>
      heard.push(`compressed ${isBinary ? 'binary' : 'text'} ${payload.toString('hex')}`),
    onSpent: () => heard.push('spent'),
    onPing: (payload) => heard.push(`ping ${payload.toString('hex')}`),
    onPong: (payload) => heard.push(`pong ${payload.toString('hex')}`),
    onClose: ({ code, reason }) => heard.push(closed(code, reason)),
  };
}

function message(data: string | Buffer, isBinary: boolean): string {
  if (typeof data === 'string' && !isBinary) return text(data);
  if (Buffer.isBuffer(data) && isBinary) return `binary ${data.toString('hex')}`;
  throw new Error(`a ${typeof data} announced with isBinary ${String(isBinary)}`);
}

/** Everything heard up to the end or the fault; an error of any other kind is passed on. */
export function decode(chunks: Iterable<Buffer>, limits: DecoderLimits = LIMITS): string[] {
  const heard: string[] = [];
  const decoder = new Decoder(limits, listener(heard));
  try {
    for (const chunk of chunks) decoder.push(chunk);
  } catch (error) {
    heard.push(faultOf(error));
  }
  return heard;
}

/** The line for a fault of the peer; anything else is a fault of ours. */
export function faultOf(error: unknown): string {
  if (!(error instanceof ProtocolError)) throw error;
  return fault(error.closeCode);
}

/** Copies, cut before each of these offsets: the decoder unmasks in place. */
export function cut(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const inside = offsets.filter((offset) => offset > 0 && offset < bytes.length);
  const bounds = [0, ...[...new Set(inside)].sort((a, b) => a - b), bytes.length];
  return bounds.slice(1).map((end, i) => Buffer.from(bytes.subarray(bounds[i], end)));
}

/** One byte a chunk. */
export function* drip(bytes: Buffer): Generator<Buffer> {
  for (const byte of bytes) yield Buffer.from([byte]);
}

/**
 * The same frames under another masking key. From where the bytes are no masked frame they stay
 * as they are.
 */
export function rekey(bytes: Buffer, key: Buffer): Buffer {
  const out = Buffer.from(bytes);
  let at = 0;
  for (;;) {
    const second = out[at + 1] ?? 0;
    const start = at + (second < 0xfe ? 6 : second === 0xfe ? 8 : 14);
    if (second < 0x80 || start > out.length) return out;
    const end = Math.min(out.length, start + declaredLength(out, at, second));
    for (let i = start; i < end; i++) {
      out[i] = out[i]! ^ out[start - 4 + ((i - start) % 4)]! ^ key[(i - start) % 4]!;
    }
    key.copy(out, start - 4);
    at = end;
  }
}

function declaredLength(bytes: Buffer, at: number, second: number): number {
  if (second < 0xfe) return second - 0x80;
  return second === 0xfe ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
}

/** Up to this many bytes every offset is tried; above, those around the header and a few more. */
const EVERY_OFFSET = 512;

function splitOffsets(length: number): number[] {
  if (length > EVERY_OFFSET) {
    const header = Array.from({ length: 18 }, (_, i) => i + 1);
    const powers = [255, 256, 4095, 4096, 16_384, 65_535, 65_536].filter((n) => n < length);
    return [...header, ...powers, length - 2, length - 1];
  }
  return Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
}

interface Way {
  readonly name: string;
  readonly chunks: Iterable<Buffer>;
}

function* waysToCut(bytes: Buffer, name: string): Generator<Way> {
  yield { name: `${name}, whole`, chunks: [Buffer.from(bytes)] };
  // Alone in its memory a payload is handed on in place; every alignment of it counts.
  for (const shift of [0, 1, 2, 3]) {
    const own = Buffer.allocUnsafeSlow(bytes.length + shift).subarray(shift);
    bytes.copy(own);
    yield { name: `${name}, whole in its own memory at ${shift}`, chunks: [own] };
  }
  yield { name: `${name}, byte by byte`, chunks: drip(bytes) };
  for (const at of splitOffsets(bytes.length)) {
    yield { name: `${name}, split at ${at}`, chunks: cut(bytes, [at]) };
  }
}

function* waysOf(bytes: Buffer): Generator<Way> {
  yield* waysToCut(bytes, 'as printed');
  const keys = bytes.length > EVERY_OFFSET ? [] : [hex('37fa213d'), hex('ff00807f')];
  for (const key of [...keys, randomBytes(4)]) {
    yield* waysToCut(rekey(bytes, key), `key ${key.toString('hex')}`);
  }
}

/** Asserts what is heard: whole, split at every offset, byte by byte, and under other keys. */
export function expectEveryWay(
  bytes: Buffer,
  expected: readonly string[],
  limits: DecoderLimits = LIMITS,
): void {
  for (const { name, chunks } of waysOf(bytes)) {
    const heard = decode(chunks, limits);
    // A diff of the lines is worth its price only where there is one to print.
    if (!isDeepStrictEqual(heard, expected)) expect([name, ...heard]).toEqual([name, ...expected]);
  }
  expect(decode([Buffer.from(bytes)], limits)).toEqual(expected);
}
