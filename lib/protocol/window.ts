import { Buffer } from 'node:buffer';

const FIRST_CAPACITY = 1024;

const EMPTY = Buffer.alloc(0);

/**
 * The last bytes of a compressed conversation: what the next message may refer to (RFC 7692
 * §7.2.1). It stands in for a zlib stream a connection, and holds no more than was said.
 *
 * ```
 *   bytes  [ oldest ......... newest | free ... ]
 *          0                         length      capacity, up to 2^windowBits
 * ```
 */
export class Window {
  readonly #size: number;
  #bytes: Buffer = EMPTY;
  #length = 0;

  constructor(windowBits: number) {
    this.#size = 2 ** windowBits;
  }

  /** What a `dictionary` is for zlib; `undefined` while there is nothing. */
  get content(): Buffer | undefined {
    return this.#length === 0 ? undefined : this.#bytes.subarray(0, this.#length);
  }

  /** Takes what was said, in place of what is too old. */
  push(data: Buffer): void {
    const fresh = data.length > this.#size ? data.subarray(data.length - this.#size) : data;
    this.#reserve(Math.min(this.#size, this.#length + fresh.length));
    const kept = Math.min(this.#length, this.#size - fresh.length);
    this.#bytes.copyWithin(0, this.#length - kept, this.#length);
    fresh.copy(this.#bytes, kept);
    this.#length = kept + fresh.length;
  }

  #reserve(needed: number): void {
    if (needed <= this.#bytes.length) return;
    const doubled = Math.max(FIRST_CAPACITY, this.#bytes.length * 2, needed);
    // Of its own: it lives as long as the connection, and would pin a pool for as long.
    const next = Buffer.allocUnsafeSlow(Math.min(this.#size, doubled));
    this.#bytes.copy(next, 0, 0, this.#length);
    this.#bytes = next;
  }
}
