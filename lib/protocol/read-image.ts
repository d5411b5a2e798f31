import type { Buffer } from 'node:buffer';
import { latin1Of } from './buffer-text';
import { applyMask, copyMasked, type MaskedBytes } from './mask';
import { maskMemory, MIN_MASKED, PAGE, type MaskMemory } from './mask-memory';
import { decodeText } from './utf8';

/*
 * The read at hand is copied to where masking is fastest, when the first small message in it comes. They are
 * unmasked there, texts found to be ASCII or not, and decoded: for sixteen texts of 125 bytes that is 68 ns
 * each, not 135, of 1 KiB 150, not 300 (bench/micro, Node 20).
 *
 *   read   [ header | masked message | header | masked message | … ]   stays as it came
 *   image  [ header | message        | header | masked message | … ]   the same places
 */

/** The read that {@link maskMemory} holds. */
let imaged: Buffer | undefined;

/** To be called before a read is decoded, for its memory may have held other bytes, and after it. */
export function forgetRead(): void {
  imaged = undefined;
}

/**
 * The text under a masking key in `read[start..end)`, which may be unmasked in place.
 *
 * @throws ProtocolError 1007 when it is not UTF-8 (RFC 6455 §8.1)
 */
export function unmaskedText(read: Buffer, start: number, end: number, key: number): string {
  const memory = imageFor(read, end - start);
  if (memory === undefined) {
    applyMask(read, start, end, key);
    return decodeText(read, start, end);
  }
  return memory.mask(start, end - start, key)
    ? latin1Of(memory.bytes, start, end)
    : decodeText(memory.bytes, start, end);
}

/** Copies bytes of the read at hand to `target[at..)`, without their key; the read stays as it is. */
export function copyUnmasked(masked: MaskedBytes, target: Buffer, at: number): void {
  const { source, start, end, key } = masked;
  const memory = imageFor(source, end - start);
  if (memory === undefined) {
    copyMasked(masked, target, at);
    return;
  }
  memory.mask(start, end - start, key);
  target.set(memory.view(start, end - start), at);
}

/**
 * Where the messages of this read lie, of {@link MIN_MASKED} bytes or more, that were unmasked in its image;
 * `undefined` when it has none, or another read has taken its place.
 */
export function imageOf(read: Buffer): Buffer | undefined {
  return imaged === read ? maskMemory?.bytes : undefined;
}

/** The memory with the image of this read, for a message of so many bytes. */
function imageFor(read: Buffer, length: number): MaskMemory | undefined {
  if (maskMemory === undefined || length < MIN_MASKED || read.length > PAGE) return undefined;
  // Another decoder may have been pushed to from inside of the handler of the message before.
  if (imaged !== read) {
    maskMemory.bytes.set(read);
    imaged = read;
  }
  return maskMemory;
}
