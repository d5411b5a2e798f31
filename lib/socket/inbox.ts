import type { Buffer } from 'node:buffer';
import { Alarm, clock } from './clock';
import {
  asBinaryType,
  checkMessage,
  handOver,
  isWanted,
  type Checked,
  type Recipient,
} from './delivery';
import { MessageIterator } from './message-iterator';
import { Takers } from './takers';
import { isThenable } from './user-code';

/** The way in that can be stopped. */
export interface Reader {
  /** Reads no further; what was read already is kept. */
  stopReading(): void;
  /** Goes on reading. */
  startReading(): void;
}

/** Messages that are held for user code that is not ready; then reading stops. */
const MAX_HELD = 16;

/** A message that waits, as it came or as a schema has made it. */
type Held =
  | { readonly data: string | Buffer; readonly isBinary: boolean }
  | { readonly checked: Checked; readonly bytes: number };

/**
 * When a message is delivered: one at a time, in order, and never before somebody takes it.
 *
 * ```
 *   decoder ──▶ accept ──────────────▶ delivery: schema, then iterator, hook, listeners
 *                 │ nobody there yet,      ▲  │ a schema took its time
 *                 ▼ paused, or busy        │  ▼ and is asked for again
 *               held ──────────────────────┘ held, first in line
 *             (up to 16 messages or maxPayload, then reading stops)
 * ```
 * Invariants:
 * - while a message is held, none is delivered past it.
 * - `#stage` is `idle` between messages, `delivering` inside of user code, `waiting` for its
 *   promise.
 * - nothing is delivered after `discard`, nor after the end was told.
 * - reading is stopped exactly while the user paused it or too much is held.
 * - after `end`, its callback runs exactly once: when what was held has been delivered, nobody
 *   wants it, or `closeTimeout` has passed.
 */
export class Inbox extends Alarm {
  readonly #recipient: Recipient;
  readonly #reader: Reader;
  #stage: 'idle' | 'delivering' | 'waiting' = 'idle';
  /** Made for the first iterator. */
  #takers: Takers | undefined = undefined;
  #isPaused = false;
  #isReading = true;
  #held: Held[] | undefined = undefined;
  #heldBytes = 0;
  #isDiscarding = false;
  #end: 'open' | { readonly callback: () => void } | 'ended' = 'open';

  constructor(recipient: Recipient, reader: Reader) {
    super();
    this.#recipient = recipient;
    this.#reader = reader;
  }

