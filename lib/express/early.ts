import { Buffer } from 'node:buffer';

/** Bytes that may come before the 101; then reading stops until there is a socket to read them. */
const MAX_BYTES = 65_536;

/** The same for reads: each one costs memory of its own, however little it brings. */
const MAX_READS = 64;

/** What a client sends before it was let in, in order. */
export class EarlyBytes {
  readonly #head: Buffer;
  readonly #reads: Buffer[] = [];
  #bytes = 0;

  /** `head` came together with the request. */
  constructor(head: Buffer) {
    this.#head = head;
  }

  /** Keeps a read; false when no more should be read for now. */
  push(chunk: Buffer): boolean {
    this.#reads.push(chunk);
    this.#bytes += chunk.length;
    return this.#bytes < MAX_BYTES && this.#reads.length < MAX_READS;
  }

  /** All of it, as one. */
  join(): Buffer {
    return this.#reads.length === 0 ? this.#head : Buffer.concat([this.#head, ...this.#reads]);
  }
}
