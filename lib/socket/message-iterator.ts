import type { Taker, Takers } from './takers';

/** Where an iterator gets its messages from. */
export interface MessageSource {
  /** Delivers what is held, now that somebody waits for it. */
  drain(): void;
}

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };

/**
 * `for await (const message of socket)`: one message each time it is asked, so the peer feels the
 * backpressure of a slow loop. Ends when the socket has closed and everything before was pulled;
 * leaving the loop early leaves the socket open, and messages go to the other consumers again.
 */
export class MessageIterator implements AsyncIterableIterator<unknown, undefined> {
  readonly #source: MessageSource;
  readonly #takers: Takers;
  /** Calls of `next` that were not answered yet, the oldest first. */
  #waiting: Taker[] = [];
  #isDone = false;

  constructor(source: MessageSource, takers: Takers) {
    this.#source = source;
    this.#takers = takers;
    takers.begin();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next message. */
  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#isDone) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      const taker: Taker = (result) => {
        this.#waiting.shift();
        if (result.done === true) this.#finish();
        resolve(result);
      };
      this.#waiting.push(taker);
      this.#takers.add(taker);
      this.#source.drain();
    });
  }

  /** Ends the iteration; the socket stays open. */
  return(): Promise<IteratorReturnResult<undefined>> {
    this.#finish();
    this.#source.drain();
    return Promise.resolve(DONE);
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#takers.leave([...this.#waiting]);
  }
}
