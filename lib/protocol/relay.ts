import { Buffer } from 'node:buffer';
import { writeLatin1, writeUtf8 } from './buffer-text';
import { detach } from './detach';
import { applyMask, type MaskedBytes } from './mask';
import { MIN_MASKED } from './mask-memory';
import { imageOf, unmaskedText } from './read-image';
import { decodeText } from './utf8';

/*
 * Who passes a text on while it is told of, as an echo or a relay does, sends the bytes it came as: UTF-8
 * has one way to say a text, so nothing needs to be encoded again. Nothing is held any longer than that.
 */

/** A text of this many bytes is not copied to where it is decoded (bench/run.mjs, 16 KiB). */
const LONG_TEXT = 8192;

/** Who is told of messages. */
export interface TextSink {
  onMessage(data: string, isBinary: false): void;
}

const NONE: Buffer = Buffer.alloc(0);

/** The text that is being told of, and where the bytes lie that it was decoded from: */
let told: string | undefined;
/** In this memory, or in the image of this read. */
let toldIn = NONE;
let isInImage = false;
let toldStart = 0;
let toldEnd = 0;

/**
 * Tells of the text under a masking key; its bytes may be unmasked in place, and must not change after that.
 *
 * @throws ProtocolError 1007 when it is not UTF-8 (RFC 6455 §8.1)
 */
export function tellText(sink: TextSink, { source, start, end, key }: MaskedBytes): void {
  let text: string;
  if (end - start < LONG_TEXT) {
    text = unmaskedText(source, start, end, key);
    // A shorter one is encoded as soon as it is copied.
    if (end - start >= MIN_MASKED) {
      remember(text, source, start, end);
      isInImage = imageOf(source) !== undefined;
    }
  } else {
    applyMask(source, start, end, key);
    text = decodeText(source, start, end);
    remember(text, source, start, end);
  }
  sink.onMessage(text, false);
  forget();
}

/**
 * Tells of a text.
 *
 * @param bytes - what the text was decoded from; they must not change any more
 */
export function tellDecoded(sink: TextSink, text: string, bytes: Buffer): void {
  remember(text, bytes, 0, bytes.length);
  sink.onMessage(text, false);
  forget();
}

function remember(text: string, bytes: Buffer, start: number, end: number): void {
  told = text;
  toldIn = bytes;
  toldStart = start;
  toldEnd = end;
  isInImage = false;
}

/** Also while another text is told of, further out: that one is encoded again. */
function forget(): void {
  told = undefined;
  toldIn = NONE;
}

/** A text as UTF-8. Not to be changed: others may hold the same bytes. */
export function bytesOfText(text: string): Buffer {
  const memory = memoryOf(text);
  if (memory === undefined) return Buffer.from(text);
  return detach(memory.subarray(toldStart, toldEnd));
}

/** Writes a text as UTF-8; there must be room for all of it. Returns how many bytes it has. */
export function writeText(target: Buffer, text: string, at: number): number {
  const memory = memoryOf(text);
  if (memory === undefined) return writeUtf8(target, text, at);
  const length = toldEnd - toldStart;
  // As many bytes as UTF-16 code units: ASCII, which no copy is faster for than this.
  if (length === text.length) return writeLatin1(target, text, at);
  target.set(memory.subarray(toldStart, toldEnd), at);
  return length;
}

/** Where the bytes of this text are at hand, from `toldStart` to `toldEnd`. */
function memoryOf(text: string): Buffer | undefined {
  if (text !== told) return undefined;
  if (isInImage) return imageOf(toldIn);
  // The memory of a read has no length any more when a handler has transferred it to a worker.
  return toldEnd <= toldIn.length ? toldIn : undefined;
}
