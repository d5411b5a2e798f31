import * as buffers from 'node:buffer';
import { isAscii, isUtf8, type Buffer } from 'node:buffer';
import { CloseCode } from './close';
import { ProtocolError } from './errors';

/** Up to this length a loop over char codes beats a call into C++ (bench/micro). */
const TINY_TEXT = 11;

/** From this length, checking first and then copying wins (bench/micro). */
const LONG_TEXT = 512;

/**
 * Longer text is put together from pieces of this many bytes, which V8 collects at little cost; strings
 * above 128 KiB, two bytes a character or one, have a space of their own (bench/run.mjs, echo of 1 MiB
 * text: 1240 µs as one, 540 in pieces). Who reads the text has V8 join them first.
 */
const PIECE = 32_768;

/** Above this, Node keeps text outside of V8's heap, which it would fill up. */
const MAX_IN_PIECES = 1_048_576;

/** Missing where Node was built without ICU. */
const { transcode } = buffers as Partial<typeof buffers>;

/**
 * V8 decodes UTF-8 with SIMD itself in every version that has this (Node 24 on): 16 KiB in 2 to 9 µs,
 * where those before take 20 to 130, and `transcode` 5 to 25 on all of them (bench/micro).
 */
const isDecoderFast = 'Float16Array' in globalThis;

const REPLACEMENT = '\ufffd';

/**
 * The text in `bytes[start..end)`.
 *
 * @throws ProtocolError 1007 when it is not UTF-8 (RFC 6455 §8.1)
 */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  if (end - start <= TINY_TEXT) {
    const text = tinyAscii(bytes, start, end);
    if (text !== undefined) return text;
  } else if (end - start >= LONG_TEXT) {
    return longText(bytes.subarray(start, end));
  }
  const text = bytes.toString('utf8', start, end);
  // Only a decoder that met bad bytes, or a sender that meant it, gives U+FFFD.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) throw invalidText();
  return text;
}

function longText(bytes: Buffer): string {
  if (isAscii(bytes)) return inPieces(bytes, asciiText);
  if (!isUtf8(bytes)) throw invalidText();
  return inPieces(bytes, textBeyondAscii);
}

/** `bytes` is known to be UTF-8; no piece ends inside of a character. */
function inPieces(bytes: Buffer, decode: (piece: Buffer) => string): string {
  if (bytes.length <= PIECE || bytes.length > MAX_IN_PIECES) return decode(bytes);
  let text = '';
  for (let at = 0; at < bytes.length;) {
    let end = Math.min(bytes.length, at + PIECE);
    while (end < bytes.length && isContinuation(bytes[end]!)) end--;
    text += decode(bytes.subarray(at, end));
    at = end;
  }
  return text;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function asciiText(bytes: Buffer): string {
  return bytes.toString('latin1');
}

function textBeyondAscii(bytes: Buffer): string {
  if (isDecoderFast || transcode === undefined) return bytes.toString('utf8');
  return transcode(bytes, 'utf8', 'utf16le').toString('utf16le');
}

function tinyAscii(bytes: Buffer, start: number, end: number): string | undefined {
  let text = '';
  for (let at = start; at < end; at++) {
    // Bounds are the caller's.
    const byte = bytes[at]!;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** What a message with bad text is answered with (RFC 6455 §8.1). */
export function invalidText(): ProtocolError {
  return new ProtocolError('text is not UTF-8 (§8.1)', CloseCode.InvalidPayload);
}

/**
 * Checks UTF-8 that arrives in pieces and fails at the first bad octet, not at the end
 * (RFC 6455 §8.1, RFC 3629 §4).
 *
 * ```
 *            lead byte of a sequence of n
 *   ┌──────┐ ─────────────────────────────▶ ┌────────────────────────────┐
 *   │ need │                                │ need n-1, the next byte in │
 *   │  0   │ ◀───────────────────────────── │ [lower, upper]             │
 *   └──────┘   last byte of the sequence    └────────────────────────────┘
 * ```
 * Invariant: between pieces, what was pushed is a valid prefix of UTF-8.
 */
export class Utf8Validator {
  #need = 0;
  #lower = 0x80;
  #upper = 0xbf;
  #isAscii = true;

  /** Whether the text may end here: no sequence is open. */
  get isComplete(): boolean {
    return this.#need === 0;
  }

  /** Takes the next piece, `bytes[start..end)`; false when it cannot be UTF-8. */
  push(bytes: Buffer, start: number, end: number): boolean {
    let at = start;
    while (at < end && this.#need > 0) if (!this.#step(bytes[at++]!)) return false;
    const tail = lastBoundary(bytes, at, end);
    if (tail > at && !this.#take(bytes.subarray(at, tail))) return false;
    for (at = tail; at < end; at++) if (!this.#step(bytes[at]!)) return false;
    return true;
  }

  /** The text of these bytes, which are all that was pushed, and complete. */
  textOf(bytes: Buffer): string {
    if (bytes.length < LONG_TEXT) return bytes.toString('utf8');
    return inPieces(bytes, this.#isAscii ? asciiText : textBeyondAscii);
  }

  /** Sequences that are not cut. */
  #take(bytes: Buffer): boolean {
    if (isAscii(bytes)) return true;
    this.#isAscii = false;
    return isUtf8(bytes);
  }

  #step(byte: number): boolean {
    if (this.#need === 0) return this.#lead(byte);
    if (byte < this.#lower || byte > this.#upper) return false;
    this.#need--;
    this.#lower = 0x80;
    this.#upper = 0xbf;
    return true;
  }

  /**
   * The table of well-formed sequences, RFC 3629 §4: UTF8-2 to UTF8-4. ASCII never comes here: a cut
   * tail begins with a lead byte, and only the bytes of its sequence follow.
   */
  #lead(byte: number): boolean {
    this.#isAscii = false;
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#need = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte === 0xe0) this.#lower = 0xa0;
    if (byte === 0xed) this.#upper = 0x9f;
    if (byte === 0xf0) this.#lower = 0x90;
    if (byte === 0xf4) this.#upper = 0x8f;
    return true;
  }
}

/** Where the last sequence of the piece starts if it may be cut; at most 3 bytes before the end. */
function lastBoundary(bytes: Buffer, start: number, end: number): number {
  const first = Math.max(start, end - 3);
  for (let at = end - 1; at >= first; at--) {
    const byte = bytes[at]!;
    if (byte < 0x80) return at + 1;
    if (byte >= 0xc0) return at;
  }
  return end;
}
