import { Buffer } from 'node:buffer';
import { detach } from './detach';
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
 * Tells of the text in `bytes[start..end)`; they must not change any more.
 *
 * @throws ProtocolError 1007 when it is not UTF-8 (RFC 6455 §8.1)
 */
export function tellText(sink: TextSink, bytes: Buffer, start: number, end: number): void {
  const text = decodeText(bytes, start, end);
  if (end - start < LONG_TEXT) sink.onMessage(text, false);
  else tellLongText(sink, text, bytes.subarray(start, end));
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
