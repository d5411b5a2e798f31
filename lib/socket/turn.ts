/** Something with bytes to write before the turn of the event loop ends. */
export interface Flushable {
  flush(): void;
}

/** A handler that takes longer than this does not hold up what others have to write. */
const LATE_AFTER_MS = 1;

/**
 * The sockets that have something to write in this turn of the event loop.
 *
 * ```
 *            first enlist              setImmediate, or late
 *   ┌──────┐ ────────────▶ ┌─────────┐ ────────────────────▶ ┌──────────┐
 *   │ idle │               │ waiting │                       │ flushing │
 *   └──────┘ ◀──────┐      └─────────┘                       └────┬─────┘
 *                   └─────────────────────────────────────────────┘ all written
 * ```
 * One `setImmediate` for all of them: it runs after the poll phase, when every read of the turn has
 * been answered, so each socket is written to once. What is enlisted while flushing is flushed too.
 */
export class Turn {
  readonly #onFlushed: () => void;
  readonly #waiting: Flushable[] = [];
  #state: 'idle' | 'waiting' | 'flushing' = 'idle';
  #since = 0;

  constructor(onFlushed: () => void) {
    this.#onFlushed = onFlushed;
  }

  /** Has `flush` called once, before the turn ends. */
  enlist(outbox: Flushable): void {
    this.#waiting.push(outbox);
    if (this.#state !== 'idle') return;
    this.#state = 'waiting';
    this.#since = performance.now();
    setImmediate(this.#flush);
  }

  /** To be called when a read was answered. */
  flushIfLate(): void {
    if (this.#state === 'waiting' && performance.now() - this.#since > LATE_AFTER_MS) this.#flush();
  }

  readonly #flush = (): void => {
    // A late flush leaves its setImmediate behind; there may be nothing left for it.
    if (this.#state !== 'waiting') return;
    this.#state = 'flushing';
    // By index: the list may grow while it is walked.
    for (let at = 0; at < this.#waiting.length; at++) this.#waiting[at]?.flush();
    this.#waiting.length = 0;
    this.#state = 'idle';
    this.#onFlushed();
  };
}
