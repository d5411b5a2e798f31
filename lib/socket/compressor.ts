import { Buffer } from 'node:buffer';
import type { DeflateOptions } from '../protocol/deflate';
import { Deflater, type DeflaterTerms } from '../protocol/deflater';
import { RSV1 } from '../protocol/frame';
import { enqueueJob } from './jobs';

/** What a frame carries: its reserved bits, and its payload. */
export interface Encoded {
  readonly bits: number;
  readonly payload: string | Buffer;
}

/** A payload that has to be waited for. */
export interface Later {
  /** How many bytes it has, as far as they are known. */
  readonly bytes: number;
  /** Begins; to be called once, when its turn has come. */
  read(): Promise<Encoded>;
}

/** Whether a payload has to be waited for. */
export function isLater(encoding: object): encoding is Later {
  return 'read' in encoding;
}

/** A payload as it is. */
export function uncompressed(payload: string | Buffer): Encoded {
  return { bits: 0, payload };
}

/** A payload that was compressed, or as it is when that was not worth it. */
export function compressedOr(payload: Buffer, compressed: Buffer | undefined): Encoded {
  return compressed === undefined ? uncompressed(payload) : { bits: RSV1, payload: compressed };
}

/** Decides what is compressed of what one socket sends, and where (RFC 7692 §6.1: message by message). */
export class Compressor {
  readonly options: DeflateOptions;
  readonly #deflater: Deflater;

  constructor(terms: DeflaterTerms, options: DeflateOptions) {
    this.options = options;
    this.#deflater = new Deflater(terms, options);
  }

  get terms(): DeflaterTerms {
    return this.#deflater.terms;
  }

  /** Whether a message is worth it; `compress` is what its sender said. */
  wants(payload: string | Buffer, compress: boolean | undefined): boolean {
    if (compress === false || payload.length === 0) return false;
    return compress === true || Buffer.byteLength(payload) >= this.options.threshold;
  }

  /** Compresses what comes next on the wire; what is large is waited for. */
  encode(payload: string | Buffer, compress: boolean | undefined): Encoded | Later {
    if (!this.wants(payload, compress)) return uncompressed(payload);
    const bytes = toBytes(payload);
    if (Deflater.isQuick(bytes.length)) return compressedOr(bytes, this.#deflater.now(bytes));
    return { bytes: bytes.length, read: () => this.#later(bytes) };
  }

  /** A message was sent that was compressed for many, without what this socket had sent before. */
  sent(payload: Buffer): void {
    this.#deflater.sent(payload);
  }

  #later(payload: Buffer): Promise<Encoded> {
    return runJob((done) => this.#deflater.later(payload, done), payload);
  }
}

/** The bytes of a payload, text as UTF-8. */
export function toBytes(payload: string | Buffer): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}

/** Waits for a place among the jobs, and for the result. */
export function runJob(
  deflate: (done: (compressed: Buffer | undefined) => void) => void,
  payload: Buffer,
): Promise<Encoded> {
  return new Promise((resolve) => {
    enqueueJob((ended) => {
      deflate((compressed) => {
        ended();
        resolve(compressedOr(payload, compressed));
      });
    });
  });
}
