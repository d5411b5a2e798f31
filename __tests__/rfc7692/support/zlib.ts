import { Buffer } from 'node:buffer';
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  deflateRawSync,
  inflateRawSync,
  type DeflateRaw,
  type InflateRaw,
} from 'node:zlib';

/*
 * The client's half of RFC 7692 §7.2, straight on zlib: with a context, one stream for all
 * messages; without, a fresh one for each.
 */

/** RFC 7692 §7.2.1: what an empty block ends with, and what is cut off. */
export const TAIL = Buffer.from('0000ffff', 'hex');

const finishFlush = constants.Z_SYNC_FLUSH;

/**
 * Zlib looks for what a reference means in its window, and in all of the output that it is writing:
 * in pieces that are small against the window, a reference behind it is found out.
 */
const strictChunk = (windowBits: number): number => 2 ** Math.max(6, windowBits - 3);

/** Compresses the client's messages. */
export class Compressor {
  readonly #windowBits: number;
  readonly #pump: Pump | undefined;

  constructor(takeover: boolean, windowBits: number) {
    this.#windowBits = windowBits;
    this.#pump = takeover ? new Pump(createDeflateRaw({ windowBits })) : undefined;
  }

  async compress(data: Buffer): Promise<Buffer> {
    const bytes =
      this.#pump === undefined
        ? deflateRawSync(data, { windowBits: this.#windowBits, finishFlush })
        : await this.#pump.push(data);
    expect(bytes.subarray(-4)).toEqual(TAIL);
    return bytes.subarray(0, -4);
  }

  close(): void {
    this.#pump?.close();
  }
}

/** Expands the server's messages; a reference behind the window that was agreed on is an error. */
export class Expander {
  readonly #options: { readonly windowBits: number; readonly chunkSize: number };
  readonly #pump: Pump | undefined;

  constructor(takeover: boolean, windowBits: number, chunkSize = strictChunk(windowBits)) {
    this.#options = { windowBits, chunkSize };
    this.#pump = takeover ? new Pump(createInflateRaw(this.#options)) : undefined;
  }

  expand(payload: Buffer): Promise<Buffer> {
    const bytes = Buffer.concat([payload, TAIL]);
    return this.#pump === undefined
      ? Promise.resolve(inflateRawSync(bytes, { ...this.#options, finishFlush }))
      : this.#pump.push(bytes);
  }

  close(): void {
    this.#pump?.close();
  }
}

/** Inflates one message that refers to none before it. */
export function inflateAlone(payload: Buffer, windowBits = 15): Buffer {
  const options = { windowBits, chunkSize: strictChunk(windowBits), finishFlush };
  return inflateRawSync(Buffer.concat([payload, TAIL]), options);
}

/** Compresses one message that refers to none before it. */
export function deflateAlone(data: Buffer | string, windowBits = 15): Buffer {
  return deflateRawSync(data, { windowBits, finishFlush }).subarray(0, -4);
}

/** Inflates messages one behind the other, each of which may refer to those before it. */
export function inflateInContext(windowBits = 15): (payload: Buffer) => Buffer {
  let dictionary = Buffer.alloc(0);
  return (payload) => {
    const options = dictionary.length === 0 ? {} : { dictionary };
    const bytes = Buffer.concat([payload, TAIL]);
    const message = inflateRawSync(bytes, { windowBits, finishFlush, ...options });
    dictionary = Buffer.concat([dictionary, message]).subarray(-(2 ** windowBits));
    return message;
  };
}

/** A stream of zlib, used one message at a time. */
class Pump {
  readonly #stream: DeflateRaw | InflateRaw;
  #out: Buffer[] = [];
  #fail: (error: Error) => void = () => undefined;

  constructor(stream: DeflateRaw | InflateRaw) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#out.push(chunk));
    stream.on('error', (error) => this.#fail(error));
  }

  async push(bytes: Buffer): Promise<Buffer> {
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      this.#stream.write(bytes);
      this.#stream.flush(finishFlush, () => resolve());
    });
    // What a flush has brought may still be on its way to 'data'.
    await new Promise(setImmediate);
    return Buffer.concat(this.#out.splice(0));
  }

  close(): void {
    this.#stream.close();
  }
}