  /** Whether the user paused it. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the peer is being read from. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** The next message from the wire. */
  accept(data: string | Buffer, isBinary: boolean): void {
    if (this.#hasHeld() || !this.#canDeliver()) {
      (this.#held ??= []).push({ data, isBinary });
      this.#heldBytes += data.length;
      this.#steerReading();
      return;
    }
    this.#deliver(data, isBinary);
    // User code may have read on from inside of its handler.
    if (this.#hasHeld()) this.drain();
  }

  /** Stops reading and delivering. */
  pause(): void {
    this.#isPaused = true;
    this.#steerReading();
  }

  /** Goes on. */
  resume(): void {
    this.#isPaused = false;
    this.drain();
  }

  /** Forgets what is held, and reads on: after our close, data is discarded (RFC 6455 §1.4). */
  discard(): void {
    this.#isDiscarding = true;
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#isPaused = false;
    this.#steerReading();
  }

  /** Somebody may want messages who did not before. */
  drain(): void {
    while (this.#canDeliver()) {
      const next = this.#takeHeld();
      if (next === undefined) break;
      this.#deliverHeld(next);
    }
    this.#steerReading();
    this.#settleEnd();
  }

  /** As {@link drain}, but not from inside of the caller's code. */
  wake(): void {
    if (this.#held !== undefined) queueMicrotask(() => this.drain());
  }

  /** No more will come. `callback` is called when what is held has been dealt with. */
  end(callback: () => void): void {
    this.#end = { callback };
    this.#settleEnd();
    if (typeof this.#end !== 'string') clock.set(this, this.#recipient.settings.closeTimeout);
  }

  /** Held messages were not taken in time. */
  override ring(): void {
    this.#finish();
  }

  /** Messages as somebody pulls them; whoever iterates is the only one to get them. */
  iterate(): MessageIterator {
    return new MessageIterator(this, (this.#takers ??= new Takers()));
  }

  /** Whether an iterator takes the messages. */
  get #isPulled(): boolean {
    return this.#takers?.isPulling === true;
  }

  #hasHeld(): boolean {
    return this.#held !== undefined;
  }

  #canDeliver(): boolean {
    if (this.#stage !== 'idle' || this.#isPaused) return false;
    const isOver = this.#end === 'ended' && !this.#isPulled;
    return !isOver && this.#isTaken();
  }

  /** Whether somebody would take a message now. */
  #isTaken(): boolean {
    const takers = this.#takers;
    return takers?.isPulling === true ? takers.isWaiting : isWanted(this.#recipient);
  }

  #deliver(data: string | Buffer, isBinary: boolean): void {
    this.#stage = 'delivering';
    const isChecked = this.#recipient.settings.codec.decode !== undefined;
    this.#waitFor(isChecked ? this.#check(data) : this.#hand(data, isBinary));
  }

  #takeHeld(): Held | undefined {
    const next = this.#held?.shift();
    if (this.#held?.length === 0) this.#held = undefined;
    return next;
  }

  #deliverHeld(next: Held): void {
    if ('data' in next) {
      this.#heldBytes -= next.data.length;
      this.#deliver(next.data, next.isBinary);
    } else {
      this.#heldBytes -= next.bytes;
      this.#stage = 'delivering';
      this.#waitFor(this.#hand(next.checked.value, false));
    }
  }

  #check(data: string | Buffer): Promise<void> | undefined {
    const checked = checkMessage(this.#recipient, data);
    if (isThenable(checked)) return checked.then((late) => this.#putBack(late, data.length));
    return checked === undefined ? undefined : this.#hand(checked.value, false);
  }

  /** To an iterator that waits if there is one; else to hook and listeners. */
  #hand(message: unknown, isBinary: boolean): Promise<void> | undefined {
    const recipient = this.#recipient;
    const value = isBinary ? asBinaryType(recipient.socket, message as Buffer) : message;
    if (this.#takers?.hand(value) === true) return undefined;
    return handOver(recipient, value, isBinary);
  }

  /** Whoever wanted the message may have gone while it was checked: it takes its turn again. */
  #putBack(checked: Checked | undefined, bytes: number): void {
    if (checked === undefined || this.#isDiscarding) return;
    (this.#held ??= []).unshift({ checked, bytes });
    this.#heldBytes += bytes;
  }

  #waitFor(waiting: Promise<void> | undefined): void {
    if (waiting === undefined) {
      this.#stage = 'idle';
      return;
    }
    this.#stage = 'waiting';
    void waiting.then(() => {
      this.#stage = 'idle';
      this.drain();
    });
  }

  #steerReading(): void {
    const isFull =
      this.#held !== undefined &&
      (this.#held.length >= MAX_HELD || this.#heldBytes >= this.#recipient.settings.maxPayload);
    const mayRead = !this.#isPaused && !isFull;
    if (mayRead === this.#isReading) return;
    this.#isReading = mayRead;
    if (mayRead) this.#reader.startReading();
    else this.#reader.stopReading();
  }

  #settleEnd(): void {
    if (this.#end === 'open' || this.#stage !== 'idle') return;
    // What an iterator has left behind when it is left has nobody to go to any more.
    if (this.#end === 'ended' && !this.#isPulled) this.#held = undefined;
    // A loop inside of `open` ends first, or `open` would never settle.
    if (this.#held === undefined) this.#takers?.end();
    if (!this.#recipient.isOpening && !this.#isHeldWanted()) this.#finish();
  }

  /** Whether the end has to wait; an iterator may pull what is left after it, too. */
  #isHeldWanted(): boolean {
    if (this.#held === undefined || this.#isPulled) return false;
    return this.#isPaused || this.#isTaken();
  }

  #finish(): void {
    if (typeof this.#end === 'string') return;
    const { callback } = this.#end;
    this.#end = 'ended';
    clock.clear(this);
    // An iterator may still pull what came before the end.
    if (!this.#isPulled) this.#held = undefined;
    if (this.#held === undefined) this.#takers?.end();
    callback();
  }
}
