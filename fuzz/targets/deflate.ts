import { Buffer } from 'node:buffer';
import { constants, inflateRawSync } from 'node:zlib';
import type { DeflateTerms } from '../../lib/protocol/deflate';
import { Deflater } from '../../lib/protocol/deflater';
import { ProtocolError } from '../../lib/protocol/errors';
import { Inflater } from '../../lib/protocol/inflater';
import { law, type Target } from '../law';
import { DEFLATE_SEEDS } from './seeds';

const MAX_PAYLOAD = 4096;

/** RFC 7692 §7.2.2 step 1. */
const FLUSH_END = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** Messages, each behind its length in one byte; the last one is what is left. */
function messagesOf(input: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 1; at < input.length;) {
    const end = at + 1 + input.readUInt8(at);
    messages.push(input.subarray(at + 1, end));
    at = end;
  }
  return messages;
}

function termsOf(choice: number): DeflateTerms {
  const takeover = (choice & 0x10) !== 0;
  const bits = 9 + (choice % 7);
  return {
    response: '',
    serverTakeover: takeover,
    clientTakeover: takeover,
    serverWindowBits: bits,
    clientWindowBits: bits,
  };
}

/** What we compress, a client reads: with one stream for all messages, or one for each. */
function checkOurs(messages: readonly Buffer[], terms: DeflateTerms): void {
  const options = { threshold: 0, level: 6, memLevel: 8, windowBits: 15, contextTakeover: true };
  const deflater = new Deflater(terms, options);
  const inflater = new Inflater(terms, MAX_PAYLOAD);
  const stream: Buffer[] = [];
  const said: Buffer[] = [];
  for (const message of messages) {
    const compressed = deflater.now(message);
    if (compressed === undefined) continue;
    law(compressed.length < message.length, 'compressed is smaller, or not sent');
    law(inflater.now(compressed)?.equals(message) === true, 'what we deflate we inflate');
    if (!terms.serverTakeover)
      law(asOneStream([compressed], terms).equals(message), 'so do others');
    stream.push(compressed);
    said.push(message);
  }
  if (!terms.serverTakeover || stream.length === 0) return;
  law(asOneStream(stream, terms).equals(Buffer.concat(said)), 'one stream inflates all of them');
}

function asOneStream(parts: readonly Buffer[], { serverWindowBits }: DeflateTerms): Buffer {
  const all = Buffer.concat(parts.flatMap((part) => [part, FLUSH_END]));
  return inflateRawSync(all, {
    finishFlush: constants.Z_SYNC_FLUSH,
    windowBits: serverWindowBits,
  });
}

/** What a client claims to have compressed is a message within the limit, or its fault. */
function checkTheirs(messages: readonly Buffer[], terms: DeflateTerms): void {
  const inflater = new Inflater(terms, MAX_PAYLOAD);
  for (const message of messages) {
    const before = Buffer.from(message);
    try {
      const data = inflater.now(message);
      law((data?.length ?? 0) <= MAX_PAYLOAD, 'no message above maxPayload');
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      law(error.closeCode === 1007 || error.closeCode === 1009, 'a fault has a code of its own');
      return;
    } finally {
      law(before.equals(message), 'what came is not written to');
    }
  }
}

function run(input: Buffer): void {
  const terms = termsOf(input[0] ?? 0);
  const messages = messagesOf(input);
  checkOurs(messages, terms);
  checkTheirs(messages, terms);
}

export const deflate: Target = {
  name: 'deflate',
  shape: 'bytes',
  seeds: DEFLATE_SEEDS,
  settings: 1,
  operations: (length) => 5000 + 400 * length,
  run,
};
