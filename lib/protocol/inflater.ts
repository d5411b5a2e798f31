import { Buffer, constants } from 'node:buffer';
import { inflateRaw, inflateRawSync, type ZlibOptions } from 'node:zlib';
import { CloseCode } from './close';
import type { DeflateTerms } from './deflate';
import { ProtocolError } from './errors';
import { Window } from './window';

/** Compressed messages above this are inflated on another thread, which takes three times the CPU time. */
const MAX_INPUT_AT_ONCE = 65_536;

/** So are those that become larger than this: half a millisecond (bench/micro). */
const MAX_OUTPUT_AT_ONCE = 262_144;

/** Less makes more garbage of zlib's results than it saves: 5,000 small messages, bench/bounds.mjs. */
const MIN_CHUNK = 1024;
const MAX_CHUNK = 65_536;

/**
 * RFC 7692 §7.2.2 step 1, and an empty final block behind it: where a message was cut inside of a
 * block, zlib seldom gets to that, and says so.
 */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff, 0x03, 0x00]);

/** §7.2.3.4: a message may hold final blocks, each with a new stream behind it; nobody needs many. */
const MAX_STREAMS = 64;

/** What zlib gives with `info`, which its types leave out. */
interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** What zlib fails with, told from the above by its code: it may be another realm's `Error`. */
type ZlibError = Error & { readonly code: string };

/** A message that is being inflated: what is left of it, and what has come out. */
interface Progress {
  readonly rest: Buffer;
  readonly output: Buffer;
  /** Streams that have ended. */
  readonly streams: number;
}

/** Takes the payload, or what is wrong with it. */
export type InflateCallback = (result: Buffer | ProtocolError) => void;

const EMPTY = Buffer.alloc(0);

/** Where input is put together with its tail; one at a time, for all connections. */
const input = Buffer.allocUnsafeSlow(MAX_INPUT_AT_ONCE + TAIL.length);

/**
 * Inflates the messages of one connection (RFC 7692 §7.2.2), each bounded by `maxPayload` inside of
 * zlib, so a bomb never comes to be.
 *
 * No zlib stream is kept: what was said before is the dictionary where the terms allow that. One
 * message at a time: while {@link later} is under way, nothing else may be asked.
 */
export class Inflater {
  readonly #terms: DeflateTerms;
  readonly #maxPayload: number;
  readonly #window: Window | undefined;

  constructor(terms: DeflateTerms, maxPayload: number) {
    this.#terms = terms;
    this.#maxPayload = Math.min(maxPayload, constants.MAX_LENGTH);
    this.#window = terms.clientTakeover ? new Window(terms.clientWindowBits) : undefined;
  }

  /**
   * The payload; `undefined` when it takes longer than the event loop should wait: then
   * {@link later} is to be asked.
   *
   * @throws ProtocolError 1009 above `maxPayload`, 1007 when it is not deflate data
   */
  now(compressed: Buffer): Buffer | undefined {
    if (compressed.length === 0) return EMPTY;
    if (compressed.length > MAX_INPUT_AT_ONCE) return undefined;
    compressed.copy(input);
    TAIL.copy(input, compressed.length);
    const limit = Math.min(this.#maxPayload, MAX_OUTPUT_AT_ONCE);
    let progress = begin(input.subarray(0, compressed.length + TAIL.length));
    while (progress.rest.length > 0) {
      const result = inflateAtOnce(progress.rest, this.#settings(progress, limit));
      const next = advance(progress, result, limit);
      if (!(next instanceof ProtocolError)) progress = next;
      else if (next.closeCode === CloseCode.MessageTooBig && limit < this.#maxPayload)
        return undefined;
      else throw next;
    }
    return this.#remember(progress.output);
  }

  /** For what {@link now} did not take, off the event loop: copies, and begins when called again. */
  later(compressed: Buffer): (done: InflateCallback) => void {
    const progress = begin(Buffer.concat([compressed, TAIL]));
    return (done) => this.#goOn(progress, done);
  }

  #goOn(progress: Progress, done: InflateCallback): void {
    const limit = this.#maxPayload;
    inflateRaw(progress.rest, this.#settings(progress, limit), (error, result) => {
      const next = advance(progress, (error as ZlibError | null) ?? asInflated(result), limit);
      if (next instanceof ProtocolError) done(next);
      else if (next.rest.length > 0) this.#goOn(next, done);
      else done(this.#remember(next.output));
    });
  }

  #settings({ rest, output }: Progress, limit: number): ZlibOptions & { info: true } {
    return {
      info: true,
      windowBits: this.#terms.clientWindowBits,
      maxOutputLength: Math.max(1, limit - output.length),
      chunkSize: Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, rest.length * 4)),
      dictionary: this.#dictionary(output),
    };
  }

  /** What a stream may refer to: earlier messages, and the streams before it in this one. */
  #dictionary(output: Buffer): Buffer | undefined {
    const said = this.#window?.content;
    if (output.length === 0) return said;
    const all = said === undefined ? output : Buffer.concat([said, output]);
    return all.subarray(-(2 ** this.#terms.clientWindowBits));
  }

  #remember(output: Buffer): Buffer {
    this.#window?.push(output);
    return output;
  }
}

function begin(rest: Buffer): Progress {
  return { rest, output: EMPTY, streams: 0 };
}

function inflateAtOnce(rest: Buffer, settings: ZlibOptions): Inflated | ZlibError {
  try {
    return asInflated(inflateRawSync(rest, settings));
  } catch (error) {
    // zlib throws nothing else.
    return error as ZlibError;
  }
}

/** With `info`, zlib's functions give this (seen on Node 20 to 26); their types do not say so. */
function asInflated(result: unknown): Inflated {
  return result as Inflated;
}

/** One stream has ended, by itself or at the end of the message. */
function advance(
  { rest, output, streams }: Progress,
  result: Inflated | ZlibError,
  limit: number,
): Progress | ProtocolError {
  if ('code' in result) return faultOf(result);
  const { buffer, engine } = result;
  const all = output.length === 0 ? buffer : Buffer.concat([output, buffer]);
  if (all.length > limit) return tooBig();
  // What zlib did not take is behind a final block; when that was the one of TAIL, it took all.
  const left = rest.subarray(engine.bytesWritten);
  if (left.length > 0 && streams >= MAX_STREAMS) return notDeflate('too many final blocks');
  return { rest: left, output: all, streams: streams + 1 };
}

function faultOf(error: ZlibError): ProtocolError {
  return error.code === 'ERR_BUFFER_TOO_LARGE' ? tooBig() : notDeflate(error.message);
}

function tooBig(): ProtocolError {
  return new ProtocolError('message is above maxPayload once inflated', CloseCode.MessageTooBig);
}

function notDeflate(why: string): ProtocolError {
  return new ProtocolError(
    `compressed message cannot be inflated: ${why} (RFC 7692 §7.2.2)`,
    CloseCode.InvalidPayload,
  );
}
