/** Something with bytes to write before the turn of the event loop ends. */
export interface Flushable {
  flush(): void;
}

/** A handler that takes longer than this does not hold up what others have to write. */
const LATE_AFTER_MS = 1;

/** Who hears when a turn was written. */
export interface TurnOwner {
  /** Nothing waits any more. */
  onQuiet(): void;
  /** What was enlisted while writing waits for the next turn. */
  onMore(): void;
}

/**
 * The sockets that have something to write in this turn of the event loop.
 *
 * ```
 *            first enlist              setImmediate, or late
 *   ┌──────┐ ────────────▶ ┌─────────┐ ────────────────────▶ ┌──────────┐
 *   │ idle │               │ waiting │ ◀──────────────────── │ flushing │
 *   └──────┘ ◀──────┐      └─────────┘  enlisted meanwhile   └────┬─────┘
 *                   └─────────────────────────────────────────────┘ nothing more
 * ```
 * One `setImmediate` for all of them: it runs after the poll phase, when every read of the turn has
 * been answered, so each socket is written to once. A stream in memory may be answered from inside
 * of the write; that goes out in the next turn, or such a pair would keep this one for ever.
 */
export class Turn {
  readonly #owner: TurnOwner;
  #waiting: Flushable[] = [];
  /** The list that was written last, to be filled again. */
  #spare: Flushable[] = [];
  #state: 'idle' | 'waiting' | 'flushing' = 'idle';
  /** Calls of {@link hold} that have not returned. */
  #holds = 0;
  #since = 0;

  constructor(owner: TurnOwner) {
    this.#owner = owner;
  }

  /** Has `flush` called once, before the turn ends. */
  enlist(outbox: Flushable): void {
    this.#waiting.push(outbox);
    if (this.#state === 'idle') this.#wait();
  }

  /** To be called when a read was answered. */
  flushIfLate(): void {
    if (this.#state !== 'waiting' || this.#holds > 0) return;
    if (performance.now() - this.#since > LATE_AFTER_MS) this.#flush();
  }

  /**
   * Does not flush before this returns. A stream in memory may bring a read, answered late, from
   * inside of a write.
   */
  hold<T>(run: () => T): T {
    this.#holds++;
    try {
      return run();
    } finally {
      this.#holds--;
    }
  }

  #wait(): void {
    this.#state = 'waiting';
    this.#since = performance.now();
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    // A late flush leaves its setImmediate behind; there may be nothing left for it.
    if (this.#state !== 'waiting') return;
    this.#state = 'flushing';
    const batch = this.#waiting;
    this.#waiting = this.#spare;
    for (const outbox of batch) outbox.flush();
    batch.length = 0;
    this.#spare = batch;
    if (this.#waiting.length > 0) {
      this.#owner.onMore();
      this.#wait();
    } else {
      this.#state = 'idle';
      this.#owner.onQuiet();
    }
  };
}
