import type { Blob } from 'node:buffer';
import { Buffer } from 'node:buffer';
import { stateError } from '../protocol/errors';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import { closedBefore, type Outbox, type SendCallback } from './outbox';
import { isBlob, type Outgoing } from './outgoing';

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
  readonly canWrite: boolean;
  /** Runs user code; must not throw. */
  runCallback(callback: SendCallback, error: Error | undefined): void;
  /** The bytes of a blob could not be read. */
  onUserError(error: unknown): void;
}

/** A frame whose bytes may have to be waited for. */
interface Frame {
  /** The first byte of its header. */
  readonly first: number;
  readonly payload: string | Buffer | Blob;
  readonly bytes: number;
  readonly callback: SendCallback | undefined;
}

/**
 * Keeps what a socket sends in order where one `send` is not simply one frame: a message in
 * fragments, or a `Blob` whose bytes must be waited for. Made on first use and dropped when idle.
 *
 * ```
 *   own sends ────▶ queue while a blob is read ─────────────▶ outbox
 *   broadcasts ───▶ wait while a message is unfinished too ─▶ outbox   (§5.4: messages must not mix)
 * ```
 * Invariants:
 * - `#state` is `free` while nothing waits for a Blob, `reading` while one is read, `draining` while
 *   what was queued meanwhile goes out: what is sent from inside of that comes behind it.
 * - `#queuedBytes` and `#broadcastBytes` are the sums of what waits here.
 * - what the first byte of a frame says is decided at `send`, so the queue cannot break a rule later.
 */
export class SendSequence {
  readonly #owner: SequenceOwner;
  /** The type of the message that is unfinished behind everything in the queue. */
  #unfinished: Outgoing['opcode'] | undefined = undefined;
  /** Whether the message on the wire is unfinished. */
  #isMidMessage = false;
  #state: 'free' | 'reading' | 'draining' = 'free';
  #waiting: (() => void)[] = [];
  #queuedBytes = 0;
  #broadcasts: Buffer[] = [];
  #broadcastBytes = 0;

  constructor(owner: SequenceOwner) {
    this.#owner = owner;
  }

  /** Whether nothing depends on it any more. */
  get isIdle(): boolean {
    return !this.#isMidMessage && this.#state === 'free';
  }

  /** Bytes of our own that wait here. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Bytes of broadcasts that wait here. */
  get broadcastBytes(): number {
    return this.#broadcastBytes;
  }

  /**
   * Sends, now or when what came before has been sent.
   *
   * @throws Error `ERR_WS_FRAGMENT_MIX` for a fragment of another type than its message's
   */
  send({ message, isFinal, callback }: Sending): void {
    const opcode = isBlob(message) ? Opcode.Binary : message.opcode;
    if (this.#unfinished !== undefined && this.#unfinished !== opcode) {
      throw stateError(
        'fragments of one message must all be text or all binary',
        'ERR_WS_FRAGMENT_MIX',
      );
    }
    const first =
      (isFinal ? FIN : 0) | (this.#unfinished === undefined ? opcode : Opcode.Continuation);
    this.#unfinished = isFinal ? undefined : opcode;
    const payload = isBlob(message) ? message : message.payload;
    const bytes = isBlob(payload) ? payload.size : Buffer.byteLength(payload);
    this.#queuedBytes += bytes;
    this.after(() => this.#send({ first, payload, bytes, callback }));
  }

  /** Sends frames that belong to no message of ours. */
  broadcast(frames: Buffer): void {
    this.#broadcastBytes += frames.length;
    this.#broadcasts.push(frames);
    this.#release();
  }

  /** Runs when everything before has been sent; an unfinished message does not hold it up. */
  after(run: () => void): void {
    if (this.#state === 'free') run();
    else this.#waiting.push(run);
  }

  #send(frame: Frame): void {
    const { payload, bytes, callback } = frame;
    if (isBlob(payload)) {
      void this.#read(payload, frame);
      return;
    }
    this.#queuedBytes -= bytes;
    if (this.#owner.canWrite) this.#push(frame.first, payload, callback);
    else if (callback !== undefined) this.#owner.runCallback(callback, closedBefore());
    this.#release();
  }

  async #read(blob: Blob, frame: Frame): Promise<void> {
    this.#state = 'reading';
    try {
      const payload = Buffer.from(await blob.arrayBuffer());
      this.#state = 'draining';
      this.#send({ ...frame, payload });
    } catch (error) {
      this.#state = 'draining';
      this.#queuedBytes -= frame.bytes;
      if (frame.callback !== undefined) this.#owner.runCallback(frame.callback, error as Error);
      this.#owner.onUserError(error);
    }
    this.#drain();
  }

  #drain(): void {
    // What runs may be a blob again; then the rest goes on waiting.
    while (this.#state === 'draining') {
      const run = this.#waiting.shift();
      if (run === undefined) this.#state = 'free';
      else run();
    }
    this.#release();
  }

  #push(first: number, payload: string | Buffer, callback: SendCallback | undefined): void {
    const { outbox } = this.#owner;
    this.#isMidMessage = (first & FIN) === 0;
    if (callback !== undefined) outbox.beforePush(callback);
    if (typeof payload === 'string') outbox.pushText(first, payload);
    else outbox.pushBytes(first, payload);
  }

  #release(): void {
    if (this.#isMidMessage || this.#state === 'reading') return;
    for (const frames of this.#broadcasts.splice(0)) {
      this.#broadcastBytes -= frames.length;
      if (this.#owner.canWrite) this.#owner.outbox.pushEncoded(frames);
    }
  }
}
