import type { Blob } from 'node:buffer';
import { Buffer } from 'node:buffer';
import { stateError } from '../protocol/errors';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import type { Outbox, SendCallback } from './outbox';
import type { Outgoing } from './outgoing';

/** One `send` of the user. */
export interface Sending {
  readonly message: Outgoing | Blob;
  readonly isFinal: boolean;
  readonly callback: SendCallback | undefined;
}

/** The socket, as its sequence sees it. */
export interface SequenceOwner {
  readonly outbox: Outbox;
  /** Whether frames may still be queued. */
  isOpen(): boolean;
  /** Runs user code; must not throw. */
  runCallback(callback: SendCallback, error: Error | undefined): void;
  /** The bytes of a blob could not be read. */
  onUserError(error: unknown): void;
}

/**
 * Keeps what a socket sends in order where one `send` is not simply one frame: a message in
 * fragments, or a `Blob` whose bytes must be waited for. Made on first use and dropped when idle.
 *
 * ```
 *   own sends ────▶ queue while a blob is read ─────────────▶ outbox
 *   broadcasts ───▶ wait while a message is unfinished too ─▶ outbox   (§5.4: messages must not mix)
 * ```
 */
export class SendSequence {
  readonly #owner: SequenceOwner;
  #open: Outgoing['opcode'] | undefined = undefined;
  #reading: Blob | undefined = undefined;
  #waiting: (() => void)[] = [];
  #broadcasts: Buffer[] = [];

  constructor(owner: SequenceOwner) {
    this.#owner = owner;
  }

  /** Whether nothing depends on it any more. */
  get isIdle(): boolean {
    return this.#open === undefined && this.#reading === undefined && this.#waiting.length === 0;
  }

  /** Bytes that wait here, as far as they are known. */
  get buffered(): number {
    const broadcasts = this.#broadcasts.reduce((sum, frames) => sum + frames.length, 0);
    return broadcasts + (this.#reading?.size ?? 0);
  }

  /**
   * Sends, now or when what came before has been sent.
   *
   * @throws Error `ERR_WS_FRAGMENT_MIX` for a fragment of another type than its message's
   */
  send(sending: Sending): void {
    if (this.#reading !== undefined) {
      this.#waiting.push(() => this.#send(sending));
      return;
    }
    this.#send(sending);
  }

  /** Sends frames that belong to no message of ours. */
  broadcast(frames: Buffer): void {
    this.#broadcasts.push(frames);
    this.#release();
  }

  /** Runs when everything before has been sent; an unfinished message does not hold it up. */
  after(run: () => void): void {
    if (this.#reading === undefined) run();
    else this.#waiting.push(run);
  }

  #send(sending: Sending): void {
    const { message, callback } = sending;
    if (!this.#owner.isOpen()) {
      const error = stateError('the socket was closed before this was sent', 'ERR_WS_NOT_OPEN');
      if (callback !== undefined) this.#owner.runCallback(callback, error);
    } else if ('opcode' in message) {
      this.#frame(message, sending);
      this.#release();
    } else {
      void this.#read(message, sending);
    }
  }

  async #read(blob: Blob, sending: Sending): Promise<void> {
    this.#reading = blob;
    try {
      const payload = Buffer.from(await blob.arrayBuffer());
      this.#reading = undefined;
      this.#send({ ...sending, message: { opcode: Opcode.Binary, payload } });
    } catch (error) {
      this.#reading = undefined;
      this.#owner.onUserError(error);
    }
    while (this.#waiting.length > 0 && !this.#isReading()) this.#waiting.shift()?.();
    this.#release();
  }

  /** What runs from the queue may be a blob again. */
  #isReading(): boolean {
    return this.#reading !== undefined;
  }

  #frame({ opcode, payload }: Outgoing, { isFinal, callback }: Sending): void {
    if (this.#open !== undefined && this.#open !== opcode) {
      throw stateError(
        'fragments of one message must all be text or all binary',
        'ERR_WS_FRAGMENT_MIX',
      );
    }
    const first = (isFinal ? FIN : 0) | (this.#open === undefined ? opcode : Opcode.Continuation);
    this.#open = isFinal ? undefined : opcode;
    const { outbox } = this.#owner;
    if (callback !== undefined) outbox.beforePush(callback);
    if (typeof payload === 'string') outbox.pushText(first, payload);
    else outbox.pushBytes(first, payload);
  }

  #release(): void {
    if (this.#open !== undefined || this.#isReading()) return;
    for (const frames of this.#broadcasts.splice(0)) this.#owner.outbox.pushEncoded(frames);
  }
}
