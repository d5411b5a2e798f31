import type { Buffer } from 'node:buffer';
import { BLOCK_AT, maskMemory, MIN_MASKED, PAGE, type MaskMemory } from './mask-memory';

/** Below this many bytes a plain loop is faster than setting up words (bench/micro). */
const WORDS_FROM = 48;

/** From here on WebAssembly is faster, copying in and out and all (bench/micro). */
const BLOCKS_FROM = 512;

const keyBytes = new Uint8Array(4);
const keyWord = new Int32Array(keyBytes.buffer);

/** More memory than this is not held for the sake of its view; a read brings 64 KiB at most. */
const MAX_VIEWED = 65_536;

/** The buffer whose words were used last: the frames of one read share one view. */
let lastBuffer: ArrayBufferLike | undefined;
let lastWords: Int32Array = new Int32Array(0);

/**
 * Applies a masking key to `bytes[start..end)` in place; masking and unmasking are the same
 * operation (RFC 6455 §5.3).
 *
 * @param key - the four bytes of the masking key, read as one big-endian number
 */
export function applyMask(bytes: Buffer, start: number, end: number, key: number): void {
  if (maskMemory !== undefined && end - start >= BLOCKS_FROM) {
    copyByBlocks(maskMemory, { source: bytes, start, end, key }, bytes, start);
    return;
  }
  if (end - start < WORDS_FROM) {
    applyByBytes(bytes, start, end, key);
    return;
  }
  const { buffer, byteOffset } = bytes;
  const aligned = start + (-(byteOffset + start) & 3);
  applyByBytes(bytes, start, aligned, key);
  const rotated = rotateKey(key, aligned - start);
  const wordsEnd = aligned + ((end - aligned) & ~3);
  applyByWords(buffer, byteOffset + aligned, byteOffset + wordsEnd, rotated);
  applyByBytes(bytes, wordsEnd, end, rotated);
}

/** Bytes under a masking key. */
export interface MaskedBytes {
  readonly source: Buffer;
  readonly start: number;
  readonly end: number;
  /** The key, rotated to the first of them. */
  readonly key: number;
}

/** Copies `source[start..end)` to `target[at..)` with the masking key applied; the source stays as it is. */
export function copyMasked(masked: MaskedBytes, target: Buffer, at: number): void {
  const { source, start, end, key } = masked;
  if (maskMemory !== undefined && end - start >= BLOCKS_FROM) {
    copyByBlocks(maskMemory, masked, target, at);
    return;
  }
  source.copy(target, at, start, end);
  applyMask(target, at, at + end - start, key);
}

/**
 * The key as it continues after `count` bytes were masked: frames arrive in pieces
 * (octet i of the payload uses octet i modulo 4 of the key, §5.3).
 */
export function rotateKey(key: number, count: number): number {
  const bits = (count & 3) << 3;
  // Shifts count modulo 32, so no bits at all give the key twice, and that is the key.
  return (key << bits) | (key >>> (32 - bits));
}

function copyByBlocks(
  { bytes, mask, view }: MaskMemory,
  { source, start, end, key }: MaskedBytes,
  target: Buffer,
  at: number,
): void {
  for (let from = start; from < end; from += PAGE) {
    const count = Math.min(PAGE, end - from);
    bytes.set(source.subarray(from, from + count), BLOCK_AT);
    mask(BLOCK_AT, Math.max(MIN_MASKED, count), key);
    target.set(view(BLOCK_AT, count), at + from - start);
  }
}

function applyByBytes(bytes: Buffer, start: number, end: number, key: number): void {
  const k0 = key >>> 24;
  const k1 = (key >>> 16) & 0xff;
  const k2 = (key >>> 8) & 0xff;
  const k3 = key & 0xff;
  let at = start;
  // Bounds are the caller's: start and end lie inside of bytes, so `!` holds in this loop.
  for (const last = end - 3; at < last; at += 4) {
    bytes[at]! ^= k0;
    bytes[at + 1]! ^= k1;
    bytes[at + 2]! ^= k2;
    bytes[at + 3]! ^= k3;
  }
  if (at < end) bytes[at]! ^= k0;
  if (at + 1 < end) bytes[at + 1]! ^= k1;
  if (at + 2 < end) bytes[at + 2]! ^= k2;
}

/** `from` and `to` are multiples of 4, counted from the start of the ArrayBuffer. */
function applyByWords(buffer: ArrayBufferLike, from: number, to: number, key: number): void {
  const words = wordsOf(buffer);
  const word = nativeWord(key);
  const last = to >>> 2;
  let at = from >>> 2;
  for (const unrolled = last - 3; at < unrolled; at += 4) {
    words[at]! ^= word;
    words[at + 1]! ^= word;
    words[at + 2]! ^= word;
    words[at + 3]! ^= word;
  }
  for (; at < last; at++) words[at]! ^= word;
}

function wordsOf(buffer: ArrayBufferLike): Int32Array {
  if (buffer === lastBuffer) return lastWords;
  const words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
  if (buffer.byteLength > MAX_VIEWED) return words;
  lastBuffer = buffer;
  lastWords = words;
  return words;
}

/** The key as a word in the byte order of this machine. */
function nativeWord(key: number): number {
  keyBytes[0] = key >>> 24;
  keyBytes[1] = key >>> 16;
  keyBytes[2] = key >>> 8;
  keyBytes[3] = key;
  // The view has exactly one element.
  return keyWord[0]!;
}
