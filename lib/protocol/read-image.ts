import type { Buffer } from 'node:buffer';
import { latin1Of } from './buffer-text';
import { applyMask } from './mask';
import { maskMemory, MIN_MASKED, PAGE } from './mask-memory';
import { decodeText } from './utf8';

/*
 * The read at hand is copied to where masking is fastest, when the first text in it comes; its texts
 * are unmasked, found to be ASCII or not, and decoded there. For sixteen texts of 125 bytes that
 * is 68 ns each, not 135, of 1 KiB 150, not 300 (bench/micro, Node 20).
 *
 *   read   [ header | masked text | header | masked text | … ]   its texts stay masked
 *   image  [ header | text        | header | masked text | … ]   the same places
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
  const length = end - start;
  if (maskMemory === undefined || length < MIN_MASKED || read.length > PAGE) {
    applyMask(read, start, end, key);
    return decodeText(read, start, end);
  }
  const { bytes } = maskMemory;
  // Another decoder may have been pushed to from inside of the handler of the text before.
  if (imaged !== read) {
    bytes.set(read);
    imaged = read;
  }
  return maskMemory.mask(start, length, key)
    ? latin1Of(bytes, start, end)
    : decodeText(bytes, start, end);
}

/** Where the texts of this read lie that are unmasked, of {@link MIN_MASKED} bytes or more; the places are the same. */
export function unmaskedIn(read: Buffer): Buffer {
  return maskMemory !== undefined && imaged === read ? maskMemory.bytes : read;
}
