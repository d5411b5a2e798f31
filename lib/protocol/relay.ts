import { Buffer } from 'node:buffer';
import { detach } from './detach';
import { applyMask, type MaskedBytes } from './mask';
import { unmaskedText } from './read-image';
import { decodeText } from './utf8';

/** From this length on, encoding a text again takes longer than all this (bench/run.mjs, 16 KiB). */
const LONG_TEXT = 8192;

/** Who is told of messages. */
export interface TextSink {
  onMessage(data: string, isBinary: false): void;
}

/** The text that is being told of, and what it was decoded from. */
let told: { readonly text: string; readonly bytes: Buffer } | undefined;

/**
 * Tells of the text under a masking key; its bytes may be unmasked in place, and must not change after that.
 *
 * @throws ProtocolError 1007 when it is not UTF-8 (RFC 6455 §8.1)
 */
export function tellText(sink: TextSink, { source, start, end, key }: MaskedBytes): void {
  if (end - start < LONG_TEXT) {
    sink.onMessage(unmaskedText(source, start, end, key), false);
    return;
  }
  applyMask(source, start, end, key);
  tellLongText(sink, decodeText(source, start, end), source.subarray(start, end));
}

/**
 * Tells of a text. Who passes it on meanwhile, as an echo or a relay does, sends the bytes it came as:
 * UTF-8 has one way to say a text, so nothing needs to be encoded again.
 *
 * @param bytes - what the text was decoded from; they must not change any more
 */
export function tellLongText(sink: TextSink, text: string, bytes: Buffer): void {
  told = { text, bytes };
  sink.onMessage(text, false);
  // Not held any longer; inside of another text that is told of, that one is encoded again.
  told = undefined;
}

/** A text as UTF-8. Not to be changed: others may hold the same bytes. */
export function bytesOfText(text: string): Buffer {
  return told?.text === text ? detach(told.bytes) : Buffer.from(text);
}
