/** So many messages and bytes in each span of `per` milliseconds. */
export interface RateLimit {
  /** Messages; `Infinity` for any number. */
  readonly messages: number;
  /** Bytes; `Infinity` for any number. */
  readonly bytes: number;
  /** Milliseconds. */
  readonly per: number;
}

/** Lets through what a {@link RateLimit} allows; what was not used is saved up to one span. */
export class TokenBucket {
  readonly #limit: RateLimit;
  #messages: number;
  #bytes: number;
  #filledAt: number;

  constructor(limit: RateLimit, now: number) {
    this.#limit = limit;
    this.#messages = limit.messages;
    this.#bytes = limit.bytes;
    this.#filledAt = now;
  }

  /** Takes what one message costs; false when it is more than is there. */
  take(bytes: number, now: number): boolean {
    const { messages, bytes: maxBytes, per } = this.#limit;
    const spans = (now - this.#filledAt) / per;
    this.#filledAt = now;
    this.#messages = refill(this.#messages, messages, spans) - 1;
    this.#bytes = refill(this.#bytes, maxBytes, spans) - bytes;
    return this.#messages >= 0 && this.#bytes >= 0;
  }
}

function refill(left: number, full: number, spans: number): number {
  return full === Infinity ? full : Math.min(full, left + spans * full);
}
