import type { Buffer } from 'node:buffer';
import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib';
import type { DeflateOptions, DeflateTerms } from './deflate';
import { Window } from './window';

/** Up to this many bytes compression is done at once: less than a millisecond (bench/micro). */
const MAX_AT_ONCE = 65_536;

/** RFC 7692 §7.2.1 step 3: what zlib's sync flush ends with is left out. */
const SYNC_TAIL_LENGTH = 4;

const MIN_WINDOW_BITS = 9;

/** Less makes more garbage of zlib's results than it saves: 5,000 small messages, bench/bounds.mjs. */
const MIN_CHUNK = 1024;
const MAX_CHUNK = 65_536;

/** Takes the compressed payload, or `undefined` when it is not worth it. */
export type DeflateCallback = (compressed: Buffer | undefined) => void;

/** What the compressing side has to know of what was agreed on. */
export type DeflaterTerms = Pick<DeflateTerms, 'serverTakeover' | 'serverWindowBits'>;

/**
 * Compresses the messages of one connection, or of many (RFC 7692 §7.2.1).
 *
 * No zlib stream is kept: each message is compressed by itself, with what was said before as its
 * dictionary where the terms allow that. One message at a time: while {@link later} is under way,
 * nothing else may be asked.
 */
export class Deflater {
  readonly terms: DeflaterTerms;
  readonly #options: DeflateOptions;
  readonly #window: Window | undefined;

  constructor(terms: DeflaterTerms, options: DeflateOptions) {
    this.terms = terms;
    this.#options = options;
    this.#window = terms.serverTakeover ? new Window(terms.serverWindowBits) : undefined;
  }

  /** One that refers to nothing: what it makes is for all whose window is no smaller. */
  static alone({ serverWindowBits }: DeflaterTerms, options: DeflateOptions): Deflater {
    return new Deflater({ serverTakeover: false, serverWindowBits }, options);
  }

  /** Whether a message of this many bytes is compressed at once, not on another thread. */
  static isQuick(length: number): boolean {
    return length <= MAX_AT_ONCE;
  }

  /** The compressed payload; `undefined` when it is no smaller. For what {@link isQuick}. */
  now(payload: Buffer): Buffer | undefined {
    return this.#judge(payload, deflateRawSync(payload, this.#settings(payload.length)));
  }

  /** As {@link now}, off the event loop. */
  later(payload: Buffer, done: DeflateCallback): void {
    deflateRaw(payload, this.#settings(payload.length), (error, flushed) => {
      // Out of memory is all that can go wrong here; the message can still go as it is.
      done(error === null ? this.#judge(payload, flushed) : undefined);
    });
  }

  /** A payload was sent that was compressed elsewhere, without a dictionary. */
  sent(payload: Buffer): void {
    this.#window?.push(payload);
  }

  #settings(length: number): ZlibOptions {
    return fit(this.terms, this.#options, length, this.#window?.content);
  }

  #judge(payload: Buffer, flushed: Buffer): Buffer | undefined {
    const compressed = withoutTail(payload, flushed);
    if (compressed !== undefined) this.#window?.push(payload);
    return compressed;
  }
}

/**
 * A context no larger than these bytes need: zlib clears all of it first, which at 4 KiB takes as
 * long as the compression (bench/micro). One literal: with a spread, V8 looks up each option anew, 2 µs.
 */
function fit(
  { serverWindowBits }: DeflaterTerms,
  { level, memLevel }: DeflateOptions,
  length: number,
  dictionary: Buffer | undefined,
): ZlibOptions {
  const all = length + (dictionary?.length ?? 0);
  const bits = Math.max(MIN_WINDOW_BITS, Math.ceil(Math.log2(all + 1)));
  return {
    finishFlush: constants.Z_SYNC_FLUSH,
    level,
    windowBits: Math.min(serverWindowBits, bits),
    memLevel: Math.min(memLevel, Math.max(1, bits - 6)),
    // Room for all of it, in one piece: it is no larger, or is not used.
    chunkSize: Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, length)),
    dictionary,
  };
}

function withoutTail(payload: Buffer, flushed: Buffer): Buffer | undefined {
  const compressed = flushed.subarray(0, -SYNC_TAIL_LENGTH);
  return compressed.length < payload.length ? compressed : undefined;
}
