import { Buffer } from 'node:buffer';
import { bytesFrameSize, encodeBytes, encodeText, textFrameRoom } from '../protocol/encoder';
import { encodeHeader, MAX_SERVER_HEADER } from '../protocol/frame';
import { bytesOfText } from '../protocol/relay';
import { slabWithRoom, type Slab } from './slab';

/** Payloads above this are written as they are, not copied (bench/run.mjs). */
const MAX_COPIED = 8192;

/**
 * A frame that was encoded once, for many sockets. The slab's bytes are valid until the end of the
 * turn; a payload that was too large to copy follows them.
 */
export interface SharedFrame {
  readonly slab: Slab;
  readonly start: number;
  readonly end: number;
  readonly payload: Buffer | undefined;
}

/** Whether a payload is small enough to be copied behind its header. */
export function isCopied(payload: Buffer): boolean {
  return payload.length <= MAX_COPIED;
}

/** Writes a text frame into a slab: `lastStart` to `used`. `undefined` when it is too long to copy. */
export function writeText(first: number, text: string): Slab | undefined {
  if (text.length > MAX_COPIED) return undefined;
  const slab = slabWithRoom(textFrameRoom(text.length));
  slab.lastStart = slab.used;
  slab.used = encodeText(slab.bytes, slab.used, first, text);
  return slab;
}

/** Writes a frame with a payload that {@link isCopied} into a slab: `lastStart` to `used`. */
export function writeBytes(first: number, payload: Buffer): Slab {
  const slab = slabWithRoom(bytesFrameSize(payload.length));
  slab.lastStart = slab.used;
  slab.used = encodeBytes(slab.bytes, slab.used, first, payload);
  return slab;
}

/** Writes only the header of a frame into a slab: `lastStart` to `used`. */
export function writeHeader(first: number, length: number): Slab {
  const slab = slabWithRoom(MAX_SERVER_HEADER);
  slab.lastStart = slab.used;
  slab.used = encodeHeader(slab.bytes, slab.used, first, length);
  return slab;
}

/** Encodes a message once, for any number of sockets. */
export function shareFrame(first: number, data: string | Buffer): SharedFrame {
  const text = typeof data === 'string' ? writeText(first, data) : undefined;
  if (text !== undefined) return shared(text, undefined);
  const payload = typeof data === 'string' ? bytesOfText(data) : data;
  if (isCopied(payload)) return shared(writeBytes(first, payload), undefined);
  return shared(writeHeader(first, payload.length), payload);
}

/** The same frame in memory of its own, for whoever cannot write it before the turn ends. */
export function keepFrame(frame: SharedFrame): Buffer {
  const head = frame.slab.bytes.subarray(frame.start, frame.end);
  return Buffer.concat(frame.payload === undefined ? [head] : [head, frame.payload]);
}

function shared(slab: Slab, payload: Buffer | undefined): SharedFrame {
  return { slab, start: slab.lastStart, end: slab.used, payload };
}
