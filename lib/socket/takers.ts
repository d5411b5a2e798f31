/** Waits for the next message of an iterator; `undefined` is the end. */
export type Taker = (result: IteratorResult<unknown, undefined>) => void;

/** The iterators of one socket, and which of their calls wait for a message. */
export class Takers {
  #iterators = 0;
  #waiting: Taker[] = [];

  /** Whether there is an iterator, and so nobody else gets messages. */
  get isPulling(): boolean {
    return this.#iterators > 0;
  }

  /** Whether a message would be taken now. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** An iterator begins. */
  begin(): void {
    this.#iterators++;
  }

  /** An iterator ends; what it waits for will not come. */
  leave(waiting: readonly Taker[]): void {
    this.#iterators--;
    this.#waiting = this.#waiting.filter((taker) => !waiting.includes(taker));
    for (const taker of waiting) taker({ value: undefined, done: true });
  }

  /** A call waits for the next message. */
  add(taker: Taker): void {
    this.#waiting.push(taker);
  }

  /** Hands a message to the call that has waited longest; false when there is none. */
  hand(value: unknown): boolean {
    const taker = this.#waiting.shift();
    if (taker === undefined) return false;
    taker({ value, done: false });
    return true;
  }

  /** No message will come any more. */
  end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const taker of waiting) taker({ value: undefined, done: true });
  }
}
